"""The exact probe against scikit-learn: coefficients, objective, held-out logits, and the choice of the strength."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from keras_radtl.config import UserError
from keras_radtl.strategies import logistic_newton, probe
from keras_radtl.strategies.probe import solve_probe
from keras_radtl.strategies.solvers import SolverSettings

FOLDS = np.arange(90) % 5
KINDS = {"binary": (2, False), "softmax": (4, False), "labels": (3, True)}


def problem(kind: str, features: int = 12, seed: int = 0):
    """Return two views of 90 cases, their targets, and the settings; every fifth label is unknown."""
    outputs, multilabel = KINDS[kind]
    generator = np.random.default_rng(seed)
    first = generator.normal(3, 1, (90, features)) * generator.uniform(0.1, 9, features)
    second = first + generator.normal(0, 0.3, first.shape)
    scores = (first - first.mean(0)) / first.std(0) @ generator.normal(0, 1, (features, outputs))
    scores += generator.normal(0, 1, scores.shape)
    if not multilabel:
        return [first, second], scores.argmax(axis=1), SolverSettings(outputs)
    labels = (scores > 0.5).astype(np.float32)
    labels[generator.random(labels.shape) < 0.2] = np.nan
    labels[np.isnan(labels).all(axis=1), 0] = 1
    return [first, second], labels, SolverSettings(outputs, multilabel=True)


def reference(features, targets, settings, l2: float, cases=None):
    """Return the function from features to logits that scikit-learn fits, and the smallest mean loss plus penalty."""
    cases = np.arange(len(targets)) if cases is None else cases
    rows = np.concatenate([view[cases] for view in features])
    mean, scale = rows.mean(0), rows.std(0)
    columns = targets[cases][:, None] if targets.ndim == 1 else targets[cases]
    weights = np.ones(len(targets)) if settings.weights is None else settings.weights
    weights = np.broadcast_to(weights.reshape(len(weights), -1)[cases], columns.shape)
    repeat = (len(features), 1)
    fits, value = [], 0.0
    for column, weight in zip(np.tile(columns, repeat).T, np.tile(weights, repeat).T, strict=True):
        known = ~np.isnan(column.astype(float))
        total = weight[known].sum()
        solver = "newton-cg" if settings.outputs > 2 and not settings.multilabel else "newton-cholesky"
        model = LogisticRegression(C=1 / (l2 * total), solver=solver, tol=1e-12, max_iter=100_000)
        model.fit((rows - mean)[known] / scale, column[known].astype(int), weight[known])
        chosen = np.searchsorted(model.classes_, column[known].astype(int))
        losses = -model.predict_log_proba((rows - mean)[known] / scale)[np.arange(known.sum()), chosen]
        value += (losses * weight[known]).sum() / total + l2 / 2 * (model.coef_**2).sum()
        fits.append(model)
    logits = lambda x: np.concatenate([((x - mean) / scale) @ m.coef_.T + m.intercept_ for m in fits], 1)  # noqa: E731
    return logits, value


def as_one_logit(logits: np.ndarray, settings) -> np.ndarray:
    """Return the difference of the two logits of a binary task, and other logits unchanged."""
    return logits[:, 1:] - logits[:, :1] if settings.outputs == 2 and not settings.multilabel else logits


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("weighted", [False, True], ids=["equal weights", "weights"])
def test_solution_is_that_of_scikit_learn(kind, weighted):
    features, targets, settings = problem(kind)
    if weighted:
        shape = targets.shape if settings.multilabel else (90,)
        settings = replace(settings, weights=np.random.default_rng(1).uniform(0.5, 3, shape))
    found = solve_probe(features, targets, FOLDS, settings)
    logits, value = reference(features, targets, settings, found.certificate["l2"])
    mine = as_one_logit(features[0] @ found.coefficients + found.intercept, settings)
    theirs = logits(features[0])
    if kind == "softmax":  # the sum of its logits is not determined
        mine, theirs = mine - mine.mean(1, keepdims=True), theirs - theirs.mean(1, keepdims=True)
    assert np.abs(mine - theirs).max() < 1e-6
    assert found.certificate["objective"] == pytest.approx(value, abs=1e-9)
    assert found.certificate["converged"] and found.certificate["gradient_norm"] <= probe.TOLERANCE


@pytest.mark.parametrize("kind", KINDS)
def test_held_out_logits_are_those_of_fits_without_the_fold(kind):
    features, targets, settings = problem(kind, seed=3)
    found = solve_probe(features, targets, FOLDS, settings)
    for fold in range(5):
        inside, outside = np.flatnonzero(FOLDS != fold), np.flatnonzero(FOLDS == fold)
        logits, _ = reference(features, targets, settings, found.certificate["l2"], inside)
        mine, theirs = as_one_logit(found.held_out[outside], settings), logits(features[0][outside])
        if kind == "softmax":
            mine, theirs = mine - mine.mean(1, keepdims=True), theirs - theirs.mean(1, keepdims=True)
        assert np.abs(mine - theirs).max() < 1e-3  # the fits of the path have a larger tolerance


def test_strength_has_the_smallest_held_out_loss():
    features, targets, settings = problem("binary")
    certificate = solve_probe(features, targets, FOLDS, settings).certificate
    losses = {}
    for l2 in (row["l2"] for row in certificate["path"]):
        total = 0.0
        for fold in range(5):
            logits, _ = reference(features, targets, settings, l2, np.flatnonzero(FOLDS != fold))
            sign = np.where(targets[FOLDS == fold] == 1, 1, -1)
            total += np.logaddexp(0, -sign * logits(features[0][FOLDS == fold])[:, 0]).sum()
        losses[l2] = total / 90
    assert {row["l2"]: row["loss"] for row in certificate["path"]} == pytest.approx(losses, abs=1e-5)
    assert certificate["l2"] == min(losses, key=losses.get)


def test_one_standard_error_chooses_a_stronger_penalty():
    features, targets, settings = problem("binary")
    best = solve_probe(features, targets, FOLDS, settings).certificate
    other = solve_probe(features, targets, FOLDS, replace(settings, one_standard_error=True)).certificate
    row = next(row for row in best["path"] if row["l2"] == best["l2"])
    limit = row["loss"] + row["standard_error"]
    assert other["l2"] == max(r["l2"] for r in best["path"] if r["loss"] <= limit) > best["l2"]


def test_cases_are_judged_by_the_given_features():
    features, targets, settings = problem("binary")
    mean = np.mean(features, axis=0)
    plain = solve_probe(features, targets, FOLDS, settings)
    judged = solve_probe(features, targets, FOLDS, replace(settings, judged=mean))
    again = solve_probe(features[::-1], targets, FOLDS, replace(settings, judged=mean))
    assert not np.allclose(plain.held_out, judged.held_out)
    assert np.allclose(judged.held_out, again.held_out, atol=1e-4), "the first view is a training row like the others"


def test_more_features_than_rows_and_features_without_variation():
    features, targets, settings = problem("binary", features=250)
    for view in features:
        view[:, 7] = 5.0
    found = solve_probe(features, targets, FOLDS, settings)
    assert found.certificate["gradient_norm"] <= probe.TOLERANCE and (found.coefficients[7] == 0).all()
    varied = [np.delete(view, 7, axis=1) for view in features]
    logits, _ = reference(varied, targets, settings, found.certificate["l2"])
    mine = as_one_logit(features[0] @ found.coefficients + found.intercept, settings)
    assert np.abs(mine - logits(varied[0])).max() < 1e-6


def test_labels_are_independent():
    features, labels, settings = problem("labels")
    found = solve_probe(features, labels, FOLDS, settings)
    other = labels.copy()
    other[:, 2] = 1 - other[:, 2]
    again = solve_probe(features, other, FOLDS, settings)
    assert again.certificate["l2"] == found.certificate["l2"]
    assert np.allclose(again.coefficients[:, :2], found.coefficients[:, :2], atol=1e-7)
    assert np.allclose(again.coefficients[:, 2], -found.coefficients[:, 2], atol=1e-7)


def test_features_without_signal_get_a_stronger_penalty():
    features, targets, settings = problem("binary")
    noise = [np.random.default_rng(0).normal(size=(90, 30))]
    with_signal, without = (solve_probe(x, targets, FOLDS, settings).certificate["l2"] for x in (features, noise))
    assert without >= 30 * with_signal


def test_a_fit_that_does_not_converge_is_an_error(monkeypatch):
    monkeypatch.setattr(logistic_newton, "_STEPS", 1)
    with pytest.raises(UserError, match=r"did not converge with l2=100: its gradient is .* after 1 steps"):
        solve_probe(*problem("binary")[:2], FOLDS, SolverSettings(2))


def test_features_that_are_not_finite_are_an_error():
    features, targets, settings = problem("binary")
    features[1][3, 4] = np.nan
    with pytest.raises(UserError, match="features of the backbone are not finite"):
        solve_probe(features, targets, FOLDS, settings)


@pytest.mark.parametrize("kind", KINDS)
def test_more_features_than_rows_have_the_same_optimum(kind):
    features, targets, settings = problem(kind, features=400)
    assert sum(map(len, features)) < 400
    found = solve_probe(features, targets, FOLDS, settings)
    assert found.certificate["gradient_norm"] <= probe.TOLERANCE
    logits, value = reference(features, targets, settings, found.certificate["l2"])
    assert found.certificate["objective"] == pytest.approx(value, abs=1e-9)
    mine = as_one_logit(features[0] @ found.coefficients + found.intercept, settings)
    assert np.abs(mine - logits(features[0])).max() < 1e-5
