"""Classifiers of all backbones and heads, with different frozen layers and BatchNorm statistics."""

import json
import subprocess
import sys

import cv2
import keras
import numpy as np
import pytest

from keras_radtl.config import HeadConfig, ModelConfig, UserError
from keras_radtl.models.backbones.table import BACKBONES
from keras_radtl.models.classifier import assemble_classifier, build_classifier
from keras_radtl.models.groups import group_table, set_trainable, trainable_layers
from keras_radtl.models.layers.batchnorm import BackboneBatchNormalization
from keras_radtl.models.layers.heads import make_head
from keras_radtl.models.layers.pixel_scaling import PixelScaling
from keras_radtl.models.prefix import cut

TINY = ModelConfig("tiny", weights="none", head=HeadConfig("linear"))
keras_saves = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras on NumPy 2

# The smallest backbone is tested with all combinations of interest, the others with fewer. The inner loop tries every
# third combination of a backbone.
SMALLEST = [
    *(("linear", unfreeze, b) for unfreeze in ("none", "top1", "all") for b in ("inference", "adapt")),
    *((head, unfreeze, "inference") for head in ("nonlinear", "conv", "conv_skip") for unfreeze in ("none", "all")),
    *((head, "top1", "adapt") for head in ("nonlinear", "conv", "conv_skip")),
]
RESNET50 = [
    ("linear", "none", "adapt"),
    ("nonlinear", "all", "inference"),
    ("conv", "layers:10", "adapt"),
    ("conv_skip", "top1", "inference"),
]
OTHERS = [("nonlinear", "none", "adapt"), ("conv_skip", "top1", "inference")]
PIXELS = [("linear", "none", "inference"), ("nonlinear", "all", "inference")]
CASES = {"efficientnet_lite0": SMALLEST, "resnet50": RESNET50, "pixels": PIXELS}
BATTERY = [
    pytest.param(name, *case, marks=[pytest.mark.slow] * (number % 3 > 0))
    for name in BACKBONES
    for number, case in enumerate(CASES.get(name, OTHERS))
]


def build(seed=0, size=32, channels=3, num_classes=2, **options):
    config = ModelConfig(**{"weights": "none", "head": HeadConfig("linear"), **options})
    return build_classifier(config, num_classes, (size, size, channels), seed)


def with_head(model, head, batchnorm):
    """Return a model with another small head, with the given BatchNorm statistics in the backbone."""
    for layer in model.layers:
        if isinstance(layer, BackboneBatchNormalization):
            layer.statistics = batchnorm
    config = HeadConfig(head, ratio=0.05, filters=1)
    return keras.Model(model.input, make_head(config, 2)(model.get_layer("pooling").output))


def features_of(model, prefix="", start="image"):
    return keras.Model(
        model.get_layer(start if start == "image" else prefix + start).output,
        model.get_layer(prefix + "pooling").output,
    )


@pytest.fixture(scope="module")
def pair():
    return build(backbone="efficientnet_lite0", weights="none+none", scaling="tf+bacon", batchnorm="adapt")


@pytest.mark.parametrize(("name", "head", "unfreeze", "batchnorm"), BATTERY)
def test_a_step_updates_exactly_the_trainable_weights_and_statistics(
    name, head, unfreeze, batchnorm, small_classifier, images
):
    model = with_head(small_classifier(name), head, batchnorm)
    training = set(set_trainable(model, trainable_layers(model, unfreeze)))
    before = {w.path: v for w, v in zip(model.weights, model.get_weights(), strict=True)}
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(1e-3, epsilon=1e-30), loss, run_eagerly=True)  # any gradient changes a weight
    model.train_on_batch(images(model), np.array([0, 1, 1, 1]))
    after = {w.path: v for w, v in zip(model.weights, model.get_weights(), strict=True)}
    changed = {path for path in before if not np.array_equal(before[path], after[path])}
    statistics = {path for path in before if "moving" in path}
    adapting = {path for path in statistics if batchnorm == "adapt" or path.startswith("head/")}
    assert changed == training | adapting
    assert all(np.isfinite(value).all() for value in after.values())


@pytest.mark.parametrize("batchnorm", ["inference", "adapt"])
def test_prediction_does_not_update_statistics_or_depend_on_the_batch(batchnorm, small_classifier, images):
    model = with_head(small_classifier("efficientnet_lite0"), "conv_skip", batchnorm)
    before = model.get_weights()
    together = model(images(model))
    one_by_one = np.vstack([model(image[None]) for image in images(model)])
    np.testing.assert_allclose(together, one_by_one, rtol=1e-4, atol=1e-5)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


