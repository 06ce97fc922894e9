"""The comparison as a function: what it takes, and its results as tables, HTML and axes."""

from __future__ import annotations

import json

import numpy as np
import pytest
from matplotlib.figure import Figure

from keras_radtl.config import UserError
from keras_radtl.reports.model_comparison import compare_models


class Run:
    """What a run has: a path."""

    def __init__(self, path):
        self.path = path


def test_the_function_takes_runs_and_paths(tmp_path, write_predictions, write_scores, scored):
    targets, a = scored(0, 2.0)
    found = compare_models(
        Run(write_predictions("first", targets, a)), write_scores("second.csv", targets, scored(1, 1.0)[1]), alpha=0.1
    )
    assert list(found.auc.index) == ["first", "second"] and found.auc["n"].tolist() == [60, 60]
    (pair,) = found.pairs.to_dict("records")
    assert pair["difference"] == found.auc["auc"]["first"] - found.auc["auc"]["second"]
    text = str(found)
    assert text.startswith("AUC with 90 % interval (DeLong, logit), n=60") and not text.endswith("\n")
    assert "Pairs: AUC difference (DeLong, paired); McNemar (corrected), threshold 0.5;" in text
    assert "first - second" in text and "<td>first</td>" in found._repr_html_()
    assert repr(found).startswith("<ModelComparison of 60 cases, AUC: first 0.")


def test_a_clustered_comparison_names_every_method(write_predictions, scored):
    targets, a = scored(0, 2.0)
    folders = [write_predictions(name, targets, scored(seed, 1.0)[1]) for seed, name in enumerate("abc")]
    found = compare_models(*folders, clustered=True, mcnemar="exact", auc_scale="plain")
    text = str(found)
    assert "AUC with 95 % interval (DeLong, clustered, plain)" in text
    assert "(DeLong, paired, clustered); McNemar (exact, clustered)" in text and "t, 29 df" in text
    assert "All AUCs equal: Hotelling's T-squared, clustered" in text and "2 and 29 df" in text
    assert "All accuracies equal: Hotelling's T-squared, clustered" in text
    assert found.pairs["mcnemar_clustered"].all()
    labels = found.plot_roc(Figure().subplots()).get_legend().get_texts()
    assert f"[{found.auc['ci_low']['a']:.3f}, {found.auc['ci_high']['a']:.3f}]" in labels[0].get_text()


def test_a_missing_value_has_its_reason_below_the_table(write_scores):
    targets = [1, 0, 0, 0]
    scores = {"a": [0.9, 0.1, 0.2, 0.3], "b": [0.2, 0.1, 0.9, 0.3], "c": [0.5] * 4}
    text = str(compare_models(*(write_scores(f"{name}.csv", targets, values) for name, values in scores.items())))
    assert "  a - b: no test: fewer than two positives or negatives" in text
    assert "no interval: all scores are equal" in text and "Newcombe" in text
    assert "All AUCs equal: no test" in text


def test_groups_that_differ_or_are_missing(tmp_path):
    head, plain = "case,label,score,group\n", "case,label,score\n"
    rows = [("a", 1, 0.9, "p"), ("b", 0, 0.3, "p"), ("c", 1, 0.6, "q"), ("d", 0, 0.2, "r")]

    def write(name, groups):
        lines = [
            ",".join(map(str, (*row[:3], *([group] if groups else [])))) for row, group in zip(rows, groups or rows)
        ]
        (tmp_path / name).write_text((head if groups else plain) + "\n".join(lines) + "\n")
        return tmp_path / name

    first, same, none = write("first.csv", "ppqr"), write("same.csv", "ppqr"), write("none.csv", "")
    assert compare_models(none, first, same, clustered=True).groups == tuple("ppqr")
    with pytest.raises(UserError, match="case 'b' is in group 'p' in .*first.csv but in 'q' in .*other.csv"):
        compare_models(first, write("other.csv", "pqqr"), clustered=True)
    with pytest.raises(UserError, match="row 3: 'group' is empty"):
        compare_models(first, write("hole.csv", ["p", "", "q", "r"]))
    with pytest.raises(UserError, match="`clustered` needs the groups"):
        compare_models(none, none, clustered=True)
    with pytest.raises(UserError, match="`clustered` needs at least two groups, but all cases are in group 'p'"):
        compare_models(write("one.csv", "pppp"), none, clustered=True)


def test_a_run_that_diverged_is_a_warning(write_predictions, caplog, scored):
    first, second = (write_predictions(name, *scored(0, 2.0)) for name in ("first", "second"))
    summary = {"classes": ["benign", "malignant"], "multilabel": False, "image_shape": [8, 8, 1], "best_epoch": 1}
    for folder, diverged in ((first, False), (second, True)):
        (folder / "status.json").write_text('{"state": "finished"}')
        (folder / "summary.json").write_text(
            json.dumps(summary | {"epochs": 1, "monitor": "val_auc", "diverged": diverged})
        )
    compare_models(first, second)
    (warning,) = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert warning.startswith(f"{second}/predictions_test.csv: the training diverged")


def test_scores_that_are_no_probabilities_are_noted(write_scores, caplog, scored):
    targets, a = scored(0, 2.0)
    logits, other = write_scores("logits.csv", targets, np.round(a * 8 - 4, 3)), write_scores("a.csv", targets, a)
    with caplog.at_level("INFO"):
        compare_models(other, logits)
        compare_models(other, logits, threshold=0.0)
        compare_models(other, other)
    notes = [record.message for record in caplog.records if "outside [0, 1]" in record.message]
    assert len(notes) == 1 and "logits.csv" in notes[0] and "`threshold` changes that" in notes[0]


def test_the_curves_are_drawn_on_given_axes(tmp_path, write_scores, scored):
    axes = Figure().subplots()
    found = compare_models(
        write_scores("a.csv", *scored(0, 2.0)), write_scores("b.csv", scored(0, 2.0)[0], scored(1, 1.0)[1])
    )
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
        ({"auc_scale": "log"}, "`auc_scale` must be one of logit, plain"),
        ({"positive": "zz"}, "`positive` must be a class of a run. Received: 'zz'; the labels are 0 and 1"),
    ],
)
def test_wrong_arguments_are_named(write_scores, options, message, scored):
    path = write_scores("a.csv", *scored(0, 1.0))
    with pytest.raises(UserError, match=message):
        compare_models(path, path, **options)
