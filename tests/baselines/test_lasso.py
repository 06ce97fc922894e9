"""Lasso fits are optimal by an independent solver and by their certificate, alone and along a path."""

from __future__ import annotations

import sys
import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from keras_radtl.baselines.lasso import fit_lasso, lasso_path, path_values
from keras_radtl.config.errors import UserError


@pytest.mark.parametrize("shape", [(60, 12), (30, 80), (200, 40)])
@pytest.mark.parametrize("C", [0.05, 1.0, 20.0])
@pytest.mark.parametrize("l1_ratio", [1.0, 0.9, 0.2])
def test_the_objective_is_the_smallest(make_problem, smallest_objective, shape, C, l1_ratio):
    features, targets = make_problem(*shape)
    fit = fit_lasso(features, targets, C, l1_ratio, tolerance=1e-10)
    assert fit.certificate.objective == pytest.approx(smallest_objective(features, targets, C, l1_ratio)[0], rel=1e-8)
    assert fit.certificate.optimal and fit.certificate.relative_gap < 1e-10


@pytest.mark.parametrize("l1_ratio", [1.0, 0.6])
def test_solvers_agree(make_problem, l1_ratio):
    features, targets = make_problem(100, 20)
    ours = fit_lasso(features, targets, 0.2, l1_ratio, tolerance=1e-9)
    saga = fit_lasso(features, targets, 0.2, l1_ratio, "saga", tolerance=1e-9, max_iterations=20_000)
    np.testing.assert_allclose(ours.coef, saga.coef, atol=1e-5)
    assert ours.intercept == pytest.approx(saga.intercept, abs=1e-5)
    assert (ours.solver, saga.solver) == ("newton", "saga") and saga.certificate.optimal
    assert ((ours.coef == 0) == (saga.coef == 0)).all()


def test_skglm_agrees(make_problem):
    pytest.importorskip("skglm")
    features, targets = make_problem(100, 20)
    ours = fit_lasso(features, targets, 0.2, tolerance=1e-8)
    fit = fit_lasso(features, targets, 0.2, solver="skglm", tolerance=1e-8)
    np.testing.assert_allclose(ours.coef, fit.coef, atol=1e-6)
    assert fit.certificate.optimal


def test_a_large_problem_fulfils_the_kkt_conditions(make_problem):
    features, targets = make_problem(300, 20_000, dtype=np.float32)
    fit = fit_lasso(features, targets, 0.5, tolerance=1e-5)
    assert fit.certificate.optimal and fit.certificate.max_kkt_violation < 1e-3
    assert np.count_nonzero(fit.coef) <= 300 and fit.certificate.sparsity >= 1 - 300 / 20_000


@pytest.mark.slow
def test_chest_radiographs_fulfil_the_kkt_conditions(shared_data):
    from keras_radtl.baselines.standardization import fit_standardization

    with np.load(shared_data / "pneumonia_28.npz") as data:
        images, targets = data["train_images"], data["train_labels"].ravel()
    features = fit_standardization(images).transform(images)
    for fit in lasso_path(features, targets, path_values(features, targets, 5, 0.5), tolerance=1e-5):
        assert fit.certificate.optimal and fit.certificate.max_kkt_violation < 0.01
    assert 0.5 < fit.pseudo_r2 < 1


def test_data_that_a_hyperplane_separates_and_a_weak_penalty(make_problem):
    features, targets = make_problem(30, 80)
    fit = fit_lasso(features, targets, 1e4)
    assert fit.certificate.optimal and fit.pseudo_r2 > 0.99
    assert ((fit.predict(features) > 0.5) == targets).all()


def test_no_coefficient_below_the_first_value_of_a_path(make_problem):
    features, targets = make_problem()
    for l1_ratio in (1.0, 0.5):
        least = path_values(features, targets, 5, 3.0, l1_ratio)[0] / 1.05
        below, above = (fit_lasso(features, targets, c * least, l1_ratio, tolerance=1e-9) for c in (0.999, 1.001))
        assert not below.coef.any() and np.count_nonzero(above.coef) == 1
        share = targets.mean()
        assert below.intercept == pytest.approx(np.log(share / (1 - share)), abs=1e-6)
        assert below.pseudo_r2 == pytest.approx(0, abs=1e-9)