@pytest.mark.parametrize("name", ["resnet50", "densenet121", "inception_v3", "vgg19"])
def test_features_equal_those_of_keras_applications(name, small_classifier, application, images):
    theirs, ours = application(name), features_of(small_classifier(name))
    theirs.set_weights(ours.get_weights())
    expected = np.asarray(theirs((images(ours) / 127.5 - 1).astype("float32")))
    np.testing.assert_allclose(ours(images(ours)), expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("name", BACKBONES)
def test_the_graph_is_flat_with_uint8_input_and_float32_logits(name, small_classifier):
    model = small_classifier(name)
    assert not any(isinstance(layer, keras.Model) for layer in model.layers)
    assert (model.input.name, model.input.dtype, model.output.dtype) == ("image", "uint8", "float32")
    assert [layer.name for layer in model.layers[:2]] == ["image", "scaling"]
    assert [layer.name for layer in model.layers[-2:]] == ["pooling", "head"]
    paths = [weight.path for weight in model.weights]
    assert len(paths) == len(set(paths))


@pytest.mark.slow
def test_layer_names_of_inception_do_not_depend_on_earlier_models(small_classifier):
    keras.layers.Conv2D(1, 1), keras.layers.Activation("relu")
    names = [layer.name for layer in small_classifier("inception_v3").layers]
    assert names == [layer.name for layer in build(backbone="InceptionV3", size=75).layers]
    assert {"conv2d", "conv2d_93", "batch_normalization_93", "activation", "max_pooling2d_1"} <= set(names)


def test_layer_names_do_not_depend_on_earlier_models(tiny_backbone):
    names = []
    for _ in range(2):
        keras.layers.Conv2D(1, 1), keras.layers.ReLU()
        names.append([layer.name for layer in build(backbone="tiny").layers])
    assert names[0] == names[1]


def test_initial_weights_depend_on_the_seed_but_not_on_the_global_seed(tiny_backbone):
    weights = []
    for global_seed, seed in ((1, 7), (2, 7), (1, 8)):
        keras.utils.set_random_seed(global_seed)
        weights.append(build(seed=seed, backbone="tiny").get_weights())
    assert all(np.array_equal(a, b) for a, b in zip(weights[0], weights[1], strict=True))
    kernels = [(a, b) for a, b in zip(weights[0], weights[2], strict=True) if a.ndim > 1]
    assert not any(np.array_equal(a, b) for a, b in kernels)


def test_grayscale_images_are_repeated_to_three_channels(tiny_backbone, images):
    gray, rgb = build(backbone="tiny", channels=1), build(backbone="tiny")
    pixels = images(gray)
    np.testing.assert_allclose(gray(pixels), rgb(np.repeat(pixels, 3, axis=-1)), rtol=1e-5, atol=1e-6)


def test_a_single_output_is_only_allowed_for_multilabel_tasks(tiny_backbone):
    assert build_classifier(TINY, 1, (32, 48, 1), 0, multilabel=True).output_shape == (None, 1)
    with pytest.raises(UserError, match="`num_classes` must be >= 2. Received: num_classes=1"):
        build_classifier(TINY, 1, (32, 32, 1), 0)


def test_logits_stay_float32_under_mixed_precision(tiny_backbone, images):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = build(backbone="tiny")
        logits = model(images(model))
    finally:
        keras.config.set_dtype_policy("float32")
    assert model.output.dtype == "float32"
    assert keras.backend.standardize_dtype(logits.dtype) == "float32"
    assert model.get_layer("last_relu").output.dtype == "bfloat16"
    assert model.get_layer("scaling").output.dtype == "float32"


@pytest.mark.parametrize(("name", "size"), [("resnet50", 31), ("InceptionV3", 74), ("vgg19+irv2", 74)])
def test_images_below_the_minimum_size_are_refused(name, size):
    with pytest.raises(
        UserError, match=f"`image_size` must be at least {size + 1} pixels .* Received: image_size={size}"
    ):
        build(backbone=name, size=size)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"backbone": "resnet18"}, "Unknown backbone"),
        ({"head": HeadConfig("mlp")}, "Unknown head 'mlp'"),
        ({"channels": 4}, "`channels` must be 1 or 3"),
    ],
)
def test_invalid_configurations_are_refused(options, message):
    with pytest.raises(UserError, match=message):
        build(**options)


