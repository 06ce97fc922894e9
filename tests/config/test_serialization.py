"""Configurations: defaults, casts, refusals that name the key, and the way to text and back."""

from __future__ import annotations

import json

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_radtl.config import (
    AugmentConfig,
    Config,
    DataConfig,
    HeadConfig,
    ModelConfig,
    PhantomConfig,
    SplitConfig,
    TrainingConfig,
    UserError,
    dumps,
    from_dict,
    load_values,
    require,
    set_key,
    to_dict,
    update,
)


def test_require_names_option_rule_and_value():
    require(True, "rate", "in [0, 1]", 1)
    with pytest.raises(UserError, match=r"^`rate` must be in \[0, 1\]. Received: rate=1.2$"):
        require(False, "rate", "in [0, 1]", 1.2)


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
        (Config, {"seed": -1}, "seed"),
        (Config, {"seed": 2**31}, "seed"),
        (Config, {"device": "tpu"}, "device"),
    ],
)
def test_values_out_of_range_are_refused_by_name(kind, values, named):
    with pytest.raises(UserError, match=f"^`{named}` must be"):
        kind(**values)


def test_one_pull_of_the_head_is_enough():
    with pytest.raises(UserError, match="^`model.head.l2` must be 0 with the strategy l2_sp"):
        Config(model=ModelConfig(head=HeadConfig(l2=0.1)), training=TrainingConfig(strategy="l2_sp"))


@pytest.mark.parametrize("unfreeze", ["none", "all", "top1", "top12", "layers:10"])
def test_what_can_be_unfrozen(unfreeze):
    assert TrainingConfig(unfreeze=unfreeze).unfreeze == unfreeze


@pytest.mark.parametrize("window", ["image", "full", "0:255", "1000:3000"])
def test_windows(window):
    assert DataConfig(window=window).window == window


@pytest.mark.parametrize(
    ("key", "value", "stored"),
    [
        ("training.learning_rate", 1, 1.0),
        ("training.learning_rate", "1e-4", 1e-4),  # YAML reads 1e-4 as text
        ("training.phase_epochs", [1, 2], (1, 2)),
        ("training.group_rates", [1, 0.5], (1.0, 0.5)),
        ("training.patience", None, None),
        ("data.image_size", 64, 64),
        ("data.positive", "malignant", "malignant"),
        ("data.phantoms.count", 50, 50),
    ],
)
def test_set_key_casts_to_the_type_of_the_key(key, value, stored):
    found = set_key(Config(), key, value)
    for part in key.split("."):
        found = getattr(found, part)
    assert found == stored and type(found) is type(stored)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("training.epoch", 1, "Unknown configuration key `training.epoch`. Known keys here: strategy"),
        ("trainig", {}, "Unknown configuration key `trainig`"),
        ("training.epochs", 1.5, "`training.epochs` must be of type int"),
        ("training.epochs", True, "`training.epochs` must be of type int"),
        ("training.epochs", None, "`training.epochs` must be of type int"),
        ("training.learning_rate", True, "`training.learning_rate` must be of type float"),
        ("training.learning_rate", "fast", "`training.learning_rate` must be of type float"),
        ("augment.horizontal_flip", "yes", "`augment.horizontal_flip` must be of type bool"),
        ("training.phase_epochs", 3, "`training.phase_epochs` must be a list"),
        ("training.phase_epochs", ["a"], "`training.phase_epochs` must be of type int"),
        ("training", 3, "`training` must be a table of keys and values"),
        ("data.path.sub", 3, "`data.path` must be of type str"),
        ("", 3, "Unknown configuration key ``"),
    ],
)
def test_wrong_keys_and_types_are_refused_with_their_dotted_name(key, value, message):
    with pytest.raises(UserError) as error:
        set_key(Config(), key, value)
    assert str(error.value).startswith(message)


def test_update_changes_nothing_else_and_leaves_the_original():
    before = Config()
    after = update(before, {"training": {"epochs": 3}, "model": {"head": {"name": "linear"}}})
    assert before == Config()
    assert to_dict(after) == to_dict(before) | {
        "training": to_dict(before)["training"] | {"epochs": 3},
        "model": to_dict(before)["model"] | {"head": to_dict(before)["model"]["head"] | {"name": "linear"}},
    }


def test_equal_configurations_give_equal_text_which_is_json_and_yaml():
    config = set_key(Config(), "training.phase_epochs", [1, 2])
    assert json.loads(dumps(config)) == yaml.safe_load(dumps(config)) == to_dict(config)
    assert from_dict(Config, json.loads(dumps(config))) == config


VALUES = st.fixed_dictionaries(
    {},
    optional={
        "seed": st.integers(0, 2**31 - 1),
        "data": st.fixed_dictionaries({}, optional={"path": st.text(), "positive": st.none() | st.text()}),
        "training": st.fixed_dictionaries(
            {},
            optional={
                "learning_rate": st.floats(1e-300, 1e300),
                "phase_epochs": st.lists(st.integers(1, 99)),
                "unfreeze": st.sampled_from(["none", "all", "top3", "layers:7"]),
            },
        ),
    },
)


@settings(max_examples=50, deadline=None)
@given(VALUES)
def test_any_configuration_survives_the_way_through_a_file(values):
    config = from_dict(Config, values)
    assert from_dict(Config, json.loads(dumps(config))) == config


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
KEYS = [
    "seed",
    "device",
    "data",
    "split",
    "training",
    "training.epochs",
    "data.labels",
    "data.image_size",
    "split.train",
]


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(KEYS), JUNK)
def test_junk_is_a_user_error_or_a_configuration(key, value):
    try:
        config = set_key(Config(), key, value)
    except UserError as error:
        assert "\n" not in str(error)
    else:
        assert isinstance(config, Config)


def test_files_in_json_and_yaml(tmp_path):
    (tmp_path / "a.json").write_text('{"seed": 3, "training": {"epochs": 2}}')
    (tmp_path / "a.yaml").write_text("seed: 3\ntraining:\n  epochs: 2\n")
    assert (
        load_values(tmp_path / "a.json") == load_values(tmp_path / "a.yaml") == {"seed": 3, "training": {"epochs": 2}}
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a: [", "is not valid JSON or YAML"),
        (b"\xff\xfe\x00", "is not valid JSON or YAML"),
        (b"- 1\n", "must be a table of keys and values"),
        (b"", "must be a table of keys and values"),
    ],
)
def test_unusable_files_are_refused_in_one_line(tmp_path, content, message):
    (tmp_path / "a.yaml").write_bytes(content)
    with pytest.raises(UserError, match=message) as error:
        load_values(tmp_path / "a.yaml")
    assert str(tmp_path / "a.yaml") in str(error.value) and "\n" not in str(error.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match="No such configuration file: .*absent.json"):
        load_values(tmp_path / "absent.json")
