"""Learning-rate schedules, calculated by hand and with the formula of PyTorch."""

from __future__ import annotations

import math

import pytest

from keras_radtl.strategies.schedules import learning_rate


def test_constant_schedule():
    assert [learning_rate("constant", 0.1, epoch, 4) for epoch in range(4)] == [0.1] * 4


def test_beta_halves_the_learning_rate_after_each_epoch():
    assert [learning_rate("beta", 0.8, epoch, 4) for epoch in range(4)] == pytest.approx([0.8, 0.4, 0.2, 0.1])


def test_cosine_decreases_the_learning_rate_to_a_fifth():
    rates = [learning_rate("cosine", 1.0, epoch, 30) for epoch in range(31)]
    assert rates[0] == 1 and rates[15] == pytest.approx(0.6) and rates[30] == pytest.approx(0.2)
    assert rates == sorted(rates, reverse=True)


def test_cosine_equals_the_recursive_formula_of_torch():
    """The documentation of CosineAnnealingLR gives the same curve as a recursion."""
    epochs, base, least = 12, 0.3, 0.06
    rate = base
    for epoch in range(1, epochs):
        ratio = (1 + math.cos(math.pi * epoch / epochs)) / (1 + math.cos(math.pi * (epoch - 1) / epochs))
        rate = ratio * (rate - least) + least
        assert learning_rate("cosine", base, epoch, epochs) == pytest.approx(rate)


@pytest.mark.parametrize("schedule", ["constant", "beta", "cosine"])
def test_a_single_epoch_has_the_base_learning_rate(schedule):
    assert learning_rate(schedule, 0.3, 0, 1) == pytest.approx(0.3)


def test_an_unknown_schedule_is_refused():
    with pytest.raises(ValueError, match="`schedule` must be constant, cosine or beta. Received: schedule='linear'"):
        learning_rate("linear", 0.1, 0, 1)
