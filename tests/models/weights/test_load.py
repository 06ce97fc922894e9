"""Weights in all formats are loaded exactly; files that do not fit are refused."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pytest

from keras_radtl.config import ModelConfig, UserError
from keras_radtl.models.backbones.table import BACKBONES, get_backbone
from keras_radtl.models.weights.load import WeightReport, load_backbone_weights
from keras_radtl.models.weights.sources import IMAGENET_FILES, RADIMAGENET_NAMES

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras on NumPy 2


def scramble(model, seed):
    """Set every variable to random values for which the features have a magnitude of about one."""
    random = np.random.default_rng(seed)
    for layer in model.layers:
        for variable in layer.weights:
            if variable.name.endswith("kernel"):
                spread = 1.4 / np.sqrt(np.prod(variable.shape[:3]))
                variable.assign(random.normal(0, spread, variable.shape))
            else:
                centre = float(variable.name in ("gamma", "moving_variance"))
                variable.assign(random.uniform(centre - 0.2, centre + 0.2, variable.shape))


def write_legacy(path, model, names=lambda name: name):
    """Write weights as `save_weights` of Keras 2 does."""
    layers = [layer for layer in model.layers if layer.weights]
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = np.array([names(layer.name).encode() for layer in layers])
        for layer in layers:
            group = file.create_group(names(layer.name))
            variables = {f"{names(layer.name)}/{variable.name}:0": variable for variable in layer.weights}
            group.attrs["weight_names"] = np.array([name.encode() for name in variables])
            for name, variable in variables.items():
                group[name] = variable.numpy()


def of_another_session(name):
    """Return a layer name as in a Keras 2 session in which other models were built before."""
    automatic = re.fullmatch(r"(conv2d|batch_normalization)(?:_(\d+))?", name)
    if automatic:
        return f"{automatic[1]}_{int(automatic[2] or 0) + 203}"
    return name.replace("conv1_", "conv1/")


@pytest.fixture(scope="module", params=sorted(name for name, spec in BACKBONES.items() if spec.scalings))
def case(request):
    import keras

    spec = get_backbone(request.param)
    image = keras.Input((spec.minimum_size, spec.minimum_size, 3))
    model = keras.Model(image, spec.build(image))
    scramble(model, seed=1)
    pixels = np.random.default_rng(2).normal(size=(2, spec.minimum_size, spec.minimum_size, 3)).astype(np.float32)
    features = np.asarray(model(pixels, training=False))
    assert np.isfinite(features).all()
    assert features.std() > 1e-3
    return SimpleNamespace(spec=spec, model=model, pixels=pixels, features=features)


@pytest.mark.parametrize("format", [".weights.h5", ".keras", ".h5", "radimagenet"])
def test_features_are_restored_from_every_format(case, format, tmp_path):
    weights, folder = str(tmp_path / f"a{format}"), None
    if format == "radimagenet":
        if case.spec.name not in RADIMAGENET_NAMES:
            with pytest.raises(UserError, match="no RadImageNet weights"):
                load_backbone_weights(case.model, case.spec, "radimagenet", tmp_path)
            return
        weights, folder = "radimagenet", tmp_path
        path = tmp_path / f"RadImageNet-{RADIMAGENET_NAMES[case.spec.name]}_notop.h5"
        write_legacy(path, case.model, of_another_session)
    elif format == ".weights.h5":
        case.model.save_weights(weights)
    else:
        case.model.save(weights)
    values = [weight.numpy() for weight in case.model.weights]
    for weight in case.model.weights:
        weight.assign(np.zeros(weight.shape))
    report = load_backbone_weights(case.model, case.spec, weights, folder)
    for value, weight in zip(values, case.model.weights, strict=True):
        np.testing.assert_array_equal(weight.numpy(), value)
    np.testing.assert_allclose(case.model(case.pixels, training=False), case.features, atol=1e-5)
    assert report.mapped == len(case.model.weights)
    assert report.parameters == case.model.count_params()
    assert report.unmapped == report.unchanged == ()
    assert report.sha256 == hashlib.sha256(Path(report.path).read_bytes()).hexdigest()
    assert report.source == ("radimagenet" if folder else "file")


@pytest.fixture(scope="module")
def small():
    """Return a model of two convolutions with layer names of ResNet50."""
    import keras

    model = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Conv2D(64, 3, name="conv1_conv")])
    model.add(keras.layers.Conv2D(64, 1, name="conv2_block1_1_conv"))
    return model


SPEC = SimpleNamespace(name="resnet50", display_name="ResNet50")


def test_none_keeps_the_initial_weights(small):
    assert load_backbone_weights(small, SPEC, "none") == WeightReport("none")
    assert str(WeightReport("none")) == "random weights"


def test_the_report_counts_unused_layers_and_unchanged_variables(small, tmp_path):
    import keras

    with_head = keras.Sequential(
        [keras.Input((4, 4, 3)), *small.layers, keras.layers.Flatten(), keras.layers.Dense(2, name="predictions")]
    )
    with_head.save_weights(tmp_path / "a.weights.h5")
    report = load_backbone_weights(small, SPEC, str(tmp_path / "a.weights.h5"))
    assert report.unmapped == ("predictions",)
    assert len(report.unchanged) == report.mapped == 4
    assert "4 tensors, 5,952 parameters, 1 not used (predictions)" in str(report)


def test_a_cached_imagenet_file_is_verified_and_loaded_by_order(small, tmp_path, monkeypatch):
    file = IMAGENET_FILES["resnet50"]
    path = tmp_path / "models" / file.name
    path.parent.mkdir()
    write_legacy(path, small, names=lambda name: {"conv1_conv": "convolution2d_1"}.get(name, "convolution2d_2"))
    expected = [weight.numpy() for weight in small.weights]
    for weight in small.weights:
        weight.assign(np.ones(weight.shape))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setitem(IMAGENET_FILES, "resnet50", file._replace(md5=hashlib.md5(path.read_bytes()).hexdigest()))
    report = load_backbone_weights(small, SPEC, "imagenet")
    assert (report.source, report.path, report.mapped) == ("imagenet", str(path), 4)
    assert all(np.array_equal(a, b.numpy()) for a, b in zip(expected, small.weights, strict=True))
    with pytest.raises(UserError, match="would keep random weights"):  # the same file without verification
        load_backbone_weights(small, SPEC, str(path))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite_are_refused(small, tmp_path, value):
    write_legacy(tmp_path / "a.h5", small)
    with h5py.File(tmp_path / "a.h5", "a") as file:
        file["conv1_conv/conv1_conv/bias:0"][3] = value
    with pytest.raises(UserError, match="conv1_conv/bias contains NaN or infinite"):
        load_backbone_weights(small, SPEC, str(tmp_path / "a.h5"))


def test_missing_layers_large_files_and_urls_are_refused(small, tmp_path):
    import keras

    other = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Conv2D(64, 3, name="conv1_conv")])
    write_legacy(tmp_path / "a.h5", other)
    with pytest.raises(UserError, match="1 of 2 layers .* would keep random weights: conv2_block1_1_conv"):
        load_backbone_weights(small, SPEC, str(tmp_path / "a.h5"))
    with open(tmp_path / "a.h5", "ab") as file:
        file.truncate(5_000_000)
    with pytest.raises(UserError, match="5 MB instead of about 0 MB"):
        load_backbone_weights(small, SPEC, str(tmp_path / "a.h5"))
    with pytest.raises(UserError, match="No such weight file"):
        load_backbone_weights(small, SPEC, "hf://someone/model.h5")


def test_the_suffix_of_a_link_determines_the_format(small, tmp_path):
    (tmp_path / "blob").write_bytes(b"not a checkpoint")
    (tmp_path / "a.pth").symlink_to("blob")
    with pytest.raises(UserError, match="not a PyTorch checkpoint"):
        load_backbone_weights(small, SPEC, str(tmp_path / "a.pth"))


def test_the_backbone_of_a_saved_classifier_can_be_loaded(tiny_backbone, tmp_path):
    from keras_radtl.models.classifier import assemble_classifier

    config = ModelConfig("tiny", weights="none")
    first = assemble_classifier(config, 2, (32, 32, 1), seed=0).model
    scramble(first, seed=5)
    first.save(tmp_path / "model.keras")
    second = assemble_classifier(ModelConfig("tiny", weights=str(tmp_path / "model.keras")), 3, (32, 32, 1), seed=1)
    (report,) = second.reports
    assert report.mapped == 3 + 3 * 4
    kernel = [model.get_layer("last_conv").kernel.numpy() for model in (first, second.model)]
    np.testing.assert_array_equal(*kernel)
