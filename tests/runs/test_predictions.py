"""Reading the predictions of a run."""

from __future__ import annotations

import json

import numpy as np
import pytest

from keras_radtl.config import UserError
from keras_radtl.models.probabilities import to_probabilities
from keras_radtl.runs.files import write_csv
from keras_radtl.runs.predictions import align, read_scored_cases

COLUMNS = ["case", "path", "group", "split", "label", "predicted", "logit_no", "logit_yes", "prob_no", "prob_yes"]
SUMMARY = {
    "classes": ["no", "yes"],
    "multilabel": False,
    "image_shape": [8, 8, 1],
    "best_epoch": 1,
    "epochs": 2,
    "monitor": "val_auc",
}


def finish(folder, **changes):
    """Write what a finished run has beside its predictions."""
    (folder / "status.json").write_text(json.dumps({"state": "finished"}))
    (folder / "summary.json").write_text(json.dumps(SUMMARY | changes))


def row(case, label, score, group="g"):
    return [case, f"{case}.png", group, "test", label, "no", 0.0, 0.0, 1 - score, score]


def test_run_gives_probabilities_of_the_second_class_and_groups(tmp_path):
    write_csv(tmp_path / "predictions_test.csv", COLUMNS, [row("a", "yes", 0.75), row("b", "no", 0.25, "h")])
    found = read_scored_cases(tmp_path)
    assert (found.cases, found.groups) == (("a", "b"), ("g", "h"))
    assert found.targets.tolist() == [True, False] and found.scores.tolist() == [0.75, 0.25]
    assert read_scored_cases(tmp_path, positive="no").targets.tolist() == [False, True]


def test_certain_cases_keep_the_order_of_their_logits(tmp_path):
    logits = np.array([[0, 25], [0, 30], [0, 20], [1, 0]], np.float32)
    rows = [
        [str(i), "", "g", "test", ("no", "yes")[i % 2], "yes", *pair, *to_probabilities(pair[None], False)[0]]
        for i, pair in enumerate(logits)
    ]
    write_csv(tmp_path / "predictions_test.csv", COLUMNS, rows)
    assert (tmp_path / "predictions_test.csv").read_text().count(",1.0\n") == 2  # two are equal in the file
    scores = read_scored_cases(tmp_path).scores
    assert scores.tolist() == to_probabilities(logits, False)[:, 1].tolist() and len(set(scores)) == 4


def test_escaped_names_are_read_back(tmp_path):
    write_csv(tmp_path / "predictions_test.csv", COLUMNS, [row("=a", "yes", 0.75, "-1"), row("@b", "no", 0.25, "+2")])
    found = read_scored_cases(tmp_path)
    assert (found.cases, found.groups) == (("=a", "@b"), ("-1", "+2"))


def test_cases_without_a_label_are_excluded_and_counted(tmp_path):
    write_csv(tmp_path / "predictions_test.csv", COLUMNS, [row("a", "yes", 0.75), row("b", "", 0.25)])
    found = read_scored_cases(tmp_path)
    assert found.cases == ("a",) and found.excluded == 1
    write_csv(tmp_path / "predictions_test.csv", COLUMNS, [row("b", "", 0.25)])
    with pytest.raises(UserError, match="no case has a label"):
        read_scored_cases(tmp_path)


@pytest.mark.parametrize("separator", [";", "\t"])
def test_other_separators_are_read(tmp_path, separator):
    text = "case,label,score,group\na,1,0.75,g\nb,0,0.25,h\n".replace(",", separator)
    (tmp_path / "scores.csv").write_text(text)
    found = read_scored_cases(tmp_path / "scores.csv")
    assert (found.cases, found.groups, found.scores.tolist()) == (("a", "b"), ("g", "h"), [0.75, 0.25])


def test_empty_group_is_an_error_that_names_the_row(tmp_path):
    write_csv(tmp_path / "predictions_test.csv", COLUMNS, [row("a", "yes", 0.75), row("b", "no", 0.25, "")])
    with pytest.raises(UserError, match="predictions_test.csv, row 3: 'group' is empty"):
        read_scored_cases(tmp_path)


@pytest.mark.parametrize(
    ("status", "message"),
    [
        ('{"state": "running", "epoch": 3}', "the run is not finished; resume it"),
        ("{}", "status.json is damaged"),
        ("", "status.json is damaged"),
        ("[]", "status.json is damaged"),
        ("\0\1", "status.json is damaged"),
        (None, "status.json is missing|the run is not finished"),
    ],
)
def test_run_must_be_finished(tmp_path, status, message):
    write_csv(tmp_path / "predictions_test.csv", COLUMNS, [row("a", "yes", 0.75), row("b", "no", 0.25)])
    (tmp_path / "config.json").write_text("{}")
    if status is not None:
        (tmp_path / "status.json").write_text(status)
    with pytest.raises(UserError, match=message):
        read_scored_cases(tmp_path)
    assert read_scored_cases(tmp_path / "predictions_test.csv").cases == ("a", "b")
    finish(tmp_path)
    assert read_scored_cases(tmp_path).cases == ("a", "b")


@pytest.mark.parametrize("content", ["[1", "{}", json.dumps(SUMMARY | {"multilabel": "x"})])
def test_damaged_summary_is_named(tmp_path, content):
    write_csv(tmp_path / "predictions_test.csv", COLUMNS, [row("a", "yes", 0.75)])
    finish(tmp_path)
    (tmp_path / "summary.json").write_text(content)
    with pytest.raises(UserError, match="summary.json is damaged"):
        read_scored_cases(tmp_path)
    assert read_scored_cases(tmp_path / "predictions_test.csv").cases == ("a",)


def test_multi_label_run_is_an_error(tmp_path):
    write_csv(tmp_path / "predictions_test.csv", COLUMNS, [row("a", "yes", 0.75)])
    finish(tmp_path, multilabel=True)
    with pytest.raises(UserError, match="multi-label"):
        read_scored_cases(tmp_path)


def test_models_are_aligned_by_case(tmp_path):
    write_csv(tmp_path / "a.csv", COLUMNS, [row("a", "yes", 0.9, "g"), row("b", "no", 0.1, "h")])
    write_csv(tmp_path / "b.csv", COLUMNS, [row("b", "no", 0.2, "h"), row("a", "yes", 0.8, "g")])
    first, second = align([read_scored_cases(tmp_path / name) for name in ("a.csv", "b.csv")])
    assert second.cases == first.cases and second.groups == first.groups
    assert second.scores.tolist() == [0.8, 0.2]


@pytest.mark.parametrize("diverged", [False, True])
def test_a_run_that_diverged_is_marked(tmp_path, diverged):
    write_csv(tmp_path / "predictions_test.csv", COLUMNS, [row("a", "yes", 0.75)])
    finish(tmp_path, diverged=diverged)
    assert read_scored_cases(tmp_path).diverged is diverged
    assert read_scored_cases(tmp_path / "predictions_test.csv").diverged is diverged
