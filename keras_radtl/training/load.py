"""Load the dataset of a plan."""

from __future__ import annotations

import logging
import math
from pathlib import Path

import numpy as np

from keras_radtl.config import PredictionConfig, UserError, require
from keras_radtl.config.errors import listed
from keras_radtl.data.dataset import Dataset, load_dataset
from keras_radtl.metrics.classification import macro_auc
from keras_radtl.metrics.multilabel import multilabel_auc
from keras_radtl.runs.notes import few_cases
from keras_radtl.runs.progress import Progress
from keras_radtl.training.plan import Plan

logger = logging.getLogger(__name__)


def read_data(plan: Plan, cache: Path) -> Dataset:
    """Read, check and split the data of a plan, and log the numbers of images and groups.

    Args:
        plan: The plan of the run.
        cache: Folder for the pixels of a large dataset.
    Raises:
        UserError: If data or options cannot be used; the message names the file, row or argument.
    """
    with Progress("images", 1) as progress:
        dataset = load_dataset(plan.data, plan.split, plan.split_seed, plan.image_size, cache, progress.update)
    cases = dataset.cases
    if cases.multilabel:
        content = ", ".join(cases.classes)
    else:
        counts = np.bincount(cases.targets[cases.targets >= 0], minlength=len(cases.classes))
        content = ", ".join(f"{count} {name}" for count, name in zip(counts, cases.classes, strict=True))
    logger.info("data: %s, %d images (%s), %d groups", cases.name, len(cases), content, len(set(cases.groups)))
    for warning in _few_cases(dataset):
        logger.warning("%s", warning)
    return dataset


def _few_cases(dataset: Dataset) -> list[str]:
    """Return warnings on validation and test cases; with folds, the test cases of all folds are evaluated together."""
    cases, first = dataset.cases, dataset.splits[0]
    parts = {"test": np.arange(len(cases.targets))} if first.fold else {"val": first.val, "test": first.test}
    found = []
    for name, indices in parts.items():
        targets = cases.targets[indices]
        if cases.multilabel:
            known, counts = len(targets), np.concatenate([(targets == 1).sum(axis=0), (targets == 0).sum(axis=0)])
        else:
            known, counts = int((targets >= 0).sum()), np.bincount(targets[targets >= 0], minlength=len(cases.classes))
        found.append(few_cases(name, known, int(counts.min())))
    return [warning for warning in found if warning]


def require_two_classes(plan: Plan, dataset: Dataset) -> None:
    """Refuse a threshold other than 0.5 for a task that has none.

    Raises:
        UserError: Naming the number of classes.
    """
    cases = dataset.cases
    if plan.prediction.threshold != PredictionConfig.threshold and (cases.multilabel or len(cases.classes) > 2):
        several = f"{len(cases.classes)} classes, of which the most probable is predicted"
        rule = f"0.5 for {'a multi-label task' if cases.multilabel else several}"
        require(False, "threshold", rule, plan.prediction.threshold)


def require_baseline_data(plan: Plan, dataset: Dataset) -> None:
    """Refuse data on which a statistical baseline cannot be fitted, and a solver that is not installed.

    Raises:
        UserError: Naming the classes, the constant images or the missing package.
    """
    if not plan.strategy.baseline:
        return
    from keras_radtl.baselines.lasso import require_package

    require_package(plan.training.lasso.solver)
    name, classes = plan.training.strategy, dataset.cases.classes
    if dataset.cases.multilabel or len(classes) != 2:
        raise UserError(
            f"The strategy {name} needs two classes, and the data have {len(classes)}: {listed(classes)}. `positive` "
            "compares one class with all others"
        )
    for split in dataset.splits:
        first = dataset.pixels[split.train[0]]
        if all(np.array_equal(dataset.pixels[row], first) for row in split.train):
            raise UserError(
                f"Every pixel is constant over the {len(split.train)} training cases; nothing can be fitted"
            )


def require_validation_auc(dataset: Dataset) -> None:
    """Refuse data whose validation cases lack a class or a label, since an epoch is selected by their AUC.

    Raises:
        UserError: Naming the fold, if there are folds.
    """
    cases = dataset.cases
    score = multilabel_auc if cases.multilabel else macro_auc
    for split in dataset.splits:
        equal = np.full((len(split.val), len(cases.classes)), 0.5)
        if math.isnan(score(cases.targets[split.val], equal)):
            where = f" of fold {split.fold}" if split.fold else ""
            what = "label does not vary" if cases.multilabel else "class is absent"
            raise UserError(
                f"The validation AUC{where} does not exist: a {what} in the {len(split.val)} validation cases"
            )
