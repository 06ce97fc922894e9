"""Build the classifier of a run and check the memory that its training needs."""

from __future__ import annotations

import logging

from keras_radtl.data.dataset import Dataset
from keras_radtl.reproducibility import derive_seed
from keras_radtl.training.plan import Plan

logger = logging.getLogger(__name__)


def build(plan: Plan, dataset: Dataset, fold: int, backbone_cache=None):
    """Build the classifier of one fold with its initial weights, in a new Keras session.

    Args:
        plan: The plan of the run.
        dataset: The dataset, for its classes and the shape of its images.
        fold: 0 for a single split, 1 to k for k folds.
        backbone_cache: A `BackboneCache` that keeps the backbone for the next call, or None.
    Returns:
        keras.Model from uint8 images to float32 logits.
    """
    import keras

    from keras_radtl.models.backbone_cache import build_backbones
    from keras_radtl.models.classifier import build_classifier
    from keras_radtl.models.precision import dtype_policy

    if backbone_cache is not None:
        backbone_cache.release()
    keras.backend.clear_session()
    cases, shape = dataset.cases, tuple(int(n) for n in dataset.pixels.shape[1:])
    seed = derive_seed(plan.seed, "weights", fold)
    with dtype_policy(plan.training.precision):
        make = backbone_cache or build_backbones
        return build_classifier(plan.model, len(cases.classes), shape, seed, cases.multilabel, make_backbones=make)


def describe(plan: Plan, model) -> None:
    """Log the layer groups of each phase with their trainable parameters, and check the memory.

    Args:
        plan: The plan of the run.
        model: The classifier.
    Raises:
        UserError: If the training needs more memory than is available.
    """
    from keras_radtl.models.groups import group_table, set_trainable
    from keras_radtl.models.memory import estimate_memory, require_memory
    from keras_radtl.reports.run_text import group_text
    from keras_radtl.strategies.table import resolve_phases

    for phase in resolve_phases(model, plan.phases, plan.training.counting):
        set_trainable(model, phase.layers)
        require_memory(estimate_memory(model, plan.training.batch_size), f"Phase {phase.name}")
        epochs = "1 epoch" if phase.epochs == 1 else f"{phase.epochs} epochs"
        logger.info("phase %s: %s, learning rate %g", phase.name, epochs, phase.learning_rate)
        logger.info("%s", group_text(group_table(model, plan.training.counting)))
