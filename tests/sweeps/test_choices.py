"""What is chosen for a study: the levels, what the user set, the data of tasks, and what the study overrules."""

from __future__ import annotations

import pytest

from keras_radtl.config import Config, UserError, update
from keras_radtl.sweeps.choices import Choices
from keras_radtl.sweeps.run_list import RunSpec
from keras_radtl.sweeps.spelling import FLAGS
from keras_radtl.sweeps.study import Factor, Study

STUDY = Study(
    name="some",
    runs=lambda choices: [],
    factors=(Factor("seeds", (0, 1), "seeds"),),
    tasks={"a": {"data": {"positive": "yes"}}, "b": {}},
    values={"training": {"epochs": 5, "batch_size": 16}},
)


def choose(asked=None, levels=None, task_data=None, study=STUDY):
    """Return choices of a user who set `training.epochs` or `data.path`."""
    values = {}
    for key, (_, value) in (asked or {}).items():
        part, name = key.split(".")
        values.setdefault(part, {})[name] = value
    return Choices(
        study,
        lambda below: Config.from_layers("quickstart", below, values),
        {key: flag for key, (flag, _) in (asked or {}).items()},
        levels or {},
        task_data or {},
        FLAGS,
    )


def test_levels_are_attributes():
    choices = choose(levels={"seeds": 1})
    assert (choices.seeds, choices.tasks) == ((1,), ("a", "b"))
    with pytest.raises(AttributeError, match="no factor 'rates'. Known: tasks, seeds"):
        _ = choices.rates


def test_what_the_user_set_is_above_the_study():
    choices = choose({"training.epochs": ("--epochs", 2)})
    training = choices.config({"training": {"epochs": 9, "batch_size": 8}}).training
    assert (training.epochs, training.batch_size) == (2, 8)
    assert choices.config().training.batch_size == 16
    assert (choices.given("training.epochs"), choices.given("training.batch_size")) == (2, None)


def test_a_task_has_its_own_data():
    choices = choose(task_data={"a": "images"})
    assert (choices.task_config("a").data.path, choices.task_config("b").data.path) == ("images", "")
    assert choices.task_config("a").data.positive == "yes"
    one = {"data.path": ("--data", "x")}
    assert choose(one, {"tasks": "b"}).task_config("b").data.path == "x"
    with pytest.raises(UserError, match="^--data is for one task: name one by --tasks, or use --data-a and --data-b$"):
        choose(one).task_config("a")


def test_what_the_study_overrules_is_refused():
    choices = choose({"training.epochs": ("--epochs", 2)})
    config = choices.config()
    choices.check([RunSpec("same", config, {})])
    with pytest.raises(
        UserError, match="^--epochs is decided by the list of runs; its own options are --tasks, --seeds$"
    ):
        choices.check([RunSpec("other", update(config, {"training": {"epochs": 3}}), {})])
