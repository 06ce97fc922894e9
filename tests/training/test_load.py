"""Data are refused before a run begins if no epoch could be selected by the validation AUC."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from keras_radtl.config import UserError
from keras_radtl.training.load import require_validation_auc


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
