"""Branches of a classifier from the names in a configuration."""

import logging

import pytest

from keras_radtl.config import ModelConfig, UserError
from keras_radtl.models.backbones.branches import (
    branches,
    group_names,
    image_size,
    require_weight_files,
    warn_assumed_scalings,
)
from keras_radtl.models.backbones.table import BACKBONES
from keras_radtl.models.groups import layer_groups


def parse(**options):
    return [(b.prefix, b.spec.name, b.weights, b.scaling) for b in branches(ModelConfig(**options))]


def test_the_scaling_follows_from_the_weights():
    assert parse(backbone="resnet50", weights="imagenet") == [("", "resnet50", "imagenet", "caffe")]
    assert parse(backbone="ResNet50", weights="radimagenet") == [("", "resnet50", "radimagenet", "bgr_mean_255")]
    assert parse(backbone="resnet50", weights="none") == [("", "resnet50", "none", "caffe")]


def test_the_scaling_can_be_set():
    chosen = parse(backbone="resnet50", weights="radimagenet", scaling="minus1_1")
    assert chosen == [("", "resnet50", "radimagenet", "minus1_1")]


def test_two_weight_sets_give_two_branches_of_one_backbone():
    assert parse(backbone="resnet50", weights="imagenet+radimagenet") == [
        ("backbone1_", "resnet50", "imagenet", "caffe"),
        ("backbone2_", "resnet50", "radimagenet", "bgr_mean_255"),
    ]


def test_two_backbones_can_share_a_weight_set_with_different_scalings():
    assert parse(backbone="resnet50+densenet121", weights="imagenet", scaling="bacon+torch") == [
        ("backbone1_", "resnet50", "imagenet", "bacon"),
        ("backbone2_", "densenet121", "imagenet", "torch"),
    ]


def test_a_file_name_can_contain_a_plus_and_its_assumed_scaling_is_logged(tmp_path, caplog):
    path = tmp_path / "a+b.weights.h5"
    path.touch()
    assert parse(backbone="densenet121", weights=str(path)) == [("", "densenet121", str(path), "torch")]
    with caplog.at_level(logging.WARNING):
        warn_assumed_scalings(branches(ModelConfig(backbone="densenet121", weights=str(path))))
    assert "does not specify the pixel scaling; assuming `scaling='torch'`" in caplog.text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"backbone": "resnet18"}, "Unknown backbone 'resnet18'"),
        ({"backbone": "vgg19", "weights": "radimagenet"}, "no RadImageNet weights for VGG19. Known: none, imagenet"),
        ({"weights": "radimagenet"}, "no RadImageNet weights for EfficientNet-Lite0"),
        ({"weights": "imagnet"}, "Unknown weights 'imagnet' for EfficientNet-Lite0. Known: none, imagenet, or a file"),
        ({"scaling": "caffee"}, "Unknown scaling 'caffee'"),
        ({"backbone": "resnet50+vgg19", "weights": "none+none+none"}, "must have 1 or 3 names separated by [+]"),
    ],
)
def test_unknown_names_and_wrong_numbers_of_names_are_refused(options, message):
    with pytest.raises(UserError, match=message):
        branches(ModelConfig(**options))


def test_a_missing_weight_file_is_refused():
    with pytest.raises(UserError, match="No such weight file: missing.h5"):
        require_weight_files(branches(ModelConfig(weights="missing.h5")))


def test_the_default_image_size_is_the_largest_one_of_the_pretraining():
    assert image_size(branches(ModelConfig(backbone="resnet50"))) == 224
    assert image_size(branches(ModelConfig(backbone="resnet50+inception_v3"))) == 299


@pytest.mark.parametrize("name", sorted(BACKBONES))
def test_group_names_equal_those_of_the_classifier(name, small_classifier):
    model, parts = small_classifier(name), branches(ModelConfig(backbone=name, weights="none"))
    for counting in BACKBONES[name].countings:
        groups = layer_groups(model, counting)
        assert group_names(parts, counting) == tuple(group.name for group in groups)
        assert group_names(parts, counting, weighted=True) == tuple(g.name for g in groups if g.parameters)
