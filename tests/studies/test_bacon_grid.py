"""The grid of BACON: 176 runs, each of them different, and parts of it."""

from __future__ import annotations

import pytest

from keras_radtl.config import Config, UserError
from keras_radtl.studies.table import get_study


def test_the_grid_has_176_runs(listed, levels):
    runs = listed("grid176", "--data-breast", "a", "--data-acl", "b")
    assert len(runs) == 176
    assert levels(runs, "task") == {"acl": 88, "breast": 88}
    assert levels(runs, "pretrain") == {"ImageNet": 88, "RadImageNet": 88}
    assert levels(runs, "backbone") == {"ResNet50": 88, "DenseNet121": 88}
    assert levels(runs, "lrdecay") == {"cosine": 88, "beta": 88}
    assert levels(runs, "clf") == {"Linear": 16, "NonLinear": 32, "Conv": 64, "ConvSkip": 64}
    assert levels(runs, "numfilters") == {None: 48, 4: 64, 16: 64}
    assert levels(runs, "fc_ratio") == {None: 16, 0.5: 80, 1.0: 80}
    assert len({(run.config, run.config.data.path) for run in runs}) == 176, "no two runs are the same"
    training = {run.config.training for run in runs}
    assert {(t.epochs, t.learning_rate, t.batch_size, t.unfreeze) for t in training} == {(5, 1e-4, 64, "none")}


def test_the_analyses_are_those_of_the_paper():
    pretraining, classifier = get_study("grid176").analyses
    assert (pretraining.title, classifier.title) == ("Pretraining (Table 11)", "Classifier (Table 12)")
    assert pretraining.fixed == ("pretrain",)
    assert set(pretraining.random) == {"clf", "numfilters", "lrdecay", "backbone", "task"}
    assert classifier.fixed == ("clf",)
    assert set(classifier.random) == {"task", "pretrain", "backbone", "lrdecay", "numfilters"}


def test_one_run_of_the_grid(listed):
    runs = listed("grid176", "--data-breast", "a", "--data-acl", "b")
    one = next(run for run in runs if run.name == "breast-radimagenet-densenet121-beta-convskip-1-16")
    assert (one.config.data.path, one.config.data.positive) == ("a", "malignant")
    assert (one.config.model.backbone, one.config.model.weights) == ("DenseNet121", "radimagenet")
    head = one.config.model.head
    assert (head.name, head.ratio, head.filters, one.config.training.schedule) == ("conv_skip", 1.0, 16, "beta")
    preset, model = Config.preset("bacon_grid"), one.config.model
    assert one.config.augment == preset.augment and model.scaling == preset.model.scaling == "bacon"
    assert (model.batchnorm, preset.model.batchnorm) == ("inference", "adapt"), "frozen layers are computed once"


def test_a_part_of_the_grid_and_backbones_that_the_study_did_not_use(listed, levels):
    options = ["--tasks", "breast", "--data", "x", "--schedules", "beta", "--heads", "Linear", "NonLinear"]
    options += ["--backbones", "resnet50", "EfficientNet-Lite0", "--pretraining", "ImageNet"]
    runs = listed("grid176", *options)
    assert levels(runs, "clf") == {"Linear": 2, "NonLinear": 4} and levels(runs, "lrdecay") == {"beta": 6}
    scalings = {(run.factors["backbone"], run.config.model.scaling) for run in runs}
    assert scalings == {("resnet50", "bacon"), ("EfficientNet-Lite0", None)}, "its weights have their own"
    runs = listed("grid176", *options, "--scaling", "torch")
    assert {run.config.model.scaling for run in runs} == {"torch"}


def test_flags_override_the_study_and_data_may_be_of_one_task(listed):
    options = ["--tasks", "breast", "--data", "x", "--epochs", "2", "--positive", "cancer", "--pretraining", "none"]
    runs = listed("bacon_grid", *options)
    assert len(runs) == 44
    found = {(run.config.training.epochs, run.config.data.path, run.config.data.positive) for run in runs}
    assert found == {(2, "x", "cancer")}
    with pytest.raises(
        UserError, match="^`data` is for one task: select one by `tasks`, or use `data={'acl': 'PATH', 'b"
    ):
        listed("grid176", "--data", "x")
