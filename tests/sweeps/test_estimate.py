"""Estimates of disk space and time, calculated by hand, and the remaining time from the finished runs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from keras_radtl.config import Config, update
from keras_radtl.sweeps import estimate
from keras_radtl.sweeps.estimate import TimeLeft, disk_bytes, opened_share, run_seconds
from keras_radtl.sweeps.run_list import RunSpec
from keras_radtl.sweeps.speed import Speed
from keras_radtl.training.plan import make_plan

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
    training = 80 * 0.75 / 0.9  # the rest of 80 cases is for validation
    assert folds == pytest.approx(4 * 1280 * 5 * (training * 4 + 100), abs=5)


LINEAR = {"model": {"head": {"name": "linear"}}}
EXACT = {"training": {"strategy": "probe"}, **LINEAR}


def test_folds_of_an_exact_fit_share_their_features():
    for split in ({}, {"folds": 5}):
        assert disk_bytes([run("a", split=split, **EXACT)], 100, False)[0] == 4 * 1280 * 100 * 5
    flips = {"prediction": {"tta": "flips"}}
    assert disk_bytes([run("a", **EXACT, **flips)], 100, False)[0] == 4 * 1280 * 100 * 6


def test_saved_models_count():
    head = {"model": {"head": {"name": "conv_skip", "ratio": 1.0, "filters": 16}}}
    with_models, without = (disk_bytes([run("a", **head)], 100, kept)[1] for kept in (True, False))
    weights = 16 * 1279 * 1280 * 2  # the skip and the hidden layer
    assert with_models - without > 4 * weights


def test_a_kernel_that_fits_flattened_features_only(tiny_backbone):
    head = {"name": "conv", "pooling": "flatten", "kernel_size": 60}
    tiny = {"model": {"backbone": "tiny", "weights": "none", "head": head}}
    assert disk_bytes([run("a", **tiny)], 100, True)[1] > 0


WORD = "efficientnet_lite0:224"


class Read(Speed):
    """A speed with the same time to read an image of any dataset."""

    def of_data(self, plan):
        return 0.01


def speed(**seconds):
    tables = {
        name: {WORD: seconds.pop(name, 0.0)} for name in ("build", "trace", "image", "train_trace", "train_image")
    }
    return Read(**tables, **seconds)


def test_time_of_frozen_runs():
    machine = speed(start=10.0, build=2.0, trace=3.0, image=0.1, head_trace=0.5, step=0.001)
    steps = 4 * 3 * 0.001  # 75 images in 3 batches, 4 epochs
    later = 2.0 + 0.3 + steps + 0.5  # build, files, training, trace of the head
    first = later + 2 * 3.0 + 0.1 * (4 * 75 + 15 + 100)  # traces and activations: epochs, validation, predictions
    read = 100 * 0.01

    def seconds(*runs, reuse=True, per_process=16):
        return run_seconds(runs, 100, machine, reuse, per_process)

    shared = run("b", training={"learning_rate": 1.0})
    assert seconds(run("a")) == pytest.approx(10 + read + first)
    assert run_seconds([run("a")], 100, replace(machine, running=1), True, 16) == pytest.approx(read + first)
    assert seconds(run("a"), shared) == pytest.approx(10 + read + first + later), "activations are shared"
    again = first + 3 * 0.1 * 15  # validation in each epoch
    assert seconds(run("a"), shared, reuse=False) == pytest.approx(10 + read + 2 * again)
    assert seconds(run("a"), shared, per_process=1) == pytest.approx(2 * (10 + read) + first + later)
    adapt = run("a", model={"batchnorm": "adapt"})
    assert seconds(adapt) == pytest.approx(10 + read + again), "batch statistics cannot be stored"


def test_time_of_exact_fits():
    machine, read = speed(build=2.0, trace=3.0, image=0.1), 100 * 0.01
    solving = 1e-9 * 400 * 400 * 1280  # 80 cases in 5 views: fewer rows than features
    folds = run("a", split={"folds": 5}, **EXACT)
    each = 5 * (2.0 + 0.3 + solving)
    first = 3.0 + 5 * 100 * 0.1
    assert run_seconds([folds], 100, machine, True, 16) == pytest.approx(read + first + each)
    later = run("b", split={"folds": 5}, **{**EXACT, "training": {**EXACT["training"], "class_weight": "balanced"}})
    assert run_seconds([folds, later], 100, machine, True, 16) == pytest.approx(read + first + 2 * each)
    assert run_seconds([folds], 100, machine, False, 16) == pytest.approx(read + 5 * first + each)
    start, plain = (run("c", **LINEAR, training={"initial_head": name}) for name in ("probe", "kaiming"))
    more = run_seconds([start], 100, machine, True, 16) - run_seconds([plain], 100, machine, True, 16)
    assert more == pytest.approx(3.0 + 5 * 75 * 0.1)


def test_time_of_folds():
    machine = speed(build=2.0, image=0.1)
    training = 0.8 * 100 * 0.75 / 0.9
    fold = 2.0 + 0.3 + 0.1 * (4 * training + training * 0.15 / 0.75 + 100)
    assert run_seconds([run("a", split={"folds": 5})], 100, machine, True, 1) == pytest.approx(1.0 + 5 * fold)


def test_time_of_trained_backbones():
    machine = speed(trace=1.0, image=0.1, train_trace=9.0, train_image=0.3)
    run_all = run("a", training={"unfreeze": "all"})
    all_layers = 1.0 + 1.0 + 0.3 + 0.1 * 100 + (2 * 1.0 + 8.0) + 4 * (75 * 0.3 + 15 * 0.1)
    assert run_seconds([run_all], 100, machine, True, 1) == pytest.approx(all_layers)
    top, gradual = run("a", training={"unfreeze": "top1"}), run("a", training={"strategy": "g_lf", "epochs": 10})
    assert run_seconds([run("a")], 100, machine, True, 1) < run_seconds([top], 100, machine, True, 1) < all_layers
    assert run_seconds([gradual], 100, machine, True, 1) > all_layers, "each phase is traced"


@pytest.mark.parametrize(
    ("training", "shares"),
    [
        ({"unfreeze": "none"}, [0.0]),
        ({"unfreeze": "all"}, [1.0]),
        ({"unfreeze": "layers:25"}, [0.25]),
        ({"unfreeze": "top3"}, [1 / 3]),
        ({"strategy": "lp_ft", "epochs": 3}, [0.0, 1.0]),
        ({"strategy": "g_lf", "epochs": 10}, [n / 9 for n in range(10)]),
        ({"strategy": "g_fl", "epochs": 9}, [1.0] * 9),
    ],
)
def test_share_of_the_backbone_with_gradients(training, shares):
    plan = make_plan(run("a", training=training).config)
    assert [opened_share(plan, phase) for phase in plan.phases] == pytest.approx(shares)


def test_large_heads_and_figures_cost_time():
    machine = speed(weight_step=1e-6)
    linear = run("a", model={"head": {"name": "linear"}})
    base = 0.64 + 0.3
    assert run_seconds([linear], 64, machine, True, 1) == pytest.approx(base + 4 * 2 * 1e-6 * 1281 * 2)
    assert run_seconds([linear], 64, machine, True, 1, figures=True) > base + 1


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
