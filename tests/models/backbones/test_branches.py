import logging

import pytest

from keras_radtl.config import ModelConfig, UserError
from keras_radtl.models.backbones.branches import branches, group_names, image_size, require_weight_files
from keras_radtl.models.backbones.table import BACKBONES
from keras_radtl.models.groups import layer_groups


def asked(**options):
    return [(b.prefix, b.spec.name, b.weights, b.scaling) for b in branches(ModelConfig(**options))]


def test_weights_bring_their_scaling():
    assert asked(backbone="resnet50", weights="imagenet") == [("", "resnet50", "imagenet", "caffe")]
    assert asked(backbone="ResNet50", weights="radimagenet") == [("", "resnet50", "radimagenet", "bgr_mean_255")]
    assert asked(backbone="resnet50", weights="none") == [("", "resnet50", "none", "caffe")]


def test_a_scaling_can_be_chosen():
    chosen = asked(backbone="resnet50", weights="radimagenet", scaling="minus1_1")
    assert chosen == [("", "resnet50", "radimagenet", "minus1_1")]


def test_two_weight_sets_make_two_branches_of_one_backbone():
    assert asked(backbone="resnet50", weights="imagenet+radimagenet") == [
        ("backbone1_", "resnet50", "imagenet", "caffe"),
        ("backbone2_", "resnet50", "radimagenet", "bgr_mean_255"),
    ]


def test_two_backbones_of_one_weight_set_each_with_a_scaling():
    assert asked(backbone="resnet50+densenet121", weights="imagenet", scaling="bacon+torch") == [
        ("backbone1_", "resnet50", "imagenet", "bacon"),
        ("backbone2_", "densenet121", "imagenet", "torch"),
    ]


def test_a_file_name_may_hold_a_plus_and_its_scaling_is_told(tmp_path, caplog):
    path = tmp_path / "a+b.weights.h5"
    path.touch()
    assert asked(backbone="densenet121", weights=str(path)) == [("", "densenet121", str(path), "torch")]
    with caplog.at_level(logging.WARNING):
        require_weight_files(branches(ModelConfig(backbone="densenet121", weights=str(path))))
    assert "does not name its pixel scaling; `scaling` torch is assumed" in caplog.text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"backbone": "resnet18"}, "Unknown backbone 'resnet18'"),
        ({"backbone": "vgg19", "weights": "radimagenet"}, "no RadImageNet weights for VGG19. Known: none, imagenet"),
        ({"weights": "radimagenet"}, "no RadImageNet weights for EfficientNet-Lite0"),
        ({"weights": "imagnet"}, "Unknown weights 'imagnet' for EfficientNet-Lite0. Known: none, imagenet, or a file"),
        ({"scaling": "caffee"}, "Unknown scaling 'caffee'"),
        ({"backbone": "resnet50+vgg19", "weights": "none+none+none"}, "must name 1 or 3 parts joined by [+]"),
    ],
)
def test_what_cannot_be_is_refused(options, message):
    with pytest.raises(UserError, match=message):
        branches(ModelConfig(**options))


def test_a_weight_file_that_is_missing_is_refused_before_it_is_read():
    with pytest.raises(UserError, match="No such weight file: missing.h5"):
        require_weight_files(branches(ModelConfig(weights="missing.h5")))


def test_the_default_size_is_that_of_the_largest_pretraining():
    assert image_size(branches(ModelConfig(backbone="resnet50"))) == 224
    assert image_size(branches(ModelConfig(backbone="resnet50+inception_v3"))) == 299


@pytest.mark.parametrize("name", sorted(BACKBONES))
def test_groups_by_name_are_those_of_the_classifier(name, small_classifier):
    model, parts = small_classifier(name), branches(ModelConfig(backbone=name, weights="none"))
    for counting in BACKBONES[name].countings:
        groups = layer_groups(model, counting)
        assert group_names(parts, counting) == tuple(group.name for group in groups)
        assert group_names(parts, counting, weighted=True) == tuple(g.name for g in groups if g.parameters)
