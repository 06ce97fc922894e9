"""The command on a grid of 176 results: its JSON against R, its text and figures, and refusals in one line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from keras_radtl.analyze import main
from keras_radtl.stats.ranks import rank_sum_test

REFERENCE = Path(__file__).parent / "reference" / "mixed_model"
GRID = REFERENCE / "grid.csv"
RANDOM = "task,pretrain,backbone,lrdecay,numfilters"
DEPENDENT = ["--response", "y", "--fixed", "clf,numfilters", "--random", "task"]  # only two heads have no filters
MODEL = ["--response", "y", "--fixed", "clf", "--random", RANDOM]


@pytest.fixture(autouse=True)
def drawing(request, monkeypatch):
    """Draw no figures in tests that are not about them: they take most of the time."""
    if "figure" not in request.node.name:
        monkeypatch.setattr("keras_radtl.reports.analysis_files.draw_analysis", lambda folder, found: [])


def refuse_constant(name):
    raise AssertionError(f"{name} is not JSON")


def analyze(tmp_path, *arguments):
    """Run the command and return its JSON, which must be strictly valid."""
    path = tmp_path / "out.json"
    assert main([*map(str, arguments), "--json", str(path)]) == 0
    return json.loads(path.read_text(), parse_constant=refuse_constant)


def rows_of(path):
    header, *rows = [line.split(",") for line in path.read_text().splitlines()]
    return header, rows


def with_rows(tmp_path, change):
    """Write the grid with its rows changed in place by a function of (header, rows)."""
    header, rows = rows_of(GRID)
    change(header, rows)
    path = tmp_path / "changed.csv"
    path.write_text("\n".join(map(",".join, [header, *rows])) + "\n")
    return path


@pytest.mark.parametrize("method", ("reml", "ml"))
def test_json_holds_what_lme4_and_lmertest_give(tmp_path, method):
    found = analyze(tmp_path, GRID, *MODEL, "--method", method)
    cases = json.loads((REFERENCE / "expected.json").read_text())["fits"]
    case = next(
        c for c in cases if c["data"] == "grid" and "clf + (1 | task)" in c["formula"] and c["method"] == method
    )
    for ours, theirs in zip(found["fixed"], case["fixed"], strict=True):
        assert ours["term"] == theirs["term"]
        for key in ("estimate", "std_error", "df", "t", "p"):
            assert ours[key] == pytest.approx(theirs[key], rel=1e-4)
        assert ours["ci_low"] < ours["estimate"] < ours["ci_high"]
    variances = {row["group"]: row["variance"] for row in case["random"]}
    assert {row["group"] for row in found["random"]} == set(variances)
    assert found["random"][-1]["group"] == "Residual"
    for row in found["random"]:
        assert (row["variance"], row["std_dev"] ** 2) == pytest.approx((variances[row["group"]],) * 2, rel=1e-6)
    assert found["reml_criterion" if method == "reml" else "ml_criterion"] == pytest.approx(case["criterion"])
    assert found["ml_criterion" if method == "reml" else "reml_criterion"] is None
    assert found["scaled_residuals"] == pytest.approx(case["scaled_residuals"], rel=1e-5)
    assert (found["n"], found["converged"], found["boundary"]) == (176, True, False)
    assert found["ranks"] == []


def test_rank_tests_within_every_stratum(tmp_path):
    found = analyze(tmp_path, GRID, "--response", "y", "--rank-by", "pretrain", "--within", "task")
    header, rows = rows_of(GRID)
    columns = dict(zip(header, zip(*rows, strict=True), strict=True))
    y = np.array(columns["y"], float)
    assert [row["stratum"] for row in found["ranks"]] == ["acl", "breast"]
    for row in found["ranks"]:
        assert row["levels"] == ["ImageNet", "RadImageNet"]
        parts = [
            y[(np.array(columns["task"]) == row["stratum"]) & (np.array(columns["pretrain"]) == level)]
            for level in row["levels"]
        ]
        expected = rank_sum_test(*parts)
        assert (row["w"], row["p"]) == (expected.w, expected.p)
    assert (found["fixed"], found["random"], found["reml_criterion"]) == ([], [], None)


def test_text_reads_like_the_tables_of_a_paper(tmp_path, capsys):
    assert main([str(GRID), *MODEL, "--rank-by", "pretrain", "--within", "task", "--output", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    for part in ("clfConvSkip", "Residual", "REML criterion: -512.06", "Observations: 176", "Wilcoxon", "breast"):
        assert part in text
    assert "singular" not in text


def test_a_figure_for_every_factor(tmp_path):
    assert main([str(GRID), *MODEL, "--rank-by", "pretrain", "--within", "task", "--output", str(tmp_path)]) == 0
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {f"box_{name}.png" for name in ("clf", *RANDOM.split(","))}
    with Image.open(tmp_path / "box_clf.png") as picture:
        assert np.asarray(picture.convert("L")).std() > 5


def test_reference_level_and_categorical_numbers(tmp_path):
    arguments = [GRID, "--response", "y", "--random", "task,backbone", "--fixed", "clf,ratio"]
    found = analyze(tmp_path, *arguments, "--reference", "clf=Linear")
    terms = [row["term"] for row in found["fixed"]]
    assert terms == ["(Intercept)", "clfConv", "clfConvSkip", "clfNonLinear", "ratio"]
    found = analyze(tmp_path, *arguments, "--categorical", "ratio")
    assert found["fixed"][-1]["term"] == "ratio1"


def test_a_singular_fit_is_reported(tmp_path, capsys):
    found = analyze(tmp_path, REFERENCE / "grid_singular.csv", *MODEL)
    assert found["boundary"] is True
    assert "singular fit, variance estimated as zero: lrdecay" in capsys.readouterr().out


def test_rows_without_response_are_excluded_and_reported(tmp_path, capsys):
    def change(header, rows):
        rows[3][0], rows[9][0] = "", "NA"

    found = analyze(tmp_path, with_rows(tmp_path, change), *MODEL)
    assert found["n"] == 174
    assert found["lines_left_out"] == [5, 11]
    assert "EXCLUDED: 2 rows without y, lines 5, 11" in capsys.readouterr().out


def test_rows_with_an_empty_factor_are_excluded_as_in_r(tmp_path, capsys):
    def empty(header, rows):
        for row in rows:
            row[-1] = row[-1].replace("none", "")

    def drop(header, rows):
        rows[:] = [row for row in rows if row[-1] != "none"]

    found = analyze(tmp_path, with_rows(tmp_path, empty), *MODEL)
    text = capsys.readouterr().out
    expected = analyze(tmp_path, with_rows(tmp_path, drop), *MODEL)
    assert found["n"] == expected["n"] == 128 and found["fixed"] == expected["fixed"]
    assert len(found["lines_left_out"]) == 48 and found["lines_left_out"][:4] == [2, 3, 4, 13]
    assert "EXCLUDED from the mixed model: 48 rows with an empty cell of numfilters, lines 2, 3, 4, 13" in text


def set_cells(name, value, rows_changed=slice(None)):
    def change(header, rows):
        for row in rows[rows_changed]:
            row[header.index(name)] = value

    return change


@pytest.mark.parametrize(
    ("change", "arguments", "message"),
    [
        (None, ["--response", "auc", "--random", "task"], "no column 'auc'. Columns: y, task"),
        (None, ["--response", "y", "--random", "tusk"], "no column 'tusk'"),
        (None, ["--response", "clf", "--random", "task"], "line 2: 'clf' must be a finite number"),
        (
            set_cells("y", "good", slice(4, 5)),
            MODEL,
            "line 6: 'y' must be a finite number of at most 1e+100. Received: 'good'",
        ),
        (set_cells("clf", "Conv"), MODEL, "'clf' must have at least two different values. Received: Conv"),
        (set_cells("task", "acl"), MODEL, "'task' must have at least two different values. Received: acl"),
        (set_cells("y", "0.5"), MODEL, "the response must vary"),
        (set_cells("y", ""), MODEL, "no row has a value of 'y'"),
        (
            None,
            DEPENDENT,
            "'numfiltersnone', which is a combination of the terms before it",
        ),
        (set_cells("task", ""), MODEL, "every row has an empty cell in task"),
        (set_cells("clf", "Conv"), ["--response", "y", "--rank-by", "clf"], "'clf' must have at least two different"),
        (set_cells("ratio", "1e308"), ["--response", "y", "--fixed", "ratio", "--random", "task"], "'ratio' must"),
        (None, ["--response", "y", "--fixed", "clf", "--random", "clf,task"], "both a fixed term and a random factor"),
        (None, ["--response", "y", "--fixed", "y", "--random", "task"], "both the response and a factor"),
        (None, [*MODEL, "--reference", "clf=Dense"], "reference of 'clf' must be one of Conv, ConvSkip"),
        (None, [*MODEL, "--reference", "clf"], "--reference takes COLUMN=LEVEL"),
        (None, ["--response", "y", "--fixed", "clf"], "--fixed needs --random"),
        (None, ["--response", "y"], "Set --random"),
        (None, [*MODEL, "--within", "task"], "--within needs --rank-by"),
    ],
)
def test_mistakes_are_one_line_and_exit_2(tmp_path, capsys, change, arguments, message):
    path = with_rows(tmp_path, change) if change else GRID
    assert main([str(path), *arguments, "--output", str(tmp_path / "out")]) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert len(captured.err.strip().splitlines()) == 1
    assert captured.out == ""
    assert not (tmp_path / "out").exists()


def test_outputs_that_cannot_be_written_are_refused_first(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    for arguments in (["--output", tmp_path / "file"], ["--json", tmp_path], ["--json", GRID]):
        assert main([str(GRID), *MODEL, *map(str, arguments)]) == 2
        assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_help_needs_neither_tensorflow_nor_scipy():
    code = (
        "import sys; from keras_radtl.analyze import parser; parser();"
        "print([name for name in ('tensorflow', 'scipy', 'matplotlib', 'statsmodels') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
