"""`baseline` writes runs that all commands use, with a certificate that anyone can check."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import keras_radtl as rtl
from keras_radtl.baseline import main
from keras_radtl.config import UserError

CONTRACT = (
    "C objective duality_gap relative_gap max_kkt_violation sparsity optimal pseudo_r2 solver".split()
)  # in summary.json


@pytest.fixture(scope="module")
def options(pictures) -> list[str]:
    malignant = next(p.name for p in pictures.iterdir() if p.name.startswith("malignant"))
    return ["--data", str(pictures), "--positive", malignant, "--image-size", "32"]


@pytest.fixture(scope="module")
def lasso(options, tmp_path_factory):
    path = tmp_path_factory.mktemp("lasso") / "run"
    assert main(["lasso", *options, "--C", "0.5", "--output", str(path)]) == 0
    return path


@pytest.fixture(scope="module")
def logistic(options, tmp_path_factory):
    path = tmp_path_factory.mktemp("logistic") / "run"
    assert main(["logistic", *options, "--output", str(path)]) == 0
    return path


def rows(path) -> list[dict[str, str]]:
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def summary(path) -> dict:
    return json.loads((path / "summary.json").read_text())


def training_cases(run, pictures) -> tuple[np.ndarray, np.ndarray]:
    """Return grey pixels in [0, 1] and signs of the training cases, read without the package."""
    cases = [row for row in rows(run / "split.csv") if row["split"] == "train"]
    images = [np.asarray(Image.open(pictures / row["path"]), float).ravel() / 255 for row in cases]
    return np.array(images), np.array([1 if row["label"].startswith("malignant") else -1 for row in cases])


def test_the_certificate_is_recomputed_from_coefficients_and_images(lasso, pictures):
    found, (images, signs) = summary(lasso), training_cases(lasso, pictures)
    assert set(CONTRACT) <= set(found) and found["C"] == 0.5 and found["solver"] == "newton"
    stored = np.load(lasso / "coefficients.npz")
    assert set(stored) == {"coef", "intercept", "mean", "scale"}
    np.testing.assert_allclose(stored["mean"], images.mean(0), atol=1e-6)
    np.testing.assert_allclose(stored["scale"], images.std(0), atol=1e-6)
    features = (images - stored["mean"]) / stored["scale"]
    scores = features @ stored["coef"] + stored["intercept"]
    losses = np.logaddexp(0, -signs * scores)
    objective = 0.5 * losses.sum() + np.abs(stored["coef"]).sum()
    assert found["objective"] == pytest.approx(objective, rel=1e-6)
    share = np.mean(signs > 0)
    null = -len(signs) * (share * np.log(share) + (1 - share) * np.log(1 - share))
    assert found["pseudo_r2"] == pytest.approx(1 - losses.sum() / null, rel=1e-4)
    gradient = 0.5 * features.T @ (signs / (1 + np.exp(signs * scores)))
    zero = stored["coef"] == 0
    violation = np.where(zero, np.maximum(np.abs(gradient) - 1, 0), np.abs(gradient - np.sign(stored["coef"])))
    assert found["max_kkt_violation"] >= violation.max() - 1e-5
    assert found["sparsity"] == zero.mean() and found["optimal"] is True
    assert found["duality_gap"] == pytest.approx(found["relative_gap"] * found["objective"])
    assert found["relative_gap"] <= 1e-3 and 0 < zero.sum() < len(zero)


@pytest.mark.filterwarnings("ignore:The max_iter was reached")  # its last digits are not needed
def test_the_objective_is_that_of_scikit_learn(lasso, pictures):
    from sklearn.linear_model import LogisticRegression

    stored, (images, signs) = np.load(lasso / "coefficients.npz"), training_cases(lasso, pictures)
    features = (images - stored["mean"]) / stored["scale"]
    model = LogisticRegression(solver="saga", l1_ratio=1.0, C=0.5, max_iter=3000, tol=1e-8).fit(features, signs)
    losses = np.logaddexp(0, -signs * model.decision_function(features))
    best = 0.5 * losses.sum() + np.abs(model.coef_).sum()
    found = summary(lasso)
    assert best >= found["objective"] - found["duality_gap"] - 1e-6
    assert found["objective"] <= best * (1 + 1e-3)


def test_saved_predictions_are_those_of_the_coefficients(lasso, pictures):
    stored = np.load(lasso / "coefficients.npz")
    for row in rows(lasso / "predictions_test.csv"):
        pixels = np.asarray(Image.open(pictures / row["path"]), float).ravel() / 255
        score = (pixels - stored["mean"]) / stored["scale"] @ stored["coef"] + stored["intercept"]
        logits = [float(row[name]) for name in row if name.startswith("logit_")]
        assert logits[1] - logits[0] == pytest.approx(score, abs=1e-4)


@pytest.mark.slow
def test_other_commands_read_the_run_in_new_processes(lasso, logistic, pictures, tmp_path):
    out = tmp_path / "new.csv"

    def command(name, *arguments):
        words = [sys.executable, "-m", f"keras_radtl.{name}", *map(str, arguments)]
        return subprocess.run(words, capture_output=True, text=True, check=True, timeout=120).stdout

    command("predict", lasso, pictures / "benign mass", "--output", out)
    probabilities = {row["path"].split("/")[-1]: row for row in rows(out)}
    for row in rows(lasso / "predictions_test.csv"):
        name = row["path"].split("/")[-1]
        if name in probabilities:
            column = next(c for c in row if c.startswith("prob_malignant"))
            assert float(probabilities[name][column]) == pytest.approx(float(row[column]), abs=1e-5)
    assert "auc" in command("evaluate", lasso)
    assert "McNemar" in command("compare", lasso, logistic, "--output", tmp_path / "comparison")


def test_logistic_says_that_the_classes_are_separated(logistic, options, capsys):
    found = summary(logistic)
    assert found["separation"] == "complete" and found["pseudo_r2"] == 1 and "no maximum" in found["note"]
    n = len([row for row in rows(logistic / "split.csv") if row["split"] == "train"])
    positive = sum(row["label"].startswith("malignant") for row in rows(logistic / "predictions_train.csv")) / n
    entropy = -positive * np.log(positive) - (1 - positive) * np.log(1 - positive)
    assert found["likelihood_ratio"] == pytest.approx(2 * n * entropy)
    assert main(["logistic", *options, "--output", str(logistic), "--resume"]) == 0
    shown = capsys.readouterr().out
    assert "separation: complete" in shown and "likelihood-ratio statistic" in shown and "no maximum" in shown
    assert (logistic / "figures" / "coefficients.png").is_file()


def test_train_baseline_gives_the_same_run(lasso, options, tmp_path):
    run = rtl.train_baseline(
        "lasso", tmp_path / "run", C=0.5, data=options[1], positive=options[3], image_size=32, figures=False
    )
    assert (run.path / "config.json").read_bytes() == (lasso / "config.json").read_bytes()
    assert (run.path / "predictions_test.csv").read_bytes() == (lasso / "predictions_test.csv").read_bytes()
    assert not (run.path / "figures").exists()


@pytest.mark.slow
def test_a_path_with_folds(options, tmp_path, capsys):
    output = tmp_path / "run"
    assert main(["lasso", *options, "--path", "4", "--folds", "3", "--output", str(output)]) == 0
    found = summary(output)
    each = [summary(output / f"fold_{i}") for i in (1, 2, 3)]
    assert found["fold_C"] == [row["C"] for row in each] and found["optimal"] is True
    assert all(len(row["path"]) == 4 and row["C"] in [step["C"] for step in row["path"]] for row in each)
    assert ", by fold " in capsys.readouterr().out


def test_lasso_on_features_of_a_backbone(tiny_backbone, options, tmp_path):
    run = rtl.train_baseline(
        "lasso", tmp_path / "run", path=3, input="features", choice="cross_validation", backbone="tiny", weights="none",
        data=options[1], positive=options[3], image_size=32,
    )  # fmt: skip
    assert np.load(run.path / "coefficients.npz")["coef"].shape == (8,)
    assert summary(run.path)["inner_folds"] == 5 and not (run.path / "figures" / "coefficients.png").exists()


def test_unconverged_saga_is_not_optimal_and_says_so(options, tmp_path, capsys, caplog):
    words = ["--C", "5", "--solver", "saga", "--set", "training.lasso.max_iterations=2"]
    assert main(["lasso", *options, *words, "--output", str(tmp_path / "run")]) == 0
    assert "certificate: NOT optimal" in capsys.readouterr().out
    assert summary(tmp_path / "run")["optimal"] is False
    assert any("is not optimal: relative duality gap" in record.message for record in caplog.records)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["lasso", "--solver", "celer"], "--solver celer has no intercept in logistic regression"),
        (["lasso", "--C", "0.1", "--path", "3"], "exclude each other"),
        (["lasso", "--rounds", "3"], "--rounds cannot be used with the kind lasso"),
        (["simulate", "--C", "0.1"], "--C cannot be used with the kind simulate"),
        (["simulate", "--image-size", "8"], "--image-size cannot be used with the kind simulate"),
        (["logistic", "--path", "3"], "argument of the baseline lasso"),
        (["lasso", "--path", "1"], "`path` must be in [2, 1000]. Received: path=1"),
        (["ridge"], "invalid choice"),
    ],
)
def test_wrong_arguments_exit_with_code_2_and_write_nothing(words, message, options, tmp_path, capsys):
    given = options if words[0] != "simulate" else []
    assert main([*words, *given, "--output", str(tmp_path / "run")]) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: ") and message in error
    assert not (tmp_path / "run").exists()


def test_three_classes_are_refused_before_anything_is_written(write_image, tmp_path):
    for name in "abc":
        for number in range(12):
            write_image(f"data/{name}/{number}.png", seed=hash((name, number)) % 1000 + number)
    message = "The strategy lasso needs two classes, and the data have 3: a, b, c. `positive` compares one class"
    with pytest.raises(UserError, match=message):
        rtl.train_baseline("lasso", tmp_path / "run", C=0.1, data=tmp_path / "data", image_size=8)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("target", "value", "settings", "message"),
    [
        ("training.exact_fit.available_memory", lambda: 1000, {}, "rows and 1,024 features needs about .*`image_size`"),
        ("baselines.lasso.find_spec", lambda name: None, {"solver": "skglm"}, 'pip install "keras_radtl.lasso'),
    ],
)
def test_missing_memory_and_packages_are_said_before_anything_is_written(
    target, value, settings, message, options, tmp_path, monkeypatch
):
    monkeypatch.setattr(f"keras_radtl.{target}", value)
    data = {"data": options[1], "positive": options[3], "image_size": 32}
    with pytest.raises(UserError, match=message):
        rtl.train_baseline("lasso", tmp_path / "run", C=0.1, **data, **settings)
    assert not (tmp_path / "run").exists()


def test_constant_images_are_refused(options, tmp_path):
    data = rtl.load_data(rtl.Config.preset("quickstart", data=options[1], positive=options[3], image_size=32))
    data = replace(data, pixels=np.full_like(data.pixels, 7))
    with pytest.raises(UserError, match="Every pixel is constant over the .* training cases; nothing can be fitted"):
        given = {"data": options[1], "positive": options[3], "image_size": 32}
        rtl.train_baseline("lasso", tmp_path / "run", C=0.1, dataset=data, **given)
    assert not (tmp_path / "run").exists()


def test_simulate_writes_its_result(tmp_path, capsys):
    words = ["simulate", "--images", "3000", "--rounds", "2", "--workers", "1", "--seed", "4"]
    folder = tmp_path / "simulation"
    assert main([*words, "--output", str(folder)]) == 0
    from keras_radtl.baselines import simulate

    found, expected = json.loads((folder / "simulation.json").read_text()), simulate(None, 3000, 2, 4, 1)
    assert found["mmad"] == expected.mmad and found["true"] == expected.true.tolist()
    assert f"MMAD {expected.mmad:.4f}, SMAD {expected.smad:.4f}" in capsys.readouterr().out
    assert (folder / "simulation.png").is_file()
    assert main([*words, "--output", str(folder)]) == 2
    assert "--overwrite" in capsys.readouterr().err
