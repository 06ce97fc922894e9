"""The configurations of the statistical baselines."""

from __future__ import annotations

import pytest

from keras_radtl.config import Config, UserError
from keras_radtl.config.baselines import KINDS, baseline_values


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("data", ["phantoms", "BUSI"])
def test_every_kind_is_a_linear_head_on_unaugmented_images(kind, data):
    config = Config.from_layers(None, baseline_values(kind), {"data": {"path": data}})
    assert (config.model.head.name, config.training.views, config.training.strategy) == ("linear", 1, KINDS[kind][0])
    pixels = KINDS[kind][1] == "pixels"
    assert (config.model.backbone, config.model.head.pooling) == (
        ("pixels", "flatten") if pixels else ("efficientnet_lite0", "average")
    )
    assert config.augment.active is not pixels


def test_a_lasso_on_features_of_another_backbone():
    values = baseline_values("lasso", C=0.05, input="features", solver="saga", l1_ratio=0.5)
    config = Config.from_layers(None, values, {"model": {"backbone": "resnet50"}})
    assert (config.model.backbone, config.model.weights, config.model.head.pooling) == (
        "resnet50",
        "imagenet",
        "average",
    )
    lasso = config.training.lasso
    assert (lasso.C, lasso.solver, lasso.l1_ratio, lasso.path) == (0.05, "saga", 0.5, 20)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kind": "ridge"}, "`kind` must be one of lasso, logistic, features. Received: kind='ridge'"),
        ({"kind": "lasso", "input": "both"}, "`input` must be pixels or features. Received: input='both'"),
        ({"kind": "features", "input": "pixels"}, "`input` must be features with the baseline features"),
        ({"kind": "lasso", "C": 0.1, "path": 5}, "`C` and `path` exclude each other. Received: C=0.1, path=5"),
        ({"kind": "lasso", "solver": "celer"}, "`solver='celer'` has no intercept in logistic regression"),
        ({"kind": "logistic", "path": 5}, "`path` is an argument of the baseline lasso, not of logistic"),
        ({"kind": "features", "C": 1.0}, "`C` is an argument of the baseline lasso, not of features"),
    ],
)
def test_arguments_that_contradict_each_other_are_refused(arguments, message):
    with pytest.raises(UserError, match=message):
        baseline_values(**arguments)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"training": {"views": 2}}, "`views` must be 1 with the strategy lasso"),
        ({"training": {"class_weight": "balanced"}}, "`class_weight` must be none with the strategy lasso"),
        ({"training": {"lasso": {"C": -1.0}}}, "`C` must be"),
        ({"training": {"lasso": {"solver": "skglm", "l1_ratio": 0.5}}}, "`training.lasso.l1_ratio` must be 1 with"),
        ({"data": {"labels": ["a", "b"]}}, "`label` must be one column with the strategy lasso"),
        ({"training": {"strategy": "g_fl"}}, "`strategy` must be one that trains only the head, such as lp, with"),
        ({"training": {"strategy": "ft"}}, "`strategy` must be one that trains only the head, such as lp, with"),
    ],
)
def test_values_that_a_baseline_cannot_use_are_refused(changes, message):
    model = {"model": {"backbone": "pixels", "weights": "none"}}
    with pytest.raises(UserError, match=message):
        Config.from_layers(None, baseline_values("lasso"), model, changes)


def test_pixels_can_be_trained_by_epochs():
    Config.preset("quickstart", backbone="pixels", weights="none", head="linear", strategy="lp", unfreeze="none")
