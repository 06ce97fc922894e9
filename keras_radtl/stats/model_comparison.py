"""Comparison of models on the same cases: AUCs, and DeLong's and McNemar's tests of every pair.

The p-values of the pairs are adjusted for multiple testing. With groups, every interval and every test allows for cases
of a group that depend on each other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from keras_radtl.stats.accuracy_tests import CochranQ, McNemar, cochran_q, mcnemar
from keras_radtl.stats.delong import check_scores, check_targets, delong_interval
from keras_radtl.stats.delong_tests import AucDifference, GlobalTest, delong_global_test, delong_test
from keras_radtl.stats.paired import adjust_p_values


class ModelResult(NamedTuple):
    """The AUC of one model with its confidence interval."""

    name: str
    auc: float
    ci_low: float | None
    ci_high: float | None
    n: int
    positives: int
    method: str


class PairResult(NamedTuple):
    """Two models: DeLong's test of the AUC difference (a - b) and McNemar's test of the thresholded predictions.

    `z` refers to the normal distribution, or to Student's t with `df` degrees of freedom if `df` is not None.
    """

    a: str
    b: str
    difference: float
    ci_low: float | None
    ci_high: float | None
    z: float | None
    df: float | None
    p: float | None
    p_adjusted: float | None
    mcnemar_statistic: float | None
    mcnemar_p: float
    mcnemar_p_adjusted: float
    mcnemar_clustered: bool
    mcnemar_method: str
    only_a: int
    only_b: int
    method: str


class Comparison(NamedTuple):
    """All models and pairs; for three or more models also the joint tests of equal AUCs and of equal error rates.

    A joint test is None for two models; `global_test` also if the covariance of the AUCs does not allow it.
    """

    models: tuple[ModelResult, ...]
    pairs: tuple[PairResult, ...]
    global_test: GlobalTest | None
    cochran: CochranQ | None


def compare_scores(
    targets: ArrayLike,
    scores: Mapping[str, ArrayLike],
    groups: ArrayLike | None = None,
    threshold: float = 0.5,
    confidence: float = 0.95,
    correction: str = "holm",
    mcnemar_method: str = "corrected",
    auc_scale: str = "logit",
) -> Comparison:
    """Compare models by their scores on the same cases.

    Args:
        targets: 0/1 array of shape (n,) with both values present.
        scores: float array of shape (n,) by model name, in the order of the targets.
        groups: group id (for example the patient) of each case, shape (n,), for clustered intervals and tests; None if
            all cases are independent.
        threshold: cases with at least this score are predicted positive in McNemar's and Cochran's tests.
        confidence: confidence level of all intervals, in (0, 1).
        correction: adjustment of the p-values over all pairs, "holm" or "benjamini-hochberg".
        mcnemar_method: "corrected", "chi2" or "exact".
        auc_scale: scale of the intervals of the AUCs, "logit" or "plain".

    Returns:
        A `Comparison`.

    Raises:
        ValueError: if there are fewer than two models, a class is absent, lengths differ, a score is NaN or a group id
            is empty.
    """
    targets = check_targets(targets)
    if len(scores) < 2:
        raise ValueError(f"`scores` must have at least two models. Received: {list(scores)}")
    if targets.all() or not targets.any():
        raise ValueError(
            f"`targets` must contain both 0 and 1. Received: {int(targets.sum())} positives of {len(targets)}"
        )
    checked = {name: check_scores(values, len(targets)) for name, values in scores.items()}
    called = {name: values >= threshold for name, values in checked.items()}
    names = list(combinations(checked, 2))
    models = tuple(
        _model_result(name, targets, values, confidence, auc_scale, groups) for name, values in checked.items()
    )
    areas = [delong_test(targets, checked[a], checked[b], confidence, groups=groups) for a, b in names]
    errors = [mcnemar(targets, called[a], called[b], mcnemar_method, groups) for a, b in names]
    pairs = _pair_results(names, areas, errors, correction, groups is not None)
    if len(checked) == 2:
        return Comparison(models, pairs, None, None)
    right = np.stack([values == targets for values in called.values()], axis=1)
    return Comparison(models, pairs, _global_test(targets, checked, groups), cochran_q(right, groups))


def _model_result(
    name: str, targets: np.ndarray, values: np.ndarray, confidence: float, scale: str, groups: ArrayLike | None
) -> ModelResult:
    found = delong_interval(targets, values, confidence, scale, groups)
    assert found.auc is not None  # both classes are present
    return ModelResult(name, found.auc, found.ci_low, found.ci_high, len(targets), found.positives, found.method)


def _pair_results(
    names: Sequence[tuple[str, str]],
    areas: Sequence[AucDifference],
    errors: Sequence[McNemar],
    correction: str,
    clustered: bool,
) -> tuple[PairResult, ...]:
    area_ps = adjust_p_values([area.p for area in areas], correction)
    error_ps = adjust_p_values([error.p for error in errors], correction)
    found = []
    for (a, b), area, error, area_p, error_p in zip(names, areas, errors, area_ps, error_ps, strict=True):
        assert area.difference is not None  # both classes are present
        found.append(
            PairResult(
                a=a,
                b=b,
                difference=area.difference,
                ci_low=area.ci_low,
                ci_high=area.ci_high,
                z=area.statistic,
                df=area.df,
                p=area.p,
                p_adjusted=area_p,
                mcnemar_statistic=error.statistic,
                mcnemar_p=error.p,
                mcnemar_p_adjusted=error_p,
                mcnemar_clustered=clustered,
                mcnemar_method=error.method,
                only_a=error.only_a,
                only_b=error.only_b,
                method=area.method,
            )
        )
    return tuple(found)


def _global_test(targets: np.ndarray, scores: Mapping[str, np.ndarray], groups: ArrayLike | None) -> GlobalTest | None:
    """Test all AUCs jointly; return None if there are too few cases or AUCs differ with variance 0."""
    try:
        return delong_global_test(targets, np.stack(list(scores.values())), groups)
    except ValueError:
        return None
