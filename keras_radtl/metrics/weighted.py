"""Metrics of weighted cases, vectorized over many sets of weights: the basis of all estimates and bootstraps.

Every function takes weights of shape (rows, n) and returns values of shape (rows,), NaN where the metric is undefined.
A row of ones gives the estimate; rows of bootstrap counts give its bootstrap samples.
"""

from __future__ import annotations

import numpy as np


def weighted_mean(weights: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return the weighted mean of one value per case, shape (n,)."""
    return ratio(weights @ values, weights.sum(axis=1))


def ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Return numerator / denominator, NaN where the denominator is 0."""
    return np.divide(numerator, denominator, out=np.full(np.shape(numerator), np.nan), where=denominator != 0)


class Ranking:
    """Cases sorted by the score of one class against the rest, for ROC and precision-recall curves under any weights.

    Args:
        positive: bool array of shape (n,).
        scores: float array of shape (n,), higher means more positive.
    """

    def __init__(self, positive: np.ndarray, scores: np.ndarray) -> None:
        self.order = np.argsort(-scores, kind="stable")
        ranked = scores[self.order]
        self.positive = positive[self.order].astype(np.float64)
        self.ends = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))  # last case of each group of ties

    def _counts(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the total weight of positives and of all cases at or above each distinct score, highest first."""
        ranked = weights[:, self.order]
        everything = np.cumsum(ranked, axis=1)[:, self.ends]
        positives = np.cumsum(ranked * self.positive, axis=1)[:, self.ends]
        return positives, everything

    def auc(self, weights: np.ndarray) -> np.ndarray:
        """Return the area under the ROC curve, with ties counted as one half."""
        positives, everything = self._counts(weights)
        negatives = everything - positives
        width = np.diff(negatives, axis=1, prepend=0.0)
        height = positives - np.diff(positives, axis=1, prepend=0.0) / 2
        return ratio(np.sum(width * height, axis=1), positives[:, -1] * negatives[:, -1])

    def average_precision(self, weights: np.ndarray) -> np.ndarray:
        """Return the average precision: precision times increase in recall, summed over distinct scores."""
        positives, everything = self._counts(weights)
        precision = np.divide(positives, everything, out=np.zeros_like(positives), where=everything > 0)
        steps = np.diff(positives, axis=1, prepend=0.0)
        return ratio(np.sum(precision * steps, axis=1), positives[:, -1])

    def rates(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return sensitivity and specificity at each threshold, two arrays of shape (rows, 1 + distinct scores).

        The first threshold is above all scores; the others are the distinct scores, highest first.
        """
        positives, everything = self._counts(weights)
        tp = np.pad(positives, ((0, 0), (1, 0)))
        tn = (everything - positives)[:, -1:] - np.pad(everything - positives, ((0, 0), (1, 0)))
        return ratio(tp, tp[:, -1:]), ratio(tn, tn[:, :1])


class Confusion:
    """Weighted counts of true and false positives and negatives of one class against the rest.

    Args:
        weights: float array of shape (rows, n).
        positive: bool array of shape (n,), whether the case is of the class.
        predicted: bool array of shape (n,), whether the class is predicted.
    """

    def __init__(self, weights: np.ndarray, positive: np.ndarray, predicted: np.ndarray) -> None:
        columns = np.stack([positive & predicted, ~positive & predicted, positive & ~predicted, ~positive & ~predicted])
        self.tp, self.fp, self.fn, self.tn = (weights @ columns.T.astype(np.float64)).T

    def sensitivity(self) -> np.ndarray:
        """Return the share of positives that are predicted positive."""
        return ratio(self.tp, self.tp + self.fn)

    def specificity(self) -> np.ndarray:
        """Return the share of negatives that are predicted negative."""
        return ratio(self.tn, self.tn + self.fp)

    def f1(self) -> np.ndarray:
        """Return the harmonic mean of precision and sensitivity; NaN if nothing is positive or predicted positive."""
        return ratio(2 * self.tp, 2 * self.tp + self.fp + self.fn)

    def accuracy(self) -> np.ndarray:
        """Return the share of correct predictions."""
        return ratio(self.tp + self.tn, self.tp + self.fp + self.fn + self.tn)

    def kappa(self) -> np.ndarray:
        """Return Cohen's kappa, the agreement beyond chance."""
        total = self.tp + self.fp + self.fn + self.tn
        chance = (self.tp + self.fp) * (self.tp + self.fn) + (self.fn + self.tn) * (self.fp + self.tn)
        return ratio(total * (self.tp + self.tn) - chance, total**2 - chance)
