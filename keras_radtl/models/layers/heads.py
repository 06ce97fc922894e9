"""The four classifier heads; the module `head_sizes` lists their layers.

Kernels are initialized from a normal distribution with variance 2 / fan_in (He et al. 2015, arXiv 1502.01852, equation
10), like `kaiming_normal_` in PyTorch. Unlike `HeNormal` in Keras, the distribution is not truncated. Biases are
initialized to zero. BatchNorm has the defaults of PyTorch: epsilon 1e-5 and momentum 0.1 (0.9 in the convention of
Keras). Keras updates the moving variance with the biased variance of the batch, PyTorch with the unbiased one.
"""

from __future__ import annotations

import keras
from keras import layers, ops

from keras_radtl.config import HeadConfig
from keras_radtl.models.layers.head_sizes import HEAD_NAMES, head_sizes, require_head
from keras_radtl.reproducibility import derive_seed

LEAKY_SLOPE = 0.01


class _Head(keras.layers.Layer):
    """Base class of the heads, with seeded and named sublayers that are created in `build`, and float32 logits.

    Subclasses implement `_forward`, which is applied after the input dropout.
    """

    def __init__(self, num_classes: int, seed: int = 0, input_dropout: float = 0.0, l2: float = 0.0, **kwargs):
        super().__init__(**kwargs)
        if num_classes < 1:
            raise ValueError(f"`num_classes` must be >= 1. Received: num_classes={num_classes}")
        self.num_classes = num_classes
        self.seed = seed
        self.input_dropout = input_dropout
        self.l2 = l2
        self._input_drop = self._dropout("input_dropout", input_dropout) if input_dropout else None

    def call(self, inputs, training=None):
        features = inputs if self._input_drop is None else self._input_drop(inputs, training=training)
        return self._forward(features, training)

    def _kernel_options(self, name: str) -> dict:
        regularizer = keras.regularizers.L2(self.l2) if self.l2 else None
        return {"kernel_initializer": self._kaiming(name), "kernel_regularizer": regularizer}

    def _kaiming(self, name: str):
        return keras.initializers.VarianceScaling(
            scale=2.0, mode="fan_in", distribution="untruncated_normal", seed=derive_seed(self.seed, self.name, name)
        )

    def _dense(self, name: str, units: int, width: int, use_bias: bool = False, dtype=None):
        dense = layers.Dense(
            units,
            use_bias=use_bias,
            dtype=dtype or self.dtype_policy,
            name=name,
            **self._kernel_options(name),
        )
        dense.build((None, width))
        return dense

    def _logits(self, width: int):
        return self._dense("logits", self.num_classes, width, use_bias=True, dtype="float32")

    def _norm(self, name: str, shape: tuple):
        norm = layers.BatchNormalization(momentum=0.9, epsilon=1e-5, dtype=self.dtype_policy, name=name)
        norm.build(shape)
        return norm

    def _dropout(self, name: str, rate: float):
        return layers.Dropout(rate, seed=derive_seed(self.seed, self.name, name), dtype=self.dtype_policy, name=name)

    def _activation(self, x):
        return ops.leaky_relu(x, negative_slope=LEAKY_SLOPE)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.num_classes)

    def compute_output_spec(self, inputs, training=None):
        return keras.KerasTensor(self.compute_output_shape(inputs.shape), dtype="float32")

    def get_config(self):
        own = {"num_classes": self.num_classes, "seed": self.seed}
        return {**super().get_config(), **own, "input_dropout": self.input_dropout, "l2": self.l2}


@keras.saving.register_keras_serializable(package="keras_radtl")
class LinearHead(_Head):
    """One dense layer.

    Args:
        num_classes: Number of logits.
        seed: Seed of the initial weights and the dropout masks.
        input_dropout: Dropout rate of the features, in [0, 1).
        l2: Factor >= 0 of the L2 penalty on every kernel.
        **kwargs: Arguments of `keras.layers.Layer`.

    Input shape: `(batch, features)`. Output shape: `(batch, num_classes)`, float32 logits.
    """

    def build(self, input_shape):
        self.logits = self._logits(input_shape[-1])

    def _forward(self, features, training):
        return self.logits(features)


@keras.saving.register_keras_serializable(package="keras_radtl")
class NonLinearHead(_Head):
    """Dense, BatchNorm, LeakyReLU, Dropout, Dense.

    Args:
        num_classes: Number of logits.
        ratio: Ratio > 0 of the hidden size to the number of features.
        dropout: Dropout rate, in [0, 1).
        **kwargs: `seed`, `input_dropout` and `l2` as for `LinearHead`, and arguments of `keras.layers.Layer`.

    Input shape: `(batch, features)`. Output shape: `(batch, num_classes)`, float32 logits.
    """

    def __init__(self, num_classes: int, ratio: float = 0.5, dropout: float = 0.5, **kwargs):
        super().__init__(num_classes, **kwargs)
        self.ratio = ratio
        self.dropout = dropout

    def build(self, input_shape):
        features = input_shape[-1]
        hidden = head_sizes(HeadConfig("nonlinear", self.ratio, dropout=self.dropout), features).hidden
        self._build_dense_layers(features, hidden)

    def _build_dense_layers(self, width: int, hidden: int):
        self.hidden = self._dense("hidden", hidden, width)
        self.hidden_norm = self._norm("hidden_norm", (None, hidden))
        self.hidden_dropout = self._dropout("hidden_dropout", self.dropout)
        self.logits = self._logits(hidden)

    def _forward(self, features, training):
        x = self._activation(self.hidden_norm(self.hidden(features), training=training))
        return self.logits(self.hidden_dropout(x, training=training))

    def get_config(self):
        return {**super().get_config(), "ratio": self.ratio, "dropout": self.dropout}


