"""The analysis as Python objects: the same from a CSV and a DataFrame, as DataFrames, HTML and box plots."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from matplotlib.figure import Figure

from keras_radtl.config import UserError
from keras_radtl.reports.analysis import analyze_table

GRID = Path(__file__).parents[1] / "reference" / "mixed_model" / "grid.csv"
QUESTION = {"response": "y", "fixed": ["clf"], "random": ["task", "backbone"], "rank_by": "pretrain", "within": "task"}


@pytest.fixture(scope="module")
def found():
    return analyze_table(GRID, **QUESTION)


def test_a_csv_and_a_dataframe_give_the_same(found):
    frame = pd.read_csv(GRID)
    frame.loc[len(frame)] = {"y": None}
    other = analyze_table(frame, **QUESTION)
    assert other.fixed_effects.equals(found.fixed_effects)
    assert f"EXCLUDED: 1 row without y, row {len(frame) - 1}" in str(other)


def test_rows_with_an_empty_cell_are_left_out_of_the_analysis_that_uses_it(found):
    frame = pd.read_csv(GRID)
    frame.loc[[3, 9], "task"], frame.loc[5, "pretrain"], frame.loc[7, "lrdecay"] = None, None, None
    other = analyze_table(frame, **QUESTION)
    assert other.fixed_effects.equals(
        analyze_table(frame.drop([3, 9]), **{**QUESTION, "rank_by": ""} | {"within": ""}).fixed_effects
    )
    ranks = analyze_table(frame.drop([3, 5, 9]), "y", rank_by="pretrain", within="task")
    assert other.ranks_table.equals(ranks.ranks_table)
    assert (other.n, ranks.n, found.n) == (174, 173, 176)
    text = str(other)
    assert "EXCLUDED from the mixed model: 2 rows with an empty cell of task, rows 3, 9" in text
    assert "EXCLUDED from the rank tests: 3 rows with an empty cell of pretrain or task, rows 3, 5, 9" in text
    assert sum(map(len, other.samples["clf"]["acl"].values())) == 86


def test_results_are_dataframes(found):
    fixed, random, ranks = found.fixed_effects, found.random_effects, found.ranks_table
    assert fixed.index[0] == "(Intercept)" and (fixed["ci_low"] < fixed["estimate"]).all()
    assert list(random.index) == ["task", "backbone", "Residual"] and random["levels"]["Residual"] == 176
    assert ranks["stratum"].tolist() == ["acl", "breast"] and ranks["levels"][0] == ("ImageNet", "RadImageNet")


def test_text_and_html(found):
    assert str(found).startswith("Linear mixed model by REML: y ~ clf + (1 | task) + (1 | backbone)")
    assert repr(found) == "<Analysis of y, n=176, 4 fixed effects, 2 rank tests>"
    page = found._repr_html_()
    assert "<th>clfConvSkip</th>" in page and "Rank sum tests" in page


def test_without_a_mixed_model_its_tables_are_empty():
    found = analyze_table(GRID, "y", rank_by="pretrain")
    assert found.fixed_effects.empty and list(found.random_effects.columns) == ["variance", "std_dev", "levels"]
    assert "Fixed effects" not in found._repr_html_()


def test_box_plots_have_a_panel_for_each_stratum(found):
    figure = Figure()
    panels = found.plot_boxes("clf", figure)
    assert panels == figure.axes and [axes.get_title() for axes in panels] == ["task: acl", "task: breast"]
    assert len(found.plot_boxes("task", Figure())) == 1
    with pytest.raises(UserError, match="`factor` must be one of clf, task, backbone, pretrain. Received: factor='y'"):
        found.plot_boxes("y")
