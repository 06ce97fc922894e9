"""Layer groups: their boundaries, what `unfreeze` makes trainable, and the summary table."""

import keras
import pytest

from keras_radtl.config import UserError
from keras_radtl.models.backbones.table import BACKBONES
from keras_radtl.models.groups import (
    GroupRow,
    gradcam_layers,
    group_table,
    layer_groups,
    set_trainable,
    trainable_layers,
)

COUNTINGS = [(name, counting) for name, spec in BACKBONES.items() for counting in spec.countings]


@pytest.mark.parametrize(("name", "counting"), COUNTINGS)
def test_every_layer_with_weights_is_in_exactly_one_group(name, counting, small_classifier):
    model = small_classifier(name)
    groups = layer_groups(model, counting)
    grouped = [layer for group in groups for layer in group.layers]
    with_weights = {layer.name for layer in model.layers if layer.weights and layer.name != "head"}
    assert len(grouped) == len(set(grouped))
    assert with_weights <= set(grouped)
    assert sum(group.parameters for group in groups) + model.get_layer("head").count_params() == model.count_params()
    assert counting == "reference" or name == "pixels" or all(group.parameters for group in groups)


@pytest.mark.parametrize(("name", "counting"), COUNTINGS)
def test_every_path_passes_through_the_boundary_of_a_group(name, counting, small_classifier):
    model = small_classifier(name)
    seen = {"image", "scaling"}
    for group in layer_groups(model, counting):
        entry = {
            layer.name for n in group.layers for layer in parents(model.get_layer(n)) if layer.name not in group.layers
        }
        assert len(entry) == 1
        assert entry <= seen
        seen.update(group.layers)


def parents(layer):
    return [tensor._keras_history.operation for tensor in layer._inbound_nodes[0].input_tensors]


def test_a_layer_outside_all_groups_is_an_error(small_classifier, monkeypatch):
    import dataclasses

    short = dataclasses.replace(BACKBONES["vgg19"], stages=BACKBONES["vgg19"].stages[:-1])
    monkeypatch.setitem(BACKBONES, "vgg19", short)
    with pytest.raises(ValueError, match="VGG19: layers with weights outside all stages groups: block5_conv1"):
        layer_groups(small_classifier("vgg19"))


@pytest.mark.parametrize(
    ("unfreeze", "groups"),
    [
        ("top0", []),
        ("top1", []),
        ("top3", ["layer3", "layer4"]),
        ("top5", ["layer1", "layer2", "layer3", "layer4"]),
        ("top7", ["layer1", "layer2", "layer3", "layer4"]),
        ("top9", ["conv1", "bn1", "layer1", "layer2", "layer3", "layer4"]),
    ],
)
def test_reference_counting_unfreezes_the_same_groups_as_the_study(unfreeze, groups, small_classifier):
    model = small_classifier("resnet50")
    set_trainable(model, trainable_layers(model, unfreeze, "reference"))
    trained = [row.group for row in group_table(model, "reference") if row.trainable]
    assert trained == [*groups, "head"]


@pytest.mark.parametrize("name", ["resnet50", "densenet121", "inception_v3"])
def test_last_layers_are_counted_as_in_the_radimagenet_scripts(name, small_classifier, application):
    theirs = application(name).layers
    model = small_classifier(name)
    every = trainable_layers(model, f"layers:{len(theirs) - 1}")  # excluding the input
    ours = [model.get_layer(layer) for layer in every]
    assert [kind(layer) for layer in ours] == [kind(layer) for layer in theirs[1:]]
    assert trainable_layers(model, "layers:10") == every[-10:]
    assert every[-1] == "pooling"


def kind(layer):
    name = type(layer).__name__.removeprefix("Backbone")
    return name, [tuple(weight.shape) for weight in layer.weights]


@pytest.mark.parametrize("unfreeze", ["none", "top1", "top2", "layers:10", "all"])
def test_exactly_the_unfrozen_layers_and_the_head_are_trainable(unfreeze, small_classifier):
    model = small_classifier("efficientnet_lite0")
    layers = trainable_layers(model, unfreeze)
    paths = set_trainable(model, layers)
    assert list(paths) == [weight.path for weight in model.trainable_weights]
    assert {path.split("/")[0] for path in paths} == {n for n in (*layers, "head") if model.get_layer(n).weights}
    assert not any("moving" in path for path in paths)


def test_too_many_groups_or_layers_are_refused(small_classifier):
    model = small_classifier("vgg19")
    with pytest.raises(
        UserError,
        match="at most top5; the groups are block1, block2, block3, block4, block5. Received: unfreeze='top6'",
    ):
        trainable_layers(model, "top6")
    with pytest.raises(UserError, match="at most layers:22 for VGG19. Received: unfreeze='layers:23'"):
        trainable_layers(model, "layers:23")


def test_unknown_layers_and_other_models_are_refused(small_classifier):
    with pytest.raises(ValueError, match="Unknown: block9"):
        set_trainable(small_classifier("vgg19"), ["block9"])
    with pytest.raises(ValueError, match="must be built by `build_classifier`"):
        layer_groups(keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]))


def test_the_table_counts_trainable_parameters(small_classifier):
    model = small_classifier("vgg19")
    set_trainable(model, trainable_layers(model, "top1"))
    table = group_table(model)
    assert table[-2:] == (GroupRow("block5", 5, 9_439_232, 9_439_232), GroupRow("head", 1, 1026, 1026))
    assert table[0] == GroupRow("block1", 3, 38_720, 0)
    assert group_table(model, layers=trainable_layers(model, "all"))[0].trainable == 38_720
    assert group_table(model) == table  # the trainable layers are unchanged


def test_batchnorm_statistics_are_never_trainable(small_classifier):
    model = small_classifier("resnet50")
    bn1 = next(row for row in group_table(model, "reference", trainable_layers(model, "all")) if row.group == "bn1")
    assert (bn1.parameters, bn1.trainable) == (4 * 64, 2 * 64)


def test_groups_of_two_backbones_are_paired_from_the_output(small_classifier):
    model = small_classifier("efficientnet_lite0+vgg19")
    groups = layer_groups(model)
    names = [group.name for group in groups]
    assert names[-1] == "head_conv+block5"
    assert names[:4] == ["stem", "stage1", "stage2", "stage3"]  # the other backbone has fewer groups
    top = trainable_layers(model, "top1")
    assert set(top) == set(groups[-1].layers)
    assert {"backbone1_head_conv", "backbone2_block5_conv4"} <= set(top)
    assert len(trainable_layers(model, "layers:10")) == 20
    assert gradcam_layers(model) == (("backbone1_head_activation",), ("backbone2_block5_conv4",))
    assert all(len(model.get_layer(layer).output.shape) == 4 for (layer,) in gradcam_layers(model))
