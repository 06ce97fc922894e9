"""Configurations as nested dicts, JSON and YAML: types, unknown keys and files."""

from __future__ import annotations

import json

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_radtl.config import (
    Config,
    UserError,
    dumps,
    from_dict,
    load_values,
    set_key,
    to_dict,
    update,
)


@pytest.mark.parametrize(
    ("key", "value", "stored"),
    [
        ("training.learning_rate", 1, 1.0),
        ("training.learning_rate", "1e-4", 1e-4),  # YAML reads 1e-4 as text
        ("training.phase_epochs", [2], (2,)),
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
        ("training.epoch", 1, "Unknown configuration key 'training.epoch'. Known keys here: strategy"),
        ("trainig", {}, "Unknown configuration key 'trainig'"),
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
        ("", 3, "Unknown configuration key ''"),
    ],
)
def test_wrong_keys_and_types_are_an_error_with_the_dotted_key(key, value, message):
    with pytest.raises(UserError) as error:
        set_key(Config(), key, value)
    assert str(error.value).startswith(message)


def test_update_changes_only_the_given_keys_of_a_copy():
    before = Config()
    after = update(before, {"training": {"epochs": 3}, "model": {"head": {"name": "linear"}}})
    assert before == Config()
    assert to_dict(after) == to_dict(before) | {
        "training": to_dict(before)["training"] | {"epochs": 3},
        "model": to_dict(before)["model"] | {"head": to_dict(before)["model"]["head"] | {"name": "linear"}},
    }


def test_dumps_writes_json_and_yaml():
    config = set_key(Config(), "training.phase_epochs", [2])
    assert json.loads(dumps(config)) == yaml.safe_load(dumps(config)) == to_dict(config)
    assert from_dict(Config, json.loads(dumps(config))) == config


TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)))
VALUES = st.fixed_dictionaries(
    {},
    optional={
        "seed": st.integers(0, 2**31 - 1),
        "data": st.fixed_dictionaries({}, optional={"path": TEXT, "positive": st.none() | TEXT}),
        "training": st.fixed_dictionaries(
            {},
            optional={
                "learning_rate": st.floats(1e-300, 1e9),
                "phase_epochs": st.lists(st.integers(1, 99), max_size=1),
                "unfreeze": st.sampled_from(["none", "all", "top3", "layers:7"]),
            },
        ),
    },
)


@settings(max_examples=50, deadline=None)
@given(VALUES)
def test_any_configuration_is_read_back_unchanged(values):
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
def test_any_value_is_a_user_error_or_a_configuration(key, value):
    try:
        config = set_key(Config(), key, value)
    except UserError as error:
        assert "\n" not in str(error)
    else:
        assert isinstance(config, Config)


def test_files_are_json_or_yaml(tmp_path):
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
def test_malformed_files_are_an_error(tmp_path, content, message):
    (tmp_path / "a.yaml").write_bytes(content)
    with pytest.raises(UserError, match=message) as error:
        load_values(tmp_path / "a.yaml")
    assert str(tmp_path / "a.yaml") in str(error.value) and "\n" not in str(error.value)


def test_missing_file_is_an_error(tmp_path):
    with pytest.raises(UserError, match="No such configuration file: .*absent.json"):
        load_values(tmp_path / "absent.json")
