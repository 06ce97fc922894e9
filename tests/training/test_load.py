"""Data are refused before a run begins if no epoch could be selected by the validation AUC."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from keras_radtl.config import PredictionConfig, UserError
from keras_radtl.training.load import _few_cases, require_two_classes, require_validation_auc


def dataset(targets, *folds):
    multilabel = np.ndim(targets) == 2
    cases = SimpleNamespace(multilabel=multilabel, targets=np.asarray(targets), classes=("a", "b"))
    splits = [
        SimpleNamespace(fold=number if len(folds) > 1 else 0, val=np.array(val)) for number, val in enumerate(folds, 1)
    ]
    return SimpleNamespace(cases=cases, splits=splits)


def test_every_class_in_validation_is_accepted():
    require_validation_auc(dataset([0, 1, 0, 1], [0, 1]))
    require_validation_auc(dataset([[0.0, 1.0], [1.0, 0.0], [0.0, 1.0]], [0, 1]))


def test_an_absent_class_is_an_error_that_names_the_fold():
    with pytest.raises(UserError, match="AUC does not exist: a class is absent in the 2 validation cases"):
        require_validation_auc(dataset([0, 1, 0, 1], [0, 2]))
    with pytest.raises(UserError, match="AUC of fold 2 does not exist"):
        require_validation_auc(dataset([0, 1, 0, 1], [0, 1], [1, 3]))
    with pytest.raises(UserError, match="a label does not vary"):
        require_validation_auc(dataset([[1.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0, 1]))


def few(targets, **parts):
    """Return the warnings on the cases of a split, or of folds that are tested together."""
    targets = np.asarray(targets)
    cases = SimpleNamespace(multilabel=targets.ndim == 2, targets=targets, classes=("a", "b"))
    split = SimpleNamespace(fold=parts.pop("fold", 0), val=np.arange(20), test=np.arange(20, len(targets)))
    return _few_cases(SimpleNamespace(cases=cases, splits=[split]))


def test_few_cases_are_told_before_the_training():
    assert few([0, 1] * 20) == []
    assert few([0, 1] * 10 + [0, 0, 1]) == ["test: 3 cases, 1 of one class; intervals are wide or missing"]
    assert few([0, 1] * 10 + [0] * 20) == ["test: 20 cases, 0 of one class; intervals are wide or missing"]
    unknown = few([0, 1] * 10 + [0, 1] * 9 + [-1, -1])
    assert unknown == ["test: 18 cases, 9 of one class; intervals are wide or missing"]


def test_few_cases_of_a_label_are_told():
    labels = np.tile([[0.0, 1.0], [1.0, 0.0]], (20, 1))
    assert few(labels) == []
    labels[25:, 1] = np.nan
    assert few(labels) == ["test: 20 cases, 2 of one class; intervals are wide or missing"]


def test_folds_are_tested_together():
    assert few([0, 1] * 10 + [0, 0, 1], fold=1) == []
    assert few([0, 0, 0, 1] * 6, fold=1) == ["test: 24 cases, 6 of one class; intervals are wide or missing"]


@pytest.mark.parametrize(
    ("cases", "message"),
    [
        (
            SimpleNamespace(multilabel=False, classes="abc"),
            "0.5 for 3 classes, of which the most probable is predicted",
        ),
        (SimpleNamespace(multilabel=True, classes="ab"), "0.5 for a multi-label task. Received: threshold='youden'"),
    ],
)
def test_a_threshold_is_for_two_classes(cases, message):
    plans = {rule: SimpleNamespace(prediction=PredictionConfig(threshold=rule)) for rule in (0.5, "youden")}
    require_two_classes(plans[0.5], SimpleNamespace(cases=cases))
    with pytest.raises(UserError, match=message):
        require_two_classes(plans["youden"], SimpleNamespace(cases=cases))
    require_two_classes(plans["youden"], SimpleNamespace(cases=SimpleNamespace(multilabel=False, classes="ab")))
