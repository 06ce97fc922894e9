"""The schema: ranges of values, and values that exclude each other."""

from __future__ import annotations

import pytest

from keras_radtl.config import (
    AugmentConfig,
    Config,
    DataConfig,
    HeadConfig,
    ModelConfig,
    PhantomConfig,
    PredictionConfig,
    SplitConfig,
    TrainingConfig,
    UserError,
)


@pytest.mark.parametrize(
    ("kind", "values", "named"),
    [
        (PhantomConfig, {"count": 19}, "count"),
        (PhantomConfig, {"image_size": 31}, "image_size"),
        (PhantomConfig, {"difficulty": 1.1}, "difficulty"),
        (DataConfig, {"on_label_conflict": "ignore"}, "on_label_conflict"),
        (DataConfig, {"on_bad_image": "ignore"}, "on_bad_image"),
        (DataConfig, {"resize": "squeeze"}, "resize"),
        (DataConfig, {"channels": "cmyk"}, "channels"),
        (DataConfig, {"image_size": 7}, "image_size"),
        (DataConfig, {"clahe": -1.0}, "clahe"),
        (DataConfig, {"max_megapixels": 0.0}, "max_megapixels"),
        (DataConfig, {"window": "9:9"}, "window"),
        (DataConfig, {"window": "low:high"}, "window"),
        (SplitConfig, {"train": 0.0}, "train"),
        (SplitConfig, {"test": 0.2}, "train \\+ val \\+ test"),
        (SplitConfig, {"folds": 1}, "folds"),
        (AugmentConfig, {"rotation": 181.0}, "rotation"),
        (AugmentConfig, {"shift": -0.1}, "shift"),
        (AugmentConfig, {"zoom": 1.0}, "zoom"),
        (AugmentConfig, {"blur": 51.0}, "blur"),
        (HeadConfig, {"ratio": 0.0}, "ratio"),
        (HeadConfig, {"filters": 0}, "filters"),
        (HeadConfig, {"kernel_size": 0}, "kernel_size"),
        (HeadConfig, {"dropout": 1.0}, "dropout"),
        (HeadConfig, {"hidden_basis": "pixels"}, "hidden_basis"),
        (HeadConfig, {"pooling": "max"}, "pooling"),
        (HeadConfig, {"input_dropout": 1.0}, "input_dropout"),
        (HeadConfig, {"l2": -0.1}, "l2"),
        (ModelConfig, {"batchnorm": "frozen"}, "batchnorm"),
        (TrainingConfig, {"epochs": 0}, "epochs"),
        (TrainingConfig, {"phase_epochs": (1, 0)}, "phase_epochs"),
        (TrainingConfig, {"alpha": -1.0}, "alpha"),
        (TrainingConfig, {"beta": -1.0}, "beta"),
        (TrainingConfig, {"group_rates": (1.0, -1.0)}, "group_rates"),
        (TrainingConfig, {"group_decay": 0.0}, "group_decay"),
        (TrainingConfig, {"total_patience": 0}, "total_patience"),
        (TrainingConfig, {"group_decay": 0.5, "group_rates": (1.0, 0.5)}, "group_decay"),
        (TrainingConfig, {"batch_size": 0}, "batch_size"),
        (TrainingConfig, {"learning_rate": 0.0}, "learning_rate"),
        (TrainingConfig, {"learning_rate": float("nan")}, "learning_rate"),
        (TrainingConfig, {"momentum": 1.0}, "momentum"),
        (TrainingConfig, {"weight_decay": -0.1}, "weight_decay"),
        (TrainingConfig, {"weight_decay_mode": "l2"}, "weight_decay_mode"),
        (TrainingConfig, {"counting": "blocks"}, "counting"),
        (TrainingConfig, {"schedule": "linear"}, "schedule"),
        (TrainingConfig, {"class_weight": "auto"}, "class_weight"),
        (TrainingConfig, {"class_weight": "balanced", "sampling": "balanced"}, "class_weight"),
        (TrainingConfig, {"sampling": "random"}, "sampling"),
        (TrainingConfig, {"loss": "hinge"}, "loss"),
        (TrainingConfig, {"focal_gamma": -1.0}, "focal_gamma"),
        (TrainingConfig, {"monitor": "loss"}, "monitor"),
        (TrainingConfig, {"precision": "float16"}, "precision"),
        (TrainingConfig, {"patience": 0}, "patience"),
        (TrainingConfig, {"unfreeze": "top"}, "unfreeze"),
        (TrainingConfig, {"unfreeze": "top-1"}, "unfreeze"),
        (TrainingConfig, {"unfreeze": "last2"}, "unfreeze"),
        (PredictionConfig, {"tta": "flip"}, "tta"),
        (PredictionConfig, {"tta": "views:0"}, "tta"),
        (PredictionConfig, {"tta": "views:65"}, "tta"),
        (PredictionConfig, {"threshold": 0.0}, "threshold"),
        (PredictionConfig, {"threshold": 1.0}, "threshold"),
        (PredictionConfig, {"threshold": "nan"}, "threshold"),
        (PredictionConfig, {"threshold": "accuracy:0.9"}, "threshold"),
        (PredictionConfig, {"threshold": "sensitivity:0"}, "threshold"),
        (PredictionConfig, {"threshold": "sensitivity:nan"}, "threshold"),
        (PredictionConfig, {"threshold": "specificity"}, "threshold"),
        (Config, {"seed": -1}, "seed"),
        (Config, {"seed": 2**31}, "seed"),
        (Config, {"device": "tpu"}, "device"),
    ],
)
def test_values_out_of_range_are_an_error(kind, values, named):
    with pytest.raises(UserError, match=f"^`{named}` must be"):
        kind(**values)


