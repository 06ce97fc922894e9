"""Mixed models against lme4 and lmerTest (tests/reference/mixed_model.R), closed forms and invariances."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from keras_radtl.stats.mixed_model import confidence_intervals, fit_mixed_model, likelihood_ratio_test

REFERENCE = Path(__file__).parents[1] / "reference" / "mixed_model"
EXPECTED = json.loads((REFERENCE / "expected.json").read_text())


def read_columns(name):
    path = REFERENCE / f"{name}.csv"
    text = path.read_text() if path.exists() else gzip.decompress(Path(f"{path}.gz").read_bytes()).decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    return {column: [row[column] for row in rows] for column in rows[0]}


def fit_formula(name, formula, method):
    """Fit a formula such as `y ~ a + b + (1 | c) + (1 | d)` to a reference data set."""
    columns = read_columns(name)
    random = re.findall(r"1 \| (\w+)", formula)
    fixed = re.findall(r"\w+", re.sub(r"\(.*", "", formula.split("~")[1]))
    return fit_mixed_model(columns["y"], {k: columns[k] for k in fixed}, {k: columns[k] for k in random}, method)


def case_name(case):
    return f"{case['data']}-{case['method']}-{case['formula'].split()[2]}"


@pytest.mark.parametrize("case", EXPECTED["fits"], ids=case_name)
def test_model_matches_lme4_and_lmertest(case):
    model = fit_formula(case["data"], case["formula"], case["method"])
    assert model.converged
    assert model.boundary == case["boundary"]
    assert model.n == case["n"]
    assert model.criterion == pytest.approx(case["criterion"], rel=1e-9)
    assert model.criterion <= case["default_criterion"] + 1e-7  # lme4 with default settings stops before the optimum
    assert [row.term for row in model.fixed] == [row["term"] for row in case["fixed"]]
    for ours, theirs in zip(model.fixed, case["fixed"], strict=True):
        for key, tolerance in {"estimate": 1e-6, "std_error": 1e-6, "t": 1e-6, "df": 1e-4, "p": 1e-4}.items():
            assert getattr(ours, key) == pytest.approx(theirs[key], rel=tolerance, abs=0), (ours.term, key)
    variances = {row["group"]: row["variance"] for row in case["random"]}
    for row in model.random:
        assert row.variance == pytest.approx(variances[row.group], rel=1e-6, abs=1e-12 * variances["Residual"])
        assert row.std_dev == pytest.approx(np.sqrt(row.variance))
    np.testing.assert_allclose(model.scaled_residuals, case["scaled_residuals"], rtol=1e-5, atol=1e-7)
    group = case["random"][0]["group"]
    effects = model.random_effects[group]
    in_order = [effects[level] for level in sorted(effects)]  # R sorts by code point in the C locale
    np.testing.assert_allclose(in_order, case["first_random_effects"], rtol=1e-5, atol=1e-5 * np.sqrt(variances[group]))


def test_reference_has_several_data_sets_a_singular_fit_and_a_large_one():
    assert len({case["data"] for case in EXPECTED["fits"]}) >= 6
    assert any(case["boundary"] for case in EXPECTED["fits"])
    assert any(case["n"] == 20000 for case in EXPECTED["fits"])


@pytest.mark.parametrize("case", EXPECTED["ratio_tests"], ids=("fixed", "random"))
def test_likelihood_ratio_test_refits_by_ml_and_matches_lme4(case):
    smaller, larger = (fit_formula(case["data"], case[size], "reml") for size in ("smaller", "larger"))
    found = likelihood_ratio_test(smaller, larger)
    assert found.df == case["df"]
    assert found.statistic == pytest.approx(case["statistic"], rel=1e-6)
    assert found.p == pytest.approx(case["p"], rel=1e-6)


def test_balanced_design_matches_the_analysis_of_variance():
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(10), 6)
    y = rng.normal(size=10)[group] + rng.normal(size=60)
    means = y.reshape(10, 6).mean(1)
    within = ((y.reshape(10, 6) - means[:, None]) ** 2).sum() / 50
    between = 6 * means.var(ddof=1)
    model = fit_mixed_model(y, {}, {"group": group})
    assert model.random[0].variance == pytest.approx((between - within) / 6, rel=1e-9)
    assert model.random[1].variance == pytest.approx(within, rel=1e-9)
    assert model.fixed[0].df == pytest.approx(9, rel=1e-9)


def three_factor_table(seed=3, n=150):
    rng = np.random.default_rng(seed)
    random = {name: rng.integers(0, levels, n) for name, levels in (("a", 5), ("b", 3), ("c", 7))}
    fixed = {"x": rng.normal(size=n), "arm": np.array(("u", "v", "w"))[rng.integers(0, 3, n)]}
    y = rng.normal(size=n) + sum(rng.normal(size=codes.max() + 1)[codes] for codes in random.values()) + fixed["x"]
    return y, fixed, random


@pytest.mark.parametrize("method", ("reml", "ml"))
def test_criterion_equals_the_dense_normal_likelihood_and_is_minimal(method):
    y, fixed, random = three_factor_table()
    model = fit_mixed_model(y, fixed, random, method)
    design = model.design

    def dense_criterion(variances):
        indicators = [np.eye(len(levels))[codes] for levels, codes in zip(design.levels, design.codes, strict=True)]
        covariance = variances[-1] * np.eye(len(y))
        covariance = covariance + sum(v * z @ z.T for v, z in zip(variances[:-1], indicators, strict=True))
        inverse = np.linalg.inv(covariance)
        information = design.fixed.T @ inverse @ design.fixed
        residual = y - design.fixed @ np.linalg.solve(information, design.fixed.T @ inverse @ y)
        value = np.linalg.slogdet(covariance)[1] + residual @ inverse @ residual
        rank = design.fixed.shape[1]
        if method == "ml":
            return value + len(y) * np.log(2 * np.pi)
        return value + np.linalg.slogdet(information)[1] + (len(y) - rank) * np.log(2 * np.pi)

    at = np.array([row.variance for row in model.random])
    assert model.criterion == pytest.approx(dense_criterion(at), rel=1e-10)
    for k in range(len(at)):
        for factor in (0.99, 1.01):
            moved = at.copy()
            moved[k] *= factor
            assert dense_criterion(moved) > model.criterion


def test_scaling_the_response_and_reordering_rows_changes_nothing():
    y, fixed, random = three_factor_table()
    model = fit_mixed_model(y, fixed, random)
    order = np.random.default_rng(1).permutation(len(y))
    shuffled = fit_mixed_model(
        -1e6 * y[order] + 7e6, {k: v[order] for k, v in fixed.items()}, {k: v[order] for k, v in random.items()}
    )
    for ours, theirs in zip(model.fixed, shuffled.fixed, strict=True):
        assert theirs.df == pytest.approx(ours.df, rel=1e-7)
        if ours.term != "(Intercept)":
            assert theirs.t == pytest.approx(-ours.t, rel=1e-7)
    assert shuffled.random[0].std_dev == pytest.approx(1e6 * model.random[0].std_dev, rel=1e-7)


def test_other_reference_level_changes_the_contrasts_only():
    y, fixed, random = three_factor_table()
    model = fit_mixed_model(y, fixed, random)
    other = fit_mixed_model(y, fixed, random, reference={"arm": "v"})
    assert [row.term for row in model.fixed] == ["(Intercept)", "x", "armv", "armw"]
    assert [row.term for row in other.fixed] == ["(Intercept)", "x", "armu", "armw"]
    assert other.fixed[2].estimate == pytest.approx(-model.fixed[2].estimate)
    assert other.fixed[2].df == pytest.approx(model.fixed[2].df)
    assert other.criterion == pytest.approx(model.criterion)


def test_numbers_are_a_covariate_unless_declared_categorical():
    y, _, random = three_factor_table()
    dose = ["4", "16"] * 75
    assert [row.term for row in fit_mixed_model(y, {"dose": dose}, random).fixed] == ["(Intercept)", "dose"]
    as_factor = fit_mixed_model(y, {"dose": dose}, random, categorical=("dose",))
    assert [row.term for row in as_factor.fixed] == ["(Intercept)", "dose16"]  # 4 comes before 16


def test_tiny_residual_variance_converges():
    y, fixed, random = three_factor_table()
    small = np.random.default_rng(5).normal(size=len(y)) * 1e-4
    effects = sum(np.sin(codes + 1.0) for codes in random.values())
    model = fit_mixed_model(effects + small, fixed, random)
    assert model.converged
    assert model.random[-1].std_dev == pytest.approx(1e-4, rel=0.2)


def test_wald_interval_uses_the_t_quantile_with_satterthwaite_df():
    from scipy.stats import t

    y, fixed, random = three_factor_table()
    model = fit_mixed_model(y, fixed, random)
    low, high = confidence_intervals(model, 0.9)["x"]
    row = model.fixed[1]
    assert (high - low) / 2 == pytest.approx(row.std_error * t.ppf(0.95, row.df), rel=1e-9)
    assert (high + low) / 2 == pytest.approx(row.estimate)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y": [1.0] * 150}, "must vary"),
        ({"y": [float("nan")] + [1.0] * 149}, "finite"),
        ({"fixed": {"arm": ["u"] * 150}}, "two different values"),
        ({"fixed": {"a": ["u", "v"] * 75}}, "both a fixed term and a random factor"),
        ({"fixed": {"x": np.arange(150.0), "z": 3 - 2 * np.arange(150.0)}}, "`z`, which is a combination"),
        ({"random": {}}, "at least one random factor"),
        ({"random": {"row": range(150)}}, "fewer levels than rows"),
        ({"random": {"g": [0, 1] * 75, "h": ["x", "y"] * 75}}, "must not group the rows identically"),
        ({"reference": {"arm": "q"}}, "reference of `arm` must be one of u, v, w"),
        ({"reference": {"nothing": "q"}}, "`nothing` must be one of the fixed terms"),
        ({"y": ["high"] * 150}, "`response` must be numeric. Received: 'high'"),
        ({"method": "mle"}, "`method` must be one of reml, ml"),
    ],
)
def test_invalid_input_raises(change, message):
    y, fixed, random = three_factor_table()
    arguments = {"response": change.pop("y", y), "fixed": fixed, "random": random} | change
    with pytest.raises(ValueError, match=message):
        fit_mixed_model(**arguments)


def test_response_fitted_exactly_raises():
    group = np.repeat(np.arange(6), 5)
    with pytest.raises(ValueError, match="residual variance must be > 0"):
        fit_mixed_model(group * 1.0, {}, {"group": group})


def test_likelihood_ratio_test_of_models_that_are_not_nested_raises():
    y, fixed, random = three_factor_table()
    first = fit_mixed_model(y, {"x": fixed["x"]}, random)
    second = fit_mixed_model(y, {"arm": fixed["arm"]}, random)
    with pytest.raises(ValueError, match="must be nested"):
        likelihood_ratio_test(first, second)
    shifted = fit_mixed_model(y + 1e-3 * np.arange(150), fixed, random)
    with pytest.raises(ValueError, match="the same response"):
        likelihood_ratio_test(first, shifted)


@pytest.mark.parametrize("level", [0, 1, 95])
def test_confidence_level_outside_0_to_1_raises(level):
    y, _, random = three_factor_table()
    with pytest.raises(ValueError, match="`level` must be in"):
        confidence_intervals(fit_mixed_model(y, {}, random), level)


def test_import_loads_no_heavy_library():
    heavy = ("tensorflow", "scipy", "pandas")
    code = f"import sys, keras_radtl.stats.mixed_model; print([name for name in {heavy} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
