"""Calibration of predicted probabilities: reliability curve, calibration error, Brier decomposition, recalibration.

Reference: Guo et al., ICML 2017, for the calibration error; Murphy, Journal of Applied Meteorology 12 (1973) 595-600,
and Stephenson, Coelho and Jolliffe, Weather and Forecasting 23 (2008) 752-757, for the Brier decomposition; Cox,
Biometrika 45 (1958) 562-565, and Van Calster et al., BMC Medicine 17 (2019) 230, for slope and intercept.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from keras_radtl.metrics.estimates import Cases, Metric, bootstrap_metric
from keras_radtl.stats.delong import check_scores, check_targets
from keras_radtl.stats.intervals import group_codes, normal_quantile, wilson_interval

STRATEGIES = ("uniform", "quantile")


class ReliabilityCurve(NamedTuple):
    """Mean predicted probability and observed frequency with Wilson's interval in each nonempty bin.

    All arrays have shape (nonempty bins,).
    """

    predicted: np.ndarray
    observed: np.ndarray
    counts: np.ndarray
    ci_low: np.ndarray
    ci_high: np.ndarray

    @property
    def expected_error(self) -> float:
        """Expected calibration error: mean absolute difference between prediction and frequency, weighted by cases."""
        return float(np.sum(self.counts * np.abs(self.predicted - self.observed)) / self.counts.sum())

    @property
    def maximum_error(self) -> float:
        """Maximum calibration error: largest absolute difference of any bin."""
        return float(np.abs(self.predicted - self.observed).max())


class BrierParts(NamedTuple):
    """Decomposition of the Brier score.

    brier = reliability - resolution + uncertainty + within_variance - within_covariance holds exactly. The first three
    terms are Murphy's; the two within-bin terms are zero if all probabilities in each bin are equal.
    """

    brier: float
    reliability: float
    resolution: float
    uncertainty: float
    within_variance: float
    within_covariance: float


class Recalibration(NamedTuple):
    """Logistic regression of the outcome on the predicted log odds; if calibrated, slope 1 and both intercepts 0.

    A slope below 1 means that the predictions are too extreme. `in_the_large` is the intercept with the slope fixed at
    1; below 0 it means that the predictions are too high on average.
    """

    slope: Metric
    intercept: Metric
    in_the_large: Metric


def reliability_curve(
    targets: ArrayLike,
    probabilities: ArrayLike,
    bins: int = 10,
    strategy: str = "uniform",
    confidence: float = 0.95,
) -> ReliabilityCurve:
    """Compare predicted probabilities with observed frequencies in bins, which are closed on the right.

    Args:
        targets: 0/1 array of shape (n,), n >= 1.
        probabilities: float array of shape (n,) in [0, 1].
        bins: number of bins, at least 1.
        strategy: "uniform" (equal widths) or "quantile" (equal counts).
        confidence: confidence level of the interval in each bin, in (0, 1).

    Returns:
        A `ReliabilityCurve`.

    Raises:
        ValueError: if an argument is out of range or lengths differ.
    """
    targets, probabilities = _checked(targets, probabilities)
    codes = _bin_codes(probabilities, bins, strategy)
    counts = np.bincount(codes, minlength=bins)
    nonempty = counts > 0
    counts = counts[nonempty]
    positives = np.bincount(codes, weights=targets, minlength=bins)[nonempty]
    predicted = np.bincount(codes, weights=probabilities, minlength=bins)[nonempty] / counts
    bounds = [wilson_interval(int(hits), int(n), confidence) for hits, n in zip(positives, counts, strict=True)]
    return ReliabilityCurve(
        predicted,
        positives / counts,
        counts,
        np.array([bound.ci_low for bound in bounds]),
        np.array([bound.ci_high for bound in bounds]),
    )


def top_label(targets: ArrayLike, probabilities: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Reduce a multi-class problem to a binary one: is the predicted class correct, and with which probability?

    Args:
        targets: int array of class indices, shape (n,).
        probabilities: float array of shape (n, n_classes).

    Returns:
        0/1 targets (1 where the predicted class is correct) and the probabilities of the predicted classes, both of
            shape (n,), as arguments for `reliability_curve` and `calibration_error`.
    """
    probabilities = np.asarray(probabilities)
    predicted = probabilities.argmax(axis=1)
    return (predicted == np.asarray(targets)).astype(int), probabilities.max(axis=1)


