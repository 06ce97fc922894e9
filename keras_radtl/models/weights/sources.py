"""Find the file of pretrained weights: in an installed package, the Keras cache or a local folder.

Reference: Keras 3, `applications/*.py` (URLs and MD5 hashes of the ImageNet files); RadImageNet, README (file names).
"""

from __future__ import annotations

import os
import socket
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from keras_radtl.config import UserError
from keras_radtl.models.backbones.efficientnet_lite import VARIANTS

if TYPE_CHECKING:
    from keras_radtl.models.backbones.spec import BackboneSpec

WEIGHTS_VARIABLE = "KERAS_RADTL_WEIGHTS"
TIMEOUT = 30.0  # seconds without a response after which a download fails
_URL = "https://storage.googleapis.com/tensorflow/keras-applications/"
_NOTOP = "_weights_tf_dim_ordering_tf_kernels_notop.h5"


class KerasFile(NamedTuple):
    """A weight file of `keras.applications`."""

    folder: str
    name: str
    md5: str

    @property
    def url(self) -> str:
        """The URL of the file."""
        return f"{_URL}{self.folder}/{self.name}"


IMAGENET_FILES = {
    "resnet50": KerasFile("resnet", "resnet50" + _NOTOP, "4d473c1dd8becc155b73f8504c6f6626"),
    "densenet121": KerasFile("densenet", "densenet121" + _NOTOP, "30ee3e1110167f948a6b9946edeeb738"),
    "inception_v3": KerasFile("inception_v3", "inception_v3" + _NOTOP, "bcbd6486424b2319ff4ef7d526e38f63"),
    "inception_resnet_v2": KerasFile(
        "inception_resnet_v2", "inception_resnet_v2" + _NOTOP, "d19885ff4a710c122648d3b5c3b684e4"
    ),
    "vgg19": KerasFile("vgg19", "vgg19" + _NOTOP, "253f8cb515780f3b799900260a226db6"),
}
PACKAGES = {variant.name: variant for variant in VARIANTS}  # backbones whose ImageNet weights come with a package
RADIMAGENET_NAMES = {
    "resnet50": "ResNet50",
    "densenet121": "DenseNet121",
    "inception_v3": "InceptionV3",
    "inception_resnet_v2": "IRV2",
}


class FoundWeights(NamedTuple):
    """A file of pretrained weights.

    Attributes:
        source: "imagenet", "radimagenet" or "file".
        path: Path of the file.
        pinned: Whether the hash of the file was verified, so that the order of its layers is known.
    """

    source: str
    path: Path
    pinned: bool = False


def find_weights(spec: BackboneSpec, weights: str, weights_dir: str | Path | None = None) -> FoundWeights:
    """Find a file of pretrained weights; files of `keras.applications` are downloaded if they are not in the cache.

    Args:
        spec: The backbone.
        weights: "imagenet", "radimagenet" or the path of a file.
        weights_dir: Folder of the RadImageNet files. None means the environment variable KERAS_RADTL_WEIGHTS.

    Raises:
        UserError: If the weights do not exist for the backbone, or the file cannot be found or downloaded.
    """
    if weights == "imagenet":
        if spec.name in PACKAGES:
            return FoundWeights("imagenet", Path(PACKAGES[spec.name].checkpoint()))
        if spec.name in IMAGENET_FILES:
            return FoundWeights("imagenet", _keras_file(IMAGENET_FILES[spec.name], spec.display_name), pinned=True)
        raise UserError(f"There are no ImageNet weights for {spec.display_name}")
    if weights == "radimagenet":
        return FoundWeights("radimagenet", _radimagenet_file(spec, weights_dir))
    return FoundWeights("file", Path(weights))


def _keras_file(file: KerasFile, display_name: str) -> Path:
    """Return a file of `keras.applications` from the Keras cache after verifying its MD5, or download it."""
    import keras

    home = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
    try:
        with _timeout(TIMEOUT):
            return Path(
                keras.utils.get_file(
                    file.name,
                    file.url,
                    cache_dir=home,
                    cache_subdir="models",
                    file_hash=file.md5,
                    hash_algorithm="md5",
                )
            )
    except Exception as error:  # get_file raises a bare Exception without a network
        reason = " ".join(str(error).split()).rpartition("-- ")[2][:30]
        raise UserError(
            f"ImageNet weights of {display_name}: download failed ({reason}); save {file.url} in {home / 'models'}, "
            f"or use `weights='none'`"
        ) from None


@contextmanager
def _timeout(seconds: float):
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _radimagenet_file(spec, weights_dir: str | Path | None) -> Path:
    if spec.name not in RADIMAGENET_NAMES:
        known = ", ".join(RADIMAGENET_NAMES)
        raise UserError(f"There are no RadImageNet weights for {spec.display_name}, only for {known}")
    names = [f"RadImageNet-{RADIMAGENET_NAMES[spec.name]}{mark}notop.h5" for mark in "_-"]
    folder = weights_dir or os.environ.get(WEIGHTS_VARIABLE)
    if not folder:
        raise UserError(
            f"The RadImageNet weights are available from their authors (github.com/BMEII-AI/RadImageNet). Set "
            f"`weights_dir` or the environment variable {WEIGHTS_VARIABLE} to the folder with {names[0]}"
        )
    if not Path(folder).is_dir():
        raise UserError(f"`weights_dir` must be an existing folder. Received: weights_dir={str(folder)!r}")
    for name in names:
        if (Path(folder) / name).exists():
            return Path(folder) / name
    raise UserError(f"There is no {names[0]} or {names[1]} in {folder}")
