"""Runs of the exact probe, and trainings that start from it."""

from __future__ import annotations

import json

import keras
import numpy as np
import pytest

import keras_radtl.layers  # noqa: F401  (for `load_model`)
from keras_radtl.config import UserError
from keras_radtl.models.probabilities import mean_loss
from keras_radtl.runs.files import read_csv
from keras_radtl.runs.run import Run
from keras_radtl.training import batch_sources, checkpoint, exact_fit
from keras_radtl.training import phase_loop as fitting

LINEAR = {"model": {"head": {"name": "linear"}}}
PROBE = {"strategy": "probe", "unfreeze": "none"}


def logits(run, split: str) -> np.ndarray:
    rows = read_csv(run / f"predictions_{split}.csv")
    return np.array([[float(row[name]) for name in row if name.startswith("logit_")] for row in rows])


@pytest.fixture(scope="module")
def run(go, tmp_path_factory):
    return go(tmp_path_factory.mktemp("probe") / "run", PROBE, LINEAR)


def test_summary_and_history(run):
    summary = json.loads((run / "summary.json").read_text())
    assert summary["l2"] in [row["l2"] for row in summary["path"]]
    assert summary["converged"] is True and summary["gradient_norm"] <= 1e-9
    assert (summary["views"], summary["inner_folds"], summary["epochs"], summary["best_epoch"]) == (5, 5, 1, 1)
    (row,) = read_csv(run / "history.csv")
    assert (row["epoch"], row["phase"], float(row["l2"])) == ("1", "exact", summary["l2"])
    targets = [int(row["label"].startswith("malignant")) for row in read_csv(run / "predictions_val.csv")]
    assert float(row["val_loss"]) == pytest.approx(mean_loss(logits(run, "val"), np.array(targets), False))
    assert Run(run).history["val_auc"][0] == summary["best_val_auc"] == Run(run).metrics["val"]["value"]["auc"]


def test_saved_model_predicts_training_and_test_cases_and_validation_cases_are_held_out(run, tiny_data):
    model, split = keras.saving.load_model(run / "model.keras"), tiny_data.splits[0]
    for name in ("train", "test"):
        found = model.predict(tiny_data.pixels[getattr(split, name)], verbose=0)
        assert np.allclose(found, logits(run, name), atol=1e-5)
    fitted = model.predict(tiny_data.pixels[split.val], verbose=0)
    assert not np.allclose(fitted, logits(run, "val"), atol=1e-3)
    targets = tiny_data.cases.targets[split.val]
    assert mean_loss(fitted, targets, False) < mean_loss(logits(run, "val"), targets, False)


def test_head_is_the_optimum_on_the_features_of_training_and_validation_cases(run, tiny_data):
    """Its gradient is computed here from the saved model and the stateless augmentation."""
    from keras_radtl.config import AugmentConfig
    from keras_radtl.data.augment import augment_image, sample_parameters

    model = keras.saving.load_model(run / "model.keras")
    below = keras.Model(model.inputs[0], model.get_layer("head").input)
    split = tiny_data.splits[0]
    cases = np.sort(np.concatenate([split.train, split.val]))
    views = [tiny_data.pixels[cases]]
    for epoch in range(1, 5):
        parameters = sample_parameters(AugmentConfig(), 0, epoch, cases, tiny_data.pixels.shape[1:3])
        views.append(np.stack([augment_image(views[0][i], parameters.select(i)) for i in range(len(cases))]))
    features = np.concatenate([below.predict(view, verbose=0) for view in views]).astype(float)
    layer = model.get_layer("head").logits
    weights = np.concatenate([layer.kernel.numpy(), layer.bias.numpy()[None]]).astype(float)
    scale = features.std(0)
    kernel, bias = (weights[:-1, 1] - weights[:-1, 0]) * scale, weights[-1, 1] - weights[-1, 0]
    standardised = (features - features.mean(0)) / scale
    p = 1 / (1 + np.exp(-(standardised @ kernel + bias + features.mean(0) @ (kernel / scale))))
    residual = (p - np.tile(tiny_data.cases.targets[cases], 5)) / len(p)
    l2 = json.loads((run / "summary.json").read_text())["l2"]
    assert np.abs(standardised.T @ residual + l2 * kernel).max() < 1e-5 and abs(residual.sum()) < 1e-5


