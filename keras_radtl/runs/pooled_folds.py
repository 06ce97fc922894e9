"""Results of a cross-validated run: the predictions of all folds together, and what the folds are averaged by.

The pooled test predictions are the logits of each fold as they are, since each case is scored by the model of one fold,
before any choice that its label could have influenced. Calibration on the validation cases of a fold is used where the
folds predict the same image and are averaged.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from keras_radtl.data.table import CaseTable
from keras_radtl.metrics.fold_means import fold_mean_auc
from keras_radtl.metrics.logit_calibration import calibrate_logits
from keras_radtl.models.probabilities import to_probabilities
from keras_radtl.runs.decision import (
    FEWEST,
    FOLD_CALIBRATION,
    FOLD_THRESHOLD,
    THRESHOLD,
    applied_threshold,
    fold_calibrations,
    validation_calibration,
    validation_threshold,
)
from keras_radtl.runs.directory import METRICS, RunDirectory
from keras_radtl.runs.divergence import marked
from keras_radtl.runs.files import write_json
from keras_radtl.runs.results import Predictions, read_logits, split_metrics, write_predictions

logger = logging.getLogger(__name__)

_COMMON = ("classes", "multilabel", "image_shape", "parameters", "monitor", "precision", "jit_compile")  # to all folds


def pool_folds(
    run: RunDirectory, folds: Sequence[RunDirectory], table: CaseTable, seed: int, rule: float | str = 0.5
) -> tuple[Predictions, dict]:
    """Pool the test predictions of all folds and write them and their metrics.

    Each case is predicted by the model of the fold in which it is a test case, with the threshold of that fold.

    Args:
        run: The run directory, to which the results are written.
        folds: The directories of the finished folds.
        table: The cases.
        seed: Seed of the bootstrap intervals.
        rule: `prediction.threshold` of the configuration.
    Returns:
        The pooled predictions in table order, and the summary of the run: test AUC, validation AUC, threshold and
        calibration of each fold, and the threshold for the averaged folds.
    """
    summaries = [fold.summary() for fold in folds]
    each = [_with_threshold(read_logits(fold, "test", table), s) for fold, s in zip(folds, summaries, strict=True)]
    pooled, numbers = _pooled(each)
    metrics = split_metrics(table, pooled, seed)
    metrics = {"auc": metrics.pop("auc"), "auc_fold_mean": _mean_auc(table, pooled, numbers, seed), **metrics}
    write_predictions(run, table, {"test": pooled})
    diverged = [bool(s.get("diverged")) for s in summaries]
    write_json(run / METRICS, {"test": marked(metrics, any(diverged))})
    summary = {key: summaries[0][key] for key in _COMMON}
    summary["fold_auc"] = [fold.metrics()["test"]["auc"]["value"] for fold in folds]
    summary["fold_val_auc"] = [s["best_val_auc"] for s in summaries]
    summary |= {"diverged": any(diverged), "fold_diverged": diverged}
    if each[0].threshold is not None:
        summary[FOLD_THRESHOLD] = [predictions.threshold for predictions in each]
    summary |= _learned(rule, table, [read_logits(fold, "val", table) for fold in folds])
    summary["seconds"] = round(sum(s["seconds"] for s in summaries), 1)
    return pooled, summary


def _with_threshold(predictions: Predictions, summary: dict) -> Predictions:
    threshold = applied_threshold(summary)
    return predictions if threshold is None else replace(predictions, threshold=threshold)


def _pooled(each: Sequence[Predictions]) -> tuple[Predictions, np.ndarray]:
    """Return the predictions of all folds in table order, and the number of the fold of each."""
    indices, logits = np.concatenate([p.indices for p in each]), np.concatenate([p.logits for p in each])
    numbers = np.repeat(np.arange(1, len(each) + 1), [len(p.indices) for p in each])
    order = np.argsort(indices, kind="stable")
    threshold = None
    if each[0].threshold is not None:
        threshold = np.array([p.threshold for p in each])[numbers - 1][order]
    return Predictions(indices[order], logits[order], threshold), numbers[order]


def _mean_auc(table: CaseTable, pooled: Predictions, numbers: np.ndarray, seed: int) -> dict:
    targets = table.targets[pooled.indices]
    known = np.arange(len(targets)) if table.multilabel else np.flatnonzero(targets >= 0)
    probabilities = to_probabilities(pooled.logits[known], table.multilabel)
    groups = np.asarray(table.groups)[pooled.indices[known]]
    return fold_mean_auc(targets[known], probabilities, numbers[known], groups, seed=seed)._asdict()


def _learned(rule: float | str, table: CaseTable, validation: Sequence[Predictions]) -> dict:
    """Return the calibration of each fold, and the threshold on the calibrated validation predictions of all folds."""
    learned: dict = {FOLD_CALIBRATION: [validation_calibration(table, predictions) for predictions in validation]}
    calibrations = fold_calibrations(learned)
    if not calibrations:
        text = "a fold has fewer than %d validation cases of a class or label: folds are averaged without calibration"
        logger.info(text, FEWEST)
    if calibrations:
        pairs = zip(validation, calibrations, strict=True)
        validation = [replace(part, logits=calibrate_logits(part.logits, calibration)) for part, calibration in pairs]
    threshold = validation_threshold(rule, table, _pooled(validation)[0])
    return learned if threshold is None else learned | {THRESHOLD: threshold}
