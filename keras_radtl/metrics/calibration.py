"""Do predicted probabilities mean what they say? Reliability, calibration error, Brier's parts, slope.

Reference: Guo et al., ICML 2017, for the calibration error; Murphy, Journal of Applied Meteorology 12 (1973)
595-600, and Stephenson, Coelho and Jolliffe, Weather and Forecasting 23 (2008) 752-757, for Brier's parts; Cox,
Biometrika 45 (1958) 562-565, and Van Calster et al., BMC Medicine 17 (2019) 230, for slope and intercept.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from keras_radtl.metrics.classification import Metric, bootstrap_metrics
from keras_radtl.stats.delong import check_scores, check_targets, normal_quantile
from keras_radtl.stats.intervals import group_codes, wilson_interval

STRATEGIES = ("uniform", "quantile")


class ReliabilityCurve(NamedTuple):
    """Mean predicted probability and observed share, with Wilson's interval, in each bin that holds cases."""

    predicted: np.ndarray
    observed: np.ndarray
    counts: np.ndarray
    ci_low: np.ndarray
    ci_high: np.ndarray

    @property
    def expected_error(self) -> float:
        """The expected calibration error: the mean gap between predicted and observed, weighted by cases."""
        return float(np.sum(self.counts * np.abs(self.predicted - self.observed)) / self.counts.sum())

    @property
    def maximum_error(self) -> float:
        """The largest gap of any bin."""
        return float(np.abs(self.predicted - self.observed).max())


class BrierParts(NamedTuple):
    """The Brier score in parts; exactly: reliability - resolution + uncertainty + within_variance - within_covariance.

    The first three are Murphy's; the other two are what binning leaves over and vanish when a bin holds equal
    forecasts.
    """

    brier: float
    reliability: float
    resolution: float
    uncertainty: float
    within_variance: float
    within_covariance: float


class Recalibration(NamedTuple):
    """The logistic regression of the outcome on the log odds predicted; perfect: slope 1, both intercepts 0.

    A slope below 1 means predictions too extreme. `in_the_large` is the intercept with the slope held at 1: below 0
    means predictions too high on the whole.
    """

    slope: Metric
    intercept: Metric
    in_the_large: Metric


def reliability_curve(
    targets, probabilities, bins: int = 10, strategy: str = "uniform", confidence: float = 0.95
) -> ReliabilityCurve:
    """Compare predicted probabilities with what was observed, bin by bin; bins are closed on the right.

    Args:
        targets: 0/1 array of shape (n,), n >= 1.
        probabilities: float array of shape (n,) in [0, 1].
        bins: number of bins, at least 1.
        strategy: "uniform" (equal widths) or "quantile" (equal counts).
        confidence: of the interval in each bin, in (0, 1).

    Raises:
        ValueError: when an argument is out of range or lengths differ.
    """
    targets, probabilities = _checked(targets, probabilities)
    codes = _bin_codes(probabilities, bins, strategy)
    counts = np.bincount(codes, minlength=bins)
    held = counts > 0
    hits = np.bincount(codes, weights=targets, minlength=bins)[held]
    predicted = np.bincount(codes, weights=probabilities, minlength=bins)[held] / counts[held]
    bounds = [wilson_interval(int(hit), int(n), confidence) for hit, n in zip(hits, counts[held], strict=True)]
    return ReliabilityCurve(
        predicted,
        hits / counts[held],
        counts[held],
        np.array([bound.ci_low for bound in bounds]),
        np.array([bound.ci_high for bound in bounds]),
    )


def top_label(targets, probabilities) -> tuple[np.ndarray, np.ndarray]:
    """Reduce several classes to one question, is the predicted class right, and the probability given for it.

    Args:
        targets: int array of class indices, shape (n,).
        probabilities: float array of shape (n, n_classes).

    Returns:
        0/1 targets and probabilities of shape (n,) for `reliability_curve` and `calibration_error`.
    """
    probabilities = np.asarray(probabilities)
    predicted = probabilities.argmax(axis=1)
    return (predicted == np.asarray(targets)).astype(int), probabilities.max(axis=1)