def calibration_error(
    targets: ArrayLike,
    probabilities: ArrayLike,
    bins: int = 10,
    strategy: str = "uniform",
    groups: ArrayLike | None = None,
    confidence: float = 0.95,
    replicates: int = 2000,
    seed: int = 0,
) -> Metric:
    """Compute the expected calibration error with a bootstrap confidence interval.

    The error cannot be negative, so sampling variation makes it positive even for calibrated predictions. If the true
    error is small, the estimate is biased upwards, and its bootstrap samples even more. Compare models on the same
    cases and bins only.

    Args:
        targets: 0/1 array of shape (n,), n >= 1.
        probabilities: float array of shape (n,) in [0, 1].
        bins: number of bins, at least 1.
        strategy: "uniform" or "quantile"; the same bins are used in all bootstrap samples.
        groups: group id (for example the patient) of each case, shape (n,), to resample whole groups; None to resample
            cases.
        confidence: confidence level in (0, 1).
        replicates: number of bootstrap samples.
        seed: random seed of the bootstrap.

    Returns:
        A `Metric`.

    Raises:
        ValueError: if an argument is out of range or lengths differ.
    """
    targets, probabilities = _checked(targets, probabilities)
    in_bin = _bin_codes(probabilities, bins, strategy)[:, None] == np.arange(bins)
    gaps = in_bin * (targets - probabilities)[:, None]

    def statistic(weights: np.ndarray) -> np.ndarray:
        return np.abs(weights @ gaps).sum(axis=1) / weights.sum(axis=1)

    return bootstrap_metric(statistic, Cases(group_codes(len(targets), groups), confidence, seed, replicates))


def brier_parts(targets: ArrayLike, probabilities: ArrayLike, bins: int = 10, strategy: str = "uniform") -> BrierParts:
    """Decompose the Brier score into reliability, resolution, uncertainty and two within-bin terms.

    Args:
        targets: 0/1 array of shape (n,), n >= 1.
        probabilities: float array of shape (n,) in [0, 1].
        bins: number of bins, at least 1.
        strategy: "uniform" (equal widths) or "quantile" (equal counts).

    Returns:
        A `BrierParts`.

    Raises:
        ValueError: if an argument is out of range or lengths differ.
    """
    targets, probabilities = _checked(targets, probabilities)
    codes = _bin_codes(probabilities, bins, strategy)
    share = np.bincount(codes, minlength=bins) / len(targets)
    size = np.maximum(np.bincount(codes, minlength=bins), 1)
    observed = np.bincount(codes, weights=targets, minlength=bins) / size
    predicted = np.bincount(codes, weights=probabilities, minlength=bins) / size
    base = targets.mean()
    off_predicted, off_observed = probabilities - predicted[codes], targets - observed[codes]
    return BrierParts(
        brier=float(np.mean((probabilities - targets) ** 2)),
        reliability=float(share @ (predicted - observed) ** 2),
        resolution=float(share @ (observed - base) ** 2),
        uncertainty=float(base * (1 - base)),
        within_variance=float(np.mean(off_predicted**2)),
        within_covariance=float(2 * np.mean(off_predicted * off_observed)),
    )


