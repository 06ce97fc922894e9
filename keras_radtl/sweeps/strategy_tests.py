"""Paired tests of each strategy against full fine-tuning, over seeds and over cases, with Holm's correction.

Over seeds: the paired t-test of the macro AUROC. The seeds are the sample and the test cases are fixed. It asks whether
another training run would show the same difference.

Over cases: the difference of the AUROC, as a mean over seeds. The cases are the sample and the trained models are
fixed. The ROC curves of all seeds share their cases and are therefore correlated. For two classes, the variance of the
difference follows from DeLong's covariance of all curves. For more classes, the test is a permutation test: the ranks
of the two strategies are exchanged case by case, in all seeds at once. It asks whether other cases would show the same
difference.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from keras_radtl.metrics.classification import macro_auc
from keras_radtl.stats.delong import delong_covariance
from keras_radtl.stats.paired import adjust_p_values, permutation_test
from keras_radtl.sweeps.seed_results import Seed

PERMUTATIONS = 2000


@dataclass(frozen=True)
class StrategyTest:
    """A strategy against full fine-tuning, for one backbone.

    Attributes:
        backbone: Name of the backbone.
        strategy: Name of the strategy.
        difference: Macro AUROC of the strategy minus that of full fine-tuning, mean over their common seeds; None if
            undefined.
        seeds: Number of these seeds.
        p_seeds: P-value of the test over seeds; None if it cannot be computed.
        p_cases: P-value of the test over cases; None if it cannot be computed.
        p_seeds_holm: `p_seeds` with Holm's correction over all strategies and backbones.
        p_cases_holm: `p_cases` with the same correction.
        method: Method of the test over cases, or the reason why there is none.
    """

    backbone: str
    strategy: str
    difference: float | None
    seeds: int
    p_seeds: float | None
    p_cases: float | None
    p_seeds_holm: float | None = None
    p_cases_holm: float | None = None
    method: str = ""


def strategy_tests(pairs: Sequence[tuple[str, str, Sequence[Seed], Sequence[Seed]]]) -> tuple[StrategyTest, ...]:
    """Test each pair and correct both kinds of p-values for the number of pairs.

    Args:
        pairs: One (backbone, strategy, seeds of full fine-tuning, seeds of the strategy) per test.
    """
    tests = [_test(*pair) for pair in pairs]
    corrected = [adjust_p_values([getattr(test, name) for test in tests]) for name in ("p_seeds", "p_cases")]
    return tuple(replace(t, p_seeds_holm=a, p_cases_holm=b) for t, a, b in zip(tests, *corrected, strict=True))


def _test(backbone: str, strategy: str, reference: Sequence[Seed], other: Sequence[Seed]) -> StrategyTest:
    by_seed = {seed.seed: seed for seed in reference}
    common = [(by_seed[seed.seed], seed) for seed in other if seed.seed in by_seed]
    values = [(a.metrics["macro_auroc"], b.metrics["macro_auroc"]) for a, b in common]
    if not values or any(None in pair for pair in values):
        return StrategyTest(backbone, strategy, None, len(values), None, None, method="no common seed with an AUROC")
    differences = np.array([b - a for a, b in values])
    p_cases, method = _over_cases(common)
    return StrategyTest(
        backbone, strategy, float(differences.mean()), len(values), _over_seeds(differences), p_cases, method=method
    )


def _over_seeds(differences: np.ndarray) -> float | None:
    from scipy.special import stdtr

    n = len(differences)
    if n < 2:
        return None
    error = differences.std(ddof=1) / math.sqrt(n)
    if error == 0:
        return 1.0 if differences.mean() == 0 else None
    return float(2 * stdtr(n - 1, -abs(differences.mean() / error)))


def _over_cases(common: Sequence[tuple[Seed, Seed]]) -> tuple[float | None, str]:
    first = common[0][0]
    if not len(first.targets):
        return None, "none: multi-label"
    if any(seed.cases != first.cases for pair in common for seed in pair):
        return None, "none: the test cases differ between runs"
    groups = first.groups if len(set(first.groups)) < len(first.groups) else None
    if first.probabilities.shape[1] == 2:
        return _delong(common, first, groups)
    return _permutation(common, first, groups)


def _delong(common, first: Seed, groups) -> tuple[float | None, str]:
    from scipy.special import ndtr

    scores = np.stack([seed.probabilities[:, 1] for side in (0, 1) for seed in (pair[side] for pair in common)])
    contrast = np.repeat([[-1.0, 1.0]], len(common), axis=1) / len(common)
    estimate = delong_covariance(first.targets, scores, groups, contrasts=contrast)
    variance, difference = float(estimate.covariance[0, 0]), float((contrast @ estimate.aucs)[0])
    name = "DeLong, mean over seeds" + (", clustered" if groups else "")
    if math.isnan(variance) or (variance == 0 and difference != 0):
        return None, f"none: {name} has no variance"
    return (float(2 * ndtr(-abs(difference) / math.sqrt(variance))) if variance else 1.0), name


def _permutation(common, first: Seed, groups) -> tuple[float | None, str]:
    from scipy.stats import rankdata

    def ranks(side: int) -> np.ndarray:
        return np.stack([rankdata(pair[side].probabilities, axis=0) for pair in common], axis=1)

    def statistic(targets, values) -> float:
        return float(np.mean([macro_auc(targets, values[:, i]) for i in range(values.shape[1])]))

    found = permutation_test(statistic, first.targets, ranks(1), ranks(0), groups, PERMUTATIONS)
    return found.p, "permutation, mean over seeds"
