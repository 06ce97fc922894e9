"""Disk and time before the start, by hand; time left from the runs done, first and later users of activations apart."""

from __future__ import annotations

import pytest

from keras_radtl.config import Config, update
from keras_radtl.sweeps import estimate
from keras_radtl.sweeps.estimate import TimeLeft, disk_bytes, run_seconds
from keras_radtl.sweeps.run_list import RunSpec
from keras_radtl.sweeps.speed import Speed

FROZEN = {"training": {"unfreeze": "none", "epochs": 4}, "model": {"backbone": "efficientnet_lite0"}}


def run(name, **parts):
    return RunSpec(name, update(update(Config(), FROZEN), parts), {})


def test_shared_activations_count_once():
    one = [run("a")]
    features, _ = disk_bytes(one, 100, save_models=False)
    assert features == pytest.approx(4 * 1280 * (75 * 4 + 100), abs=1)
    assert disk_bytes([run("a"), run("b", training={"learning_rate": 1.0})], 100, False)[0] == features
    assert disk_bytes([run("a"), run("b", seed=1)], 100, False)[0] == 2 * features
    assert disk_bytes([run("a", training={"unfreeze": "top1"})], 100, False)[0] == 0
    assert disk_bytes([run("a", training={"strategy": "lp", "unfreeze": "top1"})], 100, False)[0] == features
    folds, _ = disk_bytes([run("a", split={"folds": 5})], 100, False)
    assert folds == pytest.approx(4 * 1280 * 5 * (80 * 4 + 100), abs=5)


def test_models_count_when_they_are_kept():
    head = {"model": {"head": {"name": "conv_skip", "ratio": 1.0, "filters": 16}}}
    with_models, without = (disk_bytes([run("a", **head)], 100, kept)[1] for kept in (True, False))
    weights = 16 * 1279 * 1280 * 2  # the skip and the hidden layer
    assert with_models - without > 4 * weights
    flattened = {"model": {"head": {"name": "conv", "pooling": "flatten", "kernel_size": 5000}}}
    assert disk_bytes([run("a", **flattened)], 100, True)[1] > 0, "the kernel fits the flattened features only"


def test_time_before_the_start():
    word = "efficientnet_lite0:224"
    speed = Speed(start=10.0, build={word: 2.0}, image={word: 0.1}, weight_step=0.0)
    passes = 0.75 * 4 + 1  # epochs of the training images, and once all
    first = 100 * passes * 0.1

    def seconds(*runs, reuse=True, per_process=16):
        return run_seconds(runs, 100, speed, reuse, per_process)

    shared = run("b", training={"learning_rate": 1.0})
    assert seconds(run("a")) == pytest.approx(10 + 2 + first)
    assert seconds(run("a"), shared) == pytest.approx(10 + 2 * 2 + first), "activations are shared"
    assert seconds(run("a"), shared, reuse=False) == pytest.approx(10 + 2 * (2 + first))
    assert seconds(run("a"), shared, per_process=1) == pytest.approx(20 + 2 * 2 + first)
    assert seconds(run("a", training={"unfreeze": "all"})) > seconds(run("a"))
    folds = 5 * (2 + 100 * (0.8 * 4 + 1) * 0.1)
    assert seconds(run("a", split={"folds": 5})) == pytest.approx(10 + folds)


def test_large_heads_cost_time():
    word = "efficientnet_lite0:224"
    speed = Speed(start=0.0, build={word: 0.0}, image={word: 0.0}, weight_step=1e-6)
    linear = {"model": {"head": {"name": "linear"}}}
    steps = 0.75 * 4 * 64 / 32
    assert run_seconds([run("a", **linear)], 64, speed, True, 1) == pytest.approx(steps * 1e-6 * 1281 * 2)


def test_time_left(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(estimate.time, "monotonic", lambda: now[0])
    runs = [
        run("a"),
        run("b", training={"learning_rate": 1.0}),
        run("c", training={"learning_rate": 2.0}),
        run("d", seed=1),
    ]
    clock = TimeLeft(runs)
    now[0] = 60.0
    clock.done("a")
    assert (clock.last, clock.left()) == (60.0, 180.0), "nothing else is known yet"
    now[0] = 64.0
    clock.done("b")
    assert clock.left() == 4.0 + 60.0
