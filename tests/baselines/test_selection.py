"""C is chosen on cases that the fits have not seen, and no group is split."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedGroupKFold

from keras_radtl.baselines.lasso import lasso_path
from keras_radtl.baselines.selection import choose_by_validation, cross_validate, mean_log_loss
from keras_radtl.config.errors import UserError

VALUES = [0.02, 0.1, 0.5, 5.0]


def test_the_fit_with_the_smallest_loss_on_validation_cases_is_chosen(make_problem):
    features, targets = make_problem(200, 30)
    train, valid = slice(0, 100), slice(100, 200)
    fits = list(lasso_path(features[train], targets[train], VALUES))
    best, losses = choose_by_validation(iter(fits), features[valid], targets[valid])
    expected = [log_loss(targets[valid], fit.predict(features[valid])) for fit in fits]
    np.testing.assert_allclose(losses, expected)
    assert best is fits[int(np.argmin(expected))] and best.certificate.C not in (VALUES[0], VALUES[-1])


def test_ties_go_to_the_smaller_c(make_problem):
    features, targets = make_problem()
    fits = list(lasso_path(features, targets, [1e-4, 2e-4]))  # no coefficient in either
    assert choose_by_validation(fits, features, targets)[0] is fits[0]
    with pytest.raises(UserError, match="`fits` is empty"):
        choose_by_validation([], features, targets)


def test_cross_validation_is_that_of_scikit_learn_on_the_same_folds(make_problem):
    features, targets = make_problem(120, 8)
    values = [0.2, 0.5, 5.0]  # SAGA stops too early where all coefficients are 0
    groups = np.repeat(np.arange(30), 4)
    found = cross_validate(features, targets, groups, values, folds=4, seed=3, tolerance=1e-8)
    splits = StratifiedGroupKFold(4, shuffle=True, random_state=3).split(features, targets, groups)
    for fold, (train, left_out) in enumerate(splits):
        assert not set(groups[train]) & set(groups[left_out])
        mean, scale = features[train].mean(0), features[train].std(0)
        for step, value in enumerate(values):
            model = LogisticRegression(solver="saga", l1_ratio=1, C=value, tol=1e-9, max_iter=20_000)
            model.fit((features[train] - mean) / scale, targets[train])
            predicted = model.predict_proba((features[left_out] - mean) / scale)[:, 1]
            assert found.losses[fold, step] == pytest.approx(log_loss(targets[left_out], predicted), abs=1e-5)
    means = found.losses.mean(0)
    assert found.best == values[int(means.argmin())] and found.optimal.all()
    error = found.losses[:, means.argmin()].std(ddof=1) / 2
    assert found.within_one_error == min(v for v, m in zip(values, means, strict=True) if m <= means.min() + error)


def test_progress_sees_every_fit_and_can_stop(make_problem):
    features, targets = make_problem()
    seen = []

    def stop(fold, step, fit, loss):
        seen.append((fold, step, fit.certificate.C, loss))
        if len(seen) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cross_validate(features, targets, np.arange(60), [0.1, 1.0], folds=3, progress=stop)
    assert [entry[:3] for entry in seen] == [(0, 0, 0.1), (0, 1, 1.0), (1, 0, 0.1)]
    assert all(0 < entry[3] < 2 for entry in seen)


def test_bad_arguments_are_refused(make_problem):
    features, targets = make_problem()
    with pytest.raises(UserError, match="`values` must be ascending"):
        cross_validate(features, targets, np.arange(60), [1.0, 0.1])
    with pytest.raises(UserError, match="`folds` must be between 2 and the number of groups"):
        cross_validate(features, targets, np.repeat([0, 1], 30), [1.0], folds=3)
    with pytest.raises(UserError, match="Fold 1 of 2 has cases of one class only"):
        cross_validate(features, np.arange(60) // 30, np.arange(60) // 30, [1.0], folds=2)


def test_the_mean_loss_is_in_nats(make_problem):
    features, targets = make_problem()
    (fit,) = lasso_path(features, targets, [1.0])
    assert mean_log_loss(fit, features, targets) == pytest.approx(log_loss(targets, fit.predict(features)))