def recalibration(targets: ArrayLike, probabilities: ArrayLike, confidence: float = 0.95) -> Recalibration:
    """Fit calibration slope, calibration intercept and calibration-in-the-large, with Wald confidence intervals.

    If the logistic regression has no finite solution (one class only, separated classes, or all probabilities equal),
    the metric is None and `method` gives the reason. Probabilities are clipped to [1e-12, 1 - 1e-12].

    Args:
        targets: 0/1 array of shape (n,), n >= 1.
        probabilities: float array of shape (n,) in [0, 1].
        confidence: confidence level in (0, 1).

    Returns:
        A `Recalibration`.

    Raises:
        ValueError: if an argument is out of range or lengths differ.
    """
    targets, probabilities = _checked(targets, probabilities)
    n, z = len(targets), normal_quantile(confidence)
    clipped = np.clip(probabilities, 1e-12, 1 - 1e-12)
    log_odds = np.log(clipped) - np.log1p(-clipped)
    problem = _no_slope(targets == 1, log_odds)
    if problem:
        slope = intercept = Metric(None, None, None, n, f"undefined: {problem}")
    else:
        slope, intercept = _logistic(targets, log_odds, z)
    return Recalibration(slope, intercept, _in_the_large(targets, log_odds, z))


def _bin_codes(probabilities: np.ndarray, bins: int, strategy: str) -> np.ndarray:
    if bins < 1:
        raise ValueError(f"`bins` must be at least 1. Received: bins={bins!r}")
    if strategy not in STRATEGIES:
        raise ValueError(f"`strategy` must be one of {', '.join(STRATEGIES)}. Received: strategy={strategy!r}")
    edges = np.linspace(0, 1, bins + 1)
    if strategy == "quantile":
        edges = np.quantile(probabilities, edges)
    return np.searchsorted(edges[1:-1], probabilities, side="left")


def _no_slope(positive: np.ndarray, log_odds: np.ndarray) -> str:
    """Return why the logistic regression on one variable has no finite solution, or an empty string."""
    if positive.all() or not positive.any():
        return "one class only"
    if log_odds.min() == log_odds.max():
        return "all probabilities are equal"
    low, high = log_odds[~positive], log_odds[positive]
    if low.max() <= high.min() or high.max() <= low.min():
        return "the classes are separated"
    return ""


def _logistic(targets: np.ndarray, log_odds: np.ndarray, z: float) -> tuple[Metric, Metric]:
    import statsmodels.api as sm

    design = np.stack([log_odds, np.ones(len(log_odds))], axis=1)
    fit = sm.GLM(targets, design, family=sm.families.Binomial()).fit(maxiter=200, tol=1e-12)
    slope, intercept = (_wald(value, error, len(targets), z) for value, error in zip(fit.params, fit.bse, strict=True))
    return slope, intercept


def _in_the_large(targets: np.ndarray, log_odds: np.ndarray, z: float) -> Metric:
    """Find the shift of the log odds for which the expected number of positives equals the observed number."""
    from scipy.optimize import brentq
    from scipy.special import expit

    if targets.min() == targets.max():
        return Metric(None, None, None, len(targets), "undefined: one class only")
    shift = brentq(lambda shift: float(np.sum(targets - expit(log_odds + shift))), -100.0, 100.0, xtol=1e-13)
    expected = expit(log_odds + shift)
    return _wald(shift, 1 / np.sqrt(np.sum(expected * (1 - expected))), len(targets), z)


def _wald(value: float, error: float, n: int, z: float) -> Metric:
    return Metric(float(value), float(value - z * error), float(value + z * error), n, "logistic, Wald")


def _checked(targets: ArrayLike, probabilities: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    targets = check_targets(targets)
    probabilities = check_scores(probabilities, len(targets))
    if not len(targets) or probabilities.min() < 0 or probabilities.max() > 1:
        span = f", from {probabilities.min():g} to {probabilities.max():g}" if len(targets) else ""
        raise ValueError(
            f"`probabilities` must be in [0, 1] with at least one case. Received: {len(targets)} cases{span}"
        )
    return targets.astype(np.float64), probabilities
