"""The phases of all strategies: which weights change, penalties, multipliers and schedules."""

from __future__ import annotations

import dataclasses
import zipfile

import numpy as np
import pytest

from keras_radtl.runs.directory import RunDirectory
from keras_radtl.runs.files import read_csv
from keras_radtl.strategies.table import STRATEGIES
from keras_radtl.training import checkpoint
from keras_radtl.training import phase_loop as fitting

STEM, MIDDLE, LAST = ("stem",), ("stem", "middle"), ("stem", "middle", "last")
OPENED = {
    "fixed": [("last",)],
    "ft": [LAST],
    "lp": [()],
    "g_lf": [(), ("last",), ("middle", "last"), LAST],
    "g_fl": [STEM, MIDDLE, LAST],
    "lp_ft": [(), LAST],
    "l1_sp": [LAST],
    "l2_sp": [LAST],
    "auto_rgn": [LAST],
}
INNER_LOOP = ("fixed", "lp_ft", "g_lf")  # one, two and four phases


@pytest.fixture
def phases(monkeypatch):
    """Return a list to which each phase of the next run adds (weights before, weights after, classifier)."""
    seen, real = [], fitting._fit_phase

    def recording(job, model, initial, phase, state, optimizer, report):
        before = checkpoint.read_weights(model)
        real(job, model, initial, phase, state, optimizer, report)
        seen.append((before, checkpoint.read_weights(model), model))

    monkeypatch.setattr(fitting, "_fit_phase", recording)
    return seen


def test_every_strategy_is_tested():
    assert set(OPENED) == {name for name, strategy in STRATEGIES.items() if strategy.solver is None}


@pytest.mark.parametrize(
    "strategy", [name if name in INNER_LOOP else pytest.param(name, marks=pytest.mark.slow) for name in OPENED]
)
def test_only_trainable_weights_change_in_each_phase(go, tmp_path, phases, strategy):
    """All training cases are in one batch: one step per epoch, one epoch per phase."""
    training = {"strategy": strategy, "unfreeze": "top1", "phase_epochs": [1] * len(OPENED[strategy]), "batch_size": 64}
    run = go(tmp_path / "run", training, {"model": {"head": {"name": "linear"}}})
    assert len(phases) == len(OPENED[strategy])
    for opened, (before, after, model) in zip(OPENED[strategy], phases, strict=True):
        moved = {path for path in before if not np.array_equal(before[path], after[path])}
        statistics = {path for path in before if "moving" in path}
        expected = {path for path in before if path.split("/")[0].split("_")[0] in (*opened, "head")} - statistics
        assert moved == expected
        assert model.losses == []
    assert "StartingPoint" not in zipfile.ZipFile(run / "model.keras").read("config.json").decode()
    names = [row["phase"] for row in read_csv(run / "history.csv")]
    assert len(set(names)) == len(names) == len(phases)


@pytest.mark.parametrize(("strategy", "norm"), [("l1_sp", 1), ("l2_sp", 2)])
def test_penalty_in_history_is_that_of_the_weights(go, tmp_path, phases, strategy, norm):
    training = {"strategy": strategy, "alpha": 0.3, "beta": 0.7, "epochs": 1}
    run = go(tmp_path / "run", training, {"model": {"head": {"name": "linear"}}})
    before, after, model = phases[0]
    total = 0.0
    for variable in model.trainable_variables:
        head = variable.path.startswith("head")
        away = after[variable.path].astype(np.float64) - (0 if head else before[variable.path])
        total += (0.7 if head else 0.3) * (np.abs(away) ** norm).sum()
    (row,) = read_csv(run / "history.csv")
    assert float(row["penalty"]) == pytest.approx(total, rel=1e-5)
    assert float(row["loss"]) != float(row["val_loss"])


