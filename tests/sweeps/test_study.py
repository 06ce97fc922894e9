"""Factors, and the declarations of a study."""

from __future__ import annotations

from types import ModuleType

import pytest

from keras_radtl.config import Config, UserError
from keras_radtl.sweeps.run_list import RunSpec
from keras_radtl.sweeps.study import Factor, StudyAnalysis, change_levels, study_of, study_of_runs

HEADS = Factor("heads", ("linear", "conv"), "heads")
RATES = Factor("learning_rates", (1e-3, 1e-4), "learning rates", free=True)


def test_levels_are_chosen():
    assert HEADS.choose(None) == ("linear", "conv")
    assert HEADS.choose("conv") == HEADS.choose(["conv"]) == ("conv",)
    assert RATES.choose(1) == (1.0,) and RATES.flag == "--learning-rates"


@pytest.mark.parametrize(
    "factor, chosen, message",
    [
        (HEADS, "deep", "`heads` must be among linear, conv. Received: heads='deep'"),
        (HEADS, [], "`heads` must be one or more levels"),
        (HEADS, 3, "`heads` must be of type str"),
        (RATES, True, "`learning_rates` must be of type float"),
    ],
)
def test_choices_that_are_refused(factor, chosen, message):
    with pytest.raises(UserError) as found:
        factor.choose(chosen)
    assert str(found.value).startswith(message)


@pytest.mark.parametrize("name, levels", [("a b", (1,)), ("config", (1,)), ("_seeds", (1,)), ("seeds", ())])
def test_factors_that_are_refused(name, levels):
    with pytest.raises(UserError):
        Factor(name, levels, "")


def test_a_copy_changes_levels():
    heads, rates = change_levels((HEADS, RATES), heads=("conv",), learning_rates=(0.1,))
    assert (heads.levels, rates.levels, rates.free) == (("conv",), (0.1,), True)
    with pytest.raises(UserError, match="Unknown factor `seeds`. Known: heads, learning_rates"):
        change_levels((HEADS, RATES), seeds=(1,))
    with pytest.raises(UserError, match="among linear, conv"):
        change_levels((HEADS,), heads=("deep",))


def test_declarations_of_a_module():
    module = ModuleType("some", "First line.\n\nMore.")
    module.runs = lambda choices: []
    plain = study_of(module, "some", "some.py")
    assert (plain.title, plain.factors, plain.tasks, plain.analyses) == ("First line.", (), {}, (StudyAnalysis(),))
    assert (plain.compare, plain.every_factor, plain.file) == (False, (), "some.py")
    module.FACTORS, module.TASKS, module.COMPARE = (HEADS,), {"a": {}}, True
    module.ANALYSES = [StudyAnalysis(("heads",)), StudyAnalysis(("task",), ("heads",), "Tasks")]
    study = study_of(module, "some")
    assert [factor.name for factor in study.every_factor] == ["tasks", "heads"]
    assert study.compare and study.analyses == tuple(module.ANALYSES)


@pytest.mark.parametrize(
    "name, value, rule",
    [
        ("FACTORS", 3, "a tuple of Factor"),
        ("FACTORS", ("heads",), "a tuple of Factor"),
        ("ANALYSES", [("heads",)], "a tuple of StudyAnalysis"),
        ("TASKS", ["a"], "a dict"),
        ("STUDY", 3, "a dict"),
    ],
)
def test_wrong_declarations_name_the_file(name, value, rule):
    module = ModuleType("some")
    module.runs = lambda choices: []
    setattr(module, name, value)
    with pytest.raises(UserError, match=f"^some.py: {name} must be {rule}. Received: "):
        study_of(module, "some", "some.py")


def test_listed_runs_are_a_study():
    runs = [RunSpec("a", Config(), {})]
    assert study_of_runs(runs).runs(None) == runs
    with pytest.raises(UserError, match="a name, a path or a sequence of RunSpec"):
        study_of_runs(["a"])
