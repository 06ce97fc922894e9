"""Learning-rate multipliers: fixed for each layer group, or set by the relative gradient norms of layers or tensors.

The optimizer multiplies the update of each variable by its multiplier. Scaling the gradient instead would have no
effect with Adam, whose update does not depend on the scale of the gradient.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_radtl.models.groups import HEAD, layer_groups
from keras_radtl.models.keras_internals import flatten_layers

_TINY = 1e-12
MEASURED_BATCHES = 5  # of `TensorGradientNorms`, in each epoch
_FLOAT16_SCALE = 2.0**15  # of the loss; without it, small gradients would be zero in float16

Batches = Callable[[], Any]  # returns the batches of an epoch as a `tf.data.Dataset` of (images, targets, weights)


def layer_of(path: str) -> str:
    """Return the layer of a variable path: "head/hidden" for "head/hidden/kernel"."""
    return path.rpartition("/")[0]


class GroupMultipliers:
    """Fixed learning-rate multipliers for the head and each layer group.

    Args:
        model: The classifier.
        multipliers: Multipliers >= 0 of the head, the last group, the group before it and so on. The last multiplier
            also applies to all remaining groups.
        counting: How layers are grouped: "stages", "reference" or "fts".
    """

    def __init__(self, model: keras.Model, multipliers: Sequence[float], counting: str):
        groups = [(HEAD,), *(group.layers for group in reversed(layer_groups(model, counting)) if group.parameters)]
        padded = [*multipliers, *[multipliers[-1]] * (len(groups) - len(multipliers))]
        self._multipliers = {}
        for names, multiplier in reversed(list(zip(groups, padded, strict=True))):  # listed from the input to the head
            for name in names:
                for variable in model.get_layer(name).weights:
                    self._multipliers[variable.path] = multiplier

    def observe(self, gradients: Sequence, variables: Sequence[keras.Variable]) -> None:
        """Do nothing: the multipliers are fixed."""

    def scale(self, variable: keras.Variable) -> float:
        """Return the learning-rate multiplier of a variable."""
        return self._multipliers[variable.path]

    def begin_epoch(self, model: keras.Model, batches: Batches) -> None:
        """Do nothing: the multipliers are fixed."""

    def means(self) -> dict[str, float]:
        """Return the multiplier of each layer."""
        return {layer_of(path): float(multiplier) for path, multiplier in self._multipliers.items()}


class RelativeGradientNorms:
    """Auto-RGN by layer: learning-rate multipliers from the relative gradient norms of each training step.

    The multiplier of a layer is ||gradient|| / ||weights||, divided by the largest ratio of all layers. The norms
    include all variables of a layer, such as the kernel and bias of a convolution. BatchNorm layers count as layers.

    Args:
        variables: Trainable variables of the classifier.

    Reference: Davila et al., section 3.1.8, which does not say how often the ratios are measured; here it is each step.
    """

    def __init__(self, variables: Sequence[keras.Variable]):
        self.layers = list(dict.fromkeys(layer_of(v.path) for v in variables))
        self._row = {v.path: self.layers.index(layer_of(v.path)) for v in variables}
        shape = (len(self.layers),)
        self._now = keras.Variable(np.ones(shape, "float32"), trainable=False, name="multipliers")
        self._sum = keras.Variable(np.zeros(shape, "float32"), trainable=False, name="sum_of_multipliers")
        self._steps = keras.Variable(0.0, trainable=False, name="steps")

    def observe(self, gradients: Sequence, variables: Sequence[keras.Variable]) -> None:
        """Set the multipliers from the gradients of one step."""
        squares = [[0.0, 0.0] for _ in self.layers]
        for gradient, variable in zip(gradients, variables, strict=True):
            pair = squares[self._row[variable.path]]
            pair[0] = pair[0] + ops.sum(ops.square(ops.cast(gradient, "float32")))
            pair[1] = pair[1] + ops.sum(ops.square(ops.cast(variable, "float32")))
        norms = ops.stack([ops.sqrt(g) / ops.maximum(ops.sqrt(w), _TINY) for g, w in squares])
        self._now.assign(norms / ops.maximum(ops.max(norms), _TINY))
        self._sum.assign_add(self._now)
        self._steps.assign_add(1.0)

    def scale(self, variable: keras.Variable) -> Any:
        """Return the learning-rate multiplier of a variable, a scalar tensor in [0, 1]."""
        return self._now[self._row[variable.path]]

    def begin_epoch(self, model: keras.Model, batches: Batches) -> None:
        """Reset the means."""
        self._sum.assign(np.zeros(len(self.layers), "float32"))
        self._steps.assign(0.0)

    def means(self) -> dict[str, float]:
        """Return the mean multiplier of each layer over the steps of the epoch."""
        means = np.asarray(self._sum) / max(float(self._steps), 1.0)
        return dict(zip(self.layers, means.astype(float).tolist(), strict=True))


class TensorGradientNorms:
    """Auto-RGN by tensor: learning-rate multipliers that are measured at the start of each epoch.

    The ratio of a tensor, such as a kernel or a bias, is the mean of ||gradient|| over the first five batches of the
    epoch, divided by ||weights||. Its multiplier is the ratio divided by the largest one, for all steps of the epoch.
    Gradients are those of the training loss in training mode. The measurement changes no variable of the model.

    Scales and offsets of BatchNorm, also of the head, are not measured and have the multiplier 0: the authors'
    optimizer does not contain them. A tensor of zeros, such as a new bias, has no relative norm: its multiplier is 1
    and it is not compared with the others. Unlike in the authors' code, the optimizer keeps its state from epoch to
    epoch.

    Args:
        model: The classifier, in which the trainable layers are set.

    Reference: Lee et al., Surgical Fine-Tuning Improves Adaptation to Distribution Shifts, ICLR 2023, and its code
    (github.com/anniesch/surgical-finetuning).
    """

    def __init__(self, model: keras.Model):
        norms = (la for la in flatten_layers(model) if isinstance(la, keras.layers.BatchNormalization))
        excluded = {variable.path for layer in norms for variable in layer.trainable_weights}
        self.paths = [v.path for v in model.trainable_variables if v.path not in excluded]
        self._excluded = [v.path for v in model.trainable_variables if v.path in excluded]
        self._row = {path: row for row, path in enumerate(self.paths)}
        self._now = keras.Variable(np.ones(len(self.paths), "float32"), trainable=False, name="multipliers")
        self._norms: Callable | None = None  # of a batch; it is traced in the first epoch

    def observe(self, gradients: Sequence, variables: Sequence[keras.Variable]) -> None:
        """Do nothing: the multipliers are fixed within an epoch."""

    def scale(self, variable: keras.Variable) -> Any:
        """Return the learning-rate multiplier of a variable, a scalar in [0, 1]."""
        row = self._row.get(variable.path)
        return 0.0 if row is None else self._now[row]

    def begin_epoch(self, model: keras.Model, batches: Batches) -> None:
        """Measure the multipliers of an epoch.

        Args:
            model: The compiled model that is trained, the classifier or its upper part.
            batches: Function that returns the batches of the epoch.
        """
        measured = batches().take(MEASURED_BATCHES)
        variables = sorted(
            (v for v in model.trainable_variables if v.path in self._row), key=lambda v: self._row[v.path]
        )
        if self._norms is None:
            self._norms = _norm_function(model, variables, measured.element_spec)
        state = [(variable, variable.numpy()) for variable in model.variables if not variable.trainable]
        try:
            gradients = np.mean([_finite_norms(self._norms, batch, model) for batch in measured], axis=0)
        finally:
            for variable, value in state:  # moving statistics and dropout seeds
                variable.assign(value)
        weights = np.array([np.linalg.norm(np.asarray(v, np.float64)) for v in variables])
        ratios = gradients / np.where(weights > 0, weights, 1)
        largest = np.max(ratios, where=weights > 0, initial=_TINY)
        self._now.assign(np.where(weights > 0, ratios / largest, 1.0).astype("float32"))

    def means(self) -> dict[str, float]:
        """Return the multiplier of each tensor; those of BatchNorm are 0."""
        measured = dict(zip(self.paths, np.asarray(self._now).astype(float).tolist(), strict=True))
        return measured | dict.fromkeys(self._excluded, 0.0)


def _norm_function(model: keras.Model, variables: Sequence[keras.Variable], signature: Iterable) -> Callable:
    """Return a function from a batch and a scale of the loss to the norms of its gradients, of shape (n_variables,)."""
    import tensorflow as tf

    @tf.function(input_signature=(*signature, tf.TensorSpec((), tf.float32)))
    def norms(images, targets, weights, scale):
        with tf.GradientTape() as tape:
            loss = model.compute_loss(images, targets, model(images, training=True), weights, training=True)
            scaled = loss * tf.cast(scale, loss.dtype)
        gradients = tape.gradient(scaled, [variable.value for variable in variables])
        return tf.stack([tf.norm(tf.cast(gradient, tf.float32)) for gradient in gradients])

    return norms


def _finite_norms(norms: Callable, batch: tuple, model: keras.Model) -> np.ndarray:
    """Return the norms of a batch in float64; in float16 with the largest scale of the loss without overflow."""
    scale = _FLOAT16_SCALE if isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer) else 1.0
    found = norms(*batch, scale).numpy()
    while scale > 1 and not np.isfinite(found).all():
        scale /= 2
        found = norms(*batch, scale).numpy()
    return found.astype(np.float64) / scale


Multipliers = GroupMultipliers | RelativeGradientNorms | TensorGradientNorms


def make_multipliers(
    model: keras.Model, multipliers: Sequence[float], counting: str, auto_multipliers: str | None
) -> Multipliers | None:
    """Return the learning-rate multipliers of a phase, or None if all layers have the same learning rate.

    Args:
        model: Classifier in which the trainable layers are set.
        multipliers: Fixed multipliers from `group_multipliers`.
        counting: How layers are grouped: "stages", "reference" or "fts".
        auto_multipliers: Relative gradient norms instead of fixed multipliers, by "layer" or by "tensor"; None: fixed.
    """
    if auto_multipliers == "tensor":
        return TensorGradientNorms(model)
    if auto_multipliers == "layer":
        return RelativeGradientNorms(model.trainable_variables)
    return GroupMultipliers(model, multipliers, counting) if multipliers else None
