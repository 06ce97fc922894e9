"""The trials of a search: ranking, table, kept models and text."""

from __future__ import annotations

from keras_radtl.runs.directory import MODEL
from keras_radtl.runs.files import read_csv
from keras_radtl.search.trials import TrialRow, prune_models, rank, search_disk_bytes, show_trials, write_trials

KEYS = ("model.head.name", "model.head.filters")
ROWS = [
    TrialRow("0000", "completed", 1, {"model.head.name": "linear"}, val_auc=0.7, best_epoch=1, seconds=2.5),
    TrialRow("0001", "failed", 1, {"model.head.name": "conv", "model.head.filters": 4}, error="=loss, is NaN"),
    TrialRow("0002", "completed", 3, {"model.head.name": "conv", "model.head.filters": 16}, val_auc=0.8, best_epoch=2),
    TrialRow("0003", "completed", 3, {"model.head.name": "linear"}, val_auc=0.8, best_epoch=3),
    TrialRow("0004", "invalid", 3, {"model.head.name": "linear"}, error="to be tried again"),
]


def test_rank_sorts_completed_trials():
    assert [row.trial for row in rank(ROWS)] == ["0002", "0003", "0000"]  # the earlier of equal trials first


def test_table_has_a_column_per_key_and_the_error(tmp_path):
    write_trials(tmp_path / "trials.csv", ROWS, KEYS)
    rows = read_csv(tmp_path / "trials.csv")
    assert [row["model.head.filters"] for row in rows] == ["", "4", "16", "", ""]
    assert rows[1]["error"] == "=loss, is NaN" and rows[1]["val_auc"] == "" and rows[0]["val_auc"] == "0.7"


def test_only_models_of_the_best_trials_are_kept(tmp_path):
    for row in ROWS:
        (tmp_path / row.trial).mkdir()
        (tmp_path / row.trial / MODEL).touch()
        (tmp_path / row.trial / "metrics.json").touch()
    prune_models(tmp_path, ROWS, keep=2)
    assert {path.parent.name for path in tmp_path.rglob(MODEL)} == {"0001", "0002", "0003", "0004"}
    assert len(list(tmp_path.rglob("metrics.json"))) == len(ROWS)


def test_shown_table_lists_trials_that_diverged_and_failures():
    rows = [*ROWS, TrialRow("0005", "completed", 1, {"model.head.name": "linear"}, val_auc=0.5, diverged=True)]
    text = show_trials(rows, KEYS, count=1)
    assert text.splitlines() == [
        "trial  val AUC  epochs  name  filters",
        "0002   0.8000   3       conv  16",
        "diverged: 0005",
        "failed: 1 of 6",
        "  0001: =loss, is NaN",
    ]


def test_disk_space_depends_on_kept_models():
    few, many = (search_disk_bytes(5_000_000, 0, 0, trials, keep=3) for trials in (10, 200))
    assert many - few < 5e6 < search_disk_bytes(5_000_000, 0, 0, 10, keep=4) - few == 20_000_000
