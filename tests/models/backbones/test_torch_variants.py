"""PyTorch checkpoints give the same features in Keras as in PyTorch."""

from __future__ import annotations

import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from keras_radtl.config import UserError
from keras_radtl.models.backbones.table import get_backbone
from keras_radtl.models.backbones.torch_variants import densenet121_torch, resnet50_torch
from keras_radtl.models.weights.load import load_backbone_weights
from keras_radtl.models.weights.torch_mapping import densenet121_modules, resnet50_modules

REFERENCE = Path(__file__).parents[2] / "reference"
BUILD = {"resnet50": resnet50_torch, "densenet121": densenet121_torch}
MODULES = {"resnet50": resnet50_modules, "densenet121": densenet121_modules}
torch_features = runpy.run_path(str(REFERENCE / "torch_features.py"))
write_state_dict = runpy.run_path(str(Path(__file__).parents[1] / "torch_files.py"))["write_state_dict"]
_TORCH = {"gamma": "weight", "beta": "bias", "moving_mean": "running_mean", "moving_variance": "running_var"}


def formula_state_dict(name, model):
    """Return the state_dict of `torch_features.py`, with shapes from the Keras model."""
    arrays = {}
    for layer, module in MODULES[name]().items():
        for variable in model.get_layer(layer).weights:
            shape = tuple(variable.shape)
            if variable.name == "kernel":
                key, shape = f"{module}.weight", (shape[3], shape[2], shape[0], shape[1])
            else:
                key = f"{module}.{_TORCH[variable.name]}"
            arrays[key] = torch_features["formula_tensor"](key, shape)
    return arrays


@pytest.fixture(scope="module", params=["resnet50", "densenet121"])
def case(request, tmp_path_factory):
    import keras

    image = keras.Input((None, None, 3))
    model = keras.Model(image, BUILD[request.param](image))
    arrays = formula_state_dict(request.param, model)
    arrays["fc.weight"], arrays["fc.bias"] = np.zeros((7, 5)), np.zeros(7)
    folder = tmp_path_factory.mktemp(request.param)
    path = write_state_dict(folder / "a.pth", arrays)
    report = load_backbone_weights(model, get_backbone(request.param), str(path))
    return SimpleNamespace(name=request.param, model=model, arrays=arrays, folder=folder, report=report)


def test_features_equal_those_of_torch(case):
    assert case.report.mapped == len(case.model.weights)
    assert case.report.parameters == case.model.count_params()
    assert case.report.unmapped == ("fc.weight", "fc.bias")
    expected = np.load(REFERENCE / "torch_features.npz")
    for size in (64, 75):
        features = np.asarray(case.model(torch_features["formula_images"](size), training=False)).mean(axis=(1, 2))
        np.testing.assert_allclose(features, expected[f"{case.name}_{size}"], atol=1e-4)


def test_the_model_has_the_boundaries_and_gradcam_layers_of_the_backbone(case):
    spec, names = get_backbone(case.name), [layer.name for layer in case.model.layers]
    for boundaries in filter(None, (spec.stages, spec.reference, spec.fts)):
        positions = [names.index(layer) for _, layer in boundaries if layer in names]
        assert len(positions) >= len(boundaries) - 1  # pooling is not part of the backbone
        assert positions == sorted(positions)
    assert set(spec.gradcam_layers) <= set(names)


RENAMED = {
    "resnet50": lambda key: key.replace("conv1.", "0.", 1).replace("bn1.", "1.", 1) if key[:2] in ("co", "bn") else
    f"{int(key[5]) + 3}{key[6:]}",
    "densenet121": lambda key: key.replace("features.", "0."),
}  # fmt: skip


def test_the_names_of_radimagenet_checkpoints_are_supported(case):
    renamed = {"backbone." + RENAMED[case.name](k): v for k, v in case.arrays.items() if not k.startswith("fc")}
    assert {"backbone.0.weight", "backbone.0.conv0.weight"} & set(renamed)
    before = [np.asarray(w) for w in case.model.weights]
    for weight in case.model.weights:
        weight.assign(np.zeros(weight.shape))
    path = write_state_dict(case.folder / "b.pt", renamed)
    assert load_backbone_weights(case.model, get_backbone(case.name), str(path)).unmapped == ()
    assert all(np.array_equal(a, np.asarray(b)) for a, b in zip(before, case.model.weights, strict=True))


def test_missing_and_additional_tensors_are_refused(case):
    spec = get_backbone(case.name)
    last = [key for key in case.arrays if key.endswith("running_var")][-1]
    for name, arrays, message in (
        ("missing", {k: v for k, v in case.arrays.items() if k != last}, rf"1 of \d+ tensors .* missing: {last}"),
        ("deeper", case.arrays | {last.replace(".running", "x.running"): np.ones(3)}, "another architecture"),
        ("shape", case.arrays | {last: np.ones(3)}, r"must be floating-point of shape"),
        ("nan", case.arrays | {last: np.full_like(case.arrays[last], np.nan)}, "NaN"),
        ("other", {"a.weight": np.ones(3)}, "not a checkpoint of"),
    ):
        path = write_state_dict(case.folder / f"{name}.pt", arrays)
        with pytest.raises(UserError, match=message):
            load_backbone_weights(case.model, spec, str(path))


def test_a_model_with_the_keras_architecture_is_refused(case):
    import keras

    application = {"resnet50": "ResNet50", "densenet121": "DenseNet121"}[case.name]
    model = getattr(keras.applications, application)(include_top=False, weights=None, input_shape=(32, 32, 3))
    with pytest.raises(ValueError, match="must be built by `torch_build`"):
        load_backbone_weights(model, get_backbone(case.name), str(case.folder / "a.pth"))


def test_backbones_without_torch_support_are_refused(tmp_path):
    import keras

    model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(2, 3)])
    path = write_state_dict(tmp_path / "a.pth", {"w": np.ones(3)})
    with pytest.raises(UserError, match="only supported for resnet50, densenet121, efficientnet_lite0"):
        load_backbone_weights(model, get_backbone("vgg19"), str(path))
