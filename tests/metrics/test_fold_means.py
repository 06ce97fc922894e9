"""The mean AUC of folds: its value, its interval against DeLong's variances, and folds without an AUC."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, ndtr
from sklearn.metrics import roc_auc_score

from keras_radtl.metrics.fold_means import fold_mean_auc
from keras_radtl.stats.delong import delong_covariance


def cross_validation(seed=0, n=400, folds=5, separation=1.5, patient=0.0, images=1):
    """Return targets, probabilities, folds and groups; the models of the folds differ in offset and scale."""
    random = np.random.default_rng(seed)
    groups = np.arange(n) // images
    fold = groups % folds
    targets = (random.uniform(size=groups.max() + 1) < 0.35).astype(int)[groups]
    effect = random.normal(0, patient, groups.max() + 1)[groups]
    scores = separation * targets + effect + random.normal(0, np.sqrt(1 - patient**2), n)
    probability = expit(fold + (1 + fold / 4) * scores)
    return targets, np.column_stack([1 - probability, probability]), fold, groups


def by_fold(targets, probabilities, folds, **options):
    return [
        delong_covariance(
            targets[folds == k],
            probabilities[folds == k, 1],
            **{name: values[folds == k] for name, values in options.items()},
        )
        for k in np.unique(folds)
    ]


@pytest.mark.parametrize("images", [1, 4])
def test_it_is_the_mean_with_the_variances_of_the_folds(images):
    targets, probabilities, folds, groups = cross_validation(images=images, patient=0.8 * (images > 1))
    found = fold_mean_auc(targets, probabilities, folds, groups)
    each = by_fold(targets, probabilities, folds, **({"groups": groups} if images > 1 else {}))
    value = np.mean([part.aucs[0] for part in each])
    error = np.sqrt(sum(part.covariance[0, 0] for part in each)) / len(each)
    assert found.value == pytest.approx(value, rel=1e-12) and found.n == 400
    half = np.log(found.ci_high / (1 - found.ci_high)) - np.log(value / (1 - value))
    assert half * value * (1 - value) / 1.96 == pytest.approx(error, rel=0.05 if images == 1 else 0.2)
    assert "mean of 5 folds" in found.method and ("clustered" in found.method) == (images > 1)


def test_offsets_and_scales_of_the_folds_do_not_matter():
    targets, probabilities, folds, groups = cross_validation()
    logit = np.log(probabilities[:, 1] / probabilities[:, 0])
    moved = expit(1.5 * logit - 2.0 * folds)
    again = fold_mean_auc(targets, np.column_stack([1 - moved, moved]), folds, groups)
    assert again == fold_mean_auc(targets, probabilities, folds, groups)


def test_several_classes_and_labels_are_means_over_them():
    random = np.random.default_rng(3)
    targets, folds = random.integers(0, 3, 150), np.arange(150) % 3
    probabilities = random.dirichlet([1, 1, 1], 150)
    parts = [folds == k for k in range(3)]
    expected = np.mean([roc_auc_score(targets[rows], probabilities[rows], multi_class="ovr") for rows in parts])
    assert fold_mean_auc(targets, probabilities, folds).value == pytest.approx(expected, rel=1e-12)
    labels = np.where(random.uniform(size=(150, 3)) < 0.1, np.nan, random.integers(0, 2, (150, 3)))
    expected = np.mean(
        [
            roc_auc_score(labels[rows, k][known], probabilities[rows, k][known])
            for rows in parts
            for k in range(3)
            for known in [~np.isnan(labels[rows, k])]
        ]
    )
    assert fold_mean_auc(labels, probabilities, folds).value == pytest.approx(expected, rel=1e-12)


def test_fold_without_an_auc_is_named():
    found = fold_mean_auc([0, 1, 1, 1], [[0.5, 0.5]] * 4, [1, 1, 2, 2])
    assert found.value is None and found.method == "undefined: the AUC of fold 2 does not exist"


def test_lengths_must_agree():
    with pytest.raises(ValueError, match="one row per case"):
        fold_mean_auc([0, 1], [[0.5, 0.5]] * 2, [1])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("n", "images", "patient", "separation"), [(100, 1, 0.0, 1.5), (300, 1, 0.0, 2.5), (240, 4, 0.8, 1.5)]
)
def test_interval_covers_the_mean_auc_of_the_models(n, images, patient, separation):
    true = ndtr(separation / np.sqrt(2))  # of all models: offset and scale do not change it
    covered = 0
    for seed in range(400):
        found = fold_mean_auc(*cross_validation(seed, n, 5, separation, patient, images))
        covered += found.ci_low is not None and found.ci_low <= true <= found.ci_high
    assert 0.92 <= covered / 400 <= 0.99
