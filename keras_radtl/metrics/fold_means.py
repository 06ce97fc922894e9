"""The mean AUC of the folds of a cross-validation.

The AUC of the pooled predictions compares cases of different folds, whose models may differ in offset and scale; the
mean of the AUCs of the folds does not. Its interval is that of the models as they were trained: the test cases of the
folds are independent given the models, so the standard error is the jackknife's over the groups of all test cases,
each of which changes the AUC of its own fold only. What another training set or split would change is not included,
and no unbiased estimate of it exists.

Reference: LeDell, Petersen and van der Laan, Electronic Journal of Statistics 9 (2015) 1583-1607, section 4, for the
cross-validated AUC and the variance from its influence values; Bengio and Grandvalet, JMLR 5 (2004) 1089-1105.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from keras_radtl.metrics.estimates import Cases, Metric, jackknife_metrics
from keras_radtl.metrics.weighted import Ranking
from keras_radtl.stats.intervals import group_codes


def fold_mean_auc(
    targets: ArrayLike,
    probabilities: ArrayLike,
    folds: ArrayLike,
    groups: ArrayLike | None = None,
    confidence: float = 0.95,
    seed: int = 0,
) -> Metric:
    """Compute the mean over folds of the AUC, for more than two classes or labels of the mean one-vs-rest AUC.

    Args:
        targets: int array of class indices, shape (n,), or for several labels a float array of shape (n, n_labels)
            with 0, 1 and NaN (unknown).
        probabilities: float array of shape (n, n_classes), of each test case by the model of its fold.
        folds: fold of each case, shape (n,).
        groups: group id (for example the patient) of each case, shape (n,); None if all cases are independent.
        confidence: confidence level in (0, 1).
        seed: seed of the order of more than 1000 groups, which the jackknife leaves out in 1000 blocks.

    Returns:
        A `Metric`. It is None if the AUC of a fold does not exist, and `method` names the fold.

    Raises:
        ValueError: if lengths differ.
    """
    targets, probabilities, folds = np.asarray(targets), np.asarray(probabilities, np.float64), np.asarray(folds)
    if not len(targets) == len(probabilities) == len(folds):
        raise ValueError(
            "`targets`, `probabilities` and `folds` must have one row per case. "
            f"Received: {len(targets)}, {len(probabilities)} and {len(folds)}"
        )
    cases = Cases(group_codes(len(targets), groups), confidence, seed)
    names = np.unique(folds)
    parts = [_rankings(targets, probabilities, np.flatnonzero(folds == name)) for name in names]

    def each(weights: np.ndarray) -> np.ndarray:
        return np.array([np.mean([ranking.auc(weights[:, rows]) for rows, ranking in part], axis=0) for part in parts])

    undefined = names[np.isnan(each(np.ones((1, len(targets))))[:, 0])]
    reason = f"undefined: the AUC of fold {undefined[0]} does not exist" if len(undefined) else "undefined"
    found = jackknife_metrics(lambda w: each(w).mean(axis=0)[:, None], {"auc": "logit"}, cases, reason)["auc"]
    if found.ci_low is None:
        return found
    return found._replace(method=f"mean of {len(names)} folds, {found.method}, models as trained")


def _rankings(targets: np.ndarray, probabilities: np.ndarray, rows: np.ndarray) -> list[tuple[np.ndarray, Ranking]]:
    """Return the cases and the ranking of each AUC of a fold: one with two classes, else one per class or label."""
    if targets.ndim == 1:
        columns = [1] if probabilities.shape[1] == 2 else range(probabilities.shape[1])
        chosen = [(rows, targets[rows] == column, column) for column in columns]
    else:
        known = [rows[~np.isnan(targets[rows, column])] for column in range(targets.shape[1])]
        chosen = [(part, targets[part, column] == 1, column) for column, part in enumerate(known)]
    return [(part, Ranking(positive, probabilities[part, column])) for part, positive, column in chosen]
