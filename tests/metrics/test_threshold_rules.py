"""Thresholds by rule: against brute force over all thresholds."""

from __future__ import annotations

import numpy as np
import pytest

from keras_radtl.config import UserError
from keras_radtl.metrics.operating_points import operating_point
from keras_radtl.metrics.threshold_rules import choose_threshold

RULES = ["youden", "sensitivity:0.95", "sensitivity:1", "specificity:0.9", "specificity:1"]


def cases(seed, n=60, digits=2):
    """Return targets and rounded scores, so that some are tied."""
    random = np.random.default_rng(seed)
    targets = np.append([0, 1], random.integers(0, 2, n - 2))
    return targets, np.round(1 / (1 + np.exp(-random.normal(2.0 * targets - 1, 1.2))), digits)


def rates(targets, scores, threshold):
    called = scores >= threshold
    return np.mean(called[targets == 1]), np.mean(~called[targets == 0])


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("seed", range(5))
def test_no_other_threshold_is_better(rule, seed):
    targets, scores = cases(seed)
    found = choose_threshold(rule, targets, scores)
    every = [rates(targets, scores, threshold) for threshold in [*np.unique(scores), 2.0]]
    here = rates(targets, scores, found.threshold)
    assert here == (found.sensitivity.value, found.specificity.value)
    name, _, limit = rule.partition(":")
    if name == "youden":
        assert sum(here) == pytest.approx(max(map(sum, every)))
    else:
        limited, wanted = (0, 1) if name == "sensitivity" else (1, 0)
        allowed = [pair[wanted] for pair in every if pair[limited] >= float(limit)]
        assert here[limited] >= float(limit) and here[wanted] == max(allowed)


@pytest.mark.parametrize("rule", RULES)
def test_rounding_of_scores_changes_no_prediction(rule):
    targets, scores = cases(1)
    threshold = choose_threshold(rule, targets, scores).threshold
    for noise in (1e-6, -1e-6):
        if threshold < scores.max():
            assert np.array_equal(scores + noise >= threshold, scores >= threshold)


def test_a_number_is_the_threshold():
    targets, scores = cases(2)
    groups = np.arange(60) // 3
    assert choose_threshold(0.3, targets, scores, groups) == operating_point(targets, scores, 0.3, groups=groups)


def test_threshold_of_adjacent_scores_is_the_upper_one():
    scores = np.array([0.5, np.nextafter(0.5, 1)])
    assert choose_threshold("youden", [0, 1], scores).threshold == scores[1]


def test_unknown_rule_is_refused():
    with pytest.raises(UserError, match="`rule` must be a number, youden"):
        choose_threshold("accuracy:0.9", [0, 1], [0.1, 0.9])
