"""Intervals of metrics without a closed form: the jackknife on a transformed scale, and studentized means.

Both leave out or draw whole groups.

Reference: Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 11 for the jackknife and section 12.5
for studentized intervals; Field and Welsh, JRSS B 69 (2007) 369-390 for groups.
"""

from __future__ import annotations

import numpy as np

from keras_radtl.stats.intervals import (
    BLOCK_VALUES,
    MINIMUM_DEFINED,
    Interval,
    Statistic,
    bootstrap_weights,
    student_quantile,
)

FEWEST_GROUPS = 10  # with fewer, most bootstrap samples repeat a few values, and studentized means have no bounds
MOST_BLOCKS = 1000  # more groups are left out in this many blocks of several groups
SCALES = {"logit": (0.0, 1.0), "fisher": (-1.0, 1.0)}  # lowest and highest value by name


def jackknife_intervals(
    statistic: Statistic, codes: np.ndarray, scales: tuple[str, ...], confidence: float, clustered: bool, seed: int = 0
) -> tuple[np.ndarray, list[Interval]]:
    """Estimate metrics with intervals that are symmetric on a transformed scale.

    The standard error is that of the delete-one-group jackknife, the quantile that of Student's t with G - 1 degrees of
    freedom.

    Args:
        statistic: takes weights of shape (rows, n), returns values of shape (rows, k), NaN where undefined.
        codes: group code of each case, int array of shape (n,) with values 0 to G - 1.
        scales: scale of each value: "logit" for values in [0, 1], "fisher" for values in [-1, 1].
        confidence: confidence level in (0, 1).
        clustered: whether `codes` are groups of cases; for the text of `method`.
        seed: seed of the random order of more than 1000 groups, which are left out in 1000 blocks.

    Returns:
        The values, an array of shape (k,), and an `Interval` of each.
    """
    values = statistic(np.ones((1, len(codes))))[0]
    samples = _leave_out(statistic, codes, seed)
    name = f"jackknife{', clustered' * clustered}"
    return values, [
        _transformed(value, column, scale, confidence, name)
        for value, column, scale in zip(values, samples.T, scales, strict=True)
    ]


def _leave_out(statistic: Statistic, codes: np.ndarray, seed: int) -> np.ndarray:
    """Return the statistic without each group, or block of groups, in turn."""
    count = int(codes.max()) + 1
    if count > MOST_BLOCKS:
        order = np.random.default_rng(seed).permutation(count) % MOST_BLOCKS
        codes, count = order[codes], MOST_BLOCKS
    rows = max(1, BLOCK_VALUES // len(codes))
    blocks = (np.arange(start, min(start + rows, count)) for start in range(0, count, rows))
    return np.concatenate([statistic((block[:, None] != codes).astype(np.float64)) for block in blocks])


def _transformed(value: float, samples: np.ndarray, scale: str, confidence: float, name: str) -> Interval:
    low, high = SCALES[scale]
    defined = samples[np.isfinite(samples)]
    if len(defined) < max(2, MINIMUM_DEFINED * len(samples)):
        return Interval(
            None, None, f"no interval: undefined in {len(samples) - len(defined)} of {len(samples)} jackknife samples"
        )
    error = np.sqrt((len(defined) - 1) / len(defined) * np.sum((defined - defined.mean()) ** 2))
    if not low < value < high:
        return Interval(None, None, f"no interval: the value is {value:g}")
    if not error > 1e-12:
        return Interval(None, None, "no interval: all jackknife samples are equal")
    share = (value - low) / (high - low)
    centre = np.log(share / (1 - share))
    half = student_quantile(confidence, len(defined) - 1) * error / (high - low) / (share * (1 - share))
    edges = np.clip((centre - half, centre + half), -700, 700)
    ci_low, ci_high = low + (high - low) / (1 + np.exp(-edges))
    return Interval(float(ci_low), float(ci_high), f"{name}, {scale}")


def studentized_mean(
    values: np.ndarray,
    codes: np.ndarray,
    confidence: float,
    clustered: bool,
    replicates: int = 2000,
    seed: int = 0,
    highest: float = np.inf,
) -> tuple[float, Interval]:
    """Estimate the mean over columns of the means of known values, with a studentized bootstrap interval.

    Args:
        values: nonnegative float array of shape (n, k), such as losses; NaN where unknown. Each column has a known
            value.
        codes: group code of each case, int array of shape (n,) with values 0 to G - 1.
        confidence: confidence level in (0, 1).
        clustered: whether `codes` are groups of cases; for the text of `method`.
        replicates: number of bootstrap samples.
        seed: random seed.
        highest: highest possible value; the upper bound is at most this.

    Returns:
        The mean, and its `Interval`, whose lower bound is at least 0; without bounds if there are fewer than 10 groups.
    """
    count, known = int(codes.max()) + 1, ~np.isnan(values)
    filled = np.where(known, values, 0.0)
    sums = np.stack([np.bincount(codes, column, count) for column in filled.T])
    sizes = np.stack([np.bincount(codes, column, count) for column in known.T.astype(float)])
    mean, error = _mean_and_error(np.ones((1, count)), sums, sizes)
    if count < 2 or not error[0] > 1e-12 * abs(mean[0]):
        reason = "only one group" if count < 2 else "all values are equal"
        return float(mean[0]), Interval(None, None, f"no interval: {reason}")
    if count < FEWEST_GROUPS:
        what = "groups" if clustered else "cases"
        text = f"no interval: {count} {what}, and the bootstrap needs at least {FEWEST_GROUPS}"
        return float(mean[0]), Interval(None, None, text)
    parts = [_mean_and_error(weights, sums, sizes) for weights in bootstrap_weights(np.arange(count), replicates, seed)]
    means, errors = (np.concatenate(part) for part in zip(*parts, strict=True))
    usable = errors > 1e-12 * abs(mean[0])  # NaN, and samples of one group drawn several times, are not
    if usable.sum() < MINIMUM_DEFINED * len(usable):
        text = f"no interval: undefined in {int((~usable).sum())} of {len(usable)} bootstrap samples"
        return float(mean[0]), Interval(None, None, text)
    student = (means[usable] - mean[0]) / errors[usable]
    low, high = np.quantile(student, [(1 - confidence) / 2, (1 + confidence) / 2])
    name = f"bootstrap{', clustered' * clustered}, studentized ({replicates} samples)"
    bounds = max(0.0, float(mean[0] - high * error[0])), min(highest, float(mean[0] - low * error[0]))
    return float(mean[0]), Interval(*bounds, name)


def _mean_and_error(weights: np.ndarray, sums: np.ndarray, sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean of column means and its linearized standard error, each of shape (rows,)."""
    count, columns = weights.shape[1], len(sums)
    mean, residual = np.zeros(len(weights)), np.zeros(weights.shape)
    with np.errstate(invalid="ignore", divide="ignore"):
        for total, size in zip(sums, sizes, strict=True):
            weight = weights @ size
            each = weights @ total / weight
            mean += each / columns
            residual += (total - each[:, None] * size) / (columns * weight[:, None])
        variance = count / (count - 1) * np.sum(weights * residual**2, axis=1) if count > 1 else np.zeros(len(weights))
    return mean, np.sqrt(variance)
