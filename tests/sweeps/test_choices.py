"""Choices for a study: levels, values that the user set, data of tasks, and values that the study overrides."""

from __future__ import annotations

import pytest

from keras_radtl.config import Config, UserError, update
from keras_radtl.config.serialization import nested
from keras_radtl.config.wording import as_flags
from keras_radtl.sweeps.choices import Choices
from keras_radtl.sweeps.run_list import RunSpec
from keras_radtl.sweeps.study import Factor, Study

STUDY = Study(
    name="some",
    runs=lambda choices: [],
    factors=(Factor("seeds", (0, 1), "seeds"),),
    tasks={"a": {"data": {"positive": "yes"}}, "b": {}},
    values={"training": {"epochs": 5, "batch_size": 16}},
)


def choose(asked=None, levels=None, task_data=None, study=STUDY):
    """Return choices of a user who set some configuration keys."""
    values = nested(asked or {})
    return Choices(
        study,
        lambda below: Config.from_layers("quickstart", below, values),
        tuple(asked or ()),
        levels or {},
        task_data or {},
    )


def test_levels_are_attributes():
    choices = choose(levels={"seeds": 1})
    assert (choices.seeds, choices.tasks) == ((1,), ("a", "b"))
    with pytest.raises(AttributeError, match="no factor 'rates'. Known: tasks, seeds"):
        _ = choices.rates


def test_values_of_the_user_override_the_study():
    choices = choose({"training.epochs": 2})
    training = choices.config({"training": {"epochs": 9, "batch_size": 8}}).training
    assert (training.epochs, training.batch_size) == (2, 8)
    assert choices.config().training.batch_size == 16
    assert (choices.given("training.epochs"), choices.given("training.batch_size")) == (2, None)


def test_a_task_has_its_own_data():
    choices = choose(task_data={"a": "images"})
    assert (choices.task_config("a").data.path, choices.task_config("b").data.path) == ("images", "")
    assert choices.task_config("a").data.positive == "yes"
    one = {"data.path": "x"}
    assert choose(one, {"tasks": "b"}).task_config("b").data.path == "x"
    with pytest.raises(UserError) as found:
        choose(one).task_config("a")
    expected = "`data` is for one task: select one by `tasks`, or use `data={'a': 'PATH', 'b': 'PATH'}`"
    assert str(found.value) == expected
    flags = "--data is for one task: select one by --tasks, or use --data-a PATH --data-b PATH"
    assert as_flags(expected) == flags


def test_values_that_the_study_overrides_are_refused():
    choices = choose({"training.epochs": 2})
    config = choices.config()
    choices.check([RunSpec("same", config, {})])
    with pytest.raises(UserError, match="^`epochs` is set by the list of runs; its own options are `tasks`, `seeds`$"):
        choices.check([RunSpec("other", update(config, {"training": {"epochs": 3}}), {})])
