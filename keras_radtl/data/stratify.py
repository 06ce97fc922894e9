"""Assign indivisible units (groups of cases) to parts so that every part has its share of every class.

scikit-learn's StratifiedGroupKFold can return empty folds and folds without a class, so the assignment is made here:
largest units first, each to the part that lacks most of what the unit holds. With units of one case the parts come
out exact: every class count is within one of its share, and the part sizes are the rounded shares of all cases.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np

Counts = Mapping[int, int]  # stratum (class index) -> cases of it in one unit


def quotas(totals: np.ndarray, ratios: Sequence[float], exclusive: bool) -> np.ndarray:
    """Round the shares of each stratum to whole cases.

    Args:
        totals: int (n_strata,) cases per stratum.
        ratios: shares of the parts, sum 1.
        exclusive: strata divide the cases (one class per case), so that part sizes are rounded too.
    Returns:
        int (n_strata, n_parts); each row sums to its total, and no entry of a row with at least n_parts cases is 0.
    """
    exact = np.outer(totals, ratios)
    table = np.floor(exact + 1e-9).astype(int)
    fraction = exact - table
    if exclusive:
        open_places = largest_remainder(int(totals.sum()), ratios) - table.sum(axis=0)
    left = totals - table.sum(axis=1)
    for row in np.argsort(-left, kind="stable"):
        order = np.lexsort((-fraction[row], -open_places)) if exclusive else np.argsort(-fraction[row], kind="stable")
        chosen = order[: left[row]]
        table[row, chosen] += 1
        if exclusive:
            open_places[chosen] -= 1
    for row in table:
        while row.sum() >= len(row) and row.min() == 0:
            row[row.argmax()] -= 1
            row[row.argmin()] += 1
    return table


def largest_remainder(total: int, ratios: Sequence[float]) -> np.ndarray:
    """Return whole numbers in proportion to `ratios` that sum to `total` (Hamilton's method)."""
    exact = np.asarray(ratios) * total
    parts = np.floor(exact + 1e-9).astype(int)
    parts[np.argsort(parts - exact, kind="stable")[: total - parts.sum()]] += 1
    return parts


def assign(
    counts: Sequence[Counts],
    keys: Sequence[str],
    ratios: Sequence[float],
    required: Sequence[int],
    exclusive: bool,
    seed: str,
) -> list[int]:
    """Return the part of each unit.

    Args:
        counts: cases of each stratum in each unit.
        keys: unique name of each unit; with `seed` they decide ties, so the order of the units does not matter.
        ratios: share of each part, sum 1.
        required: strata that every part must hold.
        exclusive: whether strata divide the cases.
        seed: text that stands for the random state.
    Returns:
        list of part indices. A part may still lack a required stratum when too few units hold it.
    """
    strata = sorted({stratum for unit in counts for stratum in unit})
    place = {stratum: i for i, stratum in enumerate(strata)}
    units = [{place[stratum]: n for stratum, n in unit.items()} for unit in counts]
    totals = np.zeros(len(strata), int)
    for unit in units:
        for stratum, n in unit.items():
            totals[stratum] += n
    ticket = [hashlib.sha256(f"{seed}:{key}".encode()).digest() for key in keys]
    order = sorted(range(len(units)), key=lambda i: (-sum(units[i].values()), ticket[i]))
    quota = quotas(totals, ratios, exclusive)
    held, parts = _fill(units, order, quota)
    _repair(units, order[::-1], parts, held, [place[s] for s in required if s in place], quota.tolist())
    return parts


def _fill(units: list[Counts], order: list[int], quota: np.ndarray) -> tuple[list[list[int]], list[int]]:
    """Give each unit to the part whose squared distance to its quota, per quota, falls most."""
    weight = (1 / np.maximum(quota, 1)).tolist()
    lack = quota.tolist()  # cases that each part still wants of each stratum
    parts = [0] * len(units)
    for i in order:
        gains = [
            sum((2 * lack[s][p] - n) * n * weight[s][p] for s, n in units[i].items()) for p in range(quota.shape[1])
        ]
        best = gains.index(max(gains))
        parts[i] = best
        for s, n in units[i].items():
            lack[s][best] -= n
    held = (quota - np.array(lack)).tolist()
    return held, parts


def _repair(units, order, parts, held, required, quota) -> None:
    """Move the smallest spare unit to every part that lacks a required stratum, where there is one."""
    for stratum in required:
        for part in range(len(quota[0])):
            if held[stratum][part] > 0:
                continue
            donor = next((i for i in order if units[i].get(stratum) and _spare(units[i], parts[i], held)), None)
            if donor is None:
                continue
            for s, n in units[donor].items():
                held[s][parts[donor]] -= n
                held[s][part] += n
            parts[donor] = part


def _spare(unit: Counts, part: int, held: list[list[int]]) -> bool:
    return all(held[s][part] > n for s, n in unit.items())
