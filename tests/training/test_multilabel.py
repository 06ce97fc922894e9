"""Multi-label runs, from CSV to predictions, metrics and figures; unknown labels are ignored."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from keras_radtl.runs.files import read_csv, read_json

LABELS = ("edema", "mass")
OPTIONS = (
    "--backbone tiny --weights none --image-size 16 --head linear --unfreeze all --epochs 3 --batch-size 16 "
    "--learning-rate 0.01 --augment none --schedule constant --test-share 0.25 --train-share 0.5 --val-share 0.25"
).split()


@pytest.fixture(scope="module")
def labelled(tmp_path_factory):
    """Return a folder of 80 images, bright above for edema and on the left for a mass, and two CSVs of their labels."""
    from PIL import Image

    folder, generator = tmp_path_factory.mktemp("labelled"), np.random.default_rng(0)
    present = generator.random((80, 2)) < (0.3, 0.5)
    shown = [["" if generator.random() < 0.1 else int(value) for value in row] for row in present]  # some unknown
    for number, (top, left) in enumerate(present):
        pixels = generator.normal(80, 20, (16, 16))
        pixels[:8] += 60 * top
        pixels[:, :8] += 60 * left
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / f"{number:02}.png")
    columns = [["path", *LABELS], *([f"{i:02}.png", *row] for i, row in enumerate(shown))]
    lists = [";".join(np.array(LABELS)[row]) or ";" for row in present]
    rows = {"columns": columns, "lists": [["path", "label"], *([f"{i:02}.png", text] for i, text in enumerate(lists))]}
    for name, content in rows.items():
        with open(folder / f"{name}.csv", "w", newline="") as file:
            csv.writer(file).writerows(content)
    return folder


def fit(labelled, kind, output, *options):
    from keras_radtl.fit import main

    labels = ["--label", ",".join(LABELS)] if kind == "columns" else []
    return main([*OPTIONS, "--data", str(labelled / f"{kind}.csv"), *labels, "--output", str(output), *options])


@pytest.mark.parametrize("kind", ["columns", pytest.param("lists", marks=pytest.mark.slow)])
def test_multi_label_run(kind, labelled, tiny_backbone, tmp_path, caplog):
    caplog.set_level("INFO")
    options = ("--class-weight", "balanced", "--set", "training.loss=focal")
    assert fit(labelled, kind, tmp_path / "run", *options) == 0
    assert "label weights (absent/present): edema 0." in caplog.text
    rows = read_csv(tmp_path / "run" / "predictions_test.csv")
    truth = {row["path"]: row for row in read_csv(labelled / f"{kind}.csv")}
    for row in rows:
        probabilities = [float(row[f"prob_{name}"]) for name in LABELS]
        assert row["predicted"] == ";".join(n for n, p in zip(LABELS, probabilities, strict=True) if p > 0.5)
        given = truth[row["path"]]
        known = (
            [n for n in LABELS if given.get(n) == "1"] if kind == "columns" else given["label"].strip(";").split(";")
        )
        assert row["label"] == ";".join(known)
        assert sum(probabilities) != pytest.approx(1, abs=1e-6)  # independent labels, no softmax
    metrics = read_json(tmp_path / "run" / "metrics.json")
    assert {"auc", "average_precision", "kappa"} <= set(metrics["test"])
    assert read_json(tmp_path / "run" / "summary.json")["multilabel"] is True
    assert (tmp_path / "run" / "figures" / "roc.png").is_file()
    assert (tmp_path / "run" / "figures" / "history.png").is_file()
    history = read_csv(tmp_path / "run" / "history.csv")
    assert float(history[-1]["loss"]) < float(history[0]["loss"])


def test_unknown_labels_do_not_count_in_the_metrics(labelled, tiny_backbone, tmp_path):
    assert fit(labelled, "columns", tmp_path / "run", "--set", "training.sampling=balanced") == 0
    truth = {row["path"]: row for row in read_csv(labelled / "columns.csv")}
    test = read_csv(tmp_path / "run" / "predictions_test.csv")
    correct = []
    for name in LABELS:
        known = [row for row in test if truth[row["path"]][name] != ""]
        assert known
        correct.append(np.mean([(float(r[f"prob_{name}"]) > 0.5) == (truth[r["path"]][name] == "1") for r in known]))
    assert read_json(tmp_path / "run" / "metrics.json")["test"]["accuracy"]["value"] == pytest.approx(np.mean(correct))


def test_multi_label_model_predicts_images(labelled, tiny_backbone, tmp_path):
    from keras_radtl.runs.trained_model import load_models

    assert fit(labelled, "lists", tmp_path / "run") == 0
    loaded = load_models(tmp_path / "run")
    assert (loaded.classes, loaded.multilabel) == (LABELS, True)
    pixels = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 1), np.uint8)
    assert loaded.logits(pixels).shape == (3, 2)


def test_exact_probe_of_labels(labelled, tiny_backbone, tmp_path, outcome):
    options = ("--strategy", "probe", "--unfreeze", "none", "--class-weight", "balanced", "--inner-folds", "3")
    for name in ("run", "again"):
        assert fit(labelled, "columns", tmp_path / name, *options, *(["--no-reuse"] if name == "again" else [])) == 0
    assert outcome(tmp_path / "run") == outcome(tmp_path / "again")
    summary = read_json(tmp_path / "run" / "summary.json")
    assert summary["converged"] and summary["multilabel"] and summary["best_val_auc"] > 0.5
    assert read_json(tmp_path / "run" / "metrics.json")["val"]["auc"]["value"] == pytest.approx(summary["best_val_auc"])
