"""Which training cases an epoch draws and in which order: all of them, or as many of each class.

The order is a function of (seed, epoch) and of the cases alone, so a resumed run draws what an uninterrupted one drew.
A case that is drawn twice in an epoch is the same picture twice; in the next epoch it is another one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from keras_radtl.data.augment import epoch_order

_DRAW_STREAM, _SHUFFLE_STREAM = 3, 4  # last word of the Philox counter, beside those of `augment`


@dataclass(frozen=True, eq=False)
class Shuffled:
    """All cases once an epoch.

    Call it with an epoch for their order, int64 (n,); its length is n.

    Attributes:
        indices: int (n,), the training cases.
        seed: of the run.
    """

    indices: np.ndarray
    seed: int

    def __len__(self) -> int:
        return len(self.indices)

    def __call__(self, epoch: int) -> np.ndarray:
        return epoch_order(self.indices, self.seed, epoch)


@dataclass(frozen=True, eq=False)
class Balanced:
    """As many cases of each class an epoch, about as many in all as there are.

    Of a class with more cases than its share an epoch draws some without repetition; those of a class with fewer come
    equally often, up to one. Call it with an epoch for the order, int64 (`len`,).

    Attributes:
        groups: one int array of training cases a class.
        seed: of the run.
    """

    groups: tuple[np.ndarray, ...]
    seed: int

    @property
    def share(self) -> int:
        """Cases of each class in an epoch."""
        return max(1, round(len(np.unique(np.concatenate(self.groups))) / len(self.groups)))

    def __len__(self) -> int:
        return self.share * len(self.groups)

    def __call__(self, epoch: int) -> np.ndarray:
        share = self.share
        drawn = [np.resize(self._permute(g, epoch, i, _DRAW_STREAM), share) for i, g in enumerate(self.groups)]
        return self._permute(np.concatenate(drawn), epoch, 0, _SHUFFLE_STREAM)

    def _permute(self, values: np.ndarray, epoch: int, number: int, stream: int) -> np.ndarray:
        key, counter = np.array([self.seed, epoch], np.uint64), np.array([0, number, 0, stream], np.uint64)
        keys = np.random.Philox(key=key, counter=counter).random_raw(len(values))
        return np.asarray(values, np.int64)[np.argsort(keys, kind="stable")]


def make_order(sampling: str, targets: np.ndarray, indices: np.ndarray, seed: int) -> Shuffled | Balanced:
    """Return what orders the training cases of an epoch.

    Args:
        sampling: `none` or `balanced`.
        targets: int (n_all,) class indices; or float (n_all, labels) of 0, 1 and NaN: a case is then drawn for each
            label it has, and cases without a label are a class of their own.
        indices: the training cases.
        seed: of the run.
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
    """Return weights by which every class has the same sum, float64 (classes,), of mean 1 over the cases.

    Args:
        targets: int (n,), class indices of the training cases.
        classes: number of classes, each with a case.
    """
    return len(targets) / (classes * np.bincount(targets, minlength=classes))


def label_weights(targets: np.ndarray) -> np.ndarray:
    """Return, a label, the weights of its absence and presence, float64 (labels, 2), by which both have the same sum.

    Args:
        targets: float (n, labels) of 0, 1 and NaN; unknown ones do not count.
    """
    counts = np.stack([(targets == 0).sum(axis=0), (targets == 1).sum(axis=0)], axis=1)
    return counts.sum(axis=1, keepdims=True) / (2 * np.maximum(counts, 1))
