"""The comparison of models as text: AUCs, pairs and joint tests, each named by its method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from keras_radtl.reports.text_table import text_table
from keras_radtl.stats.accuracy_tests import CochranQ
from keras_radtl.stats.delong_tests import GlobalTest
from keras_radtl.stats.model_comparison import Comparison, ModelResult, PairResult


def comparison_text(found: Comparison, options: Mapping) -> str:
    """Return the models and all pairs as text tables; a star marks a corrected p below alpha.

    Args:
        found: results.
        options: the arguments `alpha`, `correction` and `threshold`.
    """
    level = f"{100 * (1 - options['alpha']):g} %"
    lines = [*_model_lines(found.models, level), "", *_pair_lines(found.pairs, level, options)]
    if len(found.models) > 2:
        lines += ["", _global_line(found.global_test), _cochran_line(found.cochran)]
    return "\n".join(lines) + "\n"


def _model_lines(models: Sequence[ModelResult], level: str) -> list[str]:
    methods = {model.method for model in models}
    name = f" ({models[0].method})" if len(methods) == 1 and models[0].ci_low is not None else ""
    rows = [
        [model.name, f"{model.auc:.4f}", _interval(model.ci_low, model.ci_high), *([] if name else [model.method])]
        for model in models
    ]
    title = f"AUC with {level} interval{name}, n={models[0].n}, positives={models[0].positives}"
    return [title, "", text_table(rows, indent=2)]


def _pair_lines(pairs: Sequence[PairResult], level: str, options: Mapping) -> list[str]:
    alpha, first = options["alpha"], pairs[0]
    tested = next((pair for pair in pairs if pair.p is not None), None)
    area = tested.method if tested else "no test"
    freedom = None if tested is None else tested.df
    statistic = "z" if freedom is None else f"t, {freedom:g} df"
    header = ["", "difference", level, statistic, "p", "corrected", "McNemar p", "corrected"]
    rows = [
        [
            f"{pair.a} - {pair.b}",
            f"{pair.difference:+.4f}",
            _interval(pair.ci_low, pair.ci_high),
            "-" if pair.z is None else f"{pair.z:.3f}",
            _p(pair.p),
            _p(pair.p_adjusted, alpha),
            _p(pair.mcnemar_p),
            _p(pair.mcnemar_p_adjusted, alpha),
        ]
        for pair in pairs
    ]
    lines = [
        f"Pairs: AUC difference ({area}); McNemar ({first.mcnemar_method}), threshold {options['threshold']:g};",
        f"p, and p corrected ({options['correction']}), * below {alpha:g}",
        "",
        text_table([header, *rows], indent=2),
    ]
    reasons = [f"  {pair.a} - {pair.b}: {pair.method}" for pair in pairs if pair.p is None]
    return [*lines, *([""] if reasons else []), *reasons]


def _global_line(test: GlobalTest | None) -> str:
    if test is None:
        return "All AUCs equal: no test, since there are too few cases or groups, or the AUCs differ with variance 0"
    if test.df_within is None:
        return f"All AUCs equal: chi-squared {test.chi2:.3f}, {test.df} df, p {_p(test.p)}"
    freedom = f"{test.df} and {test.df_within} df"
    return f"All AUCs equal: Hotelling's T-squared, clustered {test.chi2:.3f}, {freedom}, p {_p(test.p)}"


def _cochran_line(test: CochranQ | None) -> str:
    if test is None or test.statistic is None:
        return f"All accuracies equal: {test.method if test else 'no test'}"
    return f"All accuracies equal: {test.method} {test.statistic:.3f}, {test.df} df, p {_p(test.p)}"


def _interval(low: float | None, high: float | None) -> str:
    return "-" if low is None else f"[{low:.4f}, {high:.4f}]"


def _p(value: float | None, alpha: float = 0.0) -> str:
    if value is None:
        return "-"
    return ("< 0.0001" if value < 0.0001 else f"{value:.4f}") + " *" * (value < alpha)
