"""Batches: independent of the workers, aligned with epochs, and equal in a resumed run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from keras_radtl.config import AugmentConfig, UserError
from keras_radtl.data.augment import augment_image, epoch_order, sample_parameters

N, SIZE, BATCH = 22, 16, 8  # 20 training images: epochs of 8 + 8 + 4
INDICES = np.arange(1, 21)
REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def pixels():
    images = np.random.default_rng(0).integers(0, 256, (N, SIZE, SIZE, 1), np.uint8)
    images[:, 0, 0, 0] = np.arange(N)  # identifies images that are not augmented
    return images


@pytest.fixture(scope="module")
def targets():
    return (np.arange(N) % 3).astype(np.int32)


def training(pixels, targets, first=0, last=3, **options):
    from keras_radtl.data.pipeline import training_batches

    options = {"augment": AugmentConfig(), "seed": 7} | options
    return training_batches(pixels, targets, INDICES, BATCH, first_epoch=first, last_epoch=last, **options)


def listed(dataset):
    return [[part.numpy() for part in batch] for batch in dataset]


def assert_same(batches, others):
    assert len(batches) == len(others)
    for batch, other in zip(batches, others, strict=True):
        for part, other_part in zip(batch, other, strict=True):
            np.testing.assert_array_equal(part, other_part)


def test_batches_equal_images_augmented_one_by_one(pixels, targets):
    batches = listed(training(pixels, targets))
    x, y, weights = (np.concatenate([b[i] for b in batches]) for i in range(3))
    order = [(epoch, index) for epoch in range(3) for index in epoch_order(INDICES, 7, epoch)]
    expected = [
        augment_image(pixels[i], sample_parameters(AugmentConfig(), 7, e, [i], SIZE).select(0)) for e, i in order
    ]
    np.testing.assert_array_equal(x, expected)
    np.testing.assert_array_equal(y, targets[[i for _, i in order]])
    assert x.dtype == np.uint8 and weights.dtype == np.float32 and (weights == 1).all()


def test_every_epoch_has_whole_batches_and_every_image_once(pixels, targets):
    dataset = training(pixels, targets, augment=None)
    batches = listed(dataset)
    assert [len(x) for x, _, _ in batches] == [8, 8, 4] * 3
    assert dataset.cardinality() == 9
    for epoch in range(3):
        marks = np.concatenate([x[:, 0, 0, 0] for x, _, _ in batches[3 * epoch : 3 * epoch + 3]])
        np.testing.assert_array_equal(np.sort(marks), INDICES)


def test_element_spec_has_shapes_and_dtypes(pixels, targets):
    x, y, weights = training(pixels, targets).element_spec
    assert x.shape == (None, SIZE, SIZE, 1) and x.dtype == "uint8"
    assert y.shape == (None,) and y.dtype == "int32"
    assert weights.shape == (None,) and weights.dtype == "float32"


def test_number_of_workers_does_not_matter(pixels, targets):
    once = listed(training(pixels, targets, workers=1))
    for workers in (2, 2, 4):
        assert_same(once, listed(training(pixels, targets, workers=workers)))


def test_epochs_differ_and_can_start_later(pixels, targets):
    whole, rest = listed(training(pixels, targets)), listed(training(pixels, targets, first=1))
    assert_same(whole[3:], rest)
    assert not np.array_equal(whole[0][0], whole[3][0])


def test_batches_depend_on_the_seed(pixels, targets):
    assert not np.array_equal(*(listed(training(pixels, targets, seed=s))[0][0] for s in (1, 2)))


def test_weights_and_multilabel_targets_match_their_images(pixels):
    labels, weights = np.arange(2 * N, dtype=np.float32).reshape(N, 2), np.arange(N) / 4
    for x, y, weight in listed(training(pixels, labels, augment=None, weights=weights)):
        marks = x[:, 0, 0, 0]
        np.testing.assert_array_equal(y, labels[marks])
        np.testing.assert_array_equal(weight, marks / 4)


def test_memory_map_gives_the_same_batches(pixels, targets, tmp_path):
    np.save(tmp_path / "pixels.npy", pixels)
    mapped = np.load(tmp_path / "pixels.npy", mmap_mode="r")
    assert_same(listed(training(pixels, targets)), listed(training(mapped, targets)))


def test_evaluation_batches_keep_images_and_order(pixels):
    from keras_radtl.data.pipeline import evaluation_batches

    indices = [5, 3, 21, 0, 7]
    dataset = evaluation_batches(pixels, indices, 2)
    batches = [x.numpy() for x in dataset]
    assert [len(x) for x in batches] == [2, 2, 1] and dataset.cardinality() == 3
    assert dataset.element_spec.shape == (None, SIZE, SIZE, 1)
    np.testing.assert_array_equal(np.concatenate(batches), pixels[indices])


def fitted_batches(pixels, targets, first: int, last: int):
    """Return the images that `fit` passes to a model in the epochs [first, last)."""
    import keras

    batches = []

    class Recorder(keras.Model):
        def __init__(self):
            super().__init__()
            self.head = keras.layers.Dense(3)

        def call(self, x):
            return self.head(keras.ops.mean(keras.ops.cast(x, "float32"), axis=(1, 2)))

        def train_step(self, data):
            batches.append(data[0].numpy())
            return super().train_step(data)

    model = Recorder()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("sgd", loss, run_eagerly=True)
    steps = -(-len(INDICES) // BATCH)
    dataset = training(pixels, targets, first, last)
    options = {"initial_epoch": first, "epochs": last, "steps_per_epoch": steps, "shuffle": False, "verbose": 0}
    history = model.fit(dataset, **options)
    assert history.epoch == list(range(first, last))
    return batches


def test_resumed_fit_gets_the_batches_of_an_uninterrupted_one(pixels, targets):
    expected = [x for x, _, _ in listed(training(pixels, targets, 0, 4))]
    whole, resumed = fitted_batches(pixels, targets, 0, 4), fitted_batches(pixels, targets, 2, 4)
    assert_same([[x] for x in expected], [[x] for x in whole])
    assert_same([[x] for x in expected[6:]], [[x] for x in resumed])


@pytest.mark.parametrize("options", [{"first": 3}, {"first": -1}])
def test_no_epochs_are_an_error(pixels, targets, options):
    with pytest.raises(UserError, match="`first_epoch` must be in"):
        training(pixels, targets, **options)


def test_no_images_and_empty_batches_are_errors(pixels):
    from keras_radtl.data.pipeline import evaluation_batches

    with pytest.raises(UserError, match="`indices` must be not empty"):
        evaluation_batches(pixels, [], 4)
    with pytest.raises(UserError, match="`batch_size` must be >= 1"):
        evaluation_batches(pixels, [1], 0)


DETERMINISTIC = """
import threading, time
import numpy as np
import tensorflow as tf
from keras_radtl.config import AugmentConfig
from keras_radtl.data import pipeline

tf.config.experimental.enable_op_determinism()
tf.random.set_seed(0)
running, most, lock = 0, 0, threading.Lock()

def slow(pixels, batch, *_):
    global running, most
    with lock:
        running += 1
        most = max(most, running)
    time.sleep(0.05)
    with lock:
        running -= 1
    return pixels[batch]

pipeline._augmented = slow
pixels, targets = np.zeros((32, 8, 8, 1), np.uint8), np.zeros(32, np.int32)
for _ in pipeline.training_batches(pixels, targets, range(32), 4, 0, AugmentConfig(), 0, 1, workers=2):
    pass
print("parallel workers:", most)
"""


@pytest.mark.slow
def test_workers_are_parallel_with_op_determinism():
    command = [sys.executable, "-c", DETERMINISTIC]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=120, check=False)
    assert "parallel workers: 2" in done.stdout, done.stderr
