"""The runs of a study of the package, as the command lists them."""

from __future__ import annotations

from collections import Counter

import pytest

from keras_radtl.studies.table import get_study
from keras_radtl.sweep import choices_from, parser
from keras_radtl.sweeps.run_list import RunSpec
from keras_radtl.sweeps.sweep import list_runs


@pytest.fixture
def listed(monkeypatch, tmp_path):
    """Return a function (name of a study, options) -> its runs; the current folder has no `tuners/`."""
    monkeypatch.chdir(tmp_path)

    def list_study(name: str, *options: str) -> list[RunSpec]:
        study = get_study(name)
        return list_runs(study, choices_from(parser(study).parse_args([name, *options]), study))

    return list_study


@pytest.fixture
def levels():
    """Return a function (runs, factor) -> the number of runs at each level."""
    return lambda runs, factor: Counter(run.factors[factor] for run in runs)