def test_a_path_is_the_fits_one_by_one(make_problem):
    features, targets = make_problem(40, 100)
    values = path_values(features, targets, 6, 2.0)
    assert values[-1] == pytest.approx(2.0) and np.allclose(np.diff(np.log(values)), np.log(values[1] / values[0]))
    for value, fit in zip(values, lasso_path(features, targets, values, tolerance=1e-8), strict=True):
        alone = fit_lasso(features, targets, value, tolerance=1e-8)
        assert fit.certificate.C == value and fit.certificate.optimal
        assert fit.certificate.objective == pytest.approx(alone.certificate.objective, rel=1e-8)


def test_a_resumed_path_is_the_uninterrupted_one_bit_for_bit(make_problem):
    features, targets = make_problem(40, 100, dtype=np.float32)
    values = path_values(features, targets, 6, 2.0)
    whole = list(lasso_path(features, targets, values))
    path = lasso_path(features, targets, values)
    stopped = [next(path) for _ in range(3)]
    rest = list(lasso_path(features, targets, values[3:], start=stopped[-1]))
    for one, other in zip(whole, stopped + rest, strict=True):
        assert np.array_equal(one.coef, other.coef) and one.intercept == other.intercept


def test_constant_features_have_no_coefficient(make_problem):
    features, targets = make_problem()
    features[:, 4] = 0
    fit = fit_lasso(features, targets, 10.0, tolerance=1e-8)
    assert fit.coef[4] == 0 and np.count_nonzero(fit.coef) > 5 and fit.certificate.optimal


def test_conventions(make_problem):
    features, targets = make_problem()
    fit = fit_lasso(features, targets, 0.5)
    assert fit.glmnet_lambda == 1 / (0.5 * 60) and fit.certificate.C == 0.5


@pytest.mark.parametrize("solver", ["newton", "saga"])
def test_a_fit_that_is_not_optimal_warns(make_problem, solver):
    features, targets = make_problem(50, 1000)
    with pytest.warns(ConvergenceWarning, match=f"{solver} stopped after 1 iterations.*C=10 is not optimal.*gap 0"):
        fit = fit_lasso(features, targets, 10.0, solver=solver, max_iterations=1)
    assert not fit.certificate.optimal


def test_an_optimal_fit_does_not_warn(make_problem):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert fit_lasso(*make_problem(), C=1.0).certificate.optimal


def test_a_missing_package_is_one_line(make_problem, monkeypatch):
    monkeypatch.setitem(sys.modules, "skglm", None)
    monkeypatch.setitem(sys.modules, "skglm.datafits", None)
    with pytest.raises(UserError, match=r'pip install "keras_radtl\[lasso\]"'):
        fit_lasso(*make_problem(), C=1.0, solver="skglm")


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"solver": "celer"}, "`solver` must be one of: newton, saga, skglm. Received: solver='celer'"),
        ({"max_iterations": 0}, "`max_iterations` must be at least 1"),
        ({"tolerance": 0}, "`tolerance` must be in"),
        ({"targets": np.ones(60)}, "both classes"),
        ({"C": np.nan}, "`C` must be a number above 0"),
    ],
)
def test_bad_arguments_are_refused(make_problem, change, line):
    features, targets = make_problem()
    with pytest.raises(UserError, match=line):
        fit_lasso(**({"features": features, "targets": targets, "C": 1.0} | change))


def test_values_that_are_not_finite_are_refused(make_problem):
    features, targets = make_problem()
    features[3, 4] = np.nan
    with pytest.raises(UserError, match="`features` must be finite"):
        fit_lasso(features, targets, 1.0)


def test_a_path_below_its_first_value_is_refused(make_problem):
    with pytest.raises(UserError, match="`largest` must be above .* below which all coefficients are 0"):
        path_values(*make_problem(), 5, 1e-4)
