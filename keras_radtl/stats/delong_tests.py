"""DeLong's tests of equal AUCs: two paired curves, two unpaired curves, or K paired curves at once.

With groups, the variance is Obuchowski's, the paired test refers to Student's t with G - 1 degrees of freedom, and the
joint test to Hotelling's T-squared: with few groups, the normal and the chi-squared distribution reject too often.

Reference: DeLong, DeLong and Clarke-Pearson, Biometrics 44 (1988) 837-845, eq. (5) and section 3; Obuchowski,
Biometrics 53 (1997) 567-578; Hotelling, Annals of Mathematical Statistics 2 (1931) 360-378.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from keras_radtl.stats.delong import check_scores, check_targets, delong_covariance
from keras_radtl.stats.intervals import group_codes, normal_quantile, student_quantile

ALTERNATIVES = ("two-sided", "less", "greater")


class AucDifference(NamedTuple):
    """The difference of two AUCs (a - b) with its standard error, confidence interval and test.

    `statistic` is z for paired curves of independent cases, and t with `df` degrees of freedom for unpaired curves and
    for groups. Undefined values are None and `method` gives the reason.
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
    """Wald test that K AUCs are equal: chi-squared with `df` degrees of freedom (the rank of the covariance matrix).

    With groups, `chi2` is Hotelling's T-squared, and `df_within` the degrees of freedom G - 1 of the variance.
    """

    chi2: float
    df: int
    p: float
    df_within: int | None = None


def delong_test(
    targets: ArrayLike,
    scores_a: ArrayLike,
    scores_b: ArrayLike,
    confidence: float = 0.95,
    alternative: str = "two-sided",
    groups: ArrayLike | None = None,
) -> AucDifference:
    """Test whether two classifiers have the same AUC on the same cases (paired curves).

    Args:
        targets: 0/1 array of shape (n,).
        scores_a: float array of shape (n,), higher means more positive.
        scores_b: float array of shape (n,), in the same order of cases.
        confidence: level in (0, 1) of the two-sided confidence interval of the difference, which is clipped to [-1, 1].
        alternative: "two-sided", "greater" (a has the higher AUC) or "less".
        groups: group id (for example the patient) of each case, shape (n,), for Obuchowski's clustered variance and
            Student's t; None if all cases are independent.

    Returns:
        An `AucDifference`. If both classifiers rank the cases identically, the statistic is 0 and the p-value is 1.

    Raises:
        ValueError: if a score is NaN, a target is not 0 or 1, or lengths differ.
    """
    quantile = _checked_quantile(confidence, alternative)
    targets = check_targets(targets)
    scores = np.stack([check_scores(scores_a, len(targets)), check_scores(scores_b, len(targets))])
    name = "DeLong, paired" + (", clustered" if groups is not None else "")
    if targets.all() or not targets.any():
        return _undefined(None, None, "undefined: all targets are of one class")
    estimate = delong_covariance(targets, scores, groups, contrasts=np.array([[1.0, -1.0]]))
    auc_a, auc_b = (float(auc) for auc in estimate.aucs)
    variance = float(estimate.covariance[0, 0])
    if np.isnan(variance):
        return _undefined(auc_a, auc_b, "no test: fewer than two positives or negatives")
    difference, error = auc_a - auc_b, float(np.sqrt(variance))
    if error == 0 and difference != 0:
        return _undefined(auc_a, auc_b, "no test: the variance of the difference is 0")
    z, df = difference / error if error else 0.0, None
    if groups is not None:
        df = float(group_codes(len(targets), groups).max())
        quantile = student_quantile(confidence, df)
    low, high = max(-1.0, difference - quantile * error), min(1.0, difference + quantile * error)
    return AucDifference(auc_a, auc_b, difference, error, low, high, z, df, _p_value(z, df, alternative), name)


def delong_unpaired_test(
    targets_a: ArrayLike,
    scores_a: ArrayLike,
    targets_b: ArrayLike,
    scores_b: ArrayLike,
    confidence: float = 0.95,
    alternative: str = "two-sided",
) -> AucDifference:
    """Test whether two AUCs from different cases are equal, by Welch's t-test as in R's pROC.

    Args:
        targets_a: 0/1 array of shape (n_a,).
        scores_a: float array of shape (n_a,), higher means more positive.
        targets_b: 0/1 array of shape (n_b,).
        scores_b: float array of shape (n_b,), higher means more positive.
        confidence: level in (0, 1) of the two-sided confidence interval of the difference, which is based on the t
            quantile and clipped to [-1, 1].
        alternative: "two-sided", "greater" (a has the higher AUC) or "less".

    Returns:
        An `AucDifference` with the degrees of freedom in `df`.

    Raises:
        ValueError: if a score is NaN, a target is not 0 or 1, or lengths differ.
    """
    _checked_quantile(confidence, alternative)
    sides = [(check_targets(targets_a), scores_a), (check_targets(targets_b), scores_b)]
    if any(targets.all() or not targets.any() for targets, _ in sides):
        return _undefined(None, None, "undefined: all targets are of one class")
    estimates = [delong_covariance(targets, check_scores(scores, len(targets))) for targets, scores in sides]
    auc_a, auc_b = (float(estimate.aucs[0]) for estimate in estimates)
    parts = [float(estimate.covariance[0, 0]) for estimate in estimates]
    variance, difference = sum(parts), auc_a - auc_b
    if np.isnan(variance):
        return _undefined(auc_a, auc_b, "no test: fewer than two positives or negatives")
    if variance == 0:
        return _undefined(auc_a, auc_b, "no test: the variance of the difference is 0")
    df = variance**2 / sum(part**2 / (len(targets) - 1) for part, (targets, _) in zip(parts, sides, strict=True))
    error = float(np.sqrt(variance))
    t, half = difference / error, student_quantile(confidence, df) * error
    low, high, p = max(-1.0, difference - half), min(1.0, difference + half), _p_value(t, df, alternative)
    return AucDifference(auc_a, auc_b, difference, error, low, high, t, df, p, "DeLong, unpaired")


