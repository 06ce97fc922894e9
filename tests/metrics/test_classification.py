"""Classification metrics against scikit-learn, and undefined metrics."""

from __future__ import annotations

import json
import math
import warnings

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from keras_radtl.metrics.classification import METRICS, classification_metrics, cohen_kappa, exact_auc, macro_auc
from keras_radtl.stats.delong import delong_interval
from keras_radtl.stats.intervals import wilson_interval


def predictions(num_classes, n=200, seed=0, decimals=None):
    """Return targets and informative softmax probabilities; rounding the logits makes ties."""
    generator = np.random.default_rng(seed)
    targets = np.append(np.arange(num_classes), generator.integers(0, num_classes, n - num_classes))
    logits = generator.normal(size=(n, num_classes)) + 1.2 * (targets[:, None] == np.arange(num_classes))
    if decimals is not None:
        logits = np.round(logits, decimals)
    odds = np.exp(logits)
    return targets, odds / odds.sum(axis=1, keepdims=True)


def with_sklearn(targets, probabilities):
    """Compute the same metrics with scikit-learn."""
    binary = probabilities.shape[1] == 2
    predicted = probabilities.argmax(axis=1)
    one_hot = np.eye(probabilities.shape[1], dtype=int)[targets]
    judged = (targets, probabilities[:, 1]) if binary else (one_hot, probabilities)
    average = "binary" if binary else "macro"
    specificities = [
        sklearn_metrics.recall_score(1 - one_hot[:, c], predicted != c) for c in range(probabilities.shape[1])
    ]
    return {
        "auc": sklearn_metrics.roc_auc_score(*judged),
        "accuracy": sklearn_metrics.accuracy_score(targets, predicted),
        "f1": sklearn_metrics.f1_score(targets, predicted, average=average),
        "sensitivity": sklearn_metrics.recall_score(targets, predicted, average=average),
        "specificity": specificities[1] if binary else np.mean(specificities),
        "balanced_accuracy": sklearn_metrics.balanced_accuracy_score(targets, predicted),
        "average_precision": sklearn_metrics.average_precision_score(*judged),
        "brier": np.mean((probabilities[:, 1] - targets) ** 2)
        if binary
        else np.mean(np.sum((probabilities - one_hot) ** 2, 1)),
        "log_loss": sklearn_metrics.log_loss(targets, probabilities),
    }


@pytest.mark.parametrize("decimals", [None, 0])
@pytest.mark.parametrize("num_classes", [2, 3, 5])
def test_values_match_scikit_learn(num_classes, decimals):
    targets, probabilities = predictions(num_classes, decimals=decimals)
    found = classification_metrics(targets, probabilities, [f"c{i}" for i in range(num_classes)], replicates=20)
    expected = with_sklearn(targets, probabilities)
    assert tuple(found) == METRICS
    for name in METRICS:
        assert found[name].value == pytest.approx(expected[name], abs=1e-12), name
        assert found[name].ci_low < found[name].value < found[name].ci_high, name


def test_intervals_of_two_classes_are_those_of_delong_and_wilson():
    targets, probabilities = predictions(2)
    found = classification_metrics(targets, probabilities, ("benign", "malignant"), replicates=20)
    area = delong_interval(targets, probabilities[:, 1])
    assert found["auc"] == (area.auc, area.ci_low, area.ci_high, 200, "DeLong, logit")
    hits, positives = int(np.sum((probabilities[:, 1] > 0.5) & (targets == 1))), int(targets.sum())
    assert found["sensitivity"] == (
        *(hits / positives, *map(pytest.approx, wilson_interval(hits, positives)[:2])),
        *(positives, "Wilson"),
    )
    assert found["specificity"].n == 200 - positives
    plain = classification_metrics(targets, probabilities, ("benign", "malignant"), replicates=20, auc_scale="plain")
    assert plain["auc"][1:3] == delong_interval(targets, probabilities[:, 1], scale="plain")[2:4]
    assert plain["auc"].method == "DeLong, plain"


