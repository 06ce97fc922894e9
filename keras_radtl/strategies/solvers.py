"""What an exact solver of a linear head receives and returns.

A strategy with a solver has no epochs: its head is the optimum of a convex problem on the features of the frozen
backbone. A solver is a function

    solver(features, targets, folds, settings) -> Solution

of arrays, so that it can be tested without a model: `features` has one float array of shape (n, n_features) per view,
of which the first is without augmentation; `targets` is int of shape (n,), or float of shape (n, outputs) of 0, 1 and
NaN; `folds` is int of shape (n,), the inner fold of each case, and does not divide a group; it is empty if the fit
needs no folds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from keras_radtl.config import LassoConfig


def _nothing(text: str) -> None:
    """Report nothing."""


@dataclass(frozen=True)
class SolverSettings:
    """How a solver fits.

    Attributes:
        outputs: Number of logits of the head: classes, or labels of a multi-label task.
        multilabel: Whether each logit is for an independent label (sigmoid) instead of a class (softmax).
        one_standard_error: Whether the strongest penalty is chosen whose held-out loss is within one standard error of
            the smallest one, instead of that with the smallest one.
        weights: Weight of each case in the loss, float array of shape (n,), or (n, outputs) for a multi-label task.
            None means 1.
        judged: Features by which a case is predicted, float array of shape (n, n_features); the mean over test-time
            views gives the mean of their logits. None means the first view.
        lasso: Settings of the lasso.
        validation: Features (m, n_features) and targets (m,) of the validation cases; None if there are none.
        report: Called with a line of text after each of several fits; it may raise an exception to stop.
    """

    outputs: int
    multilabel: bool = False
    one_standard_error: bool = False
    weights: np.ndarray | None = None
    judged: np.ndarray | None = None
    lasso: LassoConfig = field(default_factory=LassoConfig)
    validation: tuple[np.ndarray, np.ndarray] | None = None
    report: Callable[[str], None] = _nothing


@dataclass(frozen=True)
class Solution:
    """A linear head and how it was found.

    Attributes:
        coefficients: float64 array of shape (n_features, outputs), for features that are not standardised.
        intercept: float64 array of shape (outputs,).
        held_out: float64 array of shape (n, outputs): logits of each case by the head that was fitted without the
            inner fold of the case, with the chosen strength. None if there was no cross-validation.
        certificate: JSON-able values for `summary.json`: `l2`, `gradient_norm`, `converged` and others.
        strength: Names of the values of the certificate that belong in the history, such as `l2`.
        arrays: Arrays for `coefficients.npz`; empty: the file is not written.
    """

    coefficients: np.ndarray
    intercept: np.ndarray
    held_out: np.ndarray | None
    certificate: dict = field(default_factory=dict)
    strength: tuple[str, ...] = ()
    arrays: dict[str, np.ndarray] = field(default_factory=dict)


Solver = Callable[[Sequence[np.ndarray], np.ndarray, np.ndarray, SolverSettings], Solution]
