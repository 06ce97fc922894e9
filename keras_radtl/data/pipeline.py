"""Batches for training and evaluation: uint8 images in, uint8 batches out, by workers of tf.data.

Only indices are shuffled and passed along; each worker makes one whole batch at a time, reading its images from the
array (in memory or memory-mapped) and writing their changed copies. So memory is bounded by a few batches, and OpenCV
works outside Python's lock. What a batch holds depends on (seed, epoch, its indices) alone, never on the workers.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from keras_radtl.config import AugmentConfig, require
from keras_radtl.data.augment import apply, draw
from keras_radtl.data.sampling import Balanced, Shuffled

_PREFETCH = 2  # batches that wait ready for the model


def training_batches(
    pixels: np.ndarray,
    targets: np.ndarray,
    indices: Sequence[int],
    batch_size: int,
    seed: int,
    augment: AugmentConfig | None,
    first_epoch: int,
    last_epoch: int,
    weights: np.ndarray | None = None,
    workers: int | None = None,
    order: Shuffled | Balanced | None = None,
) -> tf.data.Dataset:
    """Return the shuffled, augmented batches of the epochs [first_epoch, last_epoch), one after the other.

    A batch never spans two epochs: each epoch ends with its short batch and has ceil(n / batch_size) batches. Pass
    that number to `Model.fit` as `steps_per_epoch` (with `initial_epoch=first_epoch, epochs=last_epoch,
    shuffle=False`), which then draws all epochs from one iterator. A run that resumes at epoch k gets the batches that
    an uninterrupted run had from epoch k on.

    Args:
        pixels: uint8 array or memory map of shape (n_all, height, width, 1 or 3).
        targets: array of shape (n_all,) or (n_all, n_labels).
        indices: n indices of the training images.
        batch_size: images per batch.
        seed: seed of order and changes.
        augment: ranges of the random changes; None: the images as they are.
        first_epoch: first epoch, counted from 0.
        last_epoch: the epoch after the last one.
        weights: float array of shape (n_all,), weight of each image in the loss; None: ones.
        workers: batches made at the same time; None: one per processor core, at most eight.
        order: which images an epoch draws, and when (see `sampling`); None: each of `indices` once, by `seed`.
    Returns:
        Dataset of (uint8 (B, height, width, channels), targets (B, ...), float32 weights (B,)).
    Raises:
        UserError: when the batch size is below 1 or there is no image or epoch.
    """
    order = Shuffled(np.asarray(indices, np.int64), seed) if order is None else order
    require(len(order) > 0, "indices", "not empty", indices)
    require(batch_size >= 1, "batch_size", ">= 1", batch_size)
    require(0 <= first_epoch < last_epoch, "first_epoch", f"in [0, {last_epoch})", first_epoch)
    weights = np.ones(len(pixels), np.float32) if weights is None else np.asarray(weights, np.float32)

    def batches_of_epoch(epoch):
        drawn = tf.numpy_function(lambda number: order(int(number)), [epoch], tf.int64, stateful=False)
        shuffled = tf.ensure_shape(drawn, [len(order)])
        return tf.data.Dataset.from_tensor_slices(shuffled).batch(batch_size).map(lambda batch: (epoch, batch))

    steps = -(-len(order) // batch_size)
    dataset = tf.data.Dataset.range(first_epoch, last_epoch).flat_map(batches_of_epoch)
    make_batch = _batch_maker(pixels, targets, weights, augment, seed)
    return _in_parallel(dataset, make_batch, workers, steps * (last_epoch - first_epoch))


def _batch_maker(pixels, targets, weights, augment: AugmentConfig | None, seed: int):
    def make(epoch, batch):
        images = _changed(pixels, batch, augment, seed, int(epoch)) if augment else pixels[batch]
        return images, targets[batch], weights[batch]

    def make_batch(epoch, batch):
        # Without state: op determinism would otherwise run the workers one after the other.
        parts = tf.numpy_function(make, [epoch, batch], [pixels.dtype, targets.dtype, np.float32], stateful=False)
        shapes = [(None, *pixels.shape[1:]), (None, *targets.shape[1:]), (None,)]
        return tuple(tf.ensure_shape(part, shape) for part, shape in zip(parts, shapes, strict=True))

    return make_batch


def evaluation_batches(
    pixels: np.ndarray, indices: Sequence[int], batch_size: int, workers: int | None = None
) -> tf.data.Dataset:
    """Return the images as they are, in the order of `indices`.

    Args:
        pixels: uint8 array or memory map of shape (n_all, height, width, 1 or 3).
        indices: n indices.
        batch_size: images per batch; the last batch may be shorter.
        workers: batches read at the same time; None: one per processor core, at most eight.
    Returns:
        Dataset of uint8 (B, height, width, channels).
    Raises:
        UserError: when the batch size is below 1 or there is no image.
    """
    indices = np.asarray(indices, np.int64)
    require(len(indices) > 0, "indices", "not empty", indices)
    require(batch_size >= 1, "batch_size", ">= 1", batch_size)

    def make_batch(batch):
        images = tf.numpy_function(pixels.__getitem__, [batch], pixels.dtype, stateful=False)
        return tf.ensure_shape(images, (None, *pixels.shape[1:]))

    dataset = tf.data.Dataset.from_tensor_slices(indices).batch(batch_size)
    return _in_parallel(dataset, make_batch, workers, -(-len(indices) // batch_size))


def _changed(pixels, batch, augment: AugmentConfig, seed: int, epoch: int) -> np.ndarray:
    parameters = draw(augment, seed, epoch, batch, pixels.shape[1:3])
    images = np.empty((len(batch), *pixels.shape[1:]), np.uint8)
    for row, index in enumerate(batch):
        images[row] = apply(pixels[index], parameters.image(row))
    return images


def _in_parallel(dataset: tf.data.Dataset, make_batch, workers: int | None, cardinality: int) -> tf.data.Dataset:
    workers = workers or min(os.cpu_count() or 1, 8)
    dataset = dataset.map(make_batch, num_parallel_calls=workers, deterministic=True)
    return ready_ahead(dataset.apply(tf.data.experimental.assert_cardinality(cardinality)))


def ready_ahead(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Return the dataset with a few batches made ahead, and without autotuning.

    The number of workers is fixed, so there is nothing to tune; and the end of an iterator would wait for the tuning
    thread, which sleeps twice as long each time, up to a minute.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.prefetch(_PREFETCH).with_options(options)
