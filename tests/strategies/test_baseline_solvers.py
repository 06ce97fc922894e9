"""Baselines as solvers: the head has the optimum on standardised features, for features as they are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from keras_radtl.config import LassoConfig, UserError
from keras_radtl.strategies.baseline_solvers import solve_lasso, solve_logistic
from keras_radtl.strategies.solvers import SolverSettings

GENERATOR = np.random.default_rng(0)
FEATURES = GENERATOR.gamma(2, 3, (150, 8)).astype(np.float32)
FEATURES[:, 3] = 4  # constant
TARGETS = (FEATURES[:, 0] - FEATURES[:, 1] + GENERATOR.normal(0, 4, 150) > 0).astype(int)
TRAIN, VALIDATION = np.arange(100), np.arange(100, 150)


def settings(lasso=None, lines=None) -> SolverSettings:
    validation = FEATURES[VALIDATION], TARGETS[VALIDATION]
    report = (lambda text: None) if lines is None else lines.append
    return SolverSettings(2, lasso=lasso or LassoConfig(), validation=validation, report=report)


def solve(solver, lasso=None, folds=(), lines=None):
    return solver([FEATURES[TRAIN]], TARGETS[TRAIN], np.array(folds, int), settings(lasso, lines))


def scores(solution, features) -> np.ndarray:
    first, second = (features @ solution.coefficients + solution.intercept).T
    np.testing.assert_allclose(first, -second, atol=1e-9)
    return second - first


def standardised(features) -> np.ndarray:
    train = FEATURES[TRAIN].astype(float)
    scale = train.std(0)
    scale[3] = 1
    return (features - train.mean(0)) / scale


def reference(C, penalty="l1") -> np.ndarray:
    """Return scikit-learn's scores of all cases; liblinear penalises the intercept, so saga with many passes."""
    ratio = {"l1": 1.0, "none": 0.0}[penalty]
    model = LogisticRegression(solver="saga", C=C, l1_ratio=ratio, max_iter=100_000, tol=1e-10)
    return model.fit(standardised(FEATURES[TRAIN]), TARGETS[TRAIN]).decision_function(standardised(FEATURES))


def test_lasso_at_a_fixed_C_equals_scikit_learn():
    solution = solve(solve_lasso, LassoConfig(C=0.1, tolerance=1e-9))
    np.testing.assert_allclose(scores(solution, FEATURES), reference(0.1), atol=1e-3)
    assert solution.certificate["optimal"] and solution.held_out is None and solution.strength == ("C",)
    assert {"objective", "duality_gap", "max_kkt_violation", "sparsity", "pseudo_r2", "solver"} <= set(
        solution.certificate
    )
    assert "path" not in solution.certificate


def test_arrays_give_the_scores_by_the_documented_formula():
    solution = solve(solve_lasso, LassoConfig(C=0.1))
    found = solution.arrays
    by_hand = (FEATURES - found["mean"]) / found["scale"] @ found["coef"] + found["intercept"]
    np.testing.assert_allclose(scores(solution, FEATURES), by_hand, atol=1e-9)


def test_validation_cases_choose_C():
    lines = []
    solution = solve(solve_lasso, LassoConfig(path=6, largest=5.0), lines=lines)
    path = solution.certificate["path"]
    assert len(path) == len(lines) == 6 and path[-1]["C"] == pytest.approx(5.0)
    best = min(path, key=lambda row: row["loss"])
    assert solution.certificate["C"] == best["C"]
    signs = np.where(TARGETS[VALIDATION] == 1, 1, -1)
    loss = np.logaddexp(0, -signs * scores(solution, FEATURES[VALIDATION])).mean()
    assert loss == pytest.approx(best["loss"], abs=1e-5)


def test_cross_validation_chooses_C():
    folds = np.arange(100) % 4
    config = LassoConfig(path=5, largest=5.0, choice="cross_validation")
    lines = []
    solution = solve(solve_lasso, config, folds, lines)
    path = solution.certificate["path"]
    assert len(lines) == 4 * 5 and "fold 4 of 4, step 5 of 5" in lines[-1]
    assert solution.certificate["C"] == min(path, key=lambda row: row["loss"])["C"]


def test_a_stop_between_two_steps_is_passed_on():
    class Stop(Exception):
        pass

    def report(text):
        raise Stop

    with pytest.raises(Stop):
        solve_lasso([FEATURES[TRAIN]], TARGETS[TRAIN], np.zeros(0, int), replace(settings(), report=report))


def test_logistic_equals_scikit_learn_without_penalty():
    solution = solve(solve_logistic)
    np.testing.assert_allclose(scores(solution, FEATURES), reference(1e8, "none"), atol=1e-2)
    found = solution.certificate
    assert found["separation"] == "none" and found["note"] == "" and found["degrees_of_freedom"] == 7
    assert found["likelihood_ratio"] == pytest.approx(2 * (found["log_likelihood"] - found["null_log_likelihood"]))


def test_separation_is_said():
    targets = (FEATURES[TRAIN, 0] > np.median(FEATURES[TRAIN, 0])).astype(int)
    solution = solve_logistic([FEATURES[TRAIN]], targets, np.zeros(0, int), settings())
    assert solution.certificate["separation"] == "complete" and "no maximum" in solution.certificate["note"]
    assert np.array_equal(scores(solution, FEATURES[TRAIN]) > 0, targets == 1)


@pytest.mark.parametrize("solver", [solve_lasso, solve_logistic])
def test_constant_features_are_refused(solver):
    with pytest.raises(UserError, match="constant over the 100 cases"):
        solver([np.ones((100, 5), np.float32)], TARGETS[TRAIN], np.zeros(0, int), settings(LassoConfig(C=1.0)))