def test_same_bits_with_and_without_stored_features_and_after_a_stop(go, run, outcome, tmp_path, monkeypatch):
    assert outcome(go(tmp_path / "again", PROBE, LINEAR, reuse=False)) == outcome(run)
    assert outcome(go(tmp_path / "full", PROBE, LINEAR, feature_cache_size=0.0)) == outcome(run)

    def stopping(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(exact_fit, "_state", stopping)
        go(tmp_path / "stopped", PROBE, LINEAR)
    assert outcome(go(tmp_path / "stopped", PROBE, LINEAR)) == outcome(run)


def test_folds_share_their_features(go, configure, tmp_path, monkeypatch):
    from keras_radtl.training.train import load_data

    monkeypatch.setattr("keras_radtl.training.build.derive_seed", lambda *parts: 7)  # the weights of all folds
    values = {**LINEAR, "split": {"folds": 3}, "seed": 3}  # other augmentations than those that are stored
    data = load_data(configure({**values, "training": PROBE}))
    computed, compute = [], batch_sources.FeatureSource._compute

    def counting(self, batches):
        for parts in compute(self, batches):
            computed.append(len(parts[0]))
            yield parts

    monkeypatch.setattr(batch_sources.FeatureSource, "_compute", counting)
    path = go(tmp_path / "run", PROBE, values, data)
    assert sum(computed) == 5 * 60, "each image once per view"
    summary, folds = json.loads((path / "summary.json").read_text()), [path / f"fold_{i}" for i in (1, 2, 3)]
    each = [json.loads((fold / "summary.json").read_text()) for fold in folds]
    assert summary["fold_l2"] == [row["l2"] for row in each] and summary["l2"] in summary["fold_l2"]
    assert summary["converged"] and summary["gradient_norm"] == max(row["gradient_norm"] for row in each)
    assert len(read_csv(path / "predictions_test.csv")) == 60 and len(Run(path).history) == 3


def test_test_time_views_are_averaged_and_choose_the_strength(go, run, tmp_path, tiny_data):
    path = go(tmp_path / "run", PROBE, {**LINEAR, "prediction": {"tta": "flips"}})
    pixels = tiny_data.pixels[tiny_data.splits[0].test]
    model = keras.saving.load_model(path / "model.keras")
    both = (model.predict(pixels, verbose=0) + model.predict(pixels[:, :, ::-1], verbose=0)) / 2
    assert np.allclose(both, logits(path, "test"), atol=1e-5)
    paths = [json.loads((p / "summary.json").read_text())["path"] for p in (run, path)]
    assert paths[0][0]["l2"] == paths[1][0]["l2"] and paths[0][0]["loss"] != paths[1][0]["loss"]


def test_one_view_without_augmentation(go, tmp_path):
    still = {"augment": {"rotation": 0, "shift": 0, "shear": 0, "zoom": 0, "horizontal_flip": False}}
    path = go(tmp_path / "run", PROBE, {**LINEAR, **still})
    assert json.loads((path / "summary.json").read_text())["views"] == 1


def test_balanced_class_weights_move_the_intercept(go, tmp_path, configure, pictures):
    from keras_radtl.data.dataset import Dataset
    from keras_radtl.training.train import load_data

    data = load_data(configure({"training": PROBE, **LINEAR}))
    rows = data.splits[0].train
    few = rows[data.cases.targets[rows] == 1][:14]
    kept = np.concatenate([rows[data.cases.targets[rows] == 0], few])
    split = type(data.splits[0])(0, np.sort(kept), data.splits[0].val, data.splits[0].test)
    rare = Dataset(data.cases, data.pixels, (split,), (), data.fingerprint)
    plain, balanced = (
        go(tmp_path / name, {**PROBE, "class_weight": name}, LINEAR, rare) for name in ("none", "balanced")
    )
    change = logits(balanced, "test") - logits(plain, "test")
    assert (change[:, 1] > change[:, 0]).all(), "the rare class becomes more probable"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"model": {"head": {"name": "conv_skip"}}},
            "`head` must be linear with the strategy probe. Received: head='c",
        ),
        ({"model": {"head": {"name": "linear", "pooling": "flatten"}}}, "`model.head.pooling` must be average"),
        ({"model": {"head": {"name": "linear", "l2": 0.1}}}, "`model.head.l2` must be 0 with the strategy probe"),
        ({"model": {"head": {"name": "linear"}, "batchnorm": "adapt"}}, "`batchnorm` must be inference with"),
        (
            {**LINEAR, "training": {"unfreeze": "top1"}},
            "`unfreeze` must be none with the strategy probe. Received: unf",
        ),
        ({**LINEAR, "training": {"loss": "focal"}}, "`loss` must be cross_entropy with the strategy probe"),
        ({**LINEAR, "training": {"sampling": "balanced"}}, "`sampling` must be none with the strategy probe"),
        ({**LINEAR, "training": {"initial_head": "zero"}}, "`initial_head` must be kaiming with the strategy probe"),
    ],
)
def test_what_an_exact_fit_cannot_use_is_refused(configure, tiny_backbone, values, message):
    with pytest.raises(UserError, match=message):
        configure({**values, "training": {**PROBE, **values.get("training", {})}})


def test_presets_leave_out_what_the_probe_cannot_use():
    from keras_radtl.config import Config
    from keras_radtl.config.presets import PRESETS

    for preset in PRESETS:
        assert Config.preset(preset, strategy="probe", weights="none").model.head.name == "linear"
    with pytest.raises(UserError, match="`unfreeze` must be none with the strategy probe"):
        Config.preset("quickstart", strategy="probe", unfreeze="top2")


