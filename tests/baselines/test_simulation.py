"""The simulation of appendix A: seeded, independent of the workers, and as statistics predict."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from keras_radtl.baselines.simulation import digit_coefficients, estimate_once, simulate
from keras_radtl.config.errors import UserError


def test_coefficients_have_the_shape_of_a_digit_and_the_magnitude_of_the_study():
    zero = digit_coefficients().reshape(28, 28)
    assert np.abs(zero).mean() == pytest.approx(0.048) and (zero >= 0).all()
    ring, hole, corner = zero[6:22, 8:20].max(), zero[12:16, 13:15].max(), zero[:3, :3].max()
    assert hole < 0.2 * ring and corner < 1e-3 * ring
    assert digit_coefficients(3, 10, 0.1).shape == (100,)
    with pytest.raises(UserError, match="`digit` must be an integer from 0 to 9"):
        digit_coefficients(10)


def test_results_do_not_depend_on_the_workers():
    true = digit_coefficients(size=8)
    seen = []
    one = simulate(
        true, images=500, rounds=4, seed=5, workers=1, progress=lambda done, total: seen.append((done, total))
    )
    two = simulate(true, images=500, rounds=4, seed=5, workers=2)
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert np.array_equal(one.mean_estimate, two.mean_estimate) and np.array_equal(one.differences, two.differences)
    assert not np.array_equal(one.differences, simulate(true, images=500, rounds=4, seed=6, workers=1).differences)


def test_the_summary_is_that_of_the_rounds():
    true = digit_coefficients(size=8)
    found = simulate(true, images=400, rounds=3, seed=1, workers=1)
    estimates = np.stack([estimate_once(true, 400, (1, number)) for number in range(3)])
    differences = np.abs(estimates - true).mean(1)
    np.testing.assert_allclose(found.mean_estimate, estimates.mean(0))
    np.testing.assert_allclose(found.differences, differences)
    assert found.mmad == pytest.approx(differences.mean()) and found.smad == pytest.approx(differences.std(ddof=1))
    assert found.magnitude == pytest.approx(0.048)


def test_an_estimate_is_that_of_scikit_learn():
    true, seed = digit_coefficients(size=8, magnitude=0.2), (3, 0)
    generator = np.random.default_rng(seed)
    features = (generator.uniform(0, 255, (2000, 64)) - 127.5) / (255 / np.sqrt(12))
    outcomes = generator.random(2000) < 1 / (1 + np.exp(-features @ true))
    expected = LogisticRegression(C=np.inf, tol=1e-8, max_iter=1000).fit(features, outcomes)
    np.testing.assert_allclose(estimate_once(true, 2000, seed), expected.coef_[0], atol=1e-4)


def test_many_images_recover_the_coefficients_with_the_error_that_theory_gives():
    """With true coefficients near 0, each estimate has the standard error 2 / sqrt(n)."""
    found = simulate(np.full(9, 0.01), images=10_000, rounds=20, seed=0, workers=1)
    assert found.mmad == pytest.approx(np.sqrt(2 / np.pi) * 2 / np.sqrt(10_000), rel=0.2)
    np.testing.assert_allclose(found.mean_estimate, 0.01, atol=4 * 0.02 / np.sqrt(20))


def test_bad_arguments_are_refused():
    with pytest.raises(UserError, match="`images` must be more than 785"):
        simulate(images=700, rounds=2)
    with pytest.raises(UserError, match="`rounds` must be at least 2"):
        simulate(rounds=1)
    with pytest.raises(UserError, match="Round 0: the likelihood has no maximum"):
        simulate(np.full(20, 50.0), images=40, rounds=2, workers=1)
