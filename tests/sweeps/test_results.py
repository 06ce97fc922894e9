"""One row per run with its status; metrics of single splits and of folds."""

from __future__ import annotations

import pytest

from keras_radtl.config import Config, UserError, dumps, update
from keras_radtl.runs.files import read_csv, write_json, write_text_atomic
from keras_radtl.sweeps.folder import SweepFolder
from keras_radtl.sweeps.results import Results
from keras_radtl.sweeps.run_list import RunSpec

TABLE_METRICS = {"auc": {"value": 0.9}, "accuracy": {"value": 0.8}, "f1": {"value": 0.7}, "log_loss": {"value": 0.4}}


def finish(run, metrics, summary):
    write_json(run / "metrics.json", metrics)
    write_json(run / "summary.json", summary)
    run.set_status("finished")


def test_every_run_has_a_row(tmp_path):
    folder = SweepFolder(tmp_path)
    runs = [RunSpec(name, Config(), {"clf": "Linear", "fc_ratio": None}) for name in ("done", "bad", "absent", "open")]
    finish(
        folder.run("done"),
        {"val": TABLE_METRICS, "test": TABLE_METRICS},
        {"best_epoch": 3, "epochs": 5, "parameters": 7, "seconds": 1.5},
    )
    folder.set_failure("bad", "line one\nline two", 2.0)
    results = Results(folder, runs, {"absent": "no weights"})
    results.write()
    rows = {row["name"]: row for row in read_csv(folder.results)}
    assert [row["status"] for row in rows.values()] == ["finished", "failed", "skipped", "open"]
    assert (rows["done"]["test_auc"], rows["done"]["test_loss"], rows["done"]["best_epoch"]) == ("0.9", "0.4", "3")
    assert (rows["bad"]["error"], rows["absent"]["error"]) == ("line one line two", "no weights")
    assert rows["done"]["clf"] == "Linear" and rows["done"]["fc_ratio"] == "none"
    finish(folder.run("open"), {"val": TABLE_METRICS, "test": TABLE_METRICS}, {"seconds": 1.0, "diverged": True})
    assert results.update("open")["status"] == "finished"
    row = read_csv(folder.results)[3]
    assert (row["status"], row["diverged"]) == ("finished", "True")


def test_folds_give_mean_and_standard_deviation(tmp_path):
    folder = SweepFolder(tmp_path)
    summary = {"fold_auc": [0.8, 0.9, 1.0], "fold_val_auc": [0.7, 0.8, 0.9], "seconds": 9.0}
    finish(folder.run("a"), {"test": TABLE_METRICS}, summary)
    row = Results(folder, [RunSpec("a", Config(), {})], {}).rows["a"]
    assert row["fold_auc_mean"] == pytest.approx(0.9) and row["fold_auc_sd"] == pytest.approx(0.1)
    assert row["val_auc"] == pytest.approx(0.8) and "val_f1" not in row


def test_a_run_of_another_configuration_is_refused(tmp_path):
    folder = SweepFolder(tmp_path)
    config = update(Config(), {"training": {"weight_decay": 1e-5}})  # which YAML reads as text
    write_text_atomic(folder.run("a") / "config.json", dumps(config))
    folder.check([RunSpec("a", config, {}), RunSpec("b", Config(), {})])
    with pytest.raises(UserError, match="training.weight_decay: 1e-05 before, 0.0 now; choose another `output`"):
        folder.check([RunSpec("a", Config(), {})])
