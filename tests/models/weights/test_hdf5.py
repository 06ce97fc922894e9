"""All formats of Keras weight files are read; malicious and damaged files are refused."""

from __future__ import annotations

import io
import resource
import zipfile

import h5py
import numpy as np
import pytest

from keras_radtl.config import UserError
from keras_radtl.models.weights.hdf5 import open_weights

EXPECTED = 3_000_000
keras_saves = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras on NumPy 2


def layers_of(path, expected=EXPECTED):
    with open_weights(path, expected) as stored:
        return [(layer.name, [tensor.read() for tensor in layer.tensors]) for layer in stored.layers]


def small_model():
    import keras

    dense = keras.layers.Dense(3, name="first")
    return keras.Sequential([keras.Input((2,)), dense, keras.layers.BatchNormalization(name="second")], name="small")


def legacy(path, arrays, chunk_names=False):
    """Write arrays by layer and variable in the legacy format."""
    with h5py.File(path, "w") as file:
        names = [name.encode() for name in arrays]
        if chunk_names:
            file.attrs["layer_names0"], file.attrs["layer_names1"] = np.array(names[:1]), np.array(names[1:])
        else:
            file.attrs["layer_names"] = np.array(names)
        for layer, variables in arrays.items():
            group = file.create_group(layer)
            group.attrs["weight_names"] = np.array([f"{layer}/{name}:0".encode() for name in variables])
            for name, array in variables.items():
                group[f"{layer}/{name}:0"] = array
    return path


ARRAYS = {"first": {"kernel": np.ones((2, 3), "f4"), "bias": np.zeros(3, "f4")}, "b/c": {"gamma": np.full(3, 2.0)}}


@keras_saves
@pytest.mark.parametrize("suffix", [".weights.h5", ".keras", ".h5"])
def test_all_keras_formats_give_names_and_values(tmp_path, suffix):
    model = small_model()
    path = tmp_path / f"a{suffix}"
    (model.save_weights if suffix == ".weights.h5" else model.save)(path)
    if suffix == ".h5":  # a whole model: its weights are one level down, and its suffix is misleading
        path = path.rename(tmp_path / "renamed.weights.h5")
    found = dict(layers_of(path))
    assert set(found) == {"first", "second"}
    for layer in model.layers:
        for array, variable in zip(found[layer.name], layer.weights, strict=True):
            np.testing.assert_array_equal(array, variable.numpy())


@pytest.mark.parametrize("chunk_names", [False, True])
def test_legacy_files_keep_the_order_of_the_layers(tmp_path, chunk_names):
    found = layers_of(legacy(tmp_path / "a.h5", ARRAYS, chunk_names))
    assert [name for name, _ in found] == ["first", "b/c"]
    np.testing.assert_array_equal(found[1][1][0], [2, 2, 2])


@pytest.mark.parametrize("kind", ["float16", "float64", "bfloat16"])
def test_other_floating_point_types_are_converted_to_float32(tmp_path, kind):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        group = file.create_group("layers/dense/vars")
        if kind == "bfloat16":
            import ml_dtypes

            group.create_dataset("0", data=np.array([1.5, -3], ml_dtypes.bfloat16)).attrs["dtype"] = "bfloat16"
        else:
            group["0"] = np.array([1.5, -3], kind)
    ((_, (values,)),) = layers_of(tmp_path / "a.h5")
    assert values.dtype == np.float32
    np.testing.assert_array_equal(values, [1.5, -3])


def soft_link(file, folder):
    file["first/first/kernel:0"] = h5py.SoftLink("/elsewhere")


def external_link(file, folder):
    legacy(folder / "other.h5", ARRAYS)
    file["first"]["more"] = h5py.ExternalLink(str(folder / "other.h5"), "/first")


def virtual_dataset(file, folder):
    legacy(folder / "other.h5", ARRAYS)
    layout = h5py.VirtualLayout((2, 3), "f4")
    layout[:] = h5py.VirtualSource(str(folder / "other.h5"), "first/first/kernel:0", (2, 3))
    file.create_virtual_dataset("first/first/kernel:0", layout)


def external_storage(file, folder):
    (folder / "secret").write_bytes(bytes(24))
    file.create_dataset("first/first/kernel:0", (2, 3), "f4", external=[(str(folder / "secret"), 0, 24)])


def shape_bomb(file, folder):
    file.create_dataset("first/first/kernel:0", (10**6, 10**6), "f4", chunks=(1000, 1000), compression="gzip")


def contiguous_bomb(file, folder):
    file.create_dataset("first/first/kernel:0", (10**6, 10**6), "f4")


def circular_link(file, folder):
    for name in "abcd":
        file["first"][name] = file["/"]


def named_type(file, folder):
    file["first/type"] = np.dtype("f4")


