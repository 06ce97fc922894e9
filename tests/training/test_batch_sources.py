"""Batch sources: stored activations and pixels give equal batches, and keys contain all dependencies."""

from __future__ import annotations

import errno
import os

import numpy as np
import pytest

from keras_radtl.models.groups import set_trainable, trainable_layers
from keras_radtl.runs.directory import RunDirectory
from keras_radtl.runs.interrupt import StopRequest
from keras_radtl.training.batch_sources import FeatureSource, PixelSource, make_batch_source
from keras_radtl.training.phase_loop import TrainingJob
from keras_radtl.training.plan import make_plan
from keras_radtl.training.run_options import RunOptions


@pytest.fixture
def job(tiny_data, configure, tmp_path, monkeypatch):
    """Return a function from configuration values and run options to a job with its own feature store."""
    monkeypatch.setenv("KERAS_RADTL_CACHE", str(tmp_path / "cache"))

    def make(values=None, **options):
        plan = make_plan(configure(values))
        return TrainingJob(
            plan,
            tiny_data,
            tiny_data.splits[0],
            RunDirectory(tmp_path / "run"),
            StopRequest(),
            RunOptions(tmp_path / "run", **options),
        )

    return make


@pytest.fixture(scope="module")
def model(tiny_data, configure):
    from keras_radtl.training.build import build

    made = build(make_plan(configure()), tiny_data, 0)
    set_trainable(made, trainable_layers(made, "top1"))
    return made


def entries(tmp_path):
    return len(list((tmp_path / "cache").glob("features/*"))) if (tmp_path / "cache").exists() else 0


def test_stored_activations_and_pixels_give_equal_logits_and_batches(job, model):
    made = job()
    stored, pixels = make_batch_source(model, made, 2), PixelSource(model, made)
    assert isinstance(stored, FeatureSource)
    val = made.split.val
    assert np.array_equal(stored.logits(val), pixels.logits(val)) and len(stored.logits(val)) == len(val)
    for (x, y, w), (features, targets, weights) in zip(pixels.training(0, 2), stored.training(0, 2), strict=True):
        assert np.array_equal(y, targets) and np.array_equal(w, weights)
        assert np.array_equal(stored._lower.step(x), features)


def test_cache_below_a_folder_that_cannot_be_searched_is_reported_once(job, model, tmp_path, monkeypatch, caplog):
    closed, made = tmp_path / "closed", job()
    closed.mkdir()
    monkeypatch.setenv("KERAS_RADTL_CACHE", str(closed / "cache"))
    stat, mkdir, statvfs = os.stat, os.mkdir, os.statvfs

    def refusing(function):  # as for a user who may not search the folder; a superuser may search any
        def call(path, *args, **kwargs):
            if isinstance(path, (str, os.PathLike)) and str(path).startswith(f"{closed}{os.sep}"):
                raise PermissionError(errno.EACCES, "Permission denied", str(path))
            return function(path, *args, **kwargs)

        return call

    for name, function in (("stat", stat), ("mkdir", mkdir), ("statvfs", statvfs)):
        monkeypatch.setattr(os, name, refusing(function))
    val = made.split.val
    found = [make_batch_source(model, made, 2).logits(val) for _ in range(2)]
    assert all(np.array_equal(logits, PixelSource(model, made).logits(val)) for logits in found)
    assert caplog.text.count("cannot be written (Permission denied)") == 1


@pytest.mark.parametrize("tta", ["flips", "rotations", "views:2"])
def test_stored_activations_and_pixels_give_equal_logits_of_views(job, model, tmp_path, tta):
    made = job({"prediction": {"tta": tta}})
    stored, pixels = make_batch_source(model, made, 1), PixelSource(model, made)
    test, views = made.split.test, made.plan.views
    averaged = stored.logits(test, views)
    assert np.array_equal(averaged, pixels.logits(test, views)) and entries(tmp_path) == len(views)
    images = made.dataset.pixels[test]
    each = [np.asarray(model(view.change(images), training=False)) for view in views]
    np.testing.assert_allclose(averaged, np.mean(each, axis=0), atol=1e-5)
    assert np.abs(averaged - stored.logits(test)).max() > 1e-3, "views differ from the image"


def test_stored_views_are_read_again(job, model, monkeypatch):
    made = job({"prediction": {"tta": "views:2"}})
    first = make_batch_source(model, made, 1).logits(made.split.test, made.plan.views)
    again = make_batch_source(model, made, 1)
    monkeypatch.setattr(again._lower, "step", None)
    assert np.array_equal(again.logits(made.split.test, made.plan.views), first)


def test_epochs_have_different_augmented_images(job, model):
    batches = [x.numpy() for x, _, _ in make_batch_source(model, job(), 2).training(0, 2)]
    half = len(batches) // 2
    assert half == job().steps and not np.array_equal(np.sort(batches[0], axis=0), np.sort(batches[half], axis=0))


def test_second_source_reads_stored_activations(job, model, tmp_path, monkeypatch):
    list(make_batch_source(model, job(), 2).training(0, 2))
    before = entries(tmp_path)
    again = make_batch_source(model, job(), 2)
    monkeypatch.setattr(again._lower, "step", None)
    assert before == 2 and len(list(again.training(0, 2))) == 2 * job().steps


def test_unaugmented_epochs_share_one_set(job, model, monkeypatch):
    unaugmented = {"rotation": 0, "shift": 0, "shear": 0, "zoom": 0, "horizontal_flip": False}
    source = make_batch_source(model, job({"augment": unaugmented}), 6)
    computed, step = [], source._lower.step

    def counting(batch):
        computed.append(len(batch))
        return step(batch)

    source._lower.step = counting
    assert len(list(source.training(0, 6))) == 6 * source.job.steps
    size, count = source.job.plan.training.batch_size, len(source.job.split.train)
    assert sum(computed) == -(-count // size) * size + 6 * (count % size), "the smaller last batches are computed anew"


@pytest.mark.parametrize(
    "values",
    [{"seed": 1}, {"augment": {"rotation": 3.0}}, {"training": {"batch_size": 8}}, {"data": {"resize": "pad"}}],
    ids=["seed", "augmentation", "batch size", "resizing"],
)
def test_key_depends_on_data_and_augmentation(job, model, tmp_path, values):
    list(make_batch_source(model, job(), 1).training(0, 1))
    list(make_batch_source(model, job(values), 1).training(0, 1))
    assert entries(tmp_path) == 2


def test_key_depends_on_frozen_weights_but_not_on_the_learning_rate(job, model, tmp_path):
    list(make_batch_source(model, job(), 1).training(0, 1))
    list(make_batch_source(model, job({"training": {"learning_rate": 0.5}}), 1).training(0, 1))
    assert entries(tmp_path) == 1
    kernel = model.get_layer("stem_conv").kernel
    before = kernel.numpy().copy()
    kernel.assign(before + 1)
    list(make_batch_source(model, job(), 1).training(0, 1))
    kernel.assign(before)
    assert entries(tmp_path) == 2


@pytest.mark.parametrize("options", [{"reuse": False}, {"feature_cache_size": 0.0}])
def test_pixels_without_reuse_or_disk_space(job, model, options):
    assert isinstance(make_batch_source(model, job(**options), 2), PixelSource)


def test_pixels_if_nothing_is_frozen(job, model):
    set_trainable(model, trainable_layers(model, "all"))
    source = make_batch_source(model, job(), 1)
    set_trainable(model, trainable_layers(model, "top1"))
    assert isinstance(source, PixelSource)
