"""Batches of a training phase: pixels for the whole model, or stored activations for its upper part.

Both give the same bits. Activations are computed in the batches in which training would compute them, since some
kernels round differently for another batch size.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import math
import shutil
from collections.abc import Callable, Iterable, Iterator

import numpy as np

from keras_radtl.config import to_dict
from keras_radtl.data.pipeline import evaluation_batches, prefetched, training_batches
from keras_radtl.models.prefix import cut
from keras_radtl.runs.inference import Predictor
from keras_radtl.training.feature_store import FeatureStore, default_folder

logger = logging.getLogger(__name__)


def make_batch_source(model, job, epochs: int):
    """Return stored activations as batch source if a part of the model is frozen and they fit on disk, else pixels.

    Args:
        model: Classifier whose trainable flags are set.
        job: The `TrainingJob`.
        epochs: Number of epochs whose activations of the training images would be stored.
    """
    if not job.options.reuse:
        return PixelSource(model, job)
    parts = cut(model)
    if parts is None:
        return PixelSource(model, job)
    limit = job.options.cache_bytes
    per_image = sum(4 * math.prod(tensor.shape[1:]) for tensor in parts.lower.outputs)
    stored = epochs if job.plan.augment.active else 1
    needed = per_image * (len(job.order) * stored + len(job.split.val))
    folder = default_folder()
    free = shutil.disk_usage(next(p for p in (folder, *folder.parents) if p.exists())).free
    if needed > min(limit, free // 2):
        logger.info(
            "%sactivations of the frozen layers would take %.1f GB and are not stored", job.prefix, needed / 1e9
        )
        return PixelSource(model, job)
    return FeatureSource(parts, job, FeatureStore(folder, limit, job.options.feature_dtype))


class PixelSource:
    """Augmented pixels through the whole classifier.

    Attributes:
        model: The model to train.
        failure: None; see `FeatureSource`.
    """

    failure = None

    def __init__(self, model, job):
        self.model, self.job = model, job
        self._predict = Predictor(model)

    def training(self, first_epoch: int, last_epoch: int):
        """Return a `tf.data.Dataset` over the epochs [first_epoch, last_epoch)."""
        return _pixel_batches(self.job, first_epoch, last_epoch)

    def logits(self, indices: np.ndarray) -> np.ndarray:
        """Return the logits of cases without augmentation: float32 array of shape (n_cases, n_classes)."""
        return self._predict(evaluation_batches(self.job.dataset.pixels, indices, self.job.plan.training.batch_size))

    def release(self) -> None:
        """Do nothing, since batches of pixels do not reference a model."""


def _pixel_batches(job, first_epoch: int, last_epoch: int):
    plan, dataset = job.plan, job.dataset
    return training_batches(
        dataset.pixels, dataset.cases.targets, job.split.train, plan.training.batch_size, plan.seed,
        plan.augment, first_epoch, last_epoch, job.weights, order=job.order,
    )  # fmt: skip


class FeatureSource:
    """Stored activations through the upper part of a classifier.

    Attributes:
        model: The upper part, which is trained.
        failure: The error that ended the batches, such as a failed read; TensorFlow only reports an error of its own.
    """

    def __init__(self, parts, job, store: FeatureStore):
        self.failure: OSError | None = None
        self.model, self.job, self.store = parts.upper, job, store
        self._lower, self._upper = Predictor(parts.lower), Predictor(parts.upper)
        self._base = {**_model_key(parts.lower), **_data_key(job)}

    def training(self, first_epoch: int, last_epoch: int):
        """Return a `tf.data.Dataset` over the epochs [first_epoch, last_epoch)."""
        import tensorflow as tf

        targets, weights = self.job.dataset.cases.targets, self.job.weights
        weights = np.ones(len(targets), np.float32) if weights is None else weights
        size = self.job.plan.training.batch_size

        def batches():
            for epoch in range(first_epoch, last_epoch):
                order = self.job.order(epoch)
                for batch, parts in enumerate(self._epoch(epoch, order)):
                    rows = order[batch * size : (batch + 1) * size]
                    yield self._pack(parts), targets[rows], weights[rows]

        tensors = [tf.TensorSpec(tensor.shape, tf.float32) for tensor in self.model.inputs]
        label = tf.TensorSpec((None, *targets.shape[1:]), targets.dtype)
        signature = (self._pack(tensors), label, tf.TensorSpec((None,), tf.float32))
        return prefetched(tf.data.Dataset.from_generator(batches, output_signature=signature))

    def logits(self, indices: np.ndarray) -> np.ndarray:
        """Return the logits of cases without augmentation: float32 array of shape (n_cases, n_classes)."""
        return self._upper(map(self._pack, self._plain(indices)))

    def release(self) -> None:
        """Drop the references to the models: TensorFlow keeps the generator of a dataset, and with it this source."""
        self.model = self._lower = self._upper = None

    def _epoch(self, epoch: int, order: np.ndarray) -> Iterator[list[np.ndarray]]:
        """Yield batches of the activations of the images of an epoch, in its order."""
        plan = self.job.plan
        if not plan.augment.active:
            yield from self._unaugmented(order)
            return
        key = {"epoch": epoch, "rows": _digest(order), "seed": plan.seed, "augment": to_dict(plan.augment)}
        images = lambda: (x for x, _, _ in _pixel_batches(self.job, epoch, epoch + 1))  # noqa: E731
        yield from self._stored(key, len(order), images)

    def _unaugmented(self, order: np.ndarray) -> Iterator[list[np.ndarray]]:
        """Yield batches of the activations of images without augmentation, which all epochs share.

        They are computed in batches of full size, for the same rounding as in training. The last batch of an epoch is
        smaller; its images are computed once more in a batch of that size.
        """
        size, train = self.job.plan.training.batch_size, np.sort(self.job.split.train)
        padded = np.resize(train, -(-len(train) // size) * size)
        whole = len(order) - len(order) % size
        with self._noted():
            key = {**self._base, "epoch": None, "rows": _digest(padded)}
            stored = self.store.arrays(key, len(padded), lambda: self._compute(self._images(padded))) if whole else []
        if stored is None:  # the store cannot be written
            yield from self._plain(order)
            return
        positions = np.searchsorted(train, order)
        for start in range(0, whole, size):
            yield [np.asarray(tensor[positions[start : start + size]]) for tensor in stored]
        if whole < len(order):
            yield from self._plain(order[whole:])

    def _plain(self, indices: np.ndarray) -> Iterator[list[np.ndarray]]:
        """Yield batches of the activations of images without augmentation, in the order of `indices`."""
        key = {"epoch": None, "rows": _digest(indices)}
        return self._stored(key, len(indices), lambda: self._images(indices))

    def _images(self, indices: np.ndarray):
        return evaluation_batches(self.job.dataset.pixels, indices, self.job.plan.training.batch_size)

    def _stored(self, key: dict, rows: int, images: Callable[[], Iterable]) -> Iterator[list[np.ndarray]]:
        size = self.job.plan.training.batch_size
        with self._noted():
            yield from self.store.batches({**self._base, **key}, rows, size, lambda: self._compute(images()))

    def _compute(self, batches: Iterable) -> Iterator[list[np.ndarray]]:
        """Yield the activations of batches of images, one array per tensor."""
        for batch in batches:
            out = self._lower.step(batch)
            parts = out if isinstance(out, (list, tuple)) else [out]
            yield [part.numpy().astype(np.float32, copy=False) for part in parts]  # also from bfloat16

    @contextlib.contextmanager
    def _noted(self) -> Iterator[None]:
        """Keep an error of the file system in `failure`, since TensorFlow reports only an error of its own."""
        try:
            yield
        except OSError as error:
            self.failure = error
            raise

    @staticmethod
    def _pack(parts):
        parts = [np.asarray(p, np.float32) if isinstance(p, np.ndarray) else p for p in parts]
        return parts[0] if len(parts) == 1 else tuple(parts)


def _model_key(lower) -> dict:
    """Return the part of the key that identifies the graph and the weights of the model."""
    digest = hashlib.sha256()
    for variable in lower.weights:
        digest.update(variable.path.encode())
        digest.update(np.ascontiguousarray(variable).tobytes())
    return {"graph": hashlib.sha256(lower.to_json().encode()).hexdigest(), "weights": digest.hexdigest()}


def _data_key(job) -> dict:
    """Return the part of the key that identifies the pixels and the batches."""
    data = to_dict(job.plan.data)
    handling = {name: data[name] for name in ("resize", "resize_side", "channels", "window", "clahe")}
    shape = list(job.dataset.pixels.shape[1:])
    return {"data": job.dataset.fingerprint, "pixels": shape, **handling, "batch_size": job.plan.training.batch_size}


def _digest(indices: np.ndarray) -> str:
    return hashlib.sha256(np.asarray(indices, "<i8").tobytes()).hexdigest()
