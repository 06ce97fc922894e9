"""The certificate agrees with an independent solver, and never calls a bad solution optimal."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from keras_radtl.baselines.certificate import certify, linear_scores, transposed_product
from keras_radtl.baselines.lasso import fit_lasso
from keras_radtl.config.errors import UserError

GENERATOR = np.random.default_rng(0)


@pytest.mark.parametrize("l1_ratio", [1.0, 0.95, 0.3])
def test_the_objective_is_that_of_scikit_learn(make_problem, l1_ratio):
    features, targets = make_problem()
    coef, intercept, C = GENERATOR.normal(size=12), 0.7, 0.3
    probabilities = 1 / (1 + np.exp(-(features @ coef + intercept)))
    penalty = l1_ratio * np.abs(coef).sum() + (1 - l1_ratio) / 2 * np.sum(coef**2)
    expected = C * log_loss(targets, probabilities, normalize=False) + penalty
    assert certify(features, targets, coef, intercept, C, l1_ratio).objective == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("shape", [(60, 12), (30, 50)])
@pytest.mark.parametrize("C", [0.03, 1.0, 30.0])
@pytest.mark.parametrize("l1_ratio", [1.0, 0.95, 0.3])
def test_the_gap_bounds_the_distance_from_the_optimum(make_problem, smallest_objective, shape, C, l1_ratio):
    features, targets = make_problem(*shape)
    smallest, best = smallest_objective(features, targets, C, l1_ratio)
    for distance in (0.0, 1e-3, 0.1, 1.0):
        coef = best + distance * GENERATOR.normal(size=shape[1])
        found = certify(features, targets, coef, 0.1, C, l1_ratio)
        assert found.dual_objective <= smallest * (1 + 1e-10) <= found.objective * (1 + 2e-10)
        assert found.duality_gap == pytest.approx(found.objective - found.dual_objective, abs=1e-12)
        assert 0 <= found.relative_gap <= 1


@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
def test_the_gap_of_the_optimum_is_zero(make_problem, smallest_objective, l1_ratio):
    features, targets = make_problem()
    smallest, _ = smallest_objective(features, targets, 0.5, l1_ratio)
    found = fit_lasso(features, targets, 0.5, l1_ratio, tolerance=1e-10).certificate
    assert found.objective == pytest.approx(smallest, rel=1e-8)
    assert found.duality_gap < 1e-8 and found.dual_objective == pytest.approx(smallest, rel=1e-8)


def test_the_kkt_violation_is_the_distance_of_zero_from_the_subgradient(make_problem):
    features, targets = make_problem()
    coef, C, l1_ratio = GENERATOR.normal(size=12) * (np.arange(12) % 2), 0.4, 0.8

    def loss(values):  # the smooth part
        coef, intercept = values[:-1], values[-1]
        scores = np.where(targets == 1, 1, -1) * (features @ coef + intercept)
        return C * np.log1p(np.exp(-scores)).sum() + (1 - l1_ratio) / 2 * coef @ coef

    at, distances = np.append(coef, 0.2), []
    for j in range(13):
        step = 1e-6 * np.eye(13)[j]
        slope = (loss(at + step) - loss(at - step)) / 2e-6
        if j == 12:
            distances.append(abs(slope))
        elif coef[j]:
            distances.append(abs(slope + l1_ratio * np.sign(coef[j])))
        else:
            distances.append(max(abs(slope) - l1_ratio, 0))
    found = certify(features, targets, coef, 0.2, C, l1_ratio)
    assert found.max_kkt_violation == pytest.approx(max(distances), rel=1e-6)


def test_twenty_passes_of_saga_are_not_optimal(make_problem):
    """As in the mammography study: more nonzero coefficients than a lasso optimum can have."""
    features, targets = make_problem(50, 1000, dtype=np.float32)
    model = LogisticRegression(solver="saga", l1_ratio=1, C=1.0, max_iter=20, tol=0, random_state=0)
    with pytest.warns(UserWarning, match="max_iter"):
        model.fit(features, targets)
    found = certify(features, targets, model.coef_[0], float(model.intercept_[0]), 1.0)
    assert not found.optimal and found.relative_gap > 0.01
    assert found.sparsity < found.sparsity_bound == 0.95
    best = fit_lasso(features, targets, 1.0).certificate
    assert best.optimal and best.objective < found.objective and best.sparsity >= best.sparsity_bound


def test_sparsity_is_the_share_of_zeros_and_its_bound_holds_for_the_lasso_only(make_problem):
    features, targets = make_problem(40, 200)
    coef = np.zeros(200)
    coef[:49] = 1
    assert certify(features, targets, coef, 0, 1).sparsity == 1 - 49 / 200
    assert certify(features, targets, coef, 0, 1).sparsity_bound == 0.8
    assert certify(features, targets, coef, 0, 1, l1_ratio=0.9).sparsity_bound is None
    assert certify(features[:, :30], targets, coef[:30], 0, 1).sparsity_bound == 0


def test_confident_wrong_scores_give_a_finite_certificate(make_problem):
    features, targets = make_problem()
    for factor in (1e3, 1e6):
        found = certify(features, targets, -factor * np.ones(12), 0, 1.0)
        assert np.isfinite(found.objective) and not found.optimal


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_products_are_sums_in_float64(order, dtype):
    features = np.asarray(GENERATOR.normal(size=(150, 9000)), dtype, order=order)
    coef, columns = GENERATOR.normal(size=9000) * (GENERATOR.random(9000) < 0.5), GENERATOR.normal(size=(150, 2))
    exact = features.astype(np.float64)
    np.testing.assert_allclose(linear_scores(features, coef, 2.0), exact @ coef + 2, rtol=1e-11)
    np.testing.assert_allclose(transposed_product(features, columns), exact.T @ columns, atol=1e-11)


def test_the_matrix_is_not_copied(make_problem):
    features, targets = make_problem(500, 20_000, dtype=np.float32)
    coef = GENERATOR.normal(size=20_000)
    tracemalloc.start()
    certify(features, targets, coef, 0.0, 1.0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.2 * features.nbytes


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"C": 0.0}, "`C` must be a number above 0. Received: C=0.0"),
        ({"l1_ratio": 0}, "`l1_ratio` must be in"),
        ({"tolerance": 1}, "`tolerance` must be in"),
        ({"coef": np.zeros(3)}, "`coef` must be of length 12. Received: coef=3"),
        ({"coef": np.full(12, np.nan)}, "must be finite"),
        ({"features": np.zeros((60, 12), int)}, "`features` must be float32 or float64"),
        ({"targets": np.zeros(60, int)}, "must contain both classes. Received: 60 cases of class \\[0\\]"),
        ({"targets": np.arange(60)}, "`targets` must be 0 or 1"),
        ({"targets": np.zeros(59)}, "`targets` must be of shape"),
    ],
)
def test_bad_arguments_are_refused(make_problem, change, line):
    features, targets = make_problem()
    values = {"features": features, "targets": targets, "coef": np.zeros(12), "intercept": 0.0, "C": 1.0} | change
    with pytest.raises(UserError, match=line):
        certify(**values)
