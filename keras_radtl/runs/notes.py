"""What a reader of metrics has to know: a training that diverged, few cases, clustered and missing intervals."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence

from keras_radtl.runs.divergence import ADVICE, MARK

FEW_CASES = 10  # a split with fewer cases, in total or of a class, gets a warning
WARNING = "WARNING: "


def few_cases(split: str, total: int, fewest: int) -> str | None:
    """Return a warning if a split has few cases, else None.

    Args:
        split: Name of the split.
        total: Number of its cases.
        fewest: Number of cases of its rarest class.
    """
    if fewest >= FEW_CASES:
        return None
    of_class = f", {fewest} of one class" if fewest < total else ""
    return f"{split}: {total} case{'s' * (total != 1)}{of_class}; intervals are wide or missing"


def metric_notes(metrics: Mapping[str, Mapping[str, Mapping]]) -> list[str]:
    """Return notes on metrics, one line each; warnings come first and begin with `WARNING`.

    Args:
        metrics: Metrics by split and name, as in `metrics.json`.
    """
    each = [_split_notes(split, values) for split, values in metrics.items()]
    methods = [metric.get("method") or "" for values in metrics.values() for metric in values.values()]
    warnings = [warning for found, _ in each for warning in found]
    if any(method.endswith(MARK) for method in methods):
        warnings.insert(0, ADVICE)
    return [WARNING + warning for warning in warnings] + [note for _, notes in each for note in notes]


def notes_html(notes: Sequence[str]) -> str:
    """Return notes as HTML paragraphs, for notebooks."""
    return "".join(f"<p>{html.escape(note)}</p>" for note in notes)


def _split_notes(split: str, metrics: Mapping[str, Mapping]) -> tuple[Sequence[str], list[str]]:
    """Return warnings and notes on the metrics of a split."""
    counts, notes = [metric["n"] for metric in metrics.values()], []
    if any("clustered" in (metric.get("method") or "") for metric in metrics.values()):
        notes.append(f"{split}: intervals are clustered, since groups (patients) have several cases")
    reasons: dict[str, list[str]] = {}
    for name, metric in metrics.items():
        if metric["ci_low"] is None and metric.get("method"):
            reasons.setdefault(metric["method"].removesuffix(MARK), []).append(name)
    notes += [f"{split}, {', '.join(names)}: {reason}" for reason, names in reasons.items()]
    warning = few_cases(split, max(counts), min(counts))
    return [warning] if warning else [], notes
