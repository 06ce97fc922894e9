"""Metrics of predictions with confidence intervals: classification, multi-label, operating points and calibration.

| function | purpose |
|---|---|
| `classification_metrics` | nine metrics of mutually exclusive classes, each with a confidence interval |
| `exact_auc` | area under the ROC curve of two classes |
| `macro_auc` | mean one-vs-rest AUC over classes |
| `fold_mean_auc` | mean of the AUCs of the folds of a cross-validation |
| `macro_metrics` | mAP, accuracy, AUROC, kappa and F1 as means over classes |
| `cohen_kappa` | agreement beyond chance |
| `multilabel_metrics` | ten metrics as means over labels, each with a confidence interval |
| `multilabel_auc` | mean AUC over labels |
| `label_metrics` | metrics of each label, each with a confidence interval |
| `roc_curve` | vertices of the ROC curve |
| `operating_point` | sensitivity and specificity at a prespecified threshold |
| `sensitivity_at_specificity` | threshold with the highest sensitivity at a given specificity |
| `specificity_at_sensitivity` | threshold with the highest specificity at a given sensitivity |
| `youden_point` | threshold that maximizes sensitivity + specificity - 1 |
| `choose_threshold` | threshold by rule: `youden`, `sensitivity:0.95`, `specificity:0.9` |
| `decision_curve` | net benefit by threshold probability |
| `reliability_curve` | observed frequency by predicted probability |
| `calibration_error` | expected calibration error with a confidence interval |
| `brier_parts` | decomposition of the Brier score |
| `recalibration` | calibration slope, intercept and calibration-in-the-large |
| `top_label` | binary targets and probabilities of a multi-class problem, for calibration |
| `fit_temperature` | temperature that minimizes the log loss |
| `scale_probabilities` | softmax of logits divided by a temperature |
| `fit_calibration` | temperature and offset of each class that minimize the log loss |
| `fit_label_calibration` | temperature and offset of each label of a multi-label task |
| `calibrate_logits` | logits with a temperature and offsets |

The functions are loaded on first use and need numpy, scipy, scikit-learn and statsmodels only.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from keras_radtl.metrics.calibration import (
        brier_parts,
        calibration_error,
        recalibration,
        reliability_curve,
        top_label,
    )
    from keras_radtl.metrics.classification import classification_metrics, cohen_kappa, exact_auc, macro_auc
    from keras_radtl.metrics.fold_means import fold_mean_auc
    from keras_radtl.metrics.logit_calibration import calibrate_logits, fit_calibration, fit_label_calibration
    from keras_radtl.metrics.macro import macro_metrics
    from keras_radtl.metrics.multilabel import label_metrics, multilabel_auc, multilabel_metrics
    from keras_radtl.metrics.operating_points import (
        decision_curve,
        operating_point,
        roc_curve,
        sensitivity_at_specificity,
        specificity_at_sensitivity,
        youden_point,
    )
    from keras_radtl.metrics.temperature import fit_temperature, scale_probabilities
    from keras_radtl.metrics.threshold_rules import choose_threshold

__all__ = [
    "brier_parts",
    "calibrate_logits",
    "calibration_error",
    "choose_threshold",
    "classification_metrics",
    "cohen_kappa",
    "decision_curve",
    "exact_auc",
    "fit_calibration",
    "fit_label_calibration",
    "fit_temperature",
    "fold_mean_auc",
    "label_metrics",
    "macro_auc",
    "macro_metrics",
    "multilabel_auc",
    "multilabel_metrics",
    "operating_point",
    "recalibration",
    "reliability_curve",
    "roc_curve",
    "scale_probabilities",
    "sensitivity_at_specificity",
    "specificity_at_sensitivity",
    "top_label",
    "youden_point",
]

_MODULES = {
    "keras_radtl.metrics.calibration": [
        "brier_parts",
        "calibration_error",
        "recalibration",
        "reliability_curve",
        "top_label",
    ],
    "keras_radtl.metrics.classification": ["classification_metrics", "cohen_kappa", "exact_auc", "macro_auc"],
    "keras_radtl.metrics.fold_means": ["fold_mean_auc"],
    "keras_radtl.metrics.logit_calibration": ["calibrate_logits", "fit_calibration", "fit_label_calibration"],
    "keras_radtl.metrics.macro": ["macro_metrics"],
    "keras_radtl.metrics.multilabel": ["label_metrics", "multilabel_auc", "multilabel_metrics"],
    "keras_radtl.metrics.operating_points": [
        "decision_curve",
        "operating_point",
        "roc_curve",
        "sensitivity_at_specificity",
        "specificity_at_sensitivity",
        "youden_point",
    ],
    "keras_radtl.metrics.temperature": ["fit_temperature", "scale_probabilities"],
    "keras_radtl.metrics.threshold_rules": ["choose_threshold"],
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Import a public function when it is first used."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOME[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