def test_more_inner_folds_than_groups_are_refused_before_anything_is_written(go, tmp_path):
    with pytest.raises(UserError, match=r"`inner_folds` must be at most 2\d, the number of groups with class `benign"):
        go(tmp_path / "run", {**PROBE, "inner_folds": 40}, LINEAR)
    assert not (tmp_path / "run").exists()


def test_an_exact_fit_without_memory_is_refused(go, tmp_path, monkeypatch):
    monkeypatch.setattr(exact_fit, "available_memory", lambda: 1000)
    with pytest.raises(UserError, match=r"exact fit of 2\d\d rows and 8 features needs about .*Use fewer `views`"):
        go(tmp_path / "run", PROBE, LINEAR)
    assert not (tmp_path / "run").exists()


STARTS = {"strategy": "ft", "epochs": 2, "learning_rate": 1e-3, "batch_size": 16}


@pytest.fixture
def first_weights(monkeypatch):
    """Return a list to which each run adds the head before its first phase, as one array."""
    seen, real = [], fitting._fit_phase

    def recording(job, model, *rest):
        layer = model.get_layer("head").logits
        seen.append(np.concatenate([layer.kernel.numpy(), layer.bias.numpy()[None]]))
        real(job, model, *rest)

    monkeypatch.setattr(fitting, "_fit_phase", recording)
    return seen


@pytest.mark.parametrize("strategy", ["fixed", "lp_ft"])
def test_training_starts_from_the_probe_of_the_training_cases(go, tmp_path, first_weights, tiny_data, strategy):
    training = {**STARTS, "strategy": strategy, "epochs": 4, "unfreeze": "top1", "initial_head": "probe"}
    path = go(tmp_path / "run", training, LINEAR)
    summary = json.loads((path / "summary.json").read_text())
    assert summary["initial_head"]["converged"] and "l2" not in summary
    from keras_radtl.training.build import build
    from keras_radtl.training.plan import make_plan

    model = build(make_plan(Run(path).config), tiny_data, 0)
    below = keras.Model(model.inputs[0], model.get_layer("head").input)
    split = tiny_data.splits[0]
    features = below.predict(tiny_data.pixels[split.train], verbose=0)
    found = features @ first_weights[0][:-1] + first_weights[0][-1]
    loss = mean_loss(found, tiny_data.cases.targets[split.train], False)
    assert loss < np.log(2) and not (path / "initial_head.npz").exists()


def test_zero_head(go, tmp_path, first_weights):
    go(tmp_path / "run", {**STARTS, "initial_head": "zero"})
    assert not first_weights[0].any()


def test_a_stopped_run_resumes_from_the_saved_head(go, outcome, tmp_path, stop_in, monkeypatch):
    training = {**STARTS, "epochs": 3, "initial_head": "probe"}
    whole = go(tmp_path / "whole", training, LINEAR)
    with stop_in(1):
        go(tmp_path / "parts", training, LINEAR)
    assert (tmp_path / "parts" / "initial_head.npz").is_file()
    monkeypatch.setattr(exact_fit, "_solve", None)
    assert outcome(go(tmp_path / "parts", training, LINEAR)) == outcome(whole)


def test_a_damaged_initial_head_is_one_line(go, tmp_path, stop_in):
    training = {**STARTS, "initial_head": "probe"}
    with stop_in(0):
        go(tmp_path / "run", training, LINEAR)
    (tmp_path / "run" / "initial_head.npz").write_bytes(b"no archive")
    with pytest.raises(UserError, match=r"initial_head.npz is damaged: .*; `overwrite=True` starts over"):
        go(tmp_path / "run", training, LINEAR)


@pytest.mark.parametrize(("start", "distance"), [("probe", 0.0), ("kaiming", None)])
def test_penalty_of_the_head_begins_at_the_probe(go, tmp_path, monkeypatch, start, distance):
    penalties, real = [], fitting.starting_point.add_penalty

    def recording(model, *rest):
        real(model, *rest)
        layer = model.get_layer("head").logits
        penalties.append(float(layer.kernel.regularizer(layer.kernel)))

    monkeypatch.setattr(fitting.starting_point, "add_penalty", recording)
    go(tmp_path / "run", {**STARTS, "strategy": "l2_sp", "initial_head": start}, LINEAR)
    assert penalties[0] == distance if distance is not None else penalties[0] > 0


def test_a_probe_start_needs_a_linear_head(configure, tiny_backbone):
    with pytest.raises(
        UserError, match="`head` must be linear with `initial_head='probe'`. Received: head='nonlinear'"
    ):
        configure({"training": {"strategy": "ft", "initial_head": "probe"}})


def test_saved_head_is_read_as_it_was_written(tmp_path):
    from keras_radtl.runs.directory import RunDirectory

    run = RunDirectory(tmp_path)
    assert checkpoint.load_head(run) is None
    kernel, bias = np.arange(6, dtype=np.float32).reshape(3, 2), np.ones(2, np.float32)
    checkpoint.save_head(run, kernel, bias, {"l2": 0.1})
    found = checkpoint.load_head(run)
    assert np.array_equal(found[0], kernel) and np.array_equal(found[1], bias) and found[2] == {"l2": 0.1}