@pytest.mark.parametrize("num_classes", [2, 3])
def test_with_several_cases_per_group_every_interval_is_clustered(num_classes):
    targets, probabilities = predictions(num_classes, n=100)
    names = "abc"[:num_classes]
    once = classification_metrics(targets, probabilities, names, groups=np.arange(100), replicates=400)
    copied = classification_metrics(
        np.tile(targets, 4),
        np.tile(probabilities, (4, 1)),
        names,
        groups=np.tile(np.arange(100), 4),
        replicates=400,
    )
    ungrouped = classification_metrics(np.tile(targets, 4), np.tile(probabilities, (4, 1)), names, replicates=400)
    assert tuple(once) == tuple(copied) == METRICS
    for name in METRICS:
        wide, grouped, narrow = (found[name].ci_high - found[name].ci_low for found in (once, copied, ungrouped))
        assert grouped == pytest.approx(wide, rel=0.05), name
        assert narrow == pytest.approx(wide / 2, rel=0.25), name
        assert "clustered" in copied[name].method and "clustered" not in once[name].method


def test_a_perfect_ranking_has_intervals():
    found = classification_metrics([0] * 10 + [1] * 10, binary([0.1] * 10 + [0.9] * 10), ("no", "yes"), replicates=50)
    assert found["average_precision"].value == 1 and found["average_precision"].ci_low < 0.8
    assert found["average_precision"].method == "Wilson, over positives (average precision is 1)"
    for name in ("auc", "accuracy", "f1", "sensitivity", "balanced_accuracy"):
        assert found[name].ci_low < found[name].ci_high == 1, name
    assert found["brier"].method == "no interval: all values are equal"


def test_the_same_seed_gives_the_same_intervals():
    targets, probabilities = predictions(3)
    first, again, other = (
        classification_metrics(targets, probabilities, "abc", seed=seed, replicates=50) for seed in (1, 1, 2)
    )
    assert first == again != other


def check_json(found):
    """Raise an error if a metric is NaN or infinite or has another type than those of JSON."""
    json.dumps({name: metric._asdict() for name, metric in found.items()}, allow_nan=False)


def binary(scores):
    return np.stack([1 - np.array(scores), scores], axis=1)


@pytest.mark.parametrize(
    ("targets", "probabilities", "none", "words"),
    [
        ([0, 0, 0], binary([0.1, 0.6, 0.2]), {"auc", "sensitivity", "balanced_accuracy", "average_precision"}, "no"),
        ([1, 1, 1], binary([0.1, 0.6, 0.2]), {"auc", "specificity", "balanced_accuracy"}, "no"),
        ([0, 0], binary([0.1, 0.2]), {"auc", "f1", "sensitivity", "balanced_accuracy", "average_precision"}, "no"),
        (
            [0, 1, 1],
            np.array([[0.6, 0.3, 0.1], [0.1, 0.8, 0.1], [0.2, 0.5, 0.3]]),
            {"auc", "f1", "sensitivity", "balanced_accuracy", "average_precision"},
            "class c2",
        ),
        ([], np.empty((0, 2)), set(METRICS), "no case"),
    ],
)
def test_metrics_undefined_without_a_class_are_none_with_the_reason(targets, probabilities, none, words):
    found = classification_metrics(
        targets, probabilities, [f"c{i}" for i in range(probabilities.shape[1])], replicates=50
    )
    check_json(found)
    assert {name for name, metric in found.items() if metric.value is None} == none
    for name in none:
        assert found[name].ci_low is found[name].ci_high is None
        assert words in found[name].method


@pytest.mark.parametrize(
    ("targets", "scores"),
    [
        ([0, 0, 1, 1, 1], [0.5] * 5),  # constant
        ([0, 0, 1, 1, 1], [0.1, 0.2, 0.7, 0.8, 0.9]),  # AUC 1
        ([0, 0, 1, 1, 1], [0.9, 0.8, 0.3, 0.2, 0.1]),  # AUC 0
        ([0, 0, 0, 0, 1], [0.1, 0.2, 0.9, 0.3, 0.6]),  # one positive
        ([0, 1], [0.0, 1.0]),
        ([1], [1.0]),
    ],
)
def test_extreme_predictions_give_valid_json_without_warnings(targets, scores):
    with warnings.catch_warnings(), np.errstate(all="raise", under="ignore"):
        warnings.simplefilter("error")
        found = classification_metrics(targets, binary(scores), ("no", "yes"), replicates=50)
    check_json(found)
    for metric in found.values():
        if metric.ci_low is not None:
            assert metric.ci_low <= metric.value <= metric.ci_high
        else:
            assert metric.method.startswith(("no interval", "undefined"))