def delong_global_test(targets: ArrayLike, scores: ArrayLike, groups: ArrayLike | None = None) -> GlobalTest:
    """Test whether K classifiers have the same AUC on the same cases.

    The differences to the first curve are tested jointly. Redundant curves, such as copies, reduce the degrees of
    freedom instead of making the covariance matrix singular.

    Args:
        targets: 0/1 array of shape (n,) with at least two positives and two negatives.
        scores: float array of shape (K, n), K >= 2.
        groups: group id (for example the patient) of each case, shape (n,), for Obuchowski's clustered variance; None
            if all cases are independent.

    Returns:
        A `GlobalTest`. With 0 degrees of freedom, chi2 is 0 and the p-value is 1.

    Raises:
        ValueError: if there are fewer than two positives or negatives (or groups that contain them), more curves than
            groups, lengths differ, a score is NaN, or curves with different AUCs (for example 0 and 1) differ with
            variance 0.
    """
    from scipy.special import chdtrc

    scores = np.atleast_2d(np.asarray(scores, dtype=np.float64))
    if len(scores) < 2:
        raise ValueError(f"`scores` must have at least two curves. Received: shape {scores.shape}")
    contrasts = np.hstack([-np.ones((len(scores) - 1, 1)), np.eye(len(scores) - 1)])
    estimate = delong_covariance(targets, scores, groups, contrasts=contrasts)
    if np.isnan(estimate.covariance).any():
        raise ValueError(
            "`targets` must have at least two positives and two negatives, in at least two groups each. "
            f"Received: {estimate.positives} positives, {estimate.negatives} negatives"
        )
    differences = contrasts @ estimate.aucs
    values, vectors = np.linalg.eigh(estimate.covariance)
    kept = values > max(values.max() * 1e-12, 1e-300)
    projected = vectors.T @ differences
    if np.abs(projected[~kept]).max(initial=0.0) > 1e-8:
        raise ValueError(
            f"`scores` must not have curves that differ with variance 0. Received: AUCs {estimate.aucs.tolist()}"
        )
    chi2, df = float(np.sum(projected[kept] ** 2 / values[kept])), int(kept.sum())
    if groups is None:
        return GlobalTest(chi2, df, float(chdtrc(df, chi2)) if df else 1.0)
    within = int(group_codes(len(np.asarray(targets)), groups).max())
    if df > within:
        raise ValueError(f"`groups` must be more than the curves. Received: {within + 1} groups, {len(scores)} curves")
    return GlobalTest(chi2, df, hotelling_p(chi2, df, within), within)


def _checked_quantile(confidence: float, alternative: str) -> float:
    if alternative not in ALTERNATIVES:
        known = ", ".join(ALTERNATIVES)
        raise ValueError(f"`alternative` must be one of {known}. Received: alternative={alternative!r}")
    return normal_quantile(confidence)


def _p_value(statistic: float, df: float | None, alternative: str) -> float:
    """Return the p-value of z (`df` None) or of Student's t."""
    from scipy.special import ndtr, stdtr

    def below(x: float) -> float:
        return float(ndtr(x) if df is None else stdtr(df, x))

    if alternative == "two-sided":
        return 2 * below(-abs(statistic))
    return below(-statistic if alternative == "greater" else statistic)


def hotelling_p(t_squared: float, df: int, within: int) -> float:
    """Return the p-value of Hotelling's T-squared.

    Args:
        t_squared: the statistic.
        df: number of dimensions, at most `within`.
        within: degrees of freedom of the covariance matrix.
    """
    from scipy.special import fdtrc

    if df == 0:
        return 1.0
    rest = within + 1 - df
    return float(fdtrc(df, rest, t_squared * rest / (within * df)))


def _undefined(auc_a: float | None, auc_b: float | None, reason: str) -> AucDifference:
    difference = None if auc_a is None or auc_b is None else auc_a - auc_b
    return AucDifference(auc_a, auc_b, difference, None, None, None, None, None, None, reason)