@pytest.mark.slow
def test_the_features_of_two_backbones_are_concatenated(pair, small_classifier, images):
    assert pair.get_layer("features").output.shape == (None, 2560)
    single = features_of(small_classifier("efficientnet_lite0"), start="scaling")
    before = single.get_weights()
    for prefix, scaling in (("backbone1_", "tf"), ("backbone2_", "bacon")):
        features = keras.Model(pair.input, pair.get_layer(prefix + "pooling").output)
        single.set_weights(features.get_weights())
        expected = single(PixelScaling(scaling)(images(pair)))
        np.testing.assert_allclose(features(images(pair)), expected, rtol=1e-5, atol=1e-6)
    single.set_weights(before)
    first, second = (pair.get_layer(f"backbone{i}_stem_conv").get_weights()[0] for i in (1, 2))
    assert not np.array_equal(first, second)
    training = set_trainable(pair, trainable_layers(pair, "top1"))
    assert {path.split("/")[0] for path in training if not path.startswith("head/")} == {
        f"backbone{i}_head_{layer}" for i in (1, 2) for layer in ("conv", "bn")
    }


@pytest.mark.parametrize(("backbone", "features"), [("efficientnet_lite0", 2 * 1280), ("vgg19+vgg19", 2 * 2 * 512)])
def test_flatten_pooling_uses_the_whole_feature_map(backbone, features, images):
    model = build_classifier(
        ModelConfig(backbone, weights="none", head=HeadConfig("linear", pooling="flatten")), 3, (32, 64, 1), seed=0
    )
    assert model.get_layer("head").count_params() == 3 * features + 3
    last = [layer for layer in model.layers if layer.name.endswith("pooling")]
    assert all(type(layer) is keras.layers.Flatten for layer in last)
    assert trainable_layers(model, "all")  # the layer groups are unchanged
    assert model(images(model)).shape == (4, 3)


def test_a_kernel_size_above_the_number_of_features_is_refused(tiny_backbone):
    with pytest.raises(UserError, match="`kernel_size` must be at most the number of features, 8"):
        build(backbone="tiny", head=HeadConfig("conv", kernel_size=9))


RELOAD = """
import json, pathlib, sys
import keras, numpy as np
import keras_radtl.models.classifier
from keras_radtl.models.groups import group_table
for path in sorted(pathlib.Path(sys.argv[1]).glob("*.keras")):
    model = keras.saving.load_model(path, compile=False)
    image = np.load(path.with_suffix(".image.npy"))
    np.save(path.with_suffix(".reloaded.npy"), model(image))
    print(json.dumps([path.stem, group_table(model)]))
"""


@pytest.mark.slow
@keras_saves
def test_saved_classifiers_give_equal_logits_in_a_new_process(tmp_path, pair, small_classifier, images):
    heads = {"efficientnet_lite0": "conv", "resnet50": "conv_skip", "inception_resnet_v2": "nonlinear"}
    heads |= {"densenet121": "conv_skip", "inception_v3": "linear", "vgg19": "nonlinear"}
    models = {name: with_head(small_classifier(name), head, "adapt") for name, head in heads.items()}
    models["two"] = pair
    tables = {}
    for name, model in models.items():
        set_trainable(model, trainable_layers(model, "top1"))
        model.save(tmp_path / f"{name}.keras")
        np.save(tmp_path / f"{name}.image.npy", images(model))
        tables[name] = json.loads(json.dumps(group_table(model)))
    run = subprocess.run([sys.executable, "-c", RELOAD, str(tmp_path)], capture_output=True, text=True, check=True)
    assert dict(json.loads(line) for line in run.stdout.splitlines()) == tables
    for name, model in models.items():
        np.testing.assert_allclose(
            np.load(tmp_path / f"{name}.reloaded.npy"), model(images(model)), rtol=1e-5, atol=1e-5
        )


@pytest.mark.slow
@pytest.mark.parametrize("name", ["resnet50", "densenet121"])
def test_torch_checkpoints_use_the_torch_architecture(name, tmp_path):
    checkpoint = tmp_path / "weights.pth"
    checkpoint.touch()
    config = ModelConfig(backbone=name, weights=str(checkpoint), scaling="torch", head=HeadConfig("linear"))
    model = build_classifier(config, 2, (32, 32, 3), seed=0, load_weights=False)
    assert model.get_layer("conv1_bn").epsilon == 1e-5  # keras.applications: 1.001e-5
    assert isinstance(model.get_layer("conv1_bn"), BackboneBatchNormalization)
    with pytest.raises(UserError):
        build_classifier(config, 2, (32, 32, 3), seed=0)  # the file is empty