def test_log_loss_is_finite_for_a_probability_of_0():
    found = classification_metrics([0, 1], binary([1.0, 1.0]), ("no", "yes"), replicates=20)
    assert found["log_loss"].value == pytest.approx(-math.log(np.finfo(float).eps) / 2, rel=1e-6)


@pytest.mark.parametrize("num_classes", [2, 3])
def test_macro_auc_matches_scikit_learn_and_is_nan_without_a_class(num_classes):
    targets, probabilities = predictions(num_classes, decimals=1)
    expected = with_sklearn(targets, probabilities)["auc"]
    assert macro_auc(targets, probabilities) == pytest.approx(expected, abs=1e-12)
    assert math.isnan(macro_auc(np.zeros(200, int), probabilities))
    assert math.isnan(macro_auc(targets, np.where(probabilities > 0.9, np.nan, probabilities)))


def test_exact_auc_equals_the_share_of_ordered_pairs():
    generator = np.random.default_rng(0)
    for _ in range(500):
        targets, scores = generator.integers(0, 2, 12), generator.integers(0, 5, 12)
        pairs = [(p > q) + 0.5 * (p == q) for p in scores[targets == 1] for q in scores[targets == 0]]
        expected = np.mean(pairs) if pairs else math.nan
        assert exact_auc(targets, scores) == pytest.approx(expected, abs=1e-14, nan_ok=True)


def test_exact_auc_distinguishes_nearly_equal_scores():
    targets, scores = np.array([0, 0, 1, 1]), np.array([1e-9, 3e-9, 2e-9, 4e-9])
    assert exact_auc(targets, scores) == 0.75


def test_kappa_matches_scikit_learn():
    targets, probabilities = predictions(4)
    predicted = probabilities.argmax(axis=1)
    assert cohen_kappa(targets, predicted, 4) == pytest.approx(
        sklearn_metrics.cohen_kappa_score(targets, predicted), abs=1e-12
    )
    assert cohen_kappa([1, 1], [1, 1], 3) is None


@pytest.mark.parametrize(
    ("targets", "probabilities", "words"),
    [
        ([0, 1], [[0.5, 0.5]], "shape"),
        ([0, 2], [[0.5, 0.5], [0.5, 0.5]], "class indices"),
        ([0, -1], [[0.5, 0.5], [0.5, 0.5]], "class indices"),
        ([0, 1], [[0.5, 0.5], [np.nan, 0.5]], "sum to 1"),
        ([0, 1], [[2.0, -1.0], [0.5, 0.5]], "sum to 1"),
        ([0, 1], [[0.2, 0.2], [0.5, 0.5]], "sum to 1"),
    ],
)
def test_invalid_input_raises(targets, probabilities, words):
    with pytest.raises(ValueError, match=words):
        classification_metrics(targets, probabilities, ("no", "yes"))


def test_threshold_changes_what_is_predicted_and_nothing_else():
    random = np.random.default_rng(0)
    targets, scores = random.integers(0, 2, 80), np.round(random.uniform(size=80), 2)
    usual = classification_metrics(targets, binary(scores), ("no", "yes"), replicates=50)
    for threshold in (0.31, np.where(np.arange(80) < 40, 0.2, 0.7)):
        found = classification_metrics(targets, binary(scores), ("no", "yes"), replicates=50, threshold=threshold)
        called = scores >= threshold
        assert found["sensitivity"].value == np.mean(called[targets == 1])
        assert found["specificity"].value == np.mean(~called[targets == 0])
        assert found["accuracy"].value == np.mean(called == targets)
        assert all(found[name] == usual[name] for name in ("auc", "average_precision", "brier", "log_loss"))


def test_threshold_is_for_two_classes():
    with pytest.raises(ValueError, match="`threshold` must be None with 3 classes"):
        classification_metrics([0, 1, 2], np.eye(3), ("a", "b", "c"), threshold=0.3)
