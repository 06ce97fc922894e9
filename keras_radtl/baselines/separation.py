"""Whether a hyperplane separates two classes, so that the logistic likelihood has no maximum.

The classes are completely separated if some hyperplane has every case strictly on the side of its class, and
quasi-completely if some hyperplane has no case on the wrong side and not all on it. In both cases coefficients grow
without bound. The answer is that of a linear program: maximize the number of cases that can be strictly separated,

    maximize sum_i t_i   subject to   t_i <= s_i (x_i w + b),   0 <= t_i <= 1.

Scaling w and b makes each t_i 0 or 1, so the maximum is that number: n if separation is complete, 0 if there is none.

Reference: Albert and Anderson, Biometrika 71 (1984) 1-10; Konis, Linear programming algorithms for detecting separated
data in binary logistic regression models (2007), chapter 4.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import csr_array, eye_array, hstack

COMPLETE, QUASI, NONE = "complete", "quasi-complete", "none"


class Separation(NamedTuple):
    """How two classes are separated.

    Attributes:
        kind: "complete", "quasi-complete" or "none".
        cases: Number of cases that a hyperplane has strictly on the side of their class, with none on the wrong side.
        proof: "hyperplane" (one that separates was found), "residuals" (of a maximum of the likelihood, see
            `without_separation`) or "linear program".
    """

    kind: str
    cases: int
    proof: str


def find_separation(features: np.ndarray, signs: np.ndarray) -> Separation:
    """Decide by the linear program whether a hyperplane separates two classes.

    Args:
        features: float64 array of shape (n, p); columns of similar scale make the program well conditioned.
        signs: Array of shape (n,), -1 or 1.

    Returns:
        The `Separation`.

    Raises:
        RuntimeError: If the solver (HiGHS) does not finish.
    """
    cases, width = features.shape
    sides = signs[:, None] * np.column_stack([features, np.ones(cases)])
    result = linprog(
        np.concatenate([np.zeros(width + 1), -np.ones(cases)]),
        A_ub=hstack([csr_array(-sides), eye_array(cases)], format="csr"),
        b_ub=np.zeros(cases),
        bounds=[(None, None)] * (width + 1) + [(0, 1)] * cases,
        method="highs",
    )
    if result.status != 0:
        raise RuntimeError(f"the linear program of separation did not finish: {result.message}")
    separated = int(np.sum(result.x[width + 1 :] > 0.5))
    kind = COMPLETE if separated == cases else QUASI if separated else NONE
    return Separation(kind, separated, "linear program")


def without_separation(features: np.ndarray, signs: np.ndarray, residuals: np.ndarray) -> bool:
    """Return whether residuals prove that no hyperplane separates the classes.

    By Stiemke's theorem there is no separation if and only if positive weights t_i exist with sum_i t_i s_i (x_i, 1) =
    0. At a maximum of the likelihood, t_i = 1 - (probability of the own class) are such weights. Those of the last
    iteration satisfy the equations nearly; they are corrected by the smallest change that satisfies them exactly,
    which must leave each weight positive by a wide margin.

    Args:
        features: float64 array of shape (n, r) with orthonormal, centred columns.
        signs: Array of shape (n,), -1 or 1.
        residuals: Array of shape (n,), 1 - (probability of the own class).
    """
    weighted = signs * residuals
    correction = features @ (features.T @ weighted) + weighted.mean()
    return bool(residuals.min() > 1e-9 and np.abs(correction).max() < 1e-3 * residuals.min())
