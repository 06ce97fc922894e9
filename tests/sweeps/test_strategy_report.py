"""Cells and tables of strategies as text; the tables of whole comparisons are in `test_strategy_comparison.py`."""

from __future__ import annotations

import numpy as np
import pytest

from keras_radtl.metrics.macro import MACRO_METRICS
from keras_radtl.sweeps.seed_results import Seed
from keras_radtl.sweeps.strategy_comparison import Cell, StrategyComparison
from keras_radtl.sweeps.strategy_report import cell_text, markdown, strategy_text


def cell(*values, missing=(), backbone="R", strategy="lp"):
    empty = np.zeros(0, int), np.zeros((0, 2))
    seeds = [Seed(i, dict.fromkeys(MACRO_METRICS, value), (), (), *empty) for i, value in enumerate(values)]
    return Cell(backbone, strategy, 0.1 if values else None, tuple(seeds), missing)


@pytest.mark.parametrize(
    ("values", "missing", "text"),
    [
        ((0.5,), (), "0.500"),
        ((0.4, 0.6), (), "0.500 (0.100)"),
        ((0.5,), ("r: failed",), "0.500 n=1"),
        ((), ("r: failed",), "failed"),
        ((None,), (), "undefined"),
    ],
)
def test_the_text_of_a_cell(values, missing, text):
    assert cell_text(cell(*values, missing=missing), "kappa") == text


def test_the_best_of_a_backbone_and_of_all_backbones_is_marked():
    cells = {
        (b, s): cell(v, backbone=b, strategy=s) for b, s, v in (("R", "lp", 0.7), ("R", "ft", 0.6), ("D", "lp", 0.5))
    }
    found = StrategyComparison(cells, {key: dict.fromkeys(MACRO_METRICS) for key in cells}, {}, ())
    text = strategy_text(found, ansi=False)
    assert "0.700*_" in text and "0.500*" in text and "0.500*_" not in text and "0.600*" not in text
    table = markdown(found)
    assert "<u>**0.700**</u>" in table and "| **0.500** |" in table and "| 0.600 |" in table
