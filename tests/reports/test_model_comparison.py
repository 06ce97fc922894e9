"""The comparison as a function: what it takes, and its results as tables, HTML and axes."""

from __future__ import annotations

import numpy as np
import pytest

from keras_radtl.config import UserError
from keras_radtl.reports.model_comparison import compare_models

HEAD = "case,path,group,split,label,predicted,logit_benign,logit_malignant,prob_benign,prob_malignant"


def scored(seed, effect, n=60):
    generator = np.random.default_rng(seed)
    targets = np.arange(n) % 3 == 0
    return targets.astype(int), np.round(
        1 / (1 + np.exp(-(generator.normal(size=n) + effect * targets - effect / 2))), 4
    )


@pytest.fixture
def bare(tmp_path):
    """Return a function that writes a CSV with case, label and score."""

    def write(name, targets, scores, order=None):
        rows = [f"case {i},{targets[i]},{scores[i]}" for i in (range(len(targets)) if order is None else order)]
        path = tmp_path / name
        path.write_text("\n".join(["case,label,score", *rows]) + "\n")
        return path

    return write


@pytest.fixture
def run(tmp_path):
    """Return a function that makes a run directory with test predictions, two cases a patient."""

    def write(name, targets, scores, split="test"):
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        names = ("benign", "malignant")
        rows = [
            f"case {i},case {i}.png,patient {i // 2},{split},{names[target]},benign,0,0,{1 - score},{score}"
            for i, (target, score) in enumerate(zip(targets, scores, strict=True))
        ]
        (folder / f"predictions_{split}.csv").write_text("\n".join([HEAD, *rows]) + "\n")
        return folder

    return write


class Run:
    """What a run has: a path."""

    def __init__(self, path):
        self.path = path


def test_the_function_takes_runs_and_paths(tmp_path, run, bare):
    targets, a = scored(0, 2.0)
    found = compare_models(Run(run("first", targets, a)), bare("second.csv", targets, scored(1, 1.0)[1]), alpha=0.1)
    assert list(found.auc.index) == ["first", "second"] and found.auc["n"].tolist() == [60, 60]
    (pair,) = found.pairs.to_dict("records")
    assert pair["difference"] == found.auc["auc"]["first"] - found.auc["auc"]["second"]
    text = str(found)
    assert text.startswith("AUC with DeLong's 90 % interval, n=60") and not text.endswith("\n")
    assert "first - second" in text and "<td>first</td>" in found._repr_html_()
    assert repr(found).startswith("<ModelComparison of 60 cases, AUC: first 0.")


def test_the_curves_are_drawn_on_given_axes(tmp_path, bare):
    from matplotlib.figure import Figure

    axes = Figure().subplots()
    found = compare_models(bare("a.csv", *scored(0, 2.0)), bare("b.csv", scored(0, 2.0)[0], scored(1, 1.0)[1]))
    assert found.plot_roc(axes) is axes
    labels = [text.get_text().split(":")[0] for text in axes.get_legend().get_texts()]
    assert labels == ["a", "b"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"alpha": 1}, "`alpha` must be in"),
        ({"correction": "bonferroni"}, "`correction` must be one of holm"),
        ({"mcnemar": "mid-p"}, "`mcnemar` must be one of corrected"),
        ({"clustered": True}, "`clustered` needs the groups"),
    ],
)
def test_wrong_arguments_are_named(bare, options, message):
    path = bare("a.csv", *scored(0, 1.0))
    with pytest.raises(UserError, match=message):
        compare_models(path, path, **options)
