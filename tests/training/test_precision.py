"""Mixed precision in whole runs: float32 weights and logits, stored activations, and resuming.

The check that rejects float16 on a CPU is disabled here.
"""

from __future__ import annotations

import numpy as np
import pytest

from keras_radtl.config import Config, UserError, update
from keras_radtl.runs.files import read_csv, read_json
from keras_radtl.training.run_options import RunOptions

CONFIG = {
    "data": {"image_size": 16, "phantoms": {"count": 60, "image_size": 32}},
    "model": {"backbone": "tiny", "weights": "none", "head": {"name": "nonlinear"}},
    "training": {"epochs": 3, "batch_size": 16, "unfreeze": "all"},
}
policies = pytest.mark.parametrize("precision", ["mixed_float16", "mixed_bfloat16"])


@pytest.fixture(scope="module")
def dataset(tiny_backbone, tmp_path_factory):
    """Return simulated images that all runs use."""
    from keras_radtl.training.train import load_data

    return load_data(update(Config(), CONFIG))


@pytest.fixture
def run(dataset, tmp_path, monkeypatch):
    from keras_radtl.models import precision as module
    from keras_radtl.training.train import train_run

    monkeypatch.setattr(module, "require_speedup", lambda precision, device: None)

    def go(where, reuse=True, **training):
        config = update(update(Config(), CONFIG), {"training": training})
        return train_run(config, RunOptions(tmp_path / where, reuse=reuse, figures=False), dataset)

    return go


def logits(run):
    rows = read_csv(run / "predictions_test.csv")
    return np.array([[float(row[name]) for name in row if name.startswith("logit_")] for row in rows])


@pytest.mark.slow
@policies
def test_mixed_run_is_near_that_in_float32_and_loads(precision, run):
    import keras

    from keras_radtl.runs.trained_model import load_models

    mixed, plain = run("mixed", precision=precision, learning_rate=1e-4), run("plain", learning_rate=1e-4)
    assert keras.config.dtype_policy().name == "float32"  # restored
    assert read_json(mixed / "summary.json")["precision"] == precision
    loaded = load_models(mixed.path)
    assert loaded.models[0].get_layer("stem_conv").compute_dtype == precision.removeprefix("mixed_")
    assert {w.dtype for w in loaded.models[0].weights} <= {"float32", "uint32"}
    images = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 1), np.uint8)
    assert loaded.logits(images).dtype == np.float32
    assert 0 < np.abs(logits(mixed) - logits(plain)).max() < 0.2


@pytest.mark.slow
@policies
@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_stored_activations_equal_pixels(precision, optimizer, run):
    options = {"precision": precision, "optimizer": optimizer, "unfreeze": "top1", "group_rates": [1.0, 0.1]}
    assert np.array_equal(logits(run("stored", **options)), logits(run("pixels", reuse=False, **options)))


@pytest.mark.parametrize(
    "strategy", ["lp_ft", *(pytest.param(name, marks=pytest.mark.slow) for name in ("auto_rgn", "l2_sp"))]
)
def test_strategies_with_a_scaled_loss(strategy, run):
    finished = run("run", precision="mixed_float16", strategy=strategy)
    history = read_csv(finished / "history.csv")
    assert all(np.isfinite(float(row["loss"])) for row in history)
    assert len(history) == 3


@pytest.mark.slow
def test_interrupted_run_with_a_scaled_loss_resumes_bit_for_bit(run, monkeypatch):
    from keras_radtl.training import phase_loop as fitting

    whole = run("whole", precision="mixed_float16")
    report = fitting.callbacks.EpochReport.on_epoch_end

    def stop(self, epoch, logs=None):
        report(self, epoch, logs)
        if epoch == 1:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(fitting.callbacks.EpochReport, "on_epoch_end", stop)
        with pytest.raises(KeyboardInterrupt):
            run("parts", precision="mixed_float16")
    with pytest.raises(UserError):
        run("parts", precision="float32")  # a different configuration
    resumed = run("parts", precision="mixed_float16")
    assert np.array_equal(logits(whole), logits(resumed))


def test_loss_is_scaled_only_for_float16(tiny_backbone):
    import keras

    from keras_radtl.config import ModelConfig, TrainingConfig
    from keras_radtl.models.classifier import build_classifier
    from keras_radtl.models.losses import make_loss
    from keras_radtl.models.precision import dtype_policy
    from keras_radtl.strategies.optimizers import optimizer_settings
    from keras_radtl.strategies.phases import Phase, compile_phase

    for precision, scaled in (("mixed_float16", True), ("mixed_bfloat16", False), ("float32", False)):
        training = TrainingConfig(precision=precision)
        with dtype_policy(precision):
            model = build_classifier(ModelConfig("tiny", weights="none"), 2, (16, 16, 1), seed=0)
        phase = Phase("fixed", frozenset(), 1, 0.1)
        compile_phase(model, phase, optimizer_settings(training), make_loss(False), scale_loss=scaled)
        assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer) is scaled


GPU = {"device_name": "Card", "compute_capability": (7, 0)}


@pytest.mark.parametrize(
    ("precision", "gpu", "flags", "reason"),
    [
        ("float32", None, set(), None),
        ("mixed_float16", None, {"amx_bf16"}, "slower than float32 on a CPU"),
        ("mixed_bfloat16", None, {"avx2"}, "neither AVX512_BF16 nor AMX"),
        ("mixed_bfloat16", None, {"avx512_bf16"}, None),
        ("mixed_float16", GPU, set(), None),
        ("mixed_bfloat16", GPU, set(), "Card, which has compute capability 7.0; 8.0 is needed"),
        ("mixed_bfloat16", GPU | {"compute_capability": (9, 0)}, set(), None),
        ("mixed_float16", {}, set(), None),  # a device without details, such as Metal
    ],
)
def test_precision_without_speedup_is_an_error(precision, gpu, flags, reason, monkeypatch):
    from keras_radtl.models import precision as module

    monkeypatch.setattr(module.tf.config, "get_visible_devices", lambda kind: [] if gpu is None else ["gpu"])
    monkeypatch.setattr(module.tf.config.experimental, "get_device_details", lambda device: gpu)
    monkeypatch.setattr(module, "cpu_flags", lambda: flags)
    if reason is None:
        module.require_speedup(precision)
    else:
        with pytest.raises(UserError, match=reason):
            module.require_speedup(precision)


def test_cpu_flags_are_read():
    from pathlib import Path

    from keras_radtl.models.precision import cpu_flags

    assert bool(cpu_flags()) == Path("/proc/cpuinfo").is_file()
