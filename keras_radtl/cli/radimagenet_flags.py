"""The flags of the RadImageNet training scripts, converted to changes of the preset `radimagenet`.

    --database {ImageNet,RadImageNet} --model_name {IRV2,ResNet50,DenseNet121,InceptionV3} --batch_size 256
    --image_size 256 --epoch 30 --structure {freezeall,unfreezeall,unfreezetop10} --lr 0.001

In those scripts trainable BatchNorm layers use batch statistics. Here this is a setting of the whole backbone: `adapt`
for `unfreezeall`, otherwise `inference`. With `unfreezetop10` the BatchNorm layers among the last ten layers therefore
differ.

Reference: github.com/BMEII-AI/RadImageNet, acl/acl_train.py and breast/breast_train.py.
"""

from __future__ import annotations

import shlex

from keras_radtl.config import UserError

_STRUCTURES = {
    "freezeall": {"unfreeze": "none"},
    "unfreezeall": {"unfreeze": "all"},
    "unfreezetop10": {"unfreeze": "layers:10"},
}
_CHOICES = {
    "database": ("RadImageNet", "ImageNet"),
    "model_name": ("IRV2", "ResNet50", "DenseNet121", "InceptionV3"),
    "structure": tuple(_STRUCTURES),
}
_NUMBERS = {"batch_size": int, "image_size": int, "epoch": int, "lr": float}


def read_radimagenet_flags(text: str) -> dict:
    """Return script flags as nested configuration values.

    Args:
        text: Flags such as `--database ImageNet --model_name ResNet50 --structure unfreezeall --lr 0.0001`.
    Raises:
        UserError: If a flag or value is unknown; the message lists the known ones.
    """
    values = _split(text)
    training, model, data = {}, {}, {}
    if "database" in values:
        model["weights"] = values["database"].lower()
    if "model_name" in values:
        model["backbone"] = values["model_name"]
    if "structure" in values:
        training |= _STRUCTURES[values["structure"]]
        model["batchnorm"] = "adapt" if values["structure"] == "unfreezeall" else "inference"
    if "image_size" in values:
        data["image_size"] = values["image_size"]
    for old, new in (("batch_size", "batch_size"), ("epoch", "epochs"), ("lr", "learning_rate")):
        if old in values:
            training[new] = values[old]
    return {"data": data, "model": model, "training": training}


def _split(text: str) -> dict:
    try:
        words = shlex.split(text.replace("=", " "))
    except ValueError as error:
        raise UserError(f"--radimagenet-flags: {error}. Received: {text!r}") from None
    values, known = {}, [*_CHOICES, *_NUMBERS]
    while words:
        flag = words.pop(0)
        name = flag.removeprefix("--")
        if flag == "--gpu_node":
            raise UserError("--radimagenet-flags: set the variable CUDA_VISIBLE_DEVICES instead of --gpu_node")
        if name == flag or name not in known:
            raise UserError(f"--radimagenet-flags: unknown flag {flag!r}. Known: {', '.join('--' + n for n in known)}")
        if not words:
            raise UserError(f"--radimagenet-flags: {flag} needs a value")
        values[name] = _value(flag, name, words.pop(0))
    return values


def _value(flag: str, name: str, word: str):
    if name in _CHOICES:
        if word not in _CHOICES[name]:
            known = ", ".join(_CHOICES[name])
            raise UserError(f"--radimagenet-flags: {flag} must be one of {known}. Received: {word!r}")
        return word
    try:
        return _NUMBERS[name](word)
    except ValueError:
        kind = "an integer" if _NUMBERS[name] is int else "a number"
        raise UserError(f"--radimagenet-flags: {flag} must be {kind}. Received: {word!r}") from None