@keras.saving.register_keras_serializable(package="keras_radtl")
class ConvHead(NonLinearHead):
    """One-dimensional convolution along the features, followed by two dense layers.

    The flattened vector is filter-major as in PyTorch: all positions of the first filter, then all of the second. The
    transposed dense kernels of the reference implementation therefore fit without reordering.

    Args:
        num_classes: Number of logits.
        filters: Number of filters of the convolution.
        kernel_size: Kernel size of the convolution, at most the number of features.
        ratio: Ratio > 0 of the hidden size to the size that `hidden_basis` names.
        dropout: Dropout rate, in [0, 1).
        hidden_basis: "features" (the number of features) or "flattened" (the size of the flattened vector).
        **kwargs: As for `NonLinearHead`.

    Input shape: `(batch, features)`. Output shape: `(batch, num_classes)`, float32 logits.
    """

    size_name = "conv"

    def __init__(
        self,
        num_classes: int,
        filters: int = 16,
        kernel_size: int = 2,
        ratio: float = 0.5,
        dropout: float = 0.5,
        hidden_basis: str = "features",
        **kwargs,
    ):
        super().__init__(num_classes, ratio, dropout, **kwargs)
        self.filters = filters
        self.kernel_size = kernel_size
        self.hidden_basis = hidden_basis

    def build(self, input_shape):
        features = input_shape[-1]
        config = HeadConfig(self.size_name, self.ratio, self.filters, self.kernel_size, self.dropout, self.hidden_basis)
        self.flattened, hidden = head_sizes(config, features)
        self.convolution = layers.Conv1D(
            self.filters,
            self.kernel_size,
            use_bias=False,
            dtype=self.dtype_policy,
            name="convolution",
            **self._kernel_options("convolution"),
        )
        self.convolution.build((None, features, 1))
        self.convolution_norm = self._norm("convolution_norm", (None, None, self.filters))
        self.convolution_dropout = self._dropout("convolution_dropout", self.dropout)
        self._build_dense_layers(self.flattened, hidden)

    def _flat(self, inputs, training):
        x = self.convolution(ops.expand_dims(inputs, -1))
        x = self._activation(self.convolution_norm(x, training=training))
        x = self.convolution_dropout(x, training=training)
        return ops.reshape(ops.transpose(x, (0, 2, 1)), (-1, self.flattened))

    def _forward(self, features, training):
        return super()._forward(self._flat(features, training), training)

    def get_config(self):
        own = {"filters": self.filters, "kernel_size": self.kernel_size, "hidden_basis": self.hidden_basis}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable(package="keras_radtl")
class ConvSkipHead(ConvHead):
    """A `ConvHead` with a skip connection: ReLU(BN(Dense(features))) is added to the flattened vector.

    Args: Those of `ConvHead`.

    Input shape: `(batch, features)`. Output shape: `(batch, num_classes)`, float32 logits.
    """

    size_name = "conv_skip"

    def build(self, input_shape):
        super().build(input_shape)
        self.skip = self._dense("skip", self.flattened, input_shape[-1])
        self.skip_norm = self._norm("skip_norm", (None, self.flattened))

    def _flat(self, inputs, training):
        skip = ops.relu(self.skip_norm(self.skip(inputs), training=training))
        return super()._flat(inputs, training) + skip


HEADS: dict[str, type[_Head]] = dict(zip(HEAD_NAMES, (LinearHead, NonLinearHead, ConvHead, ConvSkipHead), strict=True))
_ARGUMENTS = {
    "linear": (),
    "nonlinear": ("ratio", "dropout"),
    "conv": ("ratio", "dropout", "filters", "kernel_size", "hidden_basis"),
    "conv_skip": ("ratio", "dropout", "filters", "kernel_size", "hidden_basis"),
}


def make_head(config: HeadConfig, num_classes: int, name: str = "head", seed: int = 0) -> keras.layers.Layer:
    """Return a new head.

    Args:
        config: The head section of a configuration.
        num_classes: Number of logits.
        name: Name of the layer.
        seed: Seed of the initial weights and the dropout masks. Heads with the same name, seed and shape have the same
            initial weights.

    Returns:
        Layer from features (batch, features) to float32 logits (batch, num_classes).

    Raises:
        UserError: If the head is unknown.
    """
    require_head(config.name)
    arguments = {argument: getattr(config, argument) for argument in ("input_dropout", "l2", *_ARGUMENTS[config.name])}
    return HEADS[config.name](num_classes, seed=seed, name=name, **arguments)
