"""Quotas and the assignment of units to parts."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_radtl.data.stratify import assign, largest_remainder, quotas

totals = st.lists(st.integers(0, 300), min_size=1, max_size=6)
weights = st.lists(st.floats(0.05, 1), min_size=2, max_size=6)


@settings(max_examples=200, deadline=None)
@given(totals, weights)
def test_quotas_sum_to_the_totals_and_are_near_the_shares(totals, weights):
    ratios = np.array(weights) / sum(weights)
    table = quotas(np.array(totals), ratios, exclusive=True)
    np.testing.assert_array_equal(table.sum(axis=1), totals)
    for row, total in zip(table, totals, strict=True):
        assert (row >= 0).all() and (total < len(ratios) or row.min() >= 1)
        if total * ratios.min() >= 1:
            assert (abs(row - total * ratios) < 1 + 1e-6).all()


def test_largest_remainder_examples():
    assert largest_remainder(780, (0.75, 0.15, 0.10)).tolist() == [585, 117, 78]
    assert largest_remainder(10, (0.55, 0.25, 0.20)).tolist() in ([6, 2, 2], [5, 3, 2])
    assert largest_remainder(7, [1 / 3] * 3).tolist() == [3, 2, 2]


@settings(max_examples=50, deadline=None)
@given(st.integers(3, 200), st.integers(3, 200), st.integers(0, 100))
def test_single_cases_fill_the_quotas_exactly(a, b, seed):
    counts = [{0: 1}] * a + [{1: 1}] * b
    ratios = (0.75, 0.15, 0.10)
    parts = np.array(assign(counts, [str(i) for i in range(a + b)], ratios, (0, 1), True, str(seed)))
    labels = np.repeat([0, 1], [a, b])
    found = np.array([[(labels[parts == p] == c).sum() for p in range(3)] for c in (0, 1)])
    np.testing.assert_array_equal(found, quotas(np.array([a, b]), ratios, True))


def test_seed_changes_the_units_but_not_the_part_sizes():
    counts, keys = [{0: 1}] * 40, [str(i) for i in range(40)]
    first, second = (assign(counts, keys, (0.5, 0.5), (0,), True, seed) for seed in "ab")
    assert first != second and sum(first) == sum(second) == 20
