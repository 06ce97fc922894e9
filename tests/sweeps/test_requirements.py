"""Runs for which something is missing are refused in one line, or skipped if the user names it."""

from __future__ import annotations

import pytest

from keras_radtl.config import Config, UserError, update
from keras_radtl.config.wording import as_flags
from keras_radtl.sweeps.requirements import select_available
from keras_radtl.sweeps.run_list import RunSpec


@pytest.fixture(autouse=True)
def no_weights(monkeypatch):
    monkeypatch.delenv("KERAS_RADTL_WEIGHTS", raising=False)


@pytest.fixture
def tiny():
    return update(Config(), {"model": {"weights": "none"}})


@pytest.fixture
def runs(tiny):
    here = RunSpec("here", tiny, {"task": "breast"})
    task = RunSpec("acl", update(tiny, {"data": {"path": ""}}), {"task": "acl"})
    weights = RunSpec(
        "rin", update(tiny, {"model": {"backbone": "resnet50", "weights": "radimagenet"}}), {"task": "breast"}
    )
    other = RunSpec(
        "dense", update(tiny, {"model": {"backbone": "densenet121", "weights": "radimagenet"}}), {"task": "breast"}
    )
    return [here, task, weights, other]


def test_everything_that_is_missing_is_listed(runs):
    with pytest.raises(UserError) as found:
        select_available(runs, [])
    text = str(found.value)
    assert "\n" not in text and "acl (name its images by `data={'acl': 'PATH'}`)" in text
    assert text.endswith("`skip_missing=['acl', 'radimagenet:resnet50', 'radimagenet:densenet121']`")
    flags = as_flags(text)
    assert "(name its images by --data-acl PATH)" in flags
    assert flags.endswith("--skip-missing acl radimagenet:resnet50 radimagenet:densenet121")


def test_a_long_list_keeps_its_advice_and_drops_reasons(tiny):
    runs = [
        RunSpec(f"r{i}", update(tiny, {"data": {"path": ""}}), {"task": f"a task with the long name {i}"})
        for i in range(4)
    ]
    with pytest.raises(UserError) as found:
        select_available(runs, [])
    text = str(found.value)
    assert len(text) <= 300 and text.endswith("a task with the long name 3']`") and "..." not in text


def test_only_runs_that_miss_something_named_are_skipped(runs):
    with pytest.raises(UserError, match="acl"):
        select_available(runs, ["radimagenet"])
    assert set(select_available(runs, ["radimagenet", "acl"])) == {"acl", "rin", "dense"}
    assert "acl" in select_available(runs, ["RadImageNet", "ACL"])["acl"]
    assert select_available(runs[:1], ["breast"]) == {}, "runs that miss nothing are not skipped"


def test_a_run_that_misses_two_things_needs_both_names(tiny):
    both = RunSpec(
        "x",
        update(tiny, {"data": {"path": "nowhere"}, "model": {"backbone": "resnet50", "weights": "radimagenet"}}),
        {"task": "acl"},
    )
    here = RunSpec("here", tiny, {"task": "breast"})
    with pytest.raises(UserError, match="nowhere"):
        select_available([both, here], ["radimagenet"])
    assert set(select_available([both, here], ["radimagenet", "acl"])) == {"x"}
    with pytest.raises(UserError, match="Every run"):
        select_available([both], ["radimagenet", "acl"])
