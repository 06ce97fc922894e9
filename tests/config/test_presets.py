"""Presets: the values of the studies, names that exist, and training with each of them."""

from __future__ import annotations

import pytest

from keras_radtl.config import Config, UserError, set_key
from keras_radtl.config.presets import PRESETS, TITLES
from keras_radtl.models.backbones.table import get_backbone
from keras_radtl.models.layers.head_sizes import head_parameters
from keras_radtl.models.layers.scalings import get_scaling
from keras_radtl.strategies.table import get_strategy
from keras_radtl.training.plan import make_plan


@pytest.mark.parametrize("name", PRESETS)
def test_preset_names_exist_and_preset_has_a_title_and_source(name):
    config = Config.preset(name)
    for spec in map(get_backbone, config.model.backbone.split("+")):
        assert config.model.weights in spec.weights
        spec.boundaries(config.training.counting)
        get_scaling(config.model.scaling or spec.scalings[config.model.weights])
    get_strategy(config.training.strategy)
    assert config.preset_name == name and config.data.path == "phantoms"
    assert TITLES[name][1], "its source"


@pytest.mark.parametrize(
    ("name", "ratio", "kernel_size", "learning_rate"),
    [("breast", 1.0, 2, 5e-4), ("acl", 0.5, 4, 1e-3)],
)
@pytest.mark.parametrize("weights", ["imagenet", "radimagenet"])
def test_best_models_of_tables_6_and_7(name, ratio, kernel_size, learning_rate, weights):
    config = Config.preset(name if weights == "imagenet" else f"{name}_radimagenet")
    model, head, training = config.model, config.model.head, config.training
    assert (model.backbone, model.weights, model.scaling, model.batchnorm) == ("resnet50", weights, "bacon", "adapt")
    assert (head.name, head.ratio, head.filters, head.kernel_size, head.dropout) == (
        "conv_skip",
        ratio,
        16,
        kernel_size,
        0.5,
    )
    assert (training.unfreeze, training.counting, training.epochs, training.batch_size) == ("top5", "reference", 30, 64)
    assert (training.optimizer, training.momentum, training.schedule) == ("sgd", 0.9, "cosine")
    assert (training.weight_decay, training.weight_decay_mode, training.learning_rate) == (
        0.4,
        "coupled",
        learning_rate,
    )


def test_number_of_head_parameters_by_hidden_basis():
    config = Config.preset("breast")
    flattened = 16 * (2048 - 2 + 1)
    outer = 2 * 16 + 2 * 16 + 2048 * flattened + 2 * flattened  # convolution and skip, each with its BatchNorm
    paper = head_parameters(config.model.head, 2048, 2)
    assert paper == outer + flattened * 2048 + 2 * 2048 + 2048 * 2 + 2
    released = head_parameters(set_key(config, "model.head.hidden_basis", "flattened").model.head, 2048, 2)
    assert released == outer + flattened**2 + 2 * flattened + flattened * 2 + 2


def test_radimagenet_preset_has_the_values_of_the_scripts():
    config = Config.preset("radimagenet")
    assert (config.split.folds, config.data.image_size, config.training.batch_size) == (5, 256, 256)
    assert (config.model.head.name, config.model.head.input_dropout, config.training.monitor) == (
        "linear",
        0.5,
        "val_loss",
    )
    augment = config.augment
    assert (augment.rotation, augment.shift, augment.zoom, augment.horizontal_flip) == (10, 0.1, 0.1, True)
    assert augment.shear == pytest.approx(0.1 * 3.14159265 / 180, rel=0.01)  # 0.1 degrees


@pytest.mark.parametrize("name", ["breast", "acl_radimagenet", "bacon_grid", "fts"])
def test_presets_of_pytorch_studies_adapt_batchnorm_as_pytorch_does(name):
    model = Config.preset(name).model
    assert (model.batchnorm, model.batchnorm_momentum) == ("adapt", 0.9)


@pytest.mark.parametrize("name", ["breast", "acl", "bacon_grid"])
def test_bacon_shears_by_ten_percent(name):
    assert Config.preset(name).augment.shear == 0.1


def test_fts_and_cbis_have_no_augmentation():
    for name in ("fts", "cbis"):
        augment = Config.preset(name).augment
        assert not any(
            [augment.rotation, augment.shift, augment.shear, augment.zoom, augment.horizontal_flip, augment.blur]
        )


def test_number_of_head_parameters_of_cbis():
    head = Config.preset("cbis").model.head
    assert (head.pooling, head.input_dropout, head.l2) == ("flatten", 0.6, 0.05)
    assert head_parameters(head, 7 * 7 * 2048, 2) == 2 * 100352 + 2


def test_own_data_of_the_quickstart():
    own, other = Config.preset("quickstart"), Config.preset("quickstart", data="folder")
    assert (own.data.image_size, own.data.positive) == (160, "malignant")
    assert (other.data.image_size, other.data.positive) == (None, None)
    assert make_plan(other).image_size == 224  # of the backbone
    unset = Config.preset("quickstart", positive=None, image_size=None)
    assert (unset.data.image_size, unset.data.positive) == (None, None)
    assert Config.preset("breast", data="folder").data.image_size == 256  # of the study


def test_unknown_preset_is_an_error():
    with pytest.raises(UserError, match="Unknown preset 'mri'. Known: quickstart, recommended, breast, acl"):
        Config.preset("mri")


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("breast", marks=pytest.mark.slow),
        pytest.param("radimagenet", marks=pytest.mark.slow),
        "recommended",
        "fts",
        "cbis",
    ],
)
def test_preset_of_each_study_trains_on_other_data(name, tiny_backbone, pictures, tmp_path):
    from keras_radtl.fit import main

    options = ["--preset", name, "--data", str(pictures), "--output", str(tmp_path / "run"), "--backbone", "tiny"]
    options += ["--weights", "none", "--image-size", "32", "--epochs", "1", "--set", "data.resize_side=null"]
    options += ["--set", "training.counting=stages", "--set", "model.head.filters=2"]
    if Config.preset(name).training.unfreeze == "top5":  # the tiny backbone has three groups
        options += ["--unfreeze", "top1"]
    options += ["--folds", "2"] if Config.preset(name).split.folds else []
    assert main(options) == 0


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({}, "quickstart"),
        ({"data": "phantoms", "folds": 5}, "quickstart"),
        ({"data": "BUSI", "positive": "malignant", "folds": 5}, "recommended"),
        ({"data": "BUSI", "backbone": "resnet50", "views": 3, "image_size": 128}, "recommended"),
        ({"data": "BUSI", "strategy": "probe", "pooling": "average"}, "recommended"),
        ({"data": "BUSI", "unfreeze": "top2"}, "quickstart"),
        ({"data": "BUSI", "strategy": "lp_ft"}, "quickstart"),
        ({"data": "BUSI", "head": "conv_skip"}, "quickstart"),
    ],
)
def test_own_data_have_the_recommended_preset_unless_another_recipe_is_chosen(values, name):
    assert Config.preset(**values) == Config.preset(name, **values)


def test_the_recommended_preset_suits_any_data():
    config = Config.preset("recommended", data="folder")
    assert (config.data.positive, config.data.image_size, config.training.strategy) == (None, None, "probe")


def test_a_strategy_replaces_only_what_a_preset_of_another_strategy_has():
    assert Config.preset("cbis", strategy="probe").model.head.pooling == "average"
    assert Config.preset("recommended", strategy="probe").model.head.pooling == "stages"
