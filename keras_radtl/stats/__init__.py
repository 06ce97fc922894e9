"""Confidence intervals and hypothesis tests for predictions and result tables.

| function | purpose |
|---|---|
| `delong_interval` | AUC with DeLong's variance and a confidence interval |
| `delong_covariance` | AUCs of several models and their covariance matrix |
| `newcombe_interval` | confidence interval of an AUC of 0 or 1 or in small samples |
| `delong_test` | test whether two models have the same AUC on the same cases |
| `delong_unpaired_test` | test whether two AUCs from different cases are equal |
| `delong_global_test` | test whether several models have the same AUC on the same cases |
| `compare_scores` | AUCs of several models, and DeLong's and McNemar's tests of all pairs |
| `mcnemar` | test whether two classifiers have the same accuracy on the same cases |
| `mcnemar_counts` | the same test from the counts of discordant cases |
| `cochran_q` | test whether several classifiers have the same accuracy on the same cases |
| `permutation_test` | paired permutation test of any statistic |
| `adjust_p_values` | Holm or Benjamini-Hochberg adjustment for multiple testing |
| `wilson_interval` | confidence interval of a proportion |
| `clustered_wilson_interval` | confidence interval of a proportion with several cases per group |
| `bootstrap_interval` | bootstrap confidence interval over cases or groups |
| `percentile_interval` | percentile interval of bootstrap samples |
| `rank_sum_test` | Wilcoxon rank sum (Mann-Whitney U) test of two samples |
| `signed_rank_test` | Wilcoxon signed rank test of paired samples |
| `kruskal_wallis_test` | Kruskal-Wallis test of several samples |
| `rank_sums_within` | rank sum tests of all pairs of levels within strata |
| `friedman_test` | Friedman test of several models on several data sets |
| `nemenyi_test` | Nemenyi test of all pairs of models after a Friedman test |
| `fit_mixed_model` | linear mixed model with crossed random intercepts (REML or ML) |
| `confidence_intervals` | Wald confidence intervals of the fixed effects of a mixed model |
| `likelihood_ratio_test` | likelihood-ratio test of two nested mixed models |

The functions are loaded on first use and need numpy, scipy, scikit-learn and statsmodels only.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from keras_radtl.stats.accuracy_tests import cochran_q, mcnemar, mcnemar_counts
    from keras_radtl.stats.delong import delong_covariance, delong_interval, newcombe_interval
    from keras_radtl.stats.delong_tests import delong_global_test, delong_test, delong_unpaired_test
    from keras_radtl.stats.friedman import friedman_test, nemenyi_test
    from keras_radtl.stats.intervals import bootstrap_interval, percentile_interval, wilson_interval
    from keras_radtl.stats.mixed_model import confidence_intervals, fit_mixed_model, likelihood_ratio_test
    from keras_radtl.stats.model_comparison import compare_scores
    from keras_radtl.stats.paired import adjust_p_values, permutation_test
    from keras_radtl.stats.proportions import clustered_wilson_interval
    from keras_radtl.stats.ranks import kruskal_wallis_test, rank_sum_test, rank_sums_within, signed_rank_test

__all__ = [
    "adjust_p_values",
    "bootstrap_interval",
    "clustered_wilson_interval",
    "cochran_q",
    "compare_scores",
    "confidence_intervals",
    "delong_covariance",
    "delong_global_test",
    "delong_interval",
    "delong_test",
    "delong_unpaired_test",
    "fit_mixed_model",
    "friedman_test",
    "kruskal_wallis_test",
    "likelihood_ratio_test",
    "mcnemar",
    "mcnemar_counts",
    "nemenyi_test",
    "newcombe_interval",
    "percentile_interval",
    "permutation_test",
    "rank_sum_test",
    "rank_sums_within",
    "signed_rank_test",
    "wilson_interval",
]

_MODULES = {
    "keras_radtl.stats.accuracy_tests": ["cochran_q", "mcnemar", "mcnemar_counts"],
    "keras_radtl.stats.delong": ["delong_covariance", "delong_interval", "newcombe_interval"],
    "keras_radtl.stats.delong_tests": ["delong_global_test", "delong_test", "delong_unpaired_test"],
    "keras_radtl.stats.friedman": ["friedman_test", "nemenyi_test"],
    "keras_radtl.stats.intervals": ["bootstrap_interval", "percentile_interval", "wilson_interval"],
    "keras_radtl.stats.mixed_model": ["confidence_intervals", "fit_mixed_model", "likelihood_ratio_test"],
    "keras_radtl.stats.model_comparison": ["compare_scores"],
    "keras_radtl.stats.paired": ["adjust_p_values", "permutation_test"],
    "keras_radtl.stats.proportions": ["clustered_wilson_interval"],
    "keras_radtl.stats.ranks": ["kruskal_wallis_test", "rank_sum_test", "rank_sums_within", "signed_rank_test"],
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Import a public function when it is first used."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOME[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