@pytest.mark.parametrize(
    ("attack", "message"),
    [
        (soft_link, "is a link"),
        (external_link, "is a link"),
        (virtual_dataset, "another file"),
        (external_storage, "another file"),
        (shape_bomb, "are declared but only"),
        (contiguous_bomb, "are declared but only"),
        (circular_link, "too many or too deeply nested groups"),
        (named_type, "neither a group nor a dataset"),
    ],
)
def test_links_and_bombs_are_refused_without_allocating_memory(tmp_path, attack, message):
    path = legacy(tmp_path / "a.h5", ARRAYS)
    with h5py.File(path, "a") as file:
        del file["first/first/kernel:0"]
        attack(file, tmp_path)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(UserError, match=message):
        layers_of(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # kilobytes


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda file: file.attrs.create("layer_names", [b"first", b"missing"]),
            "layer 'missing' is listed but not stored",
        ),
        (lambda file: file["first"].attrs.create("weight_names", [b"x:0"]), "'x:0' of layer 'first' is listed but not"),
        (lambda file: file["first"].attrs.create("weight_names", [b"../b/c/b/c/gamma:0"]), "listed but not stored"),
        (lambda file: file["first"].attrs.pop("weight_names"), None),  # a layer without weights is ignored
    ],
)
def test_listed_names_must_be_stored(tmp_path, change, message):
    path = legacy(tmp_path / "a.h5", ARRAYS)
    with h5py.File(path, "a") as file:
        change(file)
    if message is None:
        assert [name for name, _ in layers_of(path)] == ["b/c"]
        return
    with pytest.raises(UserError, match=message):
        layers_of(path)


def test_integers_are_refused(tmp_path):
    path = legacy(tmp_path / "a.h5", {"first": {"kernel": np.ones((2, 3), "i4")}})
    with pytest.raises(UserError, match="must be floating-point numbers. Received: type int32"):
        layers_of(path)


def archive(path, compression=zipfile.ZIP_STORED, **members):
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, data in members.items():
            file.writestr(name.replace("__", "."), data)
    return path


def test_the_configuration_in_an_archive_is_not_read(tmp_path):
    """The file config.json has a Lambda layer with code; only the weights are read."""
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        file["layers/dense/vars/0"] = np.ones(2)
    marker = tmp_path / "marker"
    lambda_layer = f'{{"class_name": "Lambda", "config": {{"function": "open({str(marker)!r}, \'w\')"}}}}'
    path = archive(tmp_path / "a.keras", config__json=lambda_layer, model__weights__h5=content.getvalue())
    assert len(layers_of(path)) == 1
    assert not marker.exists()


def test_archives_without_uncompressed_weights_are_refused(tmp_path):
    bomb = archive(tmp_path / "a.keras", zipfile.ZIP_DEFLATED, model__weights__h5=bytes(2**27))
    assert bomb.stat().st_size < 2**18
    with pytest.raises(UserError, match="compressed"):
        layers_of(bomb)
    with pytest.raises(UserError, match="the archive has no model.weights.h5, only model.weights.npz"):
        layers_of(archive(tmp_path / "b.keras", model__weights__npz=b""))
    with pytest.raises(UserError, match="not an HDF5 weight file"):
        layers_of(archive(tmp_path / "c.keras", model__weights__h5=bytes(1000)))
    small = legacy(tmp_path / "d.h5", ARRAYS).read_bytes()
    with pytest.raises(UserError, match="9 MB instead of about 0 MB"):
        layers_of(archive(tmp_path / "d.keras", model__weights__h5=small + bytes(9_000_000)))


def test_the_size_limit_depends_on_the_backbone_or_the_archived_model(tmp_path):
    path = legacy(tmp_path / "a.h5", {**ARRAYS, "head": {"kernel": np.ones((3_000_000,), "f4")}})
    with pytest.raises(UserError, match="12 MB instead of about 3 MB"):
        layers_of(path)
    assert len(layers_of(archive(tmp_path / "a.keras", model__weights__h5=path.read_bytes()))) == 3


def test_damaged_files_raise_only_user_errors(tmp_path):
    data = legacy(tmp_path / "a.h5", ARRAYS).read_bytes()
    random, refused = np.random.default_rng(5), 0
    for trial in range(100):
        changed = bytearray(data[: random.integers(len(data))] if trial % 2 else data)
        for position in random.integers(0, max(len(changed), 1), size=0 if trial % 2 else 4):
            changed[position] ^= 1 << int(random.integers(8))
        (tmp_path / "b.h5").write_bytes(bytes(changed))
        try:
            layers_of(tmp_path / "b.h5")
        except UserError:
            refused += 1
    assert refused >= 50


def test_files_without_weights_are_refused(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["numbers"] = np.ones(3)
    with pytest.raises(UserError, match="without weights of a Keras model"):
        layers_of(tmp_path / "a.h5")
    (tmp_path / "b.h5").write_bytes(b"text")
    with pytest.raises(UserError, match="not an HDF5 weight file"):
        layers_of(tmp_path / "b.h5")
