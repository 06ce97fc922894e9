"""Jackknife and studentized intervals against brute force, and their simulated coverage."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special, stats

from keras_radtl.stats import resampling
from keras_radtl.stats.resampling import jackknife_intervals, studentized_mean


def mean_of(values):
    return lambda weights: (weights @ values / weights.sum(axis=1))[:, None]


def grouped(seed=0, groups=15):
    generator = np.random.default_rng(seed)
    codes = np.repeat(np.arange(groups), generator.integers(1, 5, groups))
    return generator.random(len(codes)) * 0.5 + 0.4 * generator.random(groups)[codes], codes


@pytest.mark.parametrize("scale", ["logit", "fisher"])
def test_jackknife_leaves_out_each_group(scale):
    values, codes = grouped()
    (value,), (found,) = jackknife_intervals(mean_of(values), codes, (scale,), 0.9, True)
    without = np.array([values[codes != g].mean() for g in range(15)])
    error = np.sqrt(14 / 15 * np.sum((without - without.mean()) ** 2))
    assert value == pytest.approx(values.mean())
    forward, back, slope = {
        "logit": (special.logit, special.expit, 1 / (value * (1 - value))),
        "fisher": (np.arctanh, np.tanh, 1 / (1 - value**2)),
    }[scale]
    half = stats.t.ppf(0.95, 14) * error * slope
    assert found[:2] == pytest.approx((back(forward(value) - half), back(forward(value) + half)), rel=1e-10)
    assert found.method == f"jackknife, clustered, {scale}"


def test_many_groups_are_left_out_in_blocks(monkeypatch):
    values = np.random.default_rng(1).random(900)
    _, (each,) = jackknife_intervals(mean_of(values), np.arange(900), ("logit",), 0.95, False)
    monkeypatch.setattr(resampling, "MOST_BLOCKS", 150)
    _, (blocks,) = jackknife_intervals(mean_of(values), np.arange(900), ("logit",), 0.95, False)
    assert blocks != each
    assert blocks[:2] == pytest.approx(each[:2], abs=0.01)


@pytest.mark.parametrize(
    ("values", "words"), [([1.0] * 8, "the value is 1"), ([0.5] * 8, "all jackknife samples are equal")]
)
def test_without_variation_the_reason_is_given(values, words):
    _, (found,) = jackknife_intervals(mean_of(np.array(values)), np.arange(8), ("logit",), 0.95, False)
    assert found[:2] == (None, None) and words in found.method


def test_undefined_samples_are_counted():
    def statistic(weights):
        return np.where(weights[:, :4].all(axis=1), 0.5, np.nan)[:, None]

    _, (found,) = jackknife_intervals(statistic, np.arange(10), ("logit",), 0.95, False)
    assert found == (None, None, "no interval: undefined in 4 of 10 jackknife samples")


def test_studentized_mean_draws_groups_and_divides_by_their_error():
    values, codes = grouped(3)
    value, found = studentized_mean(values[:, None], codes, 0.9, True, replicates=4000, seed=1)
    generator, student = np.random.default_rng(7), []

    def estimate(chosen):
        sums = np.array([values[codes == g].sum() for g in chosen])
        sizes = np.array([np.sum(codes == g) for g in chosen])
        mean = sums.sum() / sizes.sum()
        return mean, np.sqrt(15 / 14 * np.sum((sums - mean * sizes) ** 2)) / sizes.sum()

    mean, error = estimate(range(15))
    for _ in range(4000):
        other, its_error = estimate(generator.integers(0, 15, 15))
        student.append((other - mean) / its_error)
    low, high = np.quantile(student, [0.05, 0.95])
    assert value == pytest.approx(mean)
    assert found[:2] == pytest.approx((mean - high * error, mean - low * error), abs=0.1 * error)
    assert found.method == "bootstrap, clustered, studentized (4000 samples)"


def test_mean_over_columns_uses_known_values_only():
    values = np.tile([[1.0, 2.0], [3.0, np.nan], [np.nan, 6.0], [5.0, 1.0], [0.0, 2.0]], (2, 1))
    value, found = studentized_mean(values, np.arange(10), 0.8, False, 200)
    assert value == pytest.approx((9 / 4 + 11 / 4) / 2)
    assert 0 <= found.ci_low < value < found.ci_high


def test_studentized_intervals_of_skewed_losses_cover():
    generator, covered, codes = np.random.default_rng(2), 0, np.repeat(np.arange(25), 3)
    for seed in range(300):
        values = generator.exponential(size=25)[codes] * generator.exponential(size=75)
        low, high, _ = studentized_mean(values[:, None], codes, 0.95, True, 400, seed)[1]
        covered += low <= 1 <= high
    assert 0.90 <= covered / 300 <= 0.98


@pytest.mark.parametrize(
    ("values", "codes", "words"),
    [([0.5] * 4, range(4), "all values are equal"), ([0.5, 0.1], [0, 0], "only one group")],
)
def test_losses_without_variation_have_no_interval(values, codes, words):
    _, found = studentized_mean(np.array(values)[:, None], np.array(codes), 0.95, True)
    assert found[:2] == (None, None) and words in found.method


@pytest.mark.parametrize(("repeats", "what"), [(1, "4 cases"), (3, "4 groups")])
def test_few_losses_have_no_interval(repeats, what):
    values, codes = np.repeat([0.664, 0.666, 0.667, 0.668], repeats), np.repeat(np.arange(4), repeats)
    value, found = studentized_mean(values[:, None], codes, 0.95, repeats > 1)
    assert value == pytest.approx(0.66625)
    assert found == (None, None, f"no interval: {what}, and the bootstrap needs at least 10")


def test_bounds_are_possible_values():
    values = np.append(np.linspace(0, 1e-3, 11), 0.9)  # without the last value a sample hardly varies
    _, free = studentized_mean(values[:, None], np.arange(12), 0.5, False)
    _, found = studentized_mean(values[:, None], np.arange(12), 0.5, False, highest=1.0)
    assert free.ci_high > 1 and found == (free.ci_low, 1.0, free.method)
