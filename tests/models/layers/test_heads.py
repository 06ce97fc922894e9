"""All heads: outputs, parameters, serialization, seeds and mixed precision."""

import functools

import keras
import numpy as np
import pytest

from keras_radtl.config import HeadConfig, UserError
from keras_radtl.models.layers.head_sizes import head_parameters
from keras_radtl.models.layers.heads import HEADS, make_head

FEATURES = np.random.default_rng(0).normal(size=(6, 12)).astype("float32")
VARIANTS = [
    HeadConfig("linear"),
    HeadConfig("nonlinear", ratio=0.5),
    HeadConfig("nonlinear", ratio=1.0, dropout=0.0),
    HeadConfig("conv", filters=3, kernel_size=4),
    HeadConfig("conv", filters=3, kernel_size=4, hidden_basis="flattened"),
    HeadConfig("conv_skip", filters=3, kernel_size=4),
    HeadConfig("conv_skip", filters=2, kernel_size=12, ratio=2.0, hidden_basis="flattened"),
    HeadConfig("linear", input_dropout=0.5, l2=0.05),
    HeadConfig("conv_skip", filters=3, input_dropout=0.2, l2=1e-3),
]
keras_saves = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras on NumPy 2


def parametrize(variants):
    return pytest.mark.parametrize(
        "config", variants, ids=lambda c: f"{c.name}-{c.ratio}-{c.hidden_basis}-{c.input_dropout}"
    )


all_variants = parametrize(VARIANTS)


def train(config, seed):
    """Return a model and its head after three epochs, so that BatchNorm has nontrivial statistics."""
    head = make_head(config, 3, seed=seed)
    model = keras.Sequential([keras.Input((12,)), head])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.1), loss, run_eagerly=True)
    model.fit(FEATURES, np.arange(6) % 3, epochs=3, batch_size=3, shuffle=False, verbose=0)
    return model, head


@functools.cache
def trained(config):
    """Return the model and the head that several tests read and none changes."""
    return train(config, seed=0)


def numpy_forward(config, head, features):
    """Compute the logits in NumPy, from the layers listed in `head_sizes`."""

    def norm(layer, x):
        gamma, beta, mean, variance = (np.asarray(w, "float64") for w in layer.weights)
        return (x - mean) / np.sqrt(variance + 1e-5) * gamma + beta

    def leaky(x):
        return np.where(x > 0, x, 0.01 * x)

    x = features.astype("float64")
    if config.name.startswith("conv"):
        kernel = np.asarray(head.convolution.kernel)[:, 0, :]
        windows = np.lib.stride_tricks.sliding_window_view(x, config.kernel_size, axis=1)
        flat = leaky(norm(head.convolution_norm, windows @ kernel)).transpose(0, 2, 1).reshape(len(x), -1)
        if config.name == "conv_skip":
            flat = flat + np.maximum(norm(head.skip_norm, x @ np.asarray(head.skip.kernel)), 0)
        x = flat
    if config.name != "linear":
        x = leaky(norm(head.hidden_norm, x @ np.asarray(head.hidden.kernel)))
    return x @ np.asarray(head.logits.kernel) + np.asarray(head.logits.bias)


@all_variants
def test_logits_equal_those_computed_in_numpy(config):
    model, head = trained(config)
    np.testing.assert_allclose(model(FEATURES), numpy_forward(config, head, FEATURES), rtol=1e-4, atol=1e-5)


@all_variants
def test_the_number_of_parameters_is_that_of_head_sizes(config):
    head = make_head(config, 3)
    head.build((None, 12))
    assert sum(np.prod(w.shape) for w in head.trainable_weights) == head_parameters(config, 12, 3)


@all_variants
@keras_saves
def test_the_head_can_be_serialized_and_saved(config, tmp_path):
    model, head = trained(config)
    again = type(head).from_config(head.get_config())
    again.build((None, 12))
    again.set_weights(head.get_weights())
    np.testing.assert_array_equal(again(FEATURES), head(FEATURES))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    np.testing.assert_array_equal(loaded(FEATURES), model(FEATURES))


@parametrize([pytest.param(config, marks=[pytest.mark.slow] * (number % 2)) for number, config in enumerate(VARIANTS)])
def test_training_is_bit_identical_for_equal_seeds_only(config):
    first = trained(config)[0].get_weights()
    second, other = (train(config, seed)[0].get_weights() for seed in (0, 1))
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    assert not np.array_equal(first[0], other[0])


