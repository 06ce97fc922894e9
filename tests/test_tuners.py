"""The lists of runs that come with the package: how many, which, and what each changes."""

from __future__ import annotations

from collections import Counter

import pytest

from keras_radtl.config.presets import get_preset
from keras_radtl.sweep import parser
from keras_radtl.sweeps.run_list import check_runs, load_list


def listed(name, *options):
    module = load_list(name)
    runs = module.runs(parser(module).parse_args([name, *options]))
    check_runs(runs)
    return runs


def levels(runs, factor):
    return Counter(run.factors[factor] for run in runs)


def test_the_grid_has_176_runs():
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
    one = next(run for run in runs if run.name == "breast-radimagenet-densenet121-beta-convskip-1-16")
    assert (one.config.data.path, one.config.data.positive) == ("a", "malignant")
    assert (one.config.model.backbone, one.config.model.weights) == ("DenseNet121", "radimagenet")
    head = one.config.model.head
    assert (head.name, head.ratio, head.filters, one.config.training.schedule) == ("conv_skip", 1.0, 16, "beta")
    preset, model = get_preset("bacon_grid"), one.config.model
    assert one.config.augment == preset.augment and model.scaling == preset.model.scaling == "bacon"
    assert (model.batchnorm, preset.model.batchnorm) == ("inference", "adapt"), "frozen layers are computed once"


def test_a_part_of_the_grid_and_backbones_that_the_study_did_not_have():
    options = ["--tasks", "breast", "--data", "x", "--schedules", "beta", "--heads", "Linear", "NonLinear"]
    runs = listed("grid176", *options, "--backbones", "resnet50", "EfficientNet-Lite0", "--pretraining", "ImageNet")
    assert levels(runs, "clf") == {"Linear": 2, "NonLinear": 4} and levels(runs, "lrdecay") == {"beta": 6}
    scalings = {(run.factors["backbone"], run.config.model.scaling) for run in runs}
    assert scalings == {("resnet50", "bacon"), ("EfficientNet-Lite0", None)}, "its weights have their own"


def test_flags_stand_over_the_study_and_data_may_be_of_one_task():
    runs = listed(
        "grid176", "--tasks", "breast", "--data", "x", "--epochs", "2", "--positive", "cancer", "--pretraining", "none"
    )
    assert len(runs) == 44
    assert {(run.config.training.epochs, run.config.data.path, run.config.data.positive) for run in runs} == {
        (2, "x", "cancer")
    }
    with pytest.raises(ValueError, match="--data is for one task"):
        listed("grid176", "--data", "x")


def test_unfreezing_has_six_levels_by_the_reference_counting():
    runs = listed("unfreezing", "--data-breast", "a", "--data-acl", "b")
    assert len(runs) == 2 * 2 * 6
    assert set(levels(runs, "structure")) == {"freezeall", *(f"unfreezetop{n}" for n in (1, 3, 5, 7, 9))}
    assert {run.config.training.unfreeze for run in runs} == {"none", "top1", "top3", "top5", "top7", "top9"}
    assert {(run.config.training.counting, run.config.training.epochs) for run in runs} == {("reference", 10)}


def test_radimagenet_has_24_settings_a_task_and_pretraining():
    runs = listed("radimagenet24", "--tasks", "breast", "--data", "a", "--pretraining", "RadImageNet")
    assert len(runs) == 24
    settings = Counter((run.factors["structure"], run.factors["learning_rate"]) for run in runs)
    rates = {"unfreezeall": (1e-3, 1e-4), "freezeall": (1e-2, 1e-3), "unfreezetop10": (1e-2, 1e-3)}
    assert settings == {(structure, rate): 4 for structure in rates for rate in rates[structure]}
    assert {(run.config.split.folds, run.config.training.batch_size, run.config.training.epochs) for run in runs} == {
        (5, 256, 30)
    }


def test_fts_compares_on_one_split():
    runs = listed("fts", "--data", "a")
    assert len(runs) == 8 * 3 * 3 * 3
    assert {run.config.split_seed for run in runs} == {0} and {run.config.seed for run in runs} == {0, 1, 2}
    assert {(run.factors["backbone"], run.config.data.resize_side) for run in runs} == {
        ("ResNet50", 232),
        ("DenseNet121", None),
        ("VGG19", None),
    }
    assert {run.config.data.resize for run in runs} == {"crop"} and {run.config.training.counting for run in runs} == {
        "fts"
    }
    assert not any((run.config.augment.rotation, run.config.augment.zoom) != (0, 0) for run in runs)
    others = listed("fts", "--data", "a", "--backbones", "EfficientNet-Lite0")
    assert {(run.config.training.counting, run.config.model.scaling) for run in others} == {("stages", None)}