def test_l2_of_the_head_excludes_l2_sp():
    with pytest.raises(UserError, match="^`model.head.l2` must be 0 with the strategy l2_sp"):
        Config(model=ModelConfig(head=HeadConfig(l2=0.1)), training=TrainingConfig(strategy="l2_sp"))


@pytest.mark.parametrize("unfreeze", ["none", "all", "top1", "top12", "layers:10"])
def test_valid_values_of_unfreeze(unfreeze):
    assert TrainingConfig(unfreeze=unfreeze).unfreeze == unfreeze


@pytest.mark.parametrize("threshold", [0.3, "0.3", "youden", "sensitivity:0.95", "specificity:1"])
def test_valid_values_of_the_threshold(threshold):
    expected = 0.3 if threshold == "0.3" else threshold
    assert PredictionConfig(threshold=threshold).threshold == expected
    assert Config.preset(threshold=threshold).prediction.threshold == expected


@pytest.mark.parametrize("tta", ["none", "flips", "rotations", "views:1", "views:64"])
def test_valid_values_of_tta(tta):
    assert Config.preset(tta=tta).prediction.tta == tta


def test_augmented_views_need_an_augmentation():
    with pytest.raises(UserError, match="^`tta` must be none, flips or rotations without augmentation"):
        Config.preset(tta="views:4", augment="none")
    assert Config.preset(tta="flips", augment="none").prediction.tta == "flips"


@pytest.mark.parametrize("window", ["image", "full", "0:255", "1000:3000"])
def test_valid_values_of_window(window):
    assert DataConfig(window=window).window == window


def test_split_seed_is_its_own_or_that_of_the_run():
    assert Config(seed=3).split_seed == 3
    assert Config(seed=3, split=SplitConfig(seed=0)).split_seed == 0


def test_later_layers_take_precedence():
    config = Config.from_layers("fts", {"training": {"epochs": 2, "batch_size": 4}}, {"training": {"epochs": 3}})
    assert (config.preset_name, config.training.epochs, config.training.batch_size) == ("fts", 3, 4)


def test_positive_class_of_a_preset_is_ignored_for_other_data():
    assert Config.from_layers("breast").data.positive == "malignant"
    assert Config.from_layers("breast", {"data": {"path": "other"}}).data.positive is None


def test_configurations_are_immutable_and_hashable():
    assert hash(Config()) == hash(Config()) and Config() == Config() != Config(seed=1)
    with pytest.raises(AttributeError):
        Config().seed = 1
