"""Maximum likelihood agrees with statsmodels; separation is detected and said."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.stats import chi2
from sklearn.datasets import load_digits

from keras_radtl.baselines.logistic import fit_logistic, log_chi2_tail
from keras_radtl.baselines.standardization import fit_standardization
from keras_radtl.config.errors import UserError


@pytest.mark.parametrize("shape", [(60, 3), (200, 8), (500, 30)])
def test_the_fit_is_that_of_statsmodels(make_problem, shape):
    features, targets = make_problem(*shape)
    expected = sm.Logit(targets, sm.add_constant(features)).fit(disp=0, method="newton", tol=1e-12)
    fit = fit_logistic(features, targets)
    np.testing.assert_allclose(fit.coef, expected.params[1:], atol=1e-6)
    assert fit.intercept == pytest.approx(expected.params[0], abs=1e-6)
    assert fit.log_likelihood == fit.reached_log_likelihood == pytest.approx(expected.llf, rel=1e-10)
    assert fit.null_log_likelihood == pytest.approx(expected.llnull, rel=1e-8)
    assert fit.pseudo_r2 == pytest.approx(expected.prsquared, rel=1e-7)
    assert fit.likelihood_ratio == pytest.approx(expected.llr, rel=1e-7)
    assert fit.p_value == pytest.approx(expected.llr_pvalue, rel=1e-6)
    assert fit.degrees_of_freedom == expected.df_model
    assert fit.separation == ("none", 0, "residuals") and fit.note == ""
    np.testing.assert_allclose(fit.predict(features), expected.predict(), atol=1e-7)


def test_collinear_and_constant_features_count_once(make_problem):
    features, targets = make_problem(200, 5)
    plain = fit_logistic(features, targets)
    more = np.column_stack([features, features[:, 0] + features[:, 1], np.full(200, 3.0)])
    fit = fit_logistic(more, targets)
    assert fit.degrees_of_freedom == 5
    assert fit.log_likelihood == pytest.approx(plain.log_likelihood, rel=1e-9)
    np.testing.assert_allclose(fit.predict(more), plain.predict(features), atol=1e-6)
    assert fit.coef[6] == pytest.approx(0, abs=1e-12)


def test_digits_0_and_1_are_separated_and_the_limits_are_said():
    data = load_digits(n_class=2)
    features = fit_standardization(data.images).transform(data.images)
    fit = fit_logistic(features, data.target)
    assert fit.separation == ("complete", 360, "hyperplane")
    assert ((fit.predict(features) > 0.5) == data.target).all()  # the hyperplane
    share = data.target.mean()
    entropy = -(share * np.log(share) + (1 - share) * np.log(1 - share))
    assert fit.pseudo_r2 == 1 and fit.log_likelihood == 0 > fit.reached_log_likelihood
    assert fit.likelihood_ratio == pytest.approx(2 * 360 * entropy)
    assert "likelihood has no maximum" in fit.note and "2 n H" in fit.note


def test_more_features_than_cases_are_always_separated(make_problem):
    features, _ = make_problem(40, 100)
    targets = np.random.default_rng(1).permutation(np.arange(40) % 2)
    features = features.astype(np.float32)
    fit = fit_logistic(features, targets)
    assert fit.separation.kind == "complete" and fit.degrees_of_freedom == 39 and fit.coef.shape == (100,)
    assert ((fit.predict(features) > 0.5) == targets).all()


def test_quasi_complete_separation_is_found_by_the_linear_program():
    features = np.array([[-2.0], [-1], [0], [0], [1], [2]])
    fit = fit_logistic(features, [0, 0, 0, 1, 1, 1])
    assert fit.separation == ("quasi-complete", 4, "linear program")
    assert fit.log_likelihood == pytest.approx(-2 * np.log(2), rel=1e-6)  # two cases remain at probability 1/2
    assert fit.note.startswith("Quasi-complete separation: a hyperplane has 4 of 6 cases")


def test_one_case_on_the_wrong_side_ends_separation():
    data = load_digits(n_class=2)
    features = fit_standardization(data.images).transform(data.images)[:, [2, 20, 36]]
    expected = sm.Logit(data.target, sm.add_constant(features.astype(float))).fit(disp=0)
    fit = fit_logistic(features, data.target)
    assert fit.separation.kind == "none"
    assert fit.pseudo_r2 == pytest.approx(expected.prsquared, rel=1e-6) and 0 < fit.pseudo_r2 < 1


@pytest.mark.parametrize("degrees", [1, 10, 784])
def test_the_tail_of_chi_squared_agrees_where_it_does_not_underflow(degrees):
    for tail in (0.5, 1e-5, 1e-100, 1e-240):
        assert log_chi2_tail(chi2.isf(tail, degrees), degrees) == pytest.approx(np.log(tail), rel=1e-6)


def test_the_tail_of_chi_squared_below_the_smallest_float():
    """With two degrees of freedom it is exp(-x / 2); with four, (1 + x / 2) exp(-x / 2)."""
    for x in (1200.0, 17495.21, 1e6):
        assert log_chi2_tail(x, 2) == pytest.approx(-x / 2, rel=1e-12)
        assert log_chi2_tail(x, 4) == pytest.approx(np.log1p(x / 2) - x / 2, rel=1e-12)


def test_the_tail_of_chi_squared_is_continuous_where_the_method_changes():
    x = chi2.isf(1e-250, 784)
    below, above = log_chi2_tail(x * (1 - 1e-9), 784), log_chi2_tail(x * (1 + 1e-9), 784)
    assert above < below and above == pytest.approx(below, rel=1e-7)


def test_bad_arguments_are_refused():
    with pytest.raises(UserError, match="both classes"):
        fit_logistic(np.ones((4, 2)), [1, 1, 1, 1])
    with pytest.raises(UserError, match="`features` must be finite"):
        fit_logistic(np.array([[np.nan], [1]]), [0, 1])
    with pytest.raises(UserError, match="All 2 features are constant over the 4 cases"):
        fit_logistic(np.ones((4, 2)), [0, 1, 0, 1])
