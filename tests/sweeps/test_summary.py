"""The comparison of the runs of a sweep: mixed models as declared, a figure for each factor, and the closing lines."""

from __future__ import annotations

from itertools import product

from keras_radtl.runs.files import read_json
from keras_radtl.studies.table import get_study
from keras_radtl.sweeps.run_list import RunSpec
from keras_radtl.sweeps.study import Study, StudyAnalysis
from keras_radtl.sweeps.summary import close, counts


def study(*analyses: StudyAnalysis, compare: bool = False) -> Study:
    return Study("some", lambda choices: [], analyses=analyses or (StudyAnalysis(),), compare=compare)


def grid() -> list[dict]:
    """Return the levels of 176 runs as in the grid of BACON."""
    heads = [("Linear", None, None), *(("NonLinear", ratio, None) for ratio in (0.5, 1.0))]
    heads += product(("Conv", "ConvSkip"), (0.5, 1.0), (4, 16))
    levels = product(("acl", "breast"), ("ImageNet", "RadImageNet"), ("R", "D"), ("cosine", "beta"), heads)
    names = ("task", "pretrain", "backbone", "lrdecay", "clf", "fc_ratio", "numfilters")
    return [dict(zip(names, (*first, *head), strict=True)) for *first, head in levels]


def test_the_grid_ends_with_both_models_of_the_paper(finished_sweep):
    results = finished_sweep(grid())
    text = close(results, get_study("grid176"))
    first, second = (read_json(results.folder.path / name) for name in ("analysis.json", "analysis_clf.json"))
    assert (first["n"], second["n"]) == (176, 176), "runs without filters are included, as in the paper"
    assert [row["term"] for row in first["fixed"]] == ["(Intercept)", "pretrainRadImageNet"]
    assert [row["term"] for row in second["fixed"]] == ["(Intercept)", "clfConvSkip", "clfLinear", "clfNonLinear"]
    groups = [{row["group"] for row in found["random"]} - {"Residual"} for found in (first, second)]
    assert groups[0] == {"clf", "numfilters", "lrdecay", "backbone", "task"}
    assert groups[1] == {"task", "pretrain", "backbone", "lrdecay", "numfilters"}
    assert text.index("Pretraining (Table 11)") < text.index("Classifier (Table 12)")
    names = {path.name for path in (results.folder.path / "figures").iterdir()}
    assert names == {f"box_{name}.png" for name in grid()[0]}
    assert all(f"figure:   {results.folder.path / 'figures' / name}" in text for name in names)


def test_only_analyses_whose_fixed_factors_vary_are_made(finished_sweep):
    results = finished_sweep([levels for levels in grid() if levels["pretrain"] == "ImageNet"])
    text = close(results, get_study("grid176"))
    assert "Table 11" not in text and "Classifier (Table 12)" in text
    assert [path.name for path in results.folder.path.glob("analysis*")] == ["analysis.json"]
    results = finished_sweep([{"a": a, "b": b} for a in "xy" for b in "xyz"])
    close(results, study(StudyAnalysis(("c",), ("a",))))
    found = read_json(results.folder.path / "analysis.json")
    assert {row["group"] for row in found["random"]} == {"a", "b", "Residual"} and len(found["fixed"]) == 1


def test_one_factor_has_a_figure_without_a_model(finished_sweep):
    results = finished_sweep([{"seed": seed} for seed in range(3)])
    text = close(results, study())
    assert "figure:   " in text and "no analysis" not in text and not (results.folder.path / "analysis.json").exists()


def test_an_impossible_model_is_named_and_the_figures_are_drawn(finished_sweep):
    results = finished_sweep([{"a": a, "b": a} for a in ("x", "y") for _ in range(4)])
    text = close(results, study(StudyAnalysis(("a",), ("b",))))
    assert "figure:   " in text and text.endswith(f"runs:     8 finished\nresults:  {results.folder.results}\n")


def test_a_sweep_of_one_strategy_has_no_wins(finished_sweep):
    levels = [{"backbone": "R", "strategy": "lp", "learning_rate": 0.1, "seed": seed} for seed in (0, 1)]
    results = finished_sweep(levels)
    text = close(results, study(compare=True))
    assert "0 of 0" not in text and "better than" not in text
    markdown = (results.folder.path / "strategies.md").read_text()
    assert "0 of 0" not in markdown and "| lp | 0.1 |" in markdown
    assert (results.folder.path / "figures" / "box_seed.png").is_file()


def test_strategies_have_their_figure(finished_sweep):
    levels = [
        {"backbone": "R", "strategy": strategy, "learning_rate": 0.1, "seed": seed}
        for strategy in ("ft", "lp")
        for seed in (0, 1)
    ]
    results = finished_sweep(levels)
    text = close(results, study(compare=True))
    assert "better than ft by more than 0.1 %: lp " in text
    names = {path.name for path in (results.folder.path / "figures").iterdir()}
    assert names == {"strategies.png", "box_strategy.png", "box_seed.png"}


def test_failed_runs_are_listed_last(finished_sweep):
    results = finished_sweep([{"x": 1}])
    results.runs.append(RunSpec("bad", results.runs[0].config, {"x": 2}))
    results.folder.set_failure("bad", "not enough memory", 1.0)
    results.update("bad")
    assert "failed: bad (not enough memory)\nruns:     1 finished, 1 failed\n" in close(results, study())
    assert counts(results.rows.values()) == "1 finished, 1 failed"


def test_a_sweep_without_results(finished_sweep):
    results = finished_sweep([])
    assert close(results, study()) == f"runs:     \nresults:  {results.folder.results}\n"


def test_runs_that_diverged_are_named(finished_sweep):
    results = finished_sweep([{"x": 1}, {"x": 2}])
    name = results.runs[1].name
    results.rows[name]["diverged"] = True
    assert f"diverged: {name}; use a lower learning rate\nruns:     2 finished\n" in close(results, study())
