"""Order of an epoch, with and without balanced sampling, and weights of classes and labels."""

from __future__ import annotations

import numpy as np
import pytest

from keras_radtl.data.augment import epoch_order
from keras_radtl.data.sampling import class_weights, label_weights, make_order

INDICES = np.arange(10, 40)
TARGETS = np.full(60, -1, np.int32)
TARGETS[10:40] = np.repeat([0, 1, 2], [20, 7, 3])


def counts(values):
    return {int(k): int(n) for k, n in zip(*np.unique(values, return_counts=True), strict=True)}


def test_without_sampling_the_order_is_epoch_order():
    order = make_order("none", TARGETS, INDICES, 5)
    np.testing.assert_array_equal(order(3), epoch_order(INDICES, 5, 3))
    assert len(order) == 30


@pytest.mark.parametrize("epoch", range(5))
def test_balanced_epoch_has_the_same_number_of_cases_of_each_class(epoch):
    order = make_order("balanced", TARGETS, INDICES, 5)
    sampled = order(epoch)
    assert len(sampled) == len(order) == 30
    assert counts(TARGETS[sampled]) == {0: 10, 1: 10, 2: 10}
    each = counts(sampled)
    assert max(each[i] for i in each if TARGETS[i] == 0) == 1  # large class: no repetition
    for target in (1, 2):  # small classes: every case, equally often up to one repetition
        times = [each.get(i, 0) for i in np.flatnonzero(TARGETS == target)]
        assert min(times) >= 1 and max(times) - min(times) <= 1


def test_balanced_order_depends_only_on_seed_and_epoch():
    order = make_order("balanced", TARGETS, INDICES, 5)
    np.testing.assert_array_equal(order(2), make_order("balanced", TARGETS, INDICES, 5)(2))
    assert not np.array_equal(order(2), order(3))
    assert not np.array_equal(order(2), make_order("balanced", TARGETS, INDICES, 6)(2))


def test_balanced_sampling_is_uniform_over_cases_and_positions():
    order = make_order("balanced", TARGETS, INDICES, 0)
    epochs = np.array([order(epoch) for epoch in range(1000)])
    times = np.bincount(epochs.ravel(), minlength=40)[10:30]
    assert np.abs(times - 500).max() < 5 * np.sqrt(1000 * 0.25)
    assert np.abs((TARGETS[epochs] == 2).mean(axis=0) - 1 / 3).max() < 5 * np.sqrt(2 / 9 / 1000)


def test_cases_without_labels_are_sampled_as_a_class():
    labels = np.zeros((40, 2), np.float32)
    labels[[10, 11]] = [1, 1]
    labels[12:16] = [0, 1]
    labels[16] = [np.nan, 1]
    labels[17] = [np.nan, np.nan]
    sampled = make_order("balanced", labels, INDICES, 1)(0)
    assert len(sampled) == 30
    sampled_labels = labels[sampled]
    assert (sampled_labels[:, 0] == 1).sum() >= 10  # sampled for the first and for the second label
    assert (~(sampled_labels == 1).any(axis=1)).sum() == 10


def test_class_weights_give_each_class_the_same_total():
    weights = class_weights(TARGETS[INDICES], 3)
    np.testing.assert_allclose(np.bincount(TARGETS[INDICES], weights[TARGETS[INDICES]]), 10)


def test_label_weights_ignore_unknown_labels():
    labels = np.array([[1, 0], [0, 0], [0, np.nan], [0, 1], [np.nan, 0]])
    np.testing.assert_allclose(label_weights(labels), [[4 / 6, 4 / 2], [4 / 6, 4 / 2]])
