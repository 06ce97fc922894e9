"""The certificate of a statistical baseline as text."""

from __future__ import annotations

from collections.abc import Mapping


def baseline_lines(summary: Mapping) -> list[str]:
    """Return what `summary.json` says of a lasso or logistic regression; nothing for other runs."""
    if "relative_gap" in summary:
        return _lasso(summary)
    return _logistic(summary) if "likelihood_ratio" in summary else []


def _lasso(summary: Mapping) -> list[str]:
    verdict = "optimal" if summary["optimal"] else "NOT optimal"
    each = ", by fold " + ", ".join(f"{C:.4g}" for C in summary["fold_C"]) if "fold_C" in summary else ""
    gap = f"relative duality gap {summary['relative_gap']:.1e}, KKT violation {summary['max_kkt_violation']:.1e}"
    return [
        f"lasso: C {summary['C']:.4g}{each}, {100 * summary['sparsity']:.2f} % of the coefficients are 0",
        f"certificate: {verdict}, {gap}",
        f"pseudo-R2 (McFadden) {summary['pseudo_r2']:.4f} on training cases",
    ]


def _logistic(summary: Mapping) -> list[str]:
    lines = [f"pseudo-R2 (McFadden) {summary['pseudo_r2']:.4f} on training cases"]
    if "degrees_of_freedom" in summary:  # of one split
        test = f"{summary['likelihood_ratio']:.2f} with {summary['degrees_of_freedom']} degrees of freedom"
        lines += [f"likelihood-ratio statistic {test}, p {_p_value(summary)}", f"separation: {summary['separation']}"]
        lines += [summary["note"]] if summary["note"] else []
    return lines


def _p_value(summary: Mapping) -> str:
    p = summary["p_value"]
    return f"{p:.3g}" if p > 1e-300 else f"10^{summary['log10_p']:.0f}"


def simulation_text(result) -> str:
    """Return the result of `baselines.simulate` as text."""
    rounds = len(result.differences)
    return (
        f"{rounds} rounds of {result.images} images, mean magnitude of the true coefficients {result.magnitude:.4f}\n"
        f"MMAD {result.mmad:.4f}, SMAD {result.smad:.4f}, slope of estimates on true coefficients {result.slope:.3f}\n"
    )
