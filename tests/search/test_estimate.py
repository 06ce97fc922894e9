"""Disk before the start, by hand; time left from the runs done, first and later users of activations apart."""

from __future__ import annotations

import pytest

from keras_radtl.config import Config, update
from keras_radtl.search import estimate
from keras_radtl.search.estimate import Clock, disk_bytes
from keras_radtl.search.grid import Run

FROZEN = {"training": {"unfreeze": "none", "epochs": 4}, "model": {"backbone": "efficientnet_lite0"}}


def run(name, **parts):
    return Run(name, update(update(Config(), FROZEN), parts), {})


def test_shared_activations_count_once():
    one = [run("a")]
    features, _ = disk_bytes(one, 100, save_models=False)
    assert features == pytest.approx(4 * 1280 * (75 * 4 + 100), abs=1)
    assert disk_bytes([run("a"), run("b", training={"learning_rate": 1.0})], 100, False)[0] == features
    assert disk_bytes([run("a"), run("b", seed=1)], 100, False)[0] == 2 * features
    assert disk_bytes([run("a", training={"unfreeze": "top1"})], 100, False)[0] == 0
    folds, _ = disk_bytes([run("a", split={"folds": 5})], 100, False)
    assert folds == pytest.approx(4 * 1280 * 5 * (80 * 4 + 100), abs=5)


def test_models_count_when_they_are_kept():
    head = {"model": {"head": {"name": "conv_skip", "ratio": 1.0, "filters": 16}}}
    with_models, without = (disk_bytes([run("a", **head)], 100, kept)[1] for kept in (True, False))
    weights = 16 * 1279 * 1280 * 2  # the skip and the hidden layer
    assert with_models - without > 4 * weights
    impossible = {"model": {"head": {"name": "conv", "kernel_size": 5000}}}
    assert disk_bytes([run("a", **impossible)], 100, True)[1] > 0, "that run fails by itself, by name"


def test_time_left(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(estimate.time, "monotonic", lambda: now[0])
    runs = [
        run("a"),
        run("b", training={"learning_rate": 1.0}),
        run("c", training={"learning_rate": 2.0}),
        run("d", seed=1),
    ]
    clock = Clock(runs)
    now[0] = 60.0
    clock.done("a")
    assert (clock.last, clock.left()) == (60.0, 180.0), "nothing else is known yet"
    now[0] = 64.0
    clock.done("b")
    assert clock.left() == 4.0 + 60.0
