"""Several models on the same cases: their AUCs, and every pair tested by DeLong and McNemar with corrected p-values."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import NamedTuple

import numpy as np

from keras_radtl.stats.delong import check_scores, check_targets, delong_interval
from keras_radtl.stats.delong_tests import GlobalTest, delong_global_test, delong_test
from keras_radtl.stats.paired import CochranQ, adjust_p_values, cochran_q, mcnemar


class ModelResult(NamedTuple):
    """One model's AUC with its interval."""

    name: str
    auc: float
    ci_low: float | None
    ci_high: float | None
    n: int
    positives: int
    method: str


class PairResult(NamedTuple):
    """Two models: DeLong's test of the AUC difference (a - b) and McNemar's of the thresholded predictions."""

    a: str
    b: str
    difference: float
    ci_low: float | None
    ci_high: float | None
    z: float | None
    p: float | None
    p_adjusted: float | None
    mcnemar_statistic: float | None
    mcnemar_p: float
    mcnemar_p_adjusted: float
    only_a: int
    only_b: int
    method: str


class Comparison(NamedTuple):
    """All models and pairs; with three models or more also one test that all AUCs, and all error rates, are equal."""

    models: tuple[ModelResult, ...]
    pairs: tuple[PairResult, ...]
    global_test: GlobalTest | None
    cochran: CochranQ | None


def compare_models(
    targets,
    scores: Mapping[str, np.ndarray],
    groups=None,
    threshold: float = 0.5,
    confidence: float = 0.95,
    correction: str = "holm",
    mcnemar_method: str = "corrected",
) -> Comparison:
    """Compare models by their scores of the same cases.

    Args:
        targets: 0/1 array of shape (n,) with both values.
        scores: by model name, float arrays of shape (n,) in the order of the targets.
        groups: None for independent cases, or n ids: DeLong's variance then lets cases of a group depend on each other.
        threshold: a case with this score or more is predicted positive (for McNemar and Cochran).
        confidence: level of all intervals, in (0, 1).
        correction: of the p-values over pairs, "holm" or "benjamini-hochberg".
        mcnemar_method: "corrected", "chi2" or "exact".

    Raises:
        ValueError: on fewer than two models, a missing class, or NaN scores.
    """
    targets = check_targets(targets)
    if len(scores) < 2:
        raise ValueError(f"`scores` must hold at least two models. Received: {list(scores)}")
    if targets.all() or not targets.any():
        raise ValueError(
            f"`targets` must hold both 0 and 1. Received: {int(targets.sum())} positives of {len(targets)}"
        )
    scores = {name: check_scores(values, len(targets)) for name, values in scores.items()}
    called = {name: values >= threshold for name, values in scores.items()}
    models = tuple(_judge(name, targets, values, confidence, groups) for name, values in scores.items())
    areas = [delong_test(targets, scores[a], scores[b], confidence, groups=groups) for a, b in combinations(scores, 2)]
    errors = [mcnemar(targets, called[a], called[b], mcnemar_method) for a, b in combinations(scores, 2)]
    pairs = _pairs(list(combinations(scores, 2)), areas, errors, correction)
    if len(scores) == 2:
        return Comparison(models, pairs, None, None)
    right = np.stack([values == targets for values in called.values()], axis=1)
    return Comparison(models, pairs, _all_equal(targets, scores, groups), cochran_q(right))


def _judge(name: str, targets, values, confidence: float, groups) -> ModelResult:
    found = delong_interval(targets, values, confidence, groups=groups)
    return ModelResult(name, found.auc, found.ci_low, found.ci_high, len(targets), found.positives, found.method)


def _pairs(names: list[tuple[str, str]], areas, errors, correction: str) -> tuple[PairResult, ...]:
    area_ps = adjust_p_values([area.p for area in areas], correction)
    error_ps = adjust_p_values([error.p for error in errors], correction)
    return tuple(
        PairResult(
            *pair,
            area.difference,
            area.ci_low,
            area.ci_high,
            area.statistic,
            area.p,
            area_p,
            error.statistic,
            error.p,
            error_p,
            error.only_a,
            error.only_b,
            area.method,
        )
        for pair, area, error, area_p, error_p in zip(names, areas, errors, area_ps, error_ps, strict=True)
    )


def _all_equal(targets, scores: Mapping[str, np.ndarray], groups) -> GlobalTest | None:
    """Test all AUCs at once; None where the covariance does not allow it (one positive, or AUCs without variance)."""
    try:
        return delong_global_test(targets, list(scores.values()), groups)
    except ValueError:
        return None
