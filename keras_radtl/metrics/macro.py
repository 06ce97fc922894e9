"""The five metrics that compare fine-tuning strategies; all except kappa are means over classes.

Reference: Davila, Colan and Hasegawa, Comparison of fine-tuning strategies for transfer learning in medical image
classification, section 3.4.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from keras_radtl.metrics.classification import cohen_kappa, exact_auc
from keras_radtl.metrics.weighted import Confusion, Ranking

MACRO_METRICS = {"map": "mAP", "macro_accuracy": "accuracy", "macro_auroc": "AUROC", "kappa": "kappa", "macro_f1": "F1"}


def macro_metrics(targets: ArrayLike, probabilities: ArrayLike) -> dict[str, float | None]:
    """Compute five metrics of predicted probabilities for mutually exclusive classes.

    - `map`: mean over classes of the one-vs-rest average precision;
    - `macro_accuracy`: mean over classes of the one-vs-rest accuracy, (TP + TN) / n;
    - `macro_auroc`: mean over classes of the one-vs-rest area under the ROC curve;
    - `kappa`: Cohen's kappa of the predicted class;
    - `macro_f1`: mean over classes of the one-vs-rest F1.

    Args:
        targets: int array of class indices, shape (n,), n >= 1.
        probabilities: float array of shape (n, n_classes).

    Returns:
        A value for each of `MACRO_METRICS`; None if a class is absent, or if F1 or kappa is 0 / 0.

    Raises:
        ValueError: if there are no cases or shapes do not match.
    """
    targets, probabilities = np.asarray(targets), np.asarray(probabilities, dtype=np.float64)
    if probabilities.ndim != 2 or targets.shape != probabilities.shape[:1] or not len(targets):
        raise ValueError(
            "`probabilities` must have shape (n, n_classes) with one row per target and at least one target. "
            f"Received: {probabilities.shape} and {targets.shape}"
        )
    classes, ones = range(probabilities.shape[1]), np.ones((1, len(targets)))
    predicted = probabilities.argmax(axis=1)
    tables = [Confusion(ones, targets == c, predicted == c) for c in classes]
    values = {
        "map": np.mean([Ranking(targets == c, probabilities[:, c]).average_precision(ones) for c in classes]),
        "macro_accuracy": np.mean([table.accuracy() for table in tables]),
        "macro_auroc": np.mean([exact_auc(targets == c, probabilities[:, c]) for c in classes]),
        "kappa": cohen_kappa(targets, predicted, len(classes)),
        "macro_f1": np.mean([table.f1() for table in tables]),
    }
    return {name: None if value is None or np.isnan(value) else float(value) for name, value in values.items()}
