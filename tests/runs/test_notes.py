"""Notes on metrics: few cases, clustered and missing intervals, and a training that diverged."""

from __future__ import annotations

import pytest

from keras_radtl.metrics.classification import classification_metrics
from keras_radtl.runs.divergence import ADVICE, marked
from keras_radtl.runs.notes import few_cases, metric_notes, notes_html


def metrics(targets, scores, groups=None):
    """Return the metrics of a binary split as in `metrics.json`."""
    probabilities = [[1 - score, score] for score in scores]
    found = classification_metrics(targets, probabilities, ("no", "yes"), groups, replicates=50)
    return {name: metric._asdict() for name, metric in found.items()}


@pytest.mark.parametrize(
    ("counts", "warning"),
    [
        ((3, 1), "test: 3 cases, 1 of one class; intervals are wide or missing"),
        ((1, 1), "test: 1 case; intervals are wide or missing"),
        ((100, 9), "test: 100 cases, 9 of one class; intervals are wide or missing"),
        ((100, 10), None),
    ],
)
def test_few_cases(counts, warning):
    assert few_cases("test", *counts) == warning


def test_few_cases_and_missing_intervals_are_explained():
    few = metric_notes({"test": metrics([0, 0, 1], [0.1, 0.2, 0.7])})
    assert few[0] == "WARNING: test: 3 cases, 1 of one class; intervals are wide or missing"
    assert few[1].startswith("test, brier, log_loss: no interval: 3 cases, and the bootstrap needs at least 10")
    assert metric_notes({"test": metrics([0] * 12, [i / 30 for i in range(12)])}) == [
        "WARNING: test: 12 cases, 0 of one class; intervals are wide or missing",
        "test, auc: undefined: no positive case",
        "test, f1, sensitivity, balanced_accuracy, average_precision: undefined: no case of class yes",
    ]


def test_clustered_intervals_are_named():
    targets, scores = [0, 1] * 20, [(7 * i % 40) / 40 for i in range(40)]
    assert metric_notes({"test": metrics(targets, scores)}) == []
    clustered = metric_notes({"test": metrics(targets, scores, groups=[i // 4 for i in range(40)])})
    assert clustered == ["test: intervals are clustered, since groups (patients) have several cases"]


def test_divergence_is_said_once_and_first():
    few = marked(metrics([0, 0, 1], [0.1, 0.2, 0.7]), True)
    found = metric_notes({"val": few, "test": few})
    assert found[0] == f"WARNING: {ADVICE}" and [note.split(":")[1].strip() for note in found[1:3]] == ["val", "test"]
    assert sum("diverged" in note for note in found) == 1


def test_html_is_escaped():
    assert notes_html(["test: no case of class <b>"]) == "<p>test: no case of class &lt;b&gt;</p>"
