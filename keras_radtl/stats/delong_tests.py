"""Are two AUCs, or many, equal? DeLong's tests for paired and unpaired curves, with the interval of the difference.

Reference: DeLong, DeLong and Clarke-Pearson, Biometrics 44 (1988) 837-845, eq. (5) and section 3.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from keras_radtl.stats.delong import check_scores, check_targets, delong_covariance, normal_quantile

ALTERNATIVES = ("two-sided", "less", "greater")


class AucDifference(NamedTuple):
    """The difference of two AUCs (a - b) and its test; `statistic` is z, or t with `df` degrees of freedom if unpaired.

    What is not defined is None and `method` says why.
    """

    auc_a: float | None
    auc_b: float | None
    difference: float | None
    std_error: float | None
    ci_low: float | None
    ci_high: float | None
    statistic: float | None
    df: float | None
    p: float | None
    method: str


class GlobalTest(NamedTuple):
    """Wald test that K AUCs are equal: chi-squared with `df` degrees of freedom (the rank of the contrasts)."""

    chi2: float
    df: int
    p: float


def delong_test(
    targets, scores_a, scores_b, confidence: float = 0.95, alternative: str = "two-sided", groups=None
) -> AucDifference:
    """Test whether two classifiers have the same AUC on the same cases.

    Args:
        targets: 0/1 array of shape (n,).
        scores_a: float array of shape (n,), higher means more positive.
        scores_b: float array of shape (n,) in the same case order.
        confidence: level of the two-sided interval of the difference, in (0, 1); it is cut to [-1, 1].
        alternative: "two-sided", "greater" (a has the higher AUC) or "less".
        groups: None, or n ids: cases of a group (patient) may depend on each other.

    Returns:
        An `AucDifference`. Equal placements of both classifiers give statistic 0 and p 1.

    Raises:
        ValueError: on NaN scores, other targets than 0 and 1, or unequal lengths.
    """
    quantile = _checked_quantile(confidence, alternative)
    targets = check_targets(targets)
    scores = np.stack([check_scores(scores_a, len(targets)), check_scores(scores_b, len(targets))])
    name = "DeLong, paired" + (", clustered" if groups is not None else "")
    if targets.all() or not targets.any():
        return _undefined(None, None, "undefined: targets of one class only")
    estimate = delong_covariance(targets, scores, groups, contrasts=np.array([[1.0, -1.0]]))
    auc_a, auc_b = (float(auc) for auc in estimate.aucs)
    variance = float(estimate.covariance[0, 0])
    if np.isnan(variance):
        return _undefined(auc_a, auc_b, "no test: a single positive or negative")
    difference, error = auc_a - auc_b, float(np.sqrt(variance))
    if error == 0 and difference != 0:
        return _undefined(auc_a, auc_b, "no test: the difference has variance 0")
    z = difference / error if error else 0.0
    low, high = max(-1.0, difference - quantile * error), min(1.0, difference + quantile * error)
    return AucDifference(auc_a, auc_b, difference, error, low, high, z, None, _normal_p(z, alternative), name)


def delong_unpaired_test(
    targets_a, scores_a, targets_b, scores_b, confidence: float = 0.95, alternative: str = "two-sided"
) -> AucDifference:
    """Test whether two AUCs from different cases are equal, by Welch's t as R's pROC does.

    Args:
        targets_a: 0/1 array of shape (n_a,).
        scores_a: float array of shape (n_a,).
        targets_b: 0/1 array of shape (n_b,).
        scores_b: float array of shape (n_b,).
        confidence: level of the two-sided interval of the difference (t quantile), in (0, 1); it is cut to [-1, 1].
        alternative: "two-sided", "greater" (a has the higher AUC) or "less".

    Raises:
        ValueError: on NaN scores, other targets than 0 and 1, or unequal lengths.
    """
    from scipy.special import stdtr, stdtrit

    _checked_quantile(confidence, alternative)
    sides = [(check_targets(targets_a), scores_a), (check_targets(targets_b), scores_b)]
    if any(targets.all() or not targets.any() for targets, _ in sides):
        return _undefined(None, None, "undefined: targets of one class only")
    estimates = [delong_covariance(targets, check_scores(scores, len(targets))) for targets, scores in sides]
    auc_a, auc_b = (float(estimate.aucs[0]) for estimate in estimates)
    parts = [float(estimate.covariance[0, 0]) for estimate in estimates]
    variance, difference = sum(parts), auc_a - auc_b
    if np.isnan(variance):
        return _undefined(auc_a, auc_b, "no test: a single positive or negative")
    if variance == 0:
        return _undefined(auc_a, auc_b, "no test: the difference has variance 0")
    df = variance**2 / sum(part**2 / (len(targets) - 1) for part, (targets, _) in zip(parts, sides, strict=True))
    error = float(np.sqrt(variance))
    t, half = difference / error, float(stdtrit(df, 0.5 + confidence / 2)) * error
    p = {"two-sided": 2 * stdtr(df, -abs(t)), "greater": stdtr(df, -t), "less": stdtr(df, t)}[alternative]
    low, high = max(-1.0, difference - half), min(1.0, difference + half)
    return AucDifference(auc_a, auc_b, difference, error, low, high, t, df, float(p), "DeLong, unpaired")


def delong_global_test(targets, scores, groups=None) -> GlobalTest:
    """Test whether K classifiers have the same AUC on the same cases.

    Differences to the first curve are tested together; redundant curves (copies, for instance) lower the degrees of
    freedom instead of making the matrix singular. With no degree of freedom left, chi2 is 0 and p is 1.

    Args:
        targets: 0/1 array of shape (n,) with both values.
        scores: float array of shape (K, n), K >= 2.
        groups: None, or n ids: cases of a group (patient) may depend on each other.

    Raises:
        ValueError: when targets lack a class, hold a single positive or negative, when lengths differ, or when curves
            with different AUCs (0 and 1, say) have no variance between them.
    """
    from scipy.special import chdtrc

    scores = np.atleast_2d(np.asarray(scores, dtype=np.float64))
    if len(scores) < 2:
        raise ValueError(f"`scores` must hold at least two curves. Received: shape {scores.shape}")
    contrasts = np.hstack([-np.ones((len(scores) - 1, 1)), np.eye(len(scores) - 1)])
    estimate = delong_covariance(targets, scores, groups, contrasts=contrasts)
    if np.isnan(estimate.covariance).any():
        raise ValueError(
            f"`targets` must hold two positives and two negatives, in two groups each. "
            f"Received: {estimate.positives} positives, {estimate.negatives} negatives"
        )
    differences = contrasts @ estimate.aucs
    values, vectors = np.linalg.eigh(estimate.covariance)
    kept = values > max(values.max() * 1e-12, 1e-300)
    projected = vectors.T @ differences
    if np.abs(projected[~kept]).max(initial=0.0) > 1e-8:
        raise ValueError(
            f"`scores` must not hold curves that differ with variance 0. Received: AUCs {estimate.aucs.tolist()}"
        )
    chi2, df = float(np.sum(projected[kept] ** 2 / values[kept])), int(kept.sum())
    return GlobalTest(chi2, df, float(chdtrc(df, chi2)) if df else 1.0)


def _checked_quantile(confidence: float, alternative: str) -> float:
    if alternative not in ALTERNATIVES:
        known = ", ".join(ALTERNATIVES)
        raise ValueError(f"`alternative` must be one of {known}. Received: alternative={alternative!r}")
    return normal_quantile(confidence)


def _normal_p(z: float, alternative: str) -> float:
    from scipy.special import ndtr

    return float({"two-sided": 2 * ndtr(-abs(z)), "greater": ndtr(-z), "less": ndtr(z)}[alternative])


def _undefined(auc_a: float | None, auc_b: float | None, reason: str) -> AucDifference:
    difference = None if auc_a is None or auc_b is None else auc_a - auc_b
    return AucDifference(auc_a, auc_b, difference, None, None, None, None, None, None, reason)
