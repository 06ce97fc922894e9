"""Compare fine-tuning strategies: mean and standard error over seeds, change from full fine-tuning, and tests.

For each strategy and backbone the learning rate with the highest validation AUC, as a mean over seeds, is chosen. Test
metrics are read for that learning rate only.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from keras_radtl.metrics.macro import MACRO_METRICS
from keras_radtl.strategies.table import REFERENCE_STRATEGY
from keras_radtl.sweeps.results import FINISHED, Results
from keras_radtl.sweeps.seed_results import Seed, read_seed
from keras_radtl.sweeps.strategy_tests import StrategyTest, strategy_tests

MARGIN = 0.1  # percent; a larger change counts as a win


@dataclass(frozen=True)
class Cell:
    """One strategy with one backbone, at the chosen learning rate.

    Attributes:
        backbone: Name of the backbone.
        strategy: Name of the strategy.
        learning_rate: The chosen learning rate; None if no run is finished.
        seeds: Results of each finished seed.
        missing: Name and reason of each run of this strategy and backbone that is not finished.
    """

    backbone: str
    strategy: str
    learning_rate: float | None
    seeds: tuple[Seed, ...]
    missing: tuple[str, ...]

    def values(self, metric: str) -> list[float]:
        """Return a metric of each seed for which it is defined."""
        return [seed.metrics[metric] for seed in self.seeds if seed.metrics[metric] is not None]

    def mean(self, metric: str) -> float | None:
        """Return the mean of a metric over seeds; None if no seed has a value."""
        values = self.values(metric)
        return sum(values) / len(values) if values else None

    def std_error(self, metric: str) -> float | None:
        """Return the standard error of the mean; None for fewer than two values."""
        values, mean = self.values(metric), self.mean(metric)
        if len(values) < 2:
            return None
        return math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1) / len(values))


@dataclass(frozen=True)
class StrategyComparison:
    """The table of strategies.

    Attributes:
        cells: Cells by (backbone, strategy), in the order of the runs.
        changes: Change from full fine-tuning in percent, or None, by (backbone, strategy) and metric.
        wins: (number of changes above `MARGIN`, number of changes) by strategy.
        tests: Tests of each strategy against full fine-tuning.
    """

    cells: Mapping[tuple[str, str], Cell]
    changes: Mapping[tuple[str, str], Mapping[str, float | None]]
    wins: Mapping[str, tuple[int, int]]
    tests: tuple[StrategyTest, ...]

    @property
    def backbones(self) -> tuple[str, ...]:
        """Backbones in order."""
        return tuple(dict.fromkeys(backbone for backbone, _ in self.cells))

    @property
    def strategies(self) -> tuple[str, ...]:
        """Strategies in order."""
        return tuple(dict.fromkeys(strategy for _, strategy in self.cells))

    def best(self, metric: str, backbone: str | None = None) -> float | None:
        """Return the highest mean of a metric, for one backbone or, with None, over all of them."""
        means = [c.mean(metric) for c in self.cells.values() if backbone in (None, c.backbone)]
        return max((mean for mean in means if mean is not None), default=None)


def compare_strategies(results: Results) -> StrategyComparison:
    """Compare the strategies of a sweep whose factors are backbone, strategy, learning_rate and seed."""
    keys = dict.fromkeys((run.factors["backbone"], run.factors["strategy"]) for run in results.runs)
    cells = {
        key: _cell(*key, [row for row in results.rows.values() if (row["backbone"], row["strategy"]) == key], results)
        for key in keys
    }
    changes = {key: _changes(cell, cells.get((cell.backbone, REFERENCE_STRATEGY))) for key, cell in cells.items()}
    wins = {}
    for strategy in dict.fromkeys(strategy for _, strategy in keys):
        found = [
            v for (_, name), change in changes.items() if name == strategy for v in change.values() if v is not None
        ]
        wins[strategy] = (sum(value > MARGIN for value in found), len(found))
    pairs = [
        (cells[cell.backbone, REFERENCE_STRATEGY], cell)
        for cell in cells.values()
        if (cell.backbone, REFERENCE_STRATEGY) in cells
    ]
    tests = strategy_tests(
        [(b.backbone, b.strategy, a.seeds, b.seeds) for a, b in pairs if b.strategy != REFERENCE_STRATEGY]
    )
    return StrategyComparison(cells, changes, wins, tests)


def choose_rate(rows: Sequence[dict]) -> float | None:
    """Return the learning rate with the most finished seeds and, among those, the highest mean validation AUC."""
    values: dict[float, list[float]] = {}
    for row in rows:
        if row["status"] == FINISHED and row.get("val_auc") is not None:
            values.setdefault(row["learning_rate"], []).append(row["val_auc"])
    return max(values, key=lambda rate: (len(values[rate]), sum(values[rate]) / len(values[rate])), default=None)


def _cell(backbone: str, strategy: str, rows: Sequence[dict], results: Results) -> Cell:
    rate = choose_rate(rows)
    done = [row for row in rows if row["status"] == FINISHED and row["learning_rate"] == rate]
    seeds = tuple(read_seed(results.folder.run(row["name"]), row["seed"]) for row in done)
    missing = [f"{row['name']}: {row.get('error') or row['status']}" for row in rows if row["status"] != FINISHED]
    return Cell(backbone, strategy, rate, seeds, tuple(missing))


def _changes(cell: Cell, reference: Cell | None) -> dict[str, float | None]:
    changes: dict[str, float | None] = {}
    for metric in MACRO_METRICS:
        ours, theirs = cell.mean(metric), reference.mean(metric) if reference else None
        known = ours is not None and theirs and cell.strategy != REFERENCE_STRATEGY
        changes[metric] = 100 * (ours - theirs) / abs(theirs) if known else None
    return changes


def failed_cells(found: StrategyComparison) -> list[str]:
    """Return one line per run that is not finished."""
    return [f"{c.strategy}, {c.backbone}: {line}" for c in found.cells.values() for line in c.missing]
