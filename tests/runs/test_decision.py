"""Threshold and calibration from validation cases."""

from __future__ import annotations

import numpy as np
import pytest

from keras_radtl.config import UserError
from keras_radtl.data.table import CaseTable
from keras_radtl.metrics.logit_calibration import Calibration, fit_calibration, fit_label_calibration
from keras_radtl.runs.decision import (
    applied_threshold,
    decide,
    fold_calibrations,
    validation_calibration,
    validation_threshold,
)
from keras_radtl.runs.results import Predictions

TARGETS = np.array([0, 1] * 20 + [-1], np.int32)  # the last case has no label
SCORES = np.random.default_rng(0).normal(1.5 * TARGETS, 1.0)
LOGITS = np.column_stack([np.zeros(41), SCORES]).astype(np.float32)
EVERY = Predictions(np.arange(41), LOGITS)


def table(targets=TARGETS, classes=("benign", "malignant"), **options):
    names = tuple(map(str, range(len(targets))))
    return CaseTable("t", None, names, names, names, classes, np.asarray(targets), **options)


def probabilities(logits):
    return 1 / (1 + np.exp(-(logits[:, 1].astype(float) - logits[:, 0])))


@pytest.mark.parametrize("rule", ["youden", "sensitivity:0.9", "specificity:0.9", 0.3])
def test_threshold_is_recorded_with_its_rates_on_cases_with_a_label(rule):
    found = validation_threshold(rule, table(), EVERY)
    assert list(found) == ["value", "rule", "sensitivity", "specificity"] and found["rule"] == str(rule)
    called = probabilities(LOGITS) >= found["value"]
    assert found["sensitivity"] == np.mean(called[TARGETS == 1]) and found["specificity"] == np.mean(
        ~called[TARGETS == 0]
    )
    name, _, rate = str(rule).partition(":")
    assert not rate or found[name] >= float(rate)
    assert applied_threshold({"threshold": found}) == found["value"]


def test_one_half_predicts_the_class_of_highest_probability():
    even = Predictions(np.arange(41), np.zeros((41, 2), np.float32))
    found = validation_threshold(0.5, table(), even)
    assert found == {"value": 0.5, "rule": "0.5", "sensitivity": 0.0, "specificity": 1.0}
    assert applied_threshold({"threshold": found}) is None
    assert even.predicted(False).tolist() == [0] * 41, "the first class at equal probabilities"


def test_other_tasks_have_no_threshold():
    several = table(np.int32([0, 1, 2] * 2), ("a", "b", "c"))
    assert validation_threshold(0.5, several, Predictions(np.arange(6), np.eye(3)[np.arange(6) % 3])) is None
    labels = table(np.ones((4, 2), np.float32), ("a", "b"), multilabel=True)
    part = Predictions(np.arange(4), np.zeros((4, 2)))
    assert decide(0.5, labels, {"val": part}) == ({"val": part}, {})
    assert applied_threshold({}) is None


def test_threshold_of_validation_cases_is_that_of_all_splits():
    parts = {"val": Predictions(np.arange(20), LOGITS[:20]), "test": Predictions(np.arange(20, 41), LOGITS[20:])}
    decided, learned = decide("youden", table(), parts)
    value = learned["threshold"]["value"]
    assert learned == {"threshold": validation_threshold("youden", table(), parts["val"])}
    assert np.array_equal(decided["test"].predicted(False), probabilities(LOGITS[20:]) >= value)
    assert decided["val"].threshold == value and np.array_equal(decided["val"].logits, LOGITS[:20])


def test_logits_that_are_not_finite_name_the_case():
    broken = LOGITS.copy()
    broken[3] = np.nan
    with pytest.raises(UserError, match=r"logits of 3 are not finite"):
        decide("youden", table(), {"val": Predictions(np.arange(41), broken)})


def test_calibration_is_that_of_the_cases_with_a_label():
    expected = fit_calibration(TARGETS[:-1], LOGITS[:-1])
    found = validation_calibration(table(), EVERY)
    assert found == {"temperature": expected.temperature, "offset": list(expected.offset)}


def test_labels_are_calibrated_each():
    targets = np.float32(np.stack([np.arange(41) % 2, np.arange(41) % 3 == 0], axis=1))
    targets[:10, 1] = np.nan
    labels = table(targets, ("a", "b"), multilabel=True)
    found = validation_calibration(labels, EVERY)
    calibration = fold_calibrations({"fold_calibration": [found]})[0]
    assert calibration == fit_label_calibration(targets, LOGITS) and len(calibration.temperature) == 2
    assert validation_calibration(labels, Predictions(np.arange(20), LOGITS[:20])) is None, "one label is rare"


def test_few_cases_of_a_class_give_no_calibration():
    assert validation_calibration(table(), Predictions(np.arange(9), LOGITS[:9])) is None
    assert validation_calibration(table(), Predictions(np.arange(10), LOGITS[:10])) is not None


def test_folds_are_calibrated_all_or_none():
    one = {"temperature": 2.0, "offset": [0.5, -0.5]}
    assert fold_calibrations({"fold_calibration": [one, one]}) == (Calibration(2.0, (0.5, -0.5)),) * 2
    assert fold_calibrations({"fold_calibration": [one, None]}) == fold_calibrations({"fold_auc": [0.5, 0.5]}) == ()
