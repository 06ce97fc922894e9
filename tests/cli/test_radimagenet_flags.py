"""The flags of the RadImageNet scripts: each sets its key; other flags are an error."""

from __future__ import annotations

import pytest

from keras_radtl.cli.options import add_config_options, config_from, make_parser
from keras_radtl.cli.radimagenet_flags import read_radimagenet_flags
from keras_radtl.config import UserError


def parse(*arguments):
    parser = make_parser("fit", "Test.")
    add_config_options(parser)
    return config_from(parser.parse_args(list(arguments)))


def test_all_flags_of_the_scripts():
    text = "--database ImageNet --model_name IRV2 --batch_size 64 --image_size 128 --epoch 7 --lr=1e-4"
    text += " --structure unfreezeall"
    config = parse("--radimagenet-flags", text)
    assert (config.preset_name, config.model.weights, config.model.backbone) == ("radimagenet", "imagenet", "IRV2")
    assert (config.training.batch_size, config.data.image_size, config.training.epochs) == (64, 128, 7)
    assert (config.training.unfreeze, config.model.batchnorm, config.training.learning_rate) == ("all", "adapt", 1e-4)
    assert config.model.scaling == "bgr_mean_255"  # for all weights, as in the scripts


@pytest.mark.parametrize(("structure", "unfreeze"), [("freezeall", "none"), ("unfreezetop10", "layers:10")])
def test_structure_sets_unfreeze_and_batchnorm(structure, unfreeze):
    config = parse("--radimagenet-flags", f"--structure {structure}")
    assert (config.training.unfreeze, config.model.batchnorm) == (unfreeze, "inference")


def test_empty_string_gives_the_preset():
    assert parse("--radimagenet-flags", "") == parse("--preset", "radimagenet")


def test_other_flags_override_script_flags():
    config = parse("--radimagenet-flags", "--lr 0.1 --epoch 3", "--lr", "0.2", "--preset", "fts")
    assert (config.preset_name, config.training.learning_rate, config.training.epochs) == ("fts", 0.2, 3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("--database Radiology", "--database must be one of RadImageNet, ImageNet. Received: 'Radiology'"),
        ("--model_name VGG19", "--model_name must be one of IRV2, ResNet50, DenseNet121, InceptionV3"),
        ("--structure top10", "--structure must be one of freezeall, unfreezeall, unfreezetop10"),
        ("--batch_size 1.5", "--batch_size must be an integer. Received: '1.5'"),
        ("--lr fast", "--lr must be a number. Received: 'fast'"),
        ("--lr", "--lr needs a value"),
        ("--epochs 3", "unknown flag '--epochs'. Known: --database, --model_name, --structure, --batch_size"),
        ("ImageNet", "unknown flag 'ImageNet'"),
        ("--gpu_node 0", "CUDA_VISIBLE_DEVICES"),
        ("--lr '1", "No closing quotation"),
        ("--epoch 0", "`epochs` must be in [1, 100000]"),
    ],
)
def test_invalid_script_flags_are_an_error(text, message):
    with pytest.raises(UserError) as error:
        parse(f"--radimagenet-flags={text}")
    assert message in str(error.value) and "\n" not in str(error.value)


def test_empty_string_changes_nothing():
    assert read_radimagenet_flags("") == {"data": {}, "model": {}, "training": {}}
