"""Batches of uint8 images for training and evaluation, made by parallel tf.data workers.

The pipeline shuffles indices, not images. Each worker makes one batch at a time: it reads the images from the array (in
memory or memory-mapped) and writes augmented copies. Memory use is therefore limited to a few batches, and OpenCV runs
without Python's global interpreter lock. The content of a batch depends only on (seed, epoch, indices).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from keras_radtl.config import AugmentConfig, require
from keras_radtl.data.augment import augment_image, sample_parameters
from keras_radtl.data.sampling import Balanced, Given, Shuffled

_PREFETCH = 2  # batches


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
    order: Shuffled | Balanced | Given | None = None,
) -> tf.data.Dataset:
    """Return the shuffled and augmented batches of the epochs [first_epoch, last_epoch).

    A batch never spans two epochs. Each epoch has ceil(n / batch_size) batches, of which the last may be smaller. Pass
    this number to `Model.fit` as `steps_per_epoch`, together with `initial_epoch=first_epoch`, `epochs=last_epoch` and
    `shuffle=False`, so that `fit` takes all epochs from one iterator. A run that resumes at epoch k gets the same
    batches as an uninterrupted run from epoch k on.

    Args:
        pixels: uint8 array or memory map of shape (n_all, height, width, 1 or 3).
        targets: Array of shape (n_all,) or (n_all, n_labels).
        indices: Sequence of n indices of the training images.
        batch_size: Images per batch.
        seed: Seed of the order and the augmentation.
        augment: Ranges of the augmentation; None disables it.
        first_epoch: First epoch, counted from 0.
        last_epoch: The epoch after the last one.
        weights: float array of shape (n_all,), weight of each image in the loss. None means 1 for every image.
        workers: Number of batches made in parallel. None means one per processor core, at most 8.
        order: Selects and orders the images of each epoch (see `sampling`). None means a shuffle of `indices`.

    Returns:
        Dataset of tuples (images, targets, weights): uint8 of shape (batch, height, width, channels), targets of
        shape (batch,) or (batch, n_labels) and float32 of shape (batch,).

    Raises:
        UserError: If the batch size is below 1, or if there are no images or no epochs.
    """
    order = Shuffled(np.asarray(indices, np.int64), seed) if order is None else order
    require(len(order) > 0, "indices", "not empty", indices)
    require(batch_size >= 1, "batch_size", ">= 1", batch_size)
    require(0 <= first_epoch < last_epoch, "first_epoch", f"in [0, {last_epoch})", first_epoch)
    weights = np.ones(len(pixels), np.float32) if weights is None else np.asarray(weights, np.float32)

    def batches_of_epoch(epoch):
        shuffled = tf.numpy_function(lambda number: order(int(number)), [epoch], tf.int64, stateful=False)
        shuffled = tf.ensure_shape(shuffled, [len(order)])
        return tf.data.Dataset.from_tensor_slices(shuffled).batch(batch_size).map(lambda batch: (epoch, batch))

    steps = -(-len(order) // batch_size)
    dataset = tf.data.Dataset.range(first_epoch, last_epoch).flat_map(batches_of_epoch)
    make_batch = _batch_maker(pixels, targets, weights, augment, seed)
    return _parallel_batches(dataset, make_batch, workers, steps * (last_epoch - first_epoch))


def _batch_maker(pixels, targets, weights, augment: AugmentConfig | None, seed: int):
    def make(epoch, batch):
        images = _augmented(pixels, batch, augment, seed, int(epoch)) if augment else pixels[batch]
        return images, targets[batch], weights[batch]

    def make_batch(epoch, batch):
        # With `stateful=True`, op determinism would run the workers one after the other.
        parts = tf.numpy_function(make, [epoch, batch], [pixels.dtype, targets.dtype, np.float32], stateful=False)
        shapes = [(None, *pixels.shape[1:]), (None, *targets.shape[1:]), (None,)]
        return tuple(tf.ensure_shape(part, shape) for part, shape in zip(parts, shapes, strict=True))

    return make_batch


def evaluation_batches(
    pixels: np.ndarray,
    indices: Sequence[int],
    batch_size: int,
    workers: int | None = None,
    change: Callable[[np.ndarray], np.ndarray] | None = None,
) -> tf.data.Dataset:
    """Return batches of images in the order of `indices`, without random augmentation.

    Args:
        pixels: uint8 array or memory map of shape (n_all, height, width, 1 or 3).
        indices: Sequence of n image indices.
        batch_size: Images per batch; the last batch may be smaller.
        workers: Number of batches read in parallel. None means one per processor core, at most 8.
        change: Function applied to each batch, such as that of a test-time view. None means unchanged images.

    Returns:
        Dataset of uint8 tensors of shape (batch, height, width, channels).

    Raises:
        UserError: If the batch size is below 1 or there are no images.
    """
    indices = np.asarray(indices, np.int64)
    require(len(indices) > 0, "indices", "not empty", indices)
    require(batch_size >= 1, "batch_size", ">= 1", batch_size)

    def read(batch):
        return pixels[batch] if change is None else change(pixels[batch])

    def make_batch(batch):
        images = tf.numpy_function(read, [batch], pixels.dtype, stateful=False)
        return tf.ensure_shape(images, (None, *pixels.shape[1:]))

    dataset = tf.data.Dataset.from_tensor_slices(indices).batch(batch_size)
    return _parallel_batches(dataset, make_batch, workers, -(-len(indices) // batch_size))


def _augmented(pixels, batch, augment: AugmentConfig, seed: int, epoch: int) -> np.ndarray:
    parameters = sample_parameters(augment, seed, epoch, batch, pixels.shape[1:3])
    images = np.empty((len(batch), *pixels.shape[1:]), np.uint8)
    for row, index in enumerate(batch):
        images[row] = augment_image(pixels[index], parameters.select(row))
    return images


def _parallel_batches(dataset: tf.data.Dataset, make_batch, workers: int | None, cardinality: int) -> tf.data.Dataset:
    workers = workers or min(os.cpu_count() or 1, 8)
    dataset = dataset.map(make_batch, num_parallel_calls=workers, deterministic=True)
    return prefetched(dataset.apply(tf.data.experimental.assert_cardinality(cardinality)))


def prefetched(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Return the dataset with prefetched batches and without autotuning.

    The number of workers is fixed, so autotuning has no use. It would also delay the end of an iterator: destroying
    the iterator waits for the tuning thread, whose sleep time doubles each time, up to 1 minute.

    Args:
        dataset: Dataset of batches.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.prefetch(_PREFETCH).with_options(options)