def test_default_weights_give_the_published_features(shared_data):
    golden = np.load(shared_data / "efficientnet_lite0_golden.npz")
    model, reports = assemble_classifier(ModelConfig(head=HeadConfig("linear")), 2, (224, 224, 3), seed=0)
    np.testing.assert_allclose(features_of(model)(golden["images"][:2]), golden["features"][:2], atol=1e-3)
    assert (reports[0].source, reports[0].parameters) == ("imagenet", 3_413_024)


@pytest.mark.slow
def test_two_backbones_have_separate_weights(images):
    config = ModelConfig(weights="none+imagenet", head=HeadConfig("linear"))
    model, reports = assemble_classifier(config, 2, (32, 32, 3), seed=0)
    single = build_classifier(ModelConfig(head=HeadConfig("linear")), 2, (32, 32, 3), seed=0)
    assert len(reports) == 1
    np.testing.assert_array_equal(features_of(model, "backbone2_")(images(model)), features_of(single)(images(model)))


def test_stage_pooling_gives_means_and_standard_deviations_of_every_stage(small_classifier):
    name = "efficientnet_lite0"
    spec, average = BACKBONES[name], small_classifier(name)
    head = HeadConfig("linear", pooling="stages")
    model = build(backbone=name, scaling="tf", head=head)
    names = [la.name for la in model.layers if la.weights and la.name != "head"]
    for layer in names:
        model.get_layer(layer).set_weights(average.get_layer(layer).get_weights())
    images = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), np.uint8)
    maps = keras.Model(model.input, [model.get_layer(last).output for _, last in spec.stages])(images)
    expected = [f(m.numpy(), axis=(1, 2)) for m in maps for f in (np.mean, np.std)]
    pooled = keras.Model(model.input, model.get_layer("pooling").output)(images).numpy()
    np.testing.assert_allclose(pooled, np.concatenate(expected, axis=1), atol=1.1e-3, rtol=1e-3)
    assert {row.group: row.parameters for row in group_table(model)[:-1]} == {
        row.group: row.parameters for row in group_table(average)[:-1]
    }


@pytest.mark.parametrize("unfreeze", ["none", "top2"])
def test_a_model_with_stage_pooling_is_divided_at_the_lowest_trainable_layer(unfreeze):
    model = build(backbone="efficientnet_lite0", scaling="tf", head=HeadConfig("linear", pooling="stages"))
    set_trainable(model, trainable_layers(model, unfreeze))
    parts = cut(model)
    images = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), np.uint8)
    np.testing.assert_array_equal(parts.upper(parts.lower(images)), model(images))
    assert parts.lower.count_params() + parts.upper.count_params() == model.count_params()


SIZES = "efficientnet_lite0+efficientnet_lite1+efficientnet_lite2"


def test_each_of_three_backbones_sees_the_images_at_its_own_size():
    model = build(backbone=SIZES, size=52, scaling="lite")
    shapes = [model.get_layer(f"backbone{i}_scaling").output.shape[1:] for i in (1, 2, 3)]
    assert shapes == [(45, 45, 3), (48, 48, 3), (52, 52, 3)]  # 224, 240 and 260 of 260
    assert model.get_layer("features").output.shape == (None, 3 * 1280)


def test_each_of_three_backbones_equals_a_single_one_at_its_size():
    model = build(backbone=SIZES, size=52, scaling="lite")
    image = np.random.default_rng(0).integers(0, 256, (52, 52, 3), np.uint8)
    features = keras.Model(model.input, model.get_layer("features").output)(image[None]).numpy()
    for i, side in enumerate((45, 48, 52)):
        single = build(backbone=f"efficientnet_lite{i}", size=side, scaling="lite")
        for layer in single.layers:
            if layer.weights and layer.name != "head":
                layer.set_weights(model.get_layer(f"backbone{i + 1}_{layer.name}").get_weights())
        resized = cv2.resize(image.astype(np.float32), (side, side), interpolation=cv2.INTER_LINEAR)
        scaled = (resized[None] - 127) / 128
        maps = keras.Model(single.get_layer("scaling").output, single.get_layer("pooling").output)(scaled)
        np.testing.assert_allclose(features[:, 1280 * i : 1280 * (i + 1)], maps, rtol=1e-3, atol=1e-4)


def test_images_too_small_for_one_of_the_backbones_are_refused():
    with pytest.raises(UserError, match="at least 37 pixels for EfficientNet-Lite0. Received: image_size=36"):
        build(backbone=SIZES, size=36)
    build(backbone=SIZES, size=37)


def test_backbones_of_one_size_see_the_images_as_they_are():
    model = build(backbone="resnet50+vgg19", size=32)
    assert all("size" not in model.get_layer(f"backbone{i}_scaling").get_config() for i in (1, 2))
