"""The table of strategies on runs with known metrics: selected rate, means, marks, wins, tests, missing runs."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from keras_radtl.config import Config
from keras_radtl.metrics.classification import exact_auc
from keras_radtl.runs.files import read_csv, write_csv, write_json
from keras_radtl.stats.delong_tests import delong_test
from keras_radtl.sweeps.folder import SweepFolder
from keras_radtl.sweeps.results import Results
from keras_radtl.sweeps.run_list import RunSpec
from keras_radtl.sweeps.strategy_comparison import compare_strategies, failed_cells
from keras_radtl.sweeps.strategy_report import markdown, strategy_text, write_strategy_comparison

CASES = 60
TARGETS = np.arange(CASES) % 3 == 0


def scores(seed, effect):
    noise = np.random.default_rng(seed).normal(size=CASES)
    return 1 / (1 + np.exp(-(noise + effect * TARGETS - effect / 2)))


def write_run(folder, name, values, val_auc, classes=("benign", "malignant"), targets=TARGETS):
    """Write what a comparison reads of a finished run with given probabilities of the second class."""
    run = folder.run(name)
    probabilities = np.stack([1 - values, values], axis=1) if values.ndim == 1 else values
    head = ["case", "group", "label", *(f"prob_{c}" for c in classes)]
    write_csv(
        run / "predictions_test.csv",
        head,
        [[f"c{i:02d}", f"g{i:02d}", classes[int(targets[i])], *map(float, probabilities[i])] for i in range(CASES)],
    )
    figures = {name: {"value": 0.5} for name in ("auc", "accuracy", "f1", "log_loss")}
    write_json(run / "metrics.json", {"val": {**figures, "auc": {"value": val_auc}}, "test": figures})
    write_json(run / "summary.json", {"classes": list(classes), "multilabel": False, "seconds": 1.0})
    run.set_status("finished")


@pytest.fixture
def results(tmp_path):
    """A sweep of ft, lp and lp_ft at two rates and three seeds; the better rate is 0.1; one run of lp_ft failed."""
    folder, runs = SweepFolder(tmp_path), []
    for strategy, effect in (("ft", 1.0), ("lp", 2.5), ("lp_ft", 1.0)):
        for rate in (0.1, 0.01):
            for seed in (0, 1, 2):
                name = f"{strategy}-{rate:g}-{seed}"
                runs.append(
                    RunSpec(
                        name, Config(), {"backbone": "R", "strategy": strategy, "learning_rate": rate, "seed": seed}
                    )
                )
                if name == "lp_ft-0.1-2":
                    folder.set_failure(name, "not enough memory", 1.0)
                else:
                    better = {0.1: 0.8, 0.01: 0.7}[rate] if strategy != "lp" else {0.1: 0.7, 0.01: 0.9}[rate]
                    write_run(
                        folder, name, scores(10 * seed + len(strategy), effect * (1 if rate == 0.1 else 0.9)), better
                    )
    return Results(folder, runs, {})


def test_rate_by_validation_mean_and_standard_error(results):
    found = compare_strategies(results)
    assert {key[1]: cell.learning_rate for key, cell in found.cells.items()} == {"ft": 0.1, "lp": 0.01, "lp_ft": 0.01}
    values = [exact_auc(TARGETS, scores(10 * seed + 2, 1.0)) for seed in (0, 1, 2)]
    cell = found.cells["R", "ft"]
    assert cell.values("macro_auroc") == pytest.approx(values, abs=1e-12)
    assert cell.mean("macro_auroc") == pytest.approx(np.mean(values))
    assert cell.std_error("macro_auroc") == pytest.approx(stats.sem(values))
    assert failed_cells(found) == ["lp_ft, R: lp_ft-0.1-2: not enough memory"]


def test_changes_and_wins(results):
    found = compare_strategies(results)
    ft, lp = (found.cells["R", name].mean("kappa") for name in ("ft", "lp"))
    assert found.changes["R", "lp"]["kappa"] == pytest.approx(100 * (lp - ft) / ft)
    assert set(found.changes["R", "ft"].values()) == {None}
    assert found.wins["lp"] == (5, 5) and found.wins["ft"] == (0, 0)


def test_paired_tests_over_seeds_and_cases(results):
    found = compare_strategies(results)
    lp = next(test for test in found.tests if test.strategy == "lp")
    ours, theirs = (found.cells["R", name].values("macro_auroc") for name in ("lp", "ft"))
    assert lp.p_seeds == pytest.approx(stats.ttest_rel(ours, theirs).pvalue, rel=1e-9)
    assert lp.difference == pytest.approx(np.mean(ours) - np.mean(theirs))
    assert lp.p_cases < 0.05 and lp.method == "DeLong, mean over seeds"
    other = next(test for test in found.tests if test.strategy == "lp_ft")
    smaller, larger = sorted((lp.p_cases, other.p_cases))
    assert sorted((lp.p_cases_holm, other.p_cases_holm)) == pytest.approx(
        sorted((min(1, 2 * smaller), max(larger, 2 * smaller)))
    )


def test_with_one_seed_the_test_over_cases_is_delongs(tmp_path):
    folder = SweepFolder(tmp_path)
    a, b = scores(1, 1.0), scores(2, 2.0)
    runs = [
        RunSpec(name, Config(), {"backbone": "R", "strategy": name, "learning_rate": 0.1, "seed": 0})
        for name in ("ft", "lp")
    ]
    write_run(folder, "ft", a, 0.8)
    write_run(folder, "lp", b, 0.8)
    (test,) = compare_strategies(Results(folder, runs, {})).tests
    assert test.p_cases == pytest.approx(delong_test(TARGETS, b, a).p, rel=1e-9)
    assert test.p_seeds is None and test.p_seeds_holm is None


def test_three_classes_are_tested_by_permutation(tmp_path):
    folder, targets = SweepFolder(tmp_path), np.arange(CASES) % 3
    runs = []
    for strategy, effect in (("ft", 0.2), ("lp", 4.0)):
        values = np.random.default_rng(len(runs)).random((CASES, 3)) + effect * np.eye(3)[targets]
        write_run(folder, strategy, values / values.sum(axis=1, keepdims=True), 0.8, ("a", "b", "c"), targets)
        runs.append(
            RunSpec(strategy, Config(), {"backbone": "R", "strategy": strategy, "learning_rate": 0.1, "seed": 0})
        )
    (test,) = compare_strategies(Results(folder, runs, {})).tests
    assert test.method == "permutation, mean over seeds" and test.p_cases < 0.01


def test_tables_mark_the_best_values_and_name_failed_runs(results, tmp_path):
    found = compare_strategies(results)
    text = strategy_text(found, ansi=True)
    row = next(line for line in text.splitlines() if line.startswith("lp "))
    assert row.count("\033[1;4m") == 5, "best of its column and of all backbones"
    assert "\033" not in strategy_text(found, ansi=False)
    assert "failed: lp_ft, R: lp_ft-0.1-2: not enough memory" in text
    assert "better than ft by more than 0.1 %: lp 5 of 5" in text
    best = f"{found.cells['R', 'lp'].mean('map'):.3f}"
    assert f"<u>**{best} (" in markdown(found)
    files = write_strategy_comparison(tmp_path / "out", found)
    rows = {row["strategy"]: row for row in read_csv(files[0])}
    assert (rows["lp"]["map_best"], rows["ft"]["map_best"]) == ("1", "0")
    assert math.isclose(float(rows["ft"]["kappa_mean"]), found.cells["R", "ft"].mean("kappa"), rel_tol=1e-8)
    assert files[-1].read_bytes()[:4] == b"\x89PNG"


def test_a_cell_without_a_finished_run_is_in_the_table(tmp_path):
    folder = SweepFolder(tmp_path)
    runs = [
        RunSpec(name, Config(), {"backbone": "R", "strategy": name, "learning_rate": 0.1, "seed": 0})
        for name in ("ft", "lp")
    ]
    write_run(folder, "ft", scores(1, 1.0), 0.8)
    folder.set_failure("lp", "boom", 0.1)
    found = compare_strategies(Results(folder, runs, {}))
    text = strategy_text(found, ansi=False)
    assert "failed: lp, R: lp: boom" in text and text.count("failed  ") >= 4
