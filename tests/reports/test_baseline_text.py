"""The certificate of a baseline as text."""

from __future__ import annotations

from keras_radtl.reports.baseline_text import baseline_lines

LASSO = {"C": 0.05, "sparsity": 0.9921875, "optimal": True, "relative_gap": 2.5e-4, "max_kkt_violation": 0.0038}
LOGISTIC = {"pseudo_r2": 0.25, "likelihood_ratio": 104.38, "degrees_of_freedom": 89, "p_value": 0.127, "log10_p": -0.9}


def test_lasso():
    lines = baseline_lines({**LASSO, "pseudo_r2": 0.215})
    assert lines == [
        "lasso: C 0.05, 99.22 % of the coefficients are 0",
        "certificate: optimal, relative duality gap 2.5e-04, KKT violation 3.8e-03",
        "pseudo-R2 (McFadden) 0.2150 on training cases",
    ]
    lines = baseline_lines({**LASSO, "pseudo_r2": 0.2, "optimal": False, "fold_C": [0.05, 0.1]})
    assert "by fold 0.05, 0.1," in lines[0] and "NOT optimal" in lines[1]


def test_logistic_regression():
    lines = baseline_lines({**LOGISTIC, "separation": "none", "note": ""})
    assert lines[1:] == ["likelihood-ratio statistic 104.38 with 89 degrees of freedom, p 0.127", "separation: none"]
    tiny = {**LOGISTIC, "p_value": 0.0, "log10_p": -512.3, "separation": "complete", "note": "A hyperplane"}
    assert baseline_lines(tiny)[1].endswith("p 10^-512") and baseline_lines(tiny)[-1] == "A hyperplane"


def test_other_runs_have_none():
    assert baseline_lines({"best_epoch": 3}) == []
