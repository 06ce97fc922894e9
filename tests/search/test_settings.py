"""Settings of a search: numbers of trials and epochs."""

from __future__ import annotations

import math

import pytest

from keras_radtl.config import UserError
from keras_radtl.search.settings import TunerSettings


def test_hyperband_of_nine_epochs():
    settings = TunerSettings(max_epochs=9)
    assert settings.plan() == [(9, 1), (3, 3), (1, 9), (5, 3), (2, 9), (3, 9)]  # three brackets, the widest first
    assert (settings.total_trials, settings.total_epochs, settings.shortest) == (23, 9 + 9 + 9 + 15 + 18 + 27, 1)


def test_min_epochs_removes_brackets():
    assert TunerSettings(max_epochs=9, min_epochs=2).plan() == [(5, 3), (2, 9), (3, 9)]


def test_iterations_repeat_the_plan():
    once, twice = TunerSettings(), TunerSettings(iterations=2)
    assert twice.plan() == once.plan() * 2


@pytest.mark.parametrize("algorithm", ["random", "bayesian"])
def test_other_algorithms_have_trials_of_equal_length(algorithm):
    assert TunerSettings(algorithm, max_epochs=5, trials=7).plan() == [(7, 5)]


def test_too_few_combinations_for_hyperband_are_an_error():
    settings = TunerSettings(max_epochs=9)
    settings.require_combinations(9 + 5 + 3)
    settings.require_combinations(math.inf)
    with pytest.raises(UserError, match="at most 16 combinations, but hyperband with these epochs draws 17"):
        settings.require_combinations(16)
    TunerSettings("random").require_combinations(1)


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"algorithm": "grid"}, "one of hyperband, random, bayesian"),
        ({"max_epochs": 0}, "max_epochs"),
        ({"min_epochs": 10}, r"in \[1, 9\]"),
        ({"factor": 1}, r"in \[2, 9999\]"),
        ({"trials": 0}, "trials"),
        ({"keep": -1}, r"in \[0, 9999\]"),
    ],
)
def test_invalid_settings_are_an_error(wrong, message):
    with pytest.raises(UserError, match=message):
        TunerSettings(**wrong)
