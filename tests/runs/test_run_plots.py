"""Figures and operating points of a run."""

from __future__ import annotations

import matplotlib
import numpy as np
import pandas as pd
import pytest

from keras_radtl.config import UserError
from keras_radtl.runs.run_plots import RunPlots

N = 40
RANDOM = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def no_display():
    import matplotlib.pyplot as plt

    backend = matplotlib.get_backend()
    matplotlib.use("agg")
    yield
    plt.close("all")
    matplotlib.use(backend)


def make(classes=("no", "yes"), multilabel=False, folds=0) -> RunPlots:
    """Return the figures of a run with random predictions, of which the last case has no label."""
    logits = RANDOM.normal(size=(N, len(classes)))
    targets = np.arange(N) % len(classes)
    logits[np.arange(N), targets] += 1
    each = np.exp(logits)
    frame = pd.DataFrame({f"logit_{name}": logits[:, i] for i, name in enumerate(classes)})
    for i, name in enumerate(classes):
        frame[f"prob_{name}"] = 1 / (1 + np.exp(-logits[:, i])) if multilabel else each[:, i] / each.sum(axis=1)
    frame["label"] = [classes[t] for t in targets]
    frame["group"] = [f"patient {i}" for i in range(len(frame))]
    frame["predicted"] = [classes[i] for i in logits.argmax(axis=1)]
    if multilabel:
        frame.loc[::7, "label"] = ";".join(classes)
    else:
        frame.loc[N - 1, "label"] = ""
    found = RunPlots()
    found.__dict__ |= {"classes": classes, "multilabel": multilabel, "folds": folds, "predictions": lambda split: frame}
    rows = [{"epoch": e, "phase": "all", "val_auc": 0.5 + e / 10, "loss": 1 / e} for e in (1, 2, 3)]
    history = pd.DataFrame(rows)
    if folds:
        history = pd.concat([history.assign(fold=1), history[:2].assign(fold=2)])
    found.history = history
    return found


def test_roc_has_a_curve_per_class():
    def curves(run):
        return [line for line in run.plot_roc().get_lines() if "AUC" in str(line.get_label())]

    assert len(curves(make())) == 1
    assert len(curves(make(("a", "b", "c")))) == 3
    assert len(curves(make(multilabel=True))) == 2


def test_axes_can_be_given():
    import matplotlib.pyplot as plt

    axes, run = plt.subplots()[1], make()
    assert run.plot_roc(ax=axes) is axes
    for plot in (run.plot_confusion, run.plot_reliability, run.plot_decision_curve, run.plot_history):
        assert plot(ax=plt.subplots()[1]).figure is not axes.figure


def test_history_of_a_fold():
    axes = make(folds=2).plot_history(fold=2, columns=("val_auc", "loss"))
    curves = {line.get_label(): line.get_xdata() for line in axes.get_lines()}
    assert list(curves["val_auc"]) == list(curves["loss"]) == [1, 2]


def test_confusion_matrix_excludes_cases_without_label():
    assert f"n={N - 1}" in make().plot_confusion().get_title()
    with pytest.raises(UserError, match="has no confusion matrix"):
        make(multilabel=True).plot_confusion()


def test_operating_points_agree_with_their_thresholds():
    run = make()
    points = run.operating_points(specificity=0.8, sensitivity=0.7)
    assert list(points.index) == ["threshold 0.5", "Youden", "specificity >= 0.8", "sensitivity >= 0.7"]
    rows = run.predictions("test")[: N - 1]
    positive, scores = rows["label"] == "yes", rows["prob_yes"]
    for _, point in points.iterrows():
        called = scores >= point["threshold"]
        assert (point["tp"], point["fp"]) == ((called & positive).sum(), (called & ~positive).sum())
        assert point["sensitivity"] == pytest.approx((called & positive).sum() / positive.sum())
        assert point["sensitivity_low"] <= point["sensitivity"] <= point["sensitivity_high"]
    assert points.loc["specificity >= 0.8", "specificity"] >= 0.8
    assert points.loc["sensitivity >= 0.7", "sensitivity"] >= 0.7


def test_positive_class_must_exist():
    run = make()
    assert run.operating_points(positive="no").loc["threshold 0.5", "tp"] > 0
    with pytest.raises(UserError, match="`positive` must be one of no, yes. Received: positive='maybe'"):
        run.plot_reliability(positive="maybe")


def test_temperature_minimizes_the_log_loss():
    run = make()
    found = run.temperature()
    rows = run.predictions("val")[: N - 1]
    logits, targets = rows[["logit_no", "logit_yes"]].to_numpy(), (rows["label"] == "yes").to_numpy(int)

    def loss(temperature):
        scaled = logits / temperature
        return np.mean(np.log(np.exp(scaled).sum(axis=1)) - scaled[np.arange(len(targets)), targets])

    assert loss(found.temperature) <= min(loss(0.99 * found.temperature), loss(1.01 * found.temperature))
    with pytest.raises(UserError, match="needs one label per case"):
        make(multilabel=True).temperature()


def test_multi_label_targets_include_cases_with_several_labels():
    run = make(multilabel=True)
    targets, scores, _ = run._one_class("test", "no")
    assert targets.sum() == sum("no" in label.split(";") for label in run.predictions("test")["label"])
    assert isinstance(run.plot_decision_curve(positive="no").figure, matplotlib.figure.Figure)
    assert len(scores) == N
