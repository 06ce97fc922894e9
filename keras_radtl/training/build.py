"""Build the classifier of a run and check the memory that its training needs."""

from __future__ import annotations

import logging

from keras_radtl.data.dataset import Dataset
from keras_radtl.reproducibility import derive_seed
from keras_radtl.training.plan import Plan

logger = logging.getLogger(__name__)


def build(plan: Plan, dataset: Dataset, fold: int, backbone_cache=None, log: bool = True):
    """Build the classifier of one fold with its initial weights, in a new Keras session.

    Args:
        plan: The plan of the run.
        dataset: The dataset, for its classes and the shape of its images.
        fold: 0 for a single split, 1 to k for k folds.
        backbone_cache: A `BackboneCache` that keeps the backbone for the next call, or None.
        log: Whether to log the source of the weights and the size of the head, which are the same for all folds.
    Returns:
        keras.Model from uint8 images to float32 logits.
    """
    import keras

    from keras_radtl.models.backbone_cache import build_backbones
    from keras_radtl.models.classifier import assemble_classifier
    from keras_radtl.models.precision import dtype_policy

    if backbone_cache is not None:
        backbone_cache.release()
    keras.backend.clear_session()
    cases, shape = dataset.cases, tuple(int(n) for n in dataset.pixels.shape[1:])
    seed = derive_seed(plan.seed, "weights", fold)
    with dtype_policy(plan.training.precision):
        make = backbone_cache or build_backbones
        built = assemble_classifier(plan.model, len(cases.classes), shape, seed, cases.multilabel, make_backbones=make)
    if log:
        _log_parts(plan, built, len(cases.classes))
    return built.model


def _log_parts(plan: Plan, built, num_classes: int) -> None:
    from keras_radtl.models.backbones.branches import branches, warn_assumed_scalings
    from keras_radtl.models.groups import HEAD
    from keras_radtl.models.layers.head_sizes import head_parameters

    warn_assumed_scalings(branches(plan.model))
    loaded = [branch for branch in branches(plan.model) if branch.weights != "none"]
    for branch, report in zip(loaded, built.reports, strict=True):
        logger.info("%s: %s", branch.spec.display_name, report)
    features = int(built.model.get_layer(HEAD).input.shape[-1])
    count = head_parameters(plan.model.head, features, num_classes)
    logger.info("Head %s: %s parameters", plan.model.head.name, f"{count:,}")


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
        if plan.strategy.solver is None:
            epochs = "1 epoch" if phase.epochs == 1 else f"{phase.epochs} epochs"
            logger.info("phase %s: %s, learning rate %g", phase.name, epochs, phase.learning_rate)
        else:
            logger.info("strategy %s: %s", plan.training.strategy, plan.strategy.title)
        logger.info("%s", group_text(group_table(model, plan.training.counting)))