def calibration_error(
    targets,
    probabilities,
    bins: int = 10,
    strategy: str = "uniform",
    groups=None,
    confidence: float = 0.95,
    replicates: int = 2000,
    seed: int = 0,
) -> Metric:
    """Return the expected calibration error with a bootstrap interval over cases or groups.

    The error is never negative, so chance alone makes it positive: the estimate and even more its bootstrap samples lie
    above the truth when it is small. Compare models on the same cases and bins.

    Args:
        targets: 0/1 array of shape (n,), n >= 1.
        probabilities: float array of shape (n,) in [0, 1].
        bins: number of bins, at least 1.
        strategy: "uniform" or "quantile"; the bins stay fixed in the bootstrap.
        groups: None, or n ids drawn as wholes.
        confidence: in (0, 1).
        replicates: bootstrap samples.
        seed: of the bootstrap.
    """
    targets, probabilities = _checked(targets, probabilities)
    in_bin = _bin_codes(probabilities, bins, strategy)[:, None] == np.arange(bins)
    gaps = in_bin * (targets - probabilities)[:, None]

    def statistic(weights: np.ndarray) -> np.ndarray:
        return np.abs(weights @ gaps).sum(axis=1, keepdims=True) / weights.sum(axis=1, keepdims=True)

    codes = group_codes(len(targets), groups)
    return bootstrap_metrics(statistic, ("error",), codes, "undefined", seed, confidence, replicates)["error"]


def brier_parts(targets, probabilities, bins: int = 10, strategy: str = "uniform") -> BrierParts:
    """Split the Brier score into reliability, resolution, uncertainty and what binning leaves over.

    Args and errors as in `reliability_curve`.
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


def recalibration(targets, probabilities, confidence: float = 0.95) -> Recalibration:
    """Fit calibration slope, intercept and calibration-in-the-large, with Wald intervals.

    Where the fit does not exist (one class only, separated classes, one probability only) the figure is None and
    `method` says why. Probabilities of 0 and 1 are cut at 1e-12.

    Args:
        targets: 0/1 array of shape (n,), n >= 1.
        probabilities: float array of shape (n,) in [0, 1].
        confidence: in (0, 1).
    """
    targets, probabilities = _checked(targets, probabilities)
    n, z = len(targets), normal_quantile(confidence)
    probabilities = np.clip(probabilities, 1e-12, 1 - 1e-12)
    log_odds = np.log(probabilities) - np.log1p(-probabilities)
    problem = _no_slope(targets == 1, log_odds)
    both = [Metric(None, None, None, n, f"undefined: {problem}")] * 2
    if not problem:
        both = _logistic(targets, log_odds, z)
    return Recalibration(*both, _in_the_large(targets, log_odds, z))


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
    """Say why the logistic regression on one variable has no finite solution, or return an empty text."""
    if positive.all() or not positive.any():
        return "one class only"
    if log_odds.min() == log_odds.max():
        return "all probabilities are equal"
    low, high = log_odds[~positive], log_odds[positive]
    if low.max() <= high.min() or high.max() <= low.min():
        return "the classes are separated"
    return ""


def _logistic(targets: np.ndarray, log_odds: np.ndarray, z: float) -> list[Metric]:
    import statsmodels.api as sm

    design = np.stack([log_odds, np.ones(len(log_odds))], axis=1)
    fit = sm.GLM(targets, design, family=sm.families.Binomial()).fit(maxiter=200, tol=1e-12)
    return [_wald(value, error, len(targets), z) for value, error in zip(fit.params, fit.bse, strict=True)]


def _in_the_large(targets: np.ndarray, log_odds: np.ndarray, z: float) -> Metric:
    """Solve for the shift of the log odds at which as many positives are expected as there are."""
    from scipy.optimize import brentq
    from scipy.special import expit

    if targets.min() == targets.max():
        return Metric(None, None, None, len(targets), "undefined: one class only")
    shift = brentq(lambda shift: float(np.sum(targets - expit(log_odds + shift))), -100.0, 100.0, xtol=1e-13)
    expected = expit(log_odds + shift)
    return _wald(shift, 1 / np.sqrt(np.sum(expected * (1 - expected))), len(targets), z)


def _wald(value: float, error: float, n: int, z: float) -> Metric:
    return Metric(float(value), float(value - z * error), float(value + z * error), n, "logistic, Wald")


def _checked(targets, probabilities) -> tuple[np.ndarray, np.ndarray]:
    targets = check_targets(targets)
    probabilities = check_scores(probabilities, len(targets))
    if not len(targets) or probabilities.min() < 0 or probabilities.max() > 1:
        raise ValueError(f"`probabilities` must lie in [0, 1] and hold at least one case. Received: {probabilities}")
    return targets.astype(np.float64), probabilities
