"""Assign indivisible units (groups of cases) to parts so that every part has its share of every class.

scikit-learn's StratifiedGroupKFold can return empty folds and folds without a class. The algorithm here is greedy: it
assigns the largest units first, each to the part with the largest deficit in the classes of the unit. If every unit is
a single case, the result is exact: each class count is within one case of its share, and the part sizes are the rounded
shares of all cases.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np

Counts = Mapping[int, int]  # stratum (class index) -> cases of it in one unit


def quotas(totals: np.ndarray, ratios: Sequence[float], exclusive: bool) -> np.ndarray:
    """Round the share of each part in each stratum to whole cases.

    Args:
        totals: int array of shape (n_strata,), cases per stratum.
        ratios: Share of each part; their sum is 1.
        exclusive: Whether each case is in exactly one stratum (one class per case). The part sizes are then rounded
            shares of all cases, too.

    Returns:
        int array of shape (n_strata, n_parts). Each row sums to its total. Rows of at least n_parts cases have no 0.
    """
    exact = np.outer(totals, ratios)
    table = np.floor(exact + 1e-9).astype(int)
    fraction = exact - table
    if exclusive:
        capacity = largest_remainder(int(totals.sum()), ratios) - table.sum(axis=0)
    remaining = totals - table.sum(axis=1)
    for row in np.argsort(-remaining, kind="stable"):
        order = np.lexsort((-fraction[row], -capacity)) if exclusive else np.argsort(-fraction[row], kind="stable")
        chosen = order[: remaining[row]]
        table[row, chosen] += 1
        if exclusive:
            capacity[chosen] -= 1
    for row in table:
        while row.sum() >= len(row) and row.min() == 0:
            row[row.argmax()] -= 1
            row[row.argmin()] += 1
    return table


def largest_remainder(total: int, ratios: Sequence[float]) -> np.ndarray:
    """Return integers in proportion to `ratios` that sum to `total` (largest remainder method)."""
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
    """Assign each unit to a part.

    Args:
        counts: For each unit, its number of cases by stratum.
        keys: Unique name of each unit. Names and `seed` break ties, so the order of the units does not matter.
        ratios: Share of each part; their sum is 1.
        required: Strata that every part must contain.
        exclusive: Whether each case is in exactly one stratum.
        seed: Text that is hashed with the keys to break ties.

    Returns:
        List of the part index of each unit. A part may lack a required stratum if too few units contain it.
    """
    strata = sorted({stratum for unit in counts for stratum in unit})
    index = {stratum: i for i, stratum in enumerate(strata)}
    units = [{index[stratum]: n for stratum, n in unit.items()} for unit in counts]
    totals = np.zeros(len(strata), int)
    for unit in units:
        for stratum, n in unit.items():
            totals[stratum] += n
    tie_breaker = [hashlib.sha256(f"{seed}:{key}".encode()).digest() for key in keys]
    order = sorted(range(len(units)), key=lambda i: (-sum(units[i].values()), tie_breaker[i]))
    quota = quotas(totals, ratios, exclusive)
    held, parts = _fill(units, order, quota)
    _repair(units, order[::-1], parts, held, [index[s] for s in required if s in index], quota.tolist())
    return parts


def _fill(units: list[Counts], order: list[int], quota: np.ndarray) -> tuple[list[list[int]], list[int]]:
    """Assign each unit to the part where it most reduces the squared deficit relative to the quota."""
    weight = (1 / np.maximum(quota, 1)).tolist()
    deficit = quota.tolist()  # cases of each stratum that each part still needs
    parts = [0] * len(units)
    for i in order:
        gains = [
            sum((2 * deficit[s][p] - n) * n * weight[s][p] for s, n in units[i].items()) for p in range(quota.shape[1])
        ]
        best = gains.index(max(gains))
        parts[i] = best
        for s, n in units[i].items():
            deficit[s][best] -= n
    held = (quota - np.array(deficit)).tolist()
    return held, parts


def _repair(units, order, parts, held, required, quota) -> None:
    """Move the smallest unit that its part can spare to each part that lacks a required stratum, if there is one."""
    for stratum in required:
        for part in range(len(quota[0])):
            if held[stratum][part] > 0:
                continue
            donor = next((i for i in order if units[i].get(stratum) and _can_spare(units[i], parts[i], held)), None)
            if donor is None:
                continue
            for s, n in units[donor].items():
                held[s][parts[donor]] -= n
                held[s][part] += n
            parts[donor] = part


def _can_spare(unit: Counts, part: int, held: list[list[int]]) -> bool:
    return all(held[s][part] > n for s, n in unit.items())
