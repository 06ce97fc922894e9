"""Result files: labels, probabilities, the order of rows, and metrics that agree with the metrics module."""

from __future__ import annotations

import math

import numpy as np
import pytest

from keras_radtl.config import UserError
from keras_radtl.data.table import CaseTable
from keras_radtl.metrics.classification import classification_metrics
from keras_radtl.runs.directory import RunDirectory
from keras_radtl.runs.files import read_csv, read_json
from keras_radtl.runs.results import (
    Predictions,
    prediction_columns,
    prediction_rows,
    read_logits,
    split_metrics,
    write_history,
    write_results,
)

CASES = tuple(f"case {i}" for i in range(8))


def table(targets=(0, 1, 0, 1, 0, 1, -1, 1), classes=("benign", "malignant"), **options):
    return CaseTable(
        name="t", root=None, cases=CASES, paths=tuple(f"{case}.png" for case in CASES),
        groups=tuple(f"p{i // 2}" for i in range(8)),
        classes=classes, targets=np.asarray(targets, np.float32 if options.get("multilabel") else np.int32), **options,
    )  # fmt: skip


LOGITS = np.random.default_rng(0).normal(size=(8, 2)).astype(np.float32)
EVERY = Predictions(np.arange(8), LOGITS)


def test_rows_match_the_columns():
    columns = prediction_columns(("benign", "malignant"))
    assert columns == [
        "case", "path", "group", "split", "label", "predicted", "logit_benign", "logit_malignant",
        "prob_benign", "prob_malignant",
    ]  # fmt: skip
    rows = prediction_rows(table(), "val", Predictions(np.array([5, 6]), LOGITS[5:7]))
    first = dict(zip(columns, rows[0], strict=True))
    assert [first[name] for name in columns[:5]] == ["case 5", "case 5.png", "p2", "val", "malignant"]
    assert first["predicted"] == ("benign", "malignant")[int(LOGITS[5].argmax())]
    assert first["prob_malignant"] == pytest.approx(1 / (1 + math.exp(float(LOGITS[5, 0]) - float(LOGITS[5, 1]))))
    assert first["prob_benign"] + first["prob_malignant"] == pytest.approx(1) and rows[1][4] == ""


def test_logits_are_read_back_bit_for_bit(tmp_path):
    run = RunDirectory(tmp_path)
    write_results(run, table(), {"test": Predictions(np.array([6, 1, 0]), LOGITS[[6, 1, 0]])}, 0)
    again = read_logits(run, "test", table())
    assert again.indices.tolist() == [6, 1, 0] and np.array_equal(again.logits, LOGITS[[6, 1, 0]])


def test_predictions_of_other_data_are_an_error(tmp_path):
    write_results(RunDirectory(tmp_path), table(), {"test": EVERY}, 0)
    with pytest.raises(UserError, match="case 'case 7' is not in the data"):
        read_logits(RunDirectory(tmp_path), "test", table().take(range(7)))


def test_metrics_exclude_cases_without_label(tmp_path):
    known = [0, 1, 2, 3, 4, 5, 7]
    probabilities = np.exp(LOGITS.astype(float)) / np.exp(LOGITS.astype(float)).sum(axis=1, keepdims=True)
    expected = classification_metrics(
        table().targets[known],
        probabilities[known],
        ("benign", "malignant"),
        groups=np.array(table().groups)[known],
        seed=3,
    )
    found = split_metrics(table(), EVERY, 3)
    assert found.keys() == expected.keys()
    for name, metric in expected.items():
        assert found[name]["value"] == pytest.approx(metric.value, rel=1e-12) and found[name]["n"] == metric.n
    assert write_results(RunDirectory(tmp_path), table(), {"test": EVERY}, 3) == read_json(tmp_path / "metrics.json")


def test_learning_rates_are_in_a_file_of_their_own(tmp_path):
    history = [
        {"epoch": 1, "phase": "a", "loss": 0.5, "rates": {"stem": 1.0, "head": 0.5}},
        {"epoch": 2, "phase": "b", "loss": 0.25, "penalty": 0.1},
    ]
    write_history(RunDirectory(tmp_path), history)
    rows = read_csv(tmp_path / "history.csv")
    assert rows[0] == {"epoch": "1", "phase": "a", "loss": "0.5", "penalty": ""} and rows[1]["penalty"] == "0.1"
    assert [tuple(row.values()) for row in read_csv(tmp_path / "learning_rates.csv")] == [
        ("1", "stem", "1.0"),
        ("1", "head", "0.5"),
    ]


def test_logits_that_are_not_finite_name_the_case():
    logits = LOGITS.copy()
    logits[2, 0] = np.nan
    with pytest.raises(UserError, match=rf"logits of {CASES[2]} are not finite \(1 of {len(LOGITS)} cases\)"):
        split_metrics(table(), Predictions(np.arange(len(LOGITS)), logits), 0)
