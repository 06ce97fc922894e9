"""The training cases of each epoch and their order: every case once, or equally many cases of each class.

The order depends only on (seed, epoch) and the cases, so a resumed run sees the same cases as an uninterrupted one. A
case that is sampled twice in an epoch has the same augmented image both times.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from keras_radtl.data.augment import epoch_order

_SAMPLE_STREAM, _SHUFFLE_STREAM = 3, 4  # last word of the Philox counter; `augment` uses 1 and 2


@dataclass(frozen=True, eq=False)
class Shuffled:
    """Every training case once per epoch, in random order.

    Calling an instance with an epoch, counted from 0, returns the order as an int64 array of shape (n,).

    Attributes:
        indices: int array of shape (n,), the training cases.
        seed: Seed of the run.
    """

    indices: np.ndarray
    seed: int

    def __len__(self) -> int:
        return len(self.indices)

    def __call__(self, epoch: int) -> np.ndarray:
        return epoch_order(self.indices, self.seed, epoch)


@dataclass(frozen=True, eq=False)
class Balanced:
    """The same number of cases of each class in every epoch; in total about as many as there are training cases.

    Large classes are subsampled without replacement. Cases of small classes are repeated equally often, up to one
    repetition. Calling an instance with an epoch, counted from 0, returns the order as an int64 array whose length is
    the length of the instance.

    Attributes:
        groups: One int array of training cases for each class.
        seed: Seed of the run.
    """

    groups: tuple[np.ndarray, ...]
    seed: int

    @property
    def share(self) -> int:
        """Number of cases of each class in an epoch."""
        return max(1, round(len(np.unique(np.concatenate(self.groups))) / len(self.groups)))

    def __len__(self) -> int:
        return self.share * len(self.groups)

    def __call__(self, epoch: int) -> np.ndarray:
        share = self.share
        sampled = [np.resize(self._permute(g, epoch, i, _SAMPLE_STREAM), share) for i, g in enumerate(self.groups)]
        return self._permute(np.concatenate(sampled), epoch, 0, _SHUFFLE_STREAM)

    def _permute(self, values: np.ndarray, epoch: int, number: int, stream: int) -> np.ndarray:
        key, counter = np.array([self.seed, epoch], np.uint64), np.array([0, number, 0, stream], np.uint64)
        keys = np.random.Philox(key=key, counter=counter).random_raw(len(values))
        return np.asarray(values, np.int64)[np.argsort(keys, kind="stable")]


@dataclass(frozen=True, eq=False)
class Given:
    """The same cases in the same order in every epoch.

    Attributes:
        indices: int array of shape (n,).
    """

    indices: np.ndarray

    def __len__(self) -> int:
        return len(self.indices)

    def __call__(self, epoch: int) -> np.ndarray:
        return np.asarray(self.indices, np.int64)


def make_order(sampling: str, targets: np.ndarray, indices: np.ndarray, seed: int) -> Shuffled | Balanced:
    """Return the object that selects and orders the training cases of each epoch.

    Args:
        sampling: "none" or "balanced".
        targets: int array of shape (n_all,), class indices, or float array of shape (n_all, n_labels) of 0, 1 and NaN.
            For labels, a case counts in the class of each of its labels; cases without labels form one more class.
        indices: int array of shape (n,), the training cases.
        seed: Seed of the run.

    Returns:
        `Shuffled` or `Balanced`.
    """
    if sampling == "none":
        return Shuffled(np.asarray(indices, np.int64), seed)
    chosen = targets[indices]
    if targets.ndim == 1:
        members = [chosen == value for value in np.unique(chosen)]
    else:
        members = [*(chosen == 1).T, ~(chosen == 1).any(axis=1)]
    return Balanced(tuple(np.asarray(indices, np.int64)[rows] for rows in members if rows.any()), seed)


def class_weights(targets: np.ndarray, classes: int) -> np.ndarray:
    """Return class weights that give every class the same total weight; their mean over the cases is 1.

    Args:
        targets: int array of shape (n,), class indices of the training cases.
        classes: Number of classes; each must have at least one case.

    Returns:
        float64 array of shape (classes,).
    """
    return len(targets) / (classes * np.bincount(targets, minlength=classes))


def label_weights(targets: np.ndarray) -> np.ndarray:
    """Return weights of the absence and the presence of each label that give both the same total weight.

    Args:
        targets: float array of shape (n, n_labels) of 0, 1 and NaN. NaN (unknown) is ignored.

    Returns:
        float64 array of shape (n_labels, 2).
    """
    counts = np.stack([(targets == 0).sum(axis=0), (targets == 1).sum(axis=0)], axis=1)
    return counts.sum(axis=1, keepdims=True) / (2 * np.maximum(counts, 1))