@all_variants
def test_the_output_shape_is_known_before_building(config):
    head = make_head(config, 3)
    assert head.compute_output_shape((None, 12)) == (None, 3)
    assert head(keras.KerasTensor((None, 12))).shape == (None, 3)


@all_variants
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_logits_are_float32_under_mixed_precision(config, policy):
    keras.config.set_dtype_policy(policy)
    try:
        head = make_head(config, 3)
        assert head(keras.KerasTensor((None, 12))).dtype == "float32"
        logits = head(FEATURES, training=True)
    finally:
        keras.config.set_dtype_policy("float32")
    assert keras.backend.standardize_dtype(logits.dtype) == "float32"
    assert all(w.dtype == "float32" for w in head.trainable_weights)


def test_dropout_is_only_used_in_training():
    head = make_head(HeadConfig("conv_skip", filters=3, dropout=0.9), 3)
    head.build((None, 12))
    head.hidden_norm.trainable = head.convolution_norm.trainable = head.skip_norm.trainable = False
    assert not np.array_equal(head(FEATURES, training=True), head(FEATURES, training=True))
    np.testing.assert_array_equal(head(FEATURES), head(FEATURES))


def test_input_dropout_zeroes_or_doubles_each_feature():
    head = make_head(HeadConfig("linear", input_dropout=0.5), 12)
    head.build((None, 12))
    head.logits.set_weights([np.eye(12), np.zeros(12)])
    ratios = np.asarray(head(FEATURES, training=True)) / FEATURES
    assert set(np.unique(ratios.round(5))) == {0.0, 2.0}
    np.testing.assert_array_equal(head(FEATURES), FEATURES)


@pytest.mark.parametrize("name", HEADS)
def test_the_l2_penalty_includes_all_kernels_and_nothing_else(name):
    head = make_head(HeadConfig(name, filters=2, l2=0.3), 3)
    head.build((None, 12))
    kernels = [np.asarray(w, "float64") for w in head.weights if w.name == "kernel"]
    assert len(kernels) == {"linear": 1, "nonlinear": 2, "conv": 3, "conv_skip": 4}[name]
    assert float(sum(head.losses)) == pytest.approx(0.3 * sum((kernel**2).sum() for kernel in kernels), rel=1e-5)


def test_the_flattened_vector_is_filter_major():
    head = make_head(HeadConfig("conv", filters=2, kernel_size=1), 2)
    head.build((None, 12))
    head.convolution.set_weights([np.array([[[1.0, 10.0]]])])
    flat = np.asarray(head._flat(np.abs(FEATURES), training=False)) * np.sqrt(1 + 1e-5)
    np.testing.assert_allclose(flat, np.hstack([np.abs(FEATURES), 10 * np.abs(FEATURES)]), rtol=1e-5)


@pytest.mark.parametrize("name", ["hidden", "skip", "convolution"])
def test_kernels_have_an_untruncated_he_normal_initialization(name):
    head = make_head(HeadConfig("conv_skip", filters=64, kernel_size=64, ratio=4.0), 2, seed=3)
    head.build((None, 128))
    kernel = np.asarray(getattr(head, name).kernel)
    standard = kernel * np.sqrt(np.prod(kernel.shape[:-1]) / 2)  # divided by the deviation of He et al., equation 10
    assert standard.std() == pytest.approx(1, abs=4 / np.sqrt(2 * kernel.size))
    assert np.abs(standard).max() > 2.5  # the maximum of a truncated normal distribution would be 2.27


def test_biases_are_initialized_to_zero():
    head = make_head(HeadConfig("linear"), 5)
    head.build((None, 12))
    assert not np.asarray(head.logits.bias).any()


def test_sublayers_have_unique_paths():
    head = make_head(HeadConfig("conv_skip"), 2)
    head.build((None, 12))
    paths = {w.path for w in head.weights}
    assert len(paths) == len(head.weights)
    assert {"head/convolution/kernel", "head/skip_norm/gamma", "head/hidden/kernel", "head/logits/bias"} <= paths


def test_heads_are_made_by_name():
    for name, kind in HEADS.items():
        assert type(make_head(HeadConfig(name), 2)) is kind
    with pytest.raises(UserError, match="Unknown head 'mlp'"):
        make_head(HeadConfig("mlp"), 2)
