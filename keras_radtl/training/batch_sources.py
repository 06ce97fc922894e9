"""Batches of a training phase: pixels for the whole model, or stored activations for its upper part.

Both give the same bits. Activations are computed in the batches in which training would compute them, since some
kernels round differently for another batch size.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import math
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import keras
import numpy as np

from keras_radtl.config import to_dict
from keras_radtl.data.pipeline import evaluation_batches, prefetched, training_batches
from keras_radtl.data.sampling import Given
from keras_radtl.data.views import UNCHANGED, View, mean_of_views
from keras_radtl.models.groups import HEAD
from keras_radtl.models.prefix import Cut, cut
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
    stored = epochs if job.plan.augment.active else 1
    store = _open_store(job, parts.lower, len(job.order) * stored + len(job.split.val))
    return PixelSource(model, job) if store is None else FeatureSource(parts, job, store)


def make_head_source(model, job, images: int) -> FeatureSource:
    """Return the features of the head, which do not depend on the trainable layers, and the head as its model.

    Args:
        model: Classifier whose backbone has the weights by which the features are computed.
        job: The `TrainingJob`.
        images: Number of images of all views whose features would be stored.
    """
    features = model.get_layer(HEAD).input
    parts = Cut(
        keras.Model(model.inputs[0], features, name="lower"), keras.Model(features, model.outputs[0], name="upper")
    )
    stored = job.options.reuse and bool(parts.lower.weights)  # pixels are at hand already
    return FeatureSource(parts, job, _open_store(job, parts.lower, images) if stored else None)


def _open_store(job, lower, images: int) -> FeatureStore | None:
    """Return the store, or None if the activations of a number of images would not fit on disk."""
    limit, folder = job.options.cache_bytes, default_folder()
    needed = images * sum(4 * math.prod(tensor.shape[1:]) for tensor in lower.outputs)
    if needed <= min(limit, _free_space(folder) // 2):
        return FeatureStore(folder, limit, job.options.feature_dtype)
    logger.info("%sactivations of the frozen layers would take %.1f GB and are not stored", job.prefix, needed / 1e9)
    return None


def _free_space(folder: Path) -> int:
    """Return the free bytes where a folder is or would be made; parents that cannot be read are passed over."""
    for parent in (folder, *folder.parents):
        with contextlib.suppress(OSError):
            return shutil.disk_usage(parent).free
    return 0


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

    def logits(self, indices: np.ndarray, views: Sequence[View] = (UNCHANGED,)) -> np.ndarray:
        """Return the logits of cases, averaged over views: float32 array of shape (n_cases, n_classes)."""
        return mean_of_views(lambda view: self._predict(_plain_batches(self.job, indices, view)), views)

    def release(self) -> None:
        """Do nothing, since batches of pixels do not reference a model."""


def _pixel_batches(job, first_epoch: int, last_epoch: int, order=None):
    plan, dataset = job.plan, job.dataset
    return training_batches(
        dataset.pixels, dataset.cases.targets, job.split.train, plan.training.batch_size, plan.seed,
        plan.augment, first_epoch, last_epoch, job.weights, order=order or job.order,
    )  # fmt: skip


def _plain_batches(job, indices: np.ndarray, view: View = UNCHANGED):
    change = view.change if view.name else None
    return evaluation_batches(job.dataset.pixels, indices, job.plan.training.batch_size, change=change)


class FeatureSource:
    """Stored activations through the upper part of a classifier.

    Attributes:
        model: The upper part, which is trained.
        failure: The error that ended the batches, such as a failed read; TensorFlow only reports an error of its own.
        after_batch: Called without arguments after each batch whose activations have been computed.
    """

    def __init__(self, parts, job, store: FeatureStore | None):
        self.failure: OSError | None = None
        self.after_batch: Callable[[], object] = lambda: None
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

    def logits(self, indices: np.ndarray, views: Sequence[View] = (UNCHANGED,)) -> np.ndarray:
        """Return the logits of cases, averaged over views: float32 array of shape (n_cases, n_classes)."""
        return mean_of_views(lambda view: self._upper(map(self._pack, self._plain(indices, view))), views)

    def features(self, indices: np.ndarray, view: View | int = UNCHANGED) -> np.ndarray:
        """Return the activations at a cut of one tensor: float32 array of shape (n_cases, n_features).

        Args:
            indices: Cases, in the order of the rows.
            view: A test-time view, or the epoch of the random augmentation.
        """
        batches = self._augmented(indices, view) if isinstance(view, int) else self._plain(indices, view)
        return np.concatenate([np.asarray(tensor, np.float32) for (tensor,) in batches])

    def head_logits(self, features: np.ndarray) -> np.ndarray:
        """Return the logits of `features`, float32 array of shape (n_cases, n_classes)."""
        size = self.job.plan.training.batch_size
        return self._upper(features[start : start + size] for start in range(0, len(features), size))

    def release(self) -> None:
        """Drop the references to the models: TensorFlow keeps the generator of a dataset, and with it this source."""
        self.model = self._lower = self._upper = None

    def _epoch(self, epoch: int, order: np.ndarray) -> Iterator[list[np.ndarray]]:
        """Yield batches of the activations of the images of an epoch, in its order."""
        plan = self.job.plan
        if not plan.augment.active:
            yield from self._unaugmented(order)
            return
        yield from self._augmented(order, epoch)

    def _augmented(self, order: np.ndarray, epoch: int) -> Iterator[list[np.ndarray]]:
        """Yield batches of the activations of images with the augmentation of an epoch, in the given order."""
        plan = self.job.plan
        key = {"epoch": epoch, "rows": _digest(order), "seed": plan.seed, "augment": to_dict(plan.augment)}
        given = Given(order)
        images = lambda: (x for x, _, _ in _pixel_batches(self.job, epoch, epoch + 1, given))  # noqa: E731
        return self._stored(key, len(order), images)

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
            compute = lambda: self._compute(_plain_batches(self.job, padded))  # noqa: E731
            stored = self.store.arrays(key, len(padded), compute) if whole else []
        if stored is None:  # the store cannot be written
            yield from self._plain(order)
            return
        positions = np.searchsorted(train, order)
        for start in range(0, whole, size):
            yield [np.asarray(tensor[positions[start : start + size]]) for tensor in stored]
        if whole < len(order):
            yield from self._plain(order[whole:])

    def _plain(self, indices: np.ndarray, view: View = UNCHANGED) -> Iterator[list[np.ndarray]]:
        """Yield batches of the activations of images without random augmentation, in the order of `indices`."""
        key = {"epoch": None, "rows": _digest(indices)} | ({"view": view.name} if view.name else {})
        return self._stored(key, len(indices), lambda: _plain_batches(self.job, indices, view))

    def _stored(self, key: dict, rows: int, images: Callable[[], Iterable]) -> Iterator[list[np.ndarray]]:
        size = self.job.plan.training.batch_size
        with self._noted():
            if self.store is None:
                yield from self._compute(images())
                return
            yield from self.store.batches({**self._base, **key}, rows, size, lambda: self._compute(images()))

    def _compute(self, batches: Iterable) -> Iterator[list[np.ndarray]]:
        """Yield the activations of batches of images, one array per tensor."""
        for batch in batches:
            out = self._lower.step(batch)
            parts = out if isinstance(out, (list, tuple)) else [out]
            yield [part.numpy().astype(np.float32, copy=False) for part in parts]  # also from bfloat16
            self.after_batch()

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
    graph = json.dumps(_inference_part(json.loads(lower.to_json())), sort_keys=True)
    return {"graph": hashlib.sha256(graph.encode()).hexdigest(), "weights": digest.hexdigest()}


def _inference_part(config):
    """Return the configuration of a model without initializers and trainable flags, which may differ between folds."""
    if isinstance(config, dict):
        kept = {k: v for k, v in config.items() if k != "trainable" and not k.endswith("_initializer")}
        return {k: _inference_part(v) for k, v in kept.items()}
    return [_inference_part(item) for item in config] if isinstance(config, list) else config


def _data_key(job) -> dict:
    """Return the part of the key that identifies the pixels and the batches."""
    data = to_dict(job.plan.data)
    handling = {name: data[name] for name in ("resize", "resize_side", "channels", "window", "clahe")}
    shape = list(job.dataset.pixels.shape[1:])
    return {"data": job.dataset.fingerprint, "pixels": shape, **handling, "batch_size": job.plan.training.batch_size}


def _digest(indices: np.ndarray) -> str:
    return hashlib.sha256(np.asarray(indices, "<i8").tobytes()).hexdigest()
