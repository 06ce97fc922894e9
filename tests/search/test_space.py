"""Spaces: declarations, errors before the first trial, and the configurations of a space."""

from __future__ import annotations

import itertools
import math

import pytest

from keras_radtl.config import Config, UserError, set_key
from keras_radtl.search.space import DEFAULT_SPACE, apply, make_space, read_space

HEAD = {
    "model.head.name": ["linear", "conv"],
    "model.head.filters": {"values": [4, 16], "when": {"model.head.name": ["conv"]}},
}


def test_space_is_read_from_yaml(tmp_path):
    file = tmp_path / "space.yaml"
    file.write_text("training.learning_rate: {low: 1e-5, high: 1e-2, log: true}\ntraining.patience: [null, 3]\n")
    rate, patience = read_space(file, Config()).parameters
    assert (rate.low, rate.high, rate.log, rate.integer) == (1e-5, 1e-2, True, False)  # YAML reads 1e-5 as text
    assert patience.values == (None, 3)


def test_default_space_is_valid():
    space = read_space("default", Config())
    assert set(space.keys) == set(DEFAULT_SPACE)
    parts = ("name", "ratio", "filters", "kernel_size", "dropout", "strategy", "unfreeze", "rate", "decay", "optimizer")
    assert all(any(key.endswith(part) for key in space.keys) for part in parts)


def test_to_dict_is_a_declaration():
    for declared in (DEFAULT_SPACE, HEAD, {"training.batch_size": {"low": 8, "high": 64, "step": 8}}):
        space = make_space(declared, Config())
        assert make_space(space.to_dict(), Config()) == space


def test_apply_sets_values_and_epochs():
    config = set_key(Config(seed=5), "data.image_size", 64)
    made = apply(config, {"model.head.filters": 4, "model.head.name": "conv", "training.learning_rate": 0.5}, epochs=7)
    expected = [
        ("model.head.filters", 4),
        ("model.head.name", "conv"),
        ("training.learning_rate", 0.5),
        ("training.epochs", 7),
    ]
    for key, value in expected:
        config = set_key(config, key, value)
    assert made == config


def test_corners_have_all_values_of_active_parameters():
    space = make_space({**HEAD, "training.learning_rate": {"low": 0.1, "high": 0.2}}, Config())
    corners = list(space.corners())
    for key, values in (
        ("model.head.name", {"linear", "conv"}),
        ("model.head.filters", {4, 16}),
        ("training.learning_rate", {0.1, 0.2}),
    ):
        assert {corner[key] for corner in corners if key in corner} == values
    assert all(("model.head.filters" in corner) == (corner["model.head.name"] == "conv") for corner in corners)


def test_parameters_follow_their_dependencies():
    space = make_space(dict(reversed(HEAD.items())), Config())
    assert space.keys == ("model.head.name", "model.head.filters")


def test_combinations_are_counted():
    space = make_space(
        {"training.optimizer": ["adam", "sgd"], "model.head.dropout": {"low": 0.0, "high": 0.6, "step": 0.1}}, Config()
    )
    assert space.combinations == 2 * 7
    assert make_space({"training.batch_size": {"low": 4, "high": 6}}, Config()).combinations == 3
    assert make_space({"model.head.dropout": {"low": 0.0, "high": 0.5}}, Config()).combinations == math.inf
    dependent = make_space(HEAD, Config())
    every = {
        tuple(sorted(dependent.complete(dict(zip(dependent.keys, v, strict=True))).items()))
        for v in itertools.product(("linear", "conv"), (4, 16))
    }
    assert len(every) <= dependent.combinations


NO_HEAD = {"model.head.name": ["attention"]}
REFUSED = {
    "empty": ({}, "at least one key"),
    "unknown key": ({"training.learningrate": [1e-3]}, "Unknown configuration key 'training.learningrate'"),
    "wrong value": ({"model.head.dropout": [0.5, 1.5]}, "`dropout` must be in [0, 1). Received: dropout=1.5"),
    "wrong type": ({"training.batch_size": ["many"]}, "of type int"),
    "wrong end": ({"training.learning_rate": {"low": 0.0, "high": 1.0}}, "`learning_rate` must be in (0"),
    "a part": ({"model.head": [{"name": "conv"}]}, "a key, not a section"),
    "a scalar": ({"training.optimizer": "adam"}, "a list of values"),
    "no values": ({"training.optimizer": []}, "one or more values"),
    "half a range": ({"model.head.dropout": {"low": 0.1}}, "both low and high"),
    "range upside down": ({"model.head.dropout": {"low": 0.4, "high": 0.1}}, "> low"),
    "range of words": ({"training.optimizer": {"low": "adam", "high": "sgd"}}, "its type is not a number"),
    "log of zero": ({"training.weight_decay": {"low": 0.0, "high": 1.0, "log": True}}, "> 0 on a logarithmic scale"),
    "step too long": ({"training.batch_size": {"low": 8, "high": 16, "step": 9}}, "a number in (0, 8]"),
    "unknown field": ({"training.optimizer": {"value": ["adam"]}}, "a table with some of values, low, high"),
    "seed": ({"seed": [1, 2]}, "'seed' cannot be searched: all trials have the same cases"),
    "split": ({"split.val": [0.1, 0.2]}, "cannot be searched"),
    "epochs": ({"training.epochs": [5, 10]}, "the search determines the epochs"),
    "depends on nothing": ({"model.head.filters": HEAD["model.head.filters"]}, "about keys of the space"),
    "depends on an unknown value": ({**HEAD, "model.head.ratio": {"values": [1.0], "when": NO_HEAD}}, "among"),
    "cycle": (
        {
            "model.head.filters": {"values": [4], "when": {"model.head.kernel_size": [2]}},
            "model.head.kernel_size": {"values": [2], "when": {"model.head.filters": [4]}},
        },
        "without a cycle",
    ),
}  # fmt: skip


@pytest.mark.parametrize("declared, message", REFUSED.values(), ids=REFUSED)
def test_invalid_spaces_are_an_error(declared, message):
    with pytest.raises(UserError) as caught:
        make_space(declared, Config())
    assert message in str(caught.value) and "\n" not in str(caught.value)