def test_multipliers_are_written_to_a_table(go, tmp_path):
    run = go(tmp_path / "run", {"strategy": "auto_rgn", "epochs": 2})
    rows = read_csv(run / "learning_rates.csv")
    assert {row["epoch"] for row in rows} == {"1", "2"}
    layers = [row["layer"] for row in rows if row["epoch"] == "1"]
    assert len(layers) == len(set(layers)) and "stem_conv" in layers and "head/hidden" in layers
    factors = [float(row["factor"]) for row in rows]
    assert 0 <= min(factors) < max(factors) <= 1
    assert "rates" not in read_csv(run / "history.csv")[0]


TENSOR = {"strategy": "auto_rgn", "auto_rgn": "tensor", "epochs": 2, "batch_size": 8}
ADAPT = {"model": {"batchnorm": "adapt"}}
BATCHNORM = ("/gamma", "/beta")  # of the backbone and of the head


def test_multipliers_by_tensor_are_written_for_each_epoch(go, tmp_path, phases):
    run = go(tmp_path / "run", TENSOR, ADAPT)
    rows = read_csv(run / "learning_rates.csv")
    _, _, model = phases[0]
    tensors = {variable.path for variable in model.trainable_variables}
    for epoch in ("1", "2"):
        factors = {row["layer"]: float(row["factor"]) for row in rows if row["epoch"] == epoch}
        assert factors.keys() == tensors and max(factors.values()) == 1
        unmoved = {path for path, factor in factors.items() if factor == 0}
        assert unmoved == {path for path in tensors if path.endswith(BATCHNORM)}


def test_multipliers_by_tensor_leave_scales_and_offsets_of_batchnorm(go, tmp_path, phases):
    go(tmp_path / "run", {**TENSOR, "weight_decay": 0.1}, ADAPT)
    before, after, _ = phases[0]
    equal = {path for path in before if np.array_equal(before[path], after[path])}
    assert equal == {path for path in before if path.endswith(BATCHNORM)}


def test_multipliers_by_tensor_are_equal_with_stored_activations(go, tmp_path, outcome, monkeypatch):
    """No strategy of the table measures tensors above frozen layers; this one does."""
    above = dataclasses.replace(STRATEGIES["auto_rgn"], steps=STRATEGIES["fixed"].steps)
    monkeypatch.setitem(STRATEGIES, "auto_rgn", above)
    training, sources, real = {**TENSOR, "unfreeze": "top1"}, [], fitting.make_batch_source

    def recording(model, job, epochs):
        sources.append(real(model, job, epochs))
        return sources[-1]

    monkeypatch.setattr(fitting, "make_batch_source", recording)
    stored, pixels = (outcome(go(tmp_path / str(reuse), training, reuse=reuse)) for reuse in (True, False))
    assert [type(source).__name__ for source in sources] == ["FeatureSource"] * 2 + ["PixelSource"] * 2
    assert stored == pixels and "stem" not in stored["learning_rates.csv"]


def test_schedule_restarts_in_each_phase(go, tmp_path):
    run = go(tmp_path / "run", {"strategy": "lp_ft", "phase_epochs": [2, 2], "schedule": "beta", "learning_rate": 0.5})
    assert [float(row["learning_rate"]) for row in read_csv(run / "history.csv")] == [0.5, 0.25, 0.5, 0.25]


def test_infinite_loss_keeps_the_last_finite_epoch(go, tmp_path, monkeypatch):
    from keras_radtl.config import UserError
    from keras_radtl.training import callbacks

    real = callbacks.Validation.on_epoch_end

    def explode(self, epoch, logs=None):
        logs["loss"] = float("nan") if epoch == 2 else logs["loss"]
        real(self, epoch, logs)

    monkeypatch.setattr(callbacks.Validation, "on_epoch_end", explode)
    with pytest.raises(UserError, match="The training loss is not finite in epoch 3"):
        go(tmp_path / "run")
    state, changed, _ = checkpoint.load(RunDirectory(tmp_path / "run"))
    assert state.epoch == 2 and all(np.isfinite(value).all() for value in changed.values())
