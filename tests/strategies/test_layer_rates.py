"""Learning-rate multipliers by layer group and by relative gradient norm of layers and tensors, with all optimizers."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from keras_radtl.config import TrainingConfig, UserError
from keras_radtl.models.groups import set_trainable
from keras_radtl.models.losses import make_loss
from keras_radtl.strategies.layer_rates import GroupMultipliers, RelativeGradientNorms, layer_of, make_multipliers
from keras_radtl.strategies.optimizers import make_optimizer, optimizer_settings
from keras_radtl.strategies.phases import Phase, compile_phase
from keras_radtl.strategies.table import group_multipliers


def two_layers(first=1.0, second=1.0):
    values = {"a/kernel": np.full((2, 2), first), "b/kernel": np.full((2, 2), second)}
    made = []
    for path, value in values.items():
        with keras.name_scope(path.split("/")[0]):
            made.append(keras.Variable(value.astype("float32"), name="kernel"))
    return made


def steps(name, variables, gradients, multipliers=None, count=3, **options):
    optimizer = make_optimizer(optimizer_settings(TrainingConfig(optimizer=name, **options)), 0.1)
    optimizer.set_multipliers(multipliers)
    for _ in range(count):
        optimizer.apply_gradients([(np.array(g, "float32"), v) for g, v in zip(gradients, variables, strict=True)])
    return [variable.numpy() for variable in variables]


def test_the_layer_of_a_variable_path():
    assert [layer_of(path) for path in ("head/hidden/kernel", "stem_conv/kernel")] == ["head/hidden", "stem_conv"]


@pytest.mark.parametrize("name", ["adam", "adamw", "radam", "sgd"])
@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_equal_norms_are_bit_identical_to_training_without_multipliers(name, decay):
    gradients = [np.full((2, 2), 0.3)] * 2
    plain = steps(name, two_layers(), gradients, weight_decay=decay)
    variables = two_layers()
    scaled = steps(name, variables, gradients, RelativeGradientNorms(variables), weight_decay=decay)
    assert np.array_equal(plain, scaled) and not np.array_equal(plain[0], np.ones((2, 2)))


@pytest.mark.parametrize("name", ["adam", "adamw", "radam", "sgd"])
@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_a_layer_without_gradient_is_not_updated(name, decay):
    variables = two_layers()
    first, second = steps(
        name, variables, [np.zeros((2, 2)), np.ones((2, 2))], RelativeGradientNorms(variables), weight_decay=decay
    )
    assert np.array_equal(first, np.ones((2, 2))) and (second < 1).all()


@pytest.mark.parametrize(("name", "change"), [("adam", 0.1), ("sgd", 0.1 * 1.9 * 0.2)])  # Nesterov momentum: 1.9 g
def test_the_multiplier_is_the_relative_norm_and_scales_the_update(name, change):
    """||g|| / ||w|| is 0.2 / 1 and 0.8 / 2, so the multipliers are 1/2 and 1."""
    variables = two_layers(1.0, 2.0)
    norms = RelativeGradientNorms(variables)
    first, second = steps(name, variables, [np.full((2, 2), 0.2), np.full((2, 2), 0.8)], norms, count=1)
    assert list(norms.means().values()) == pytest.approx([0.5, 1.0])
    np.testing.assert_allclose(first, 1 - change / 2, rtol=1e-6)
    np.testing.assert_allclose(second, 2 - change * (1 if name == "adam" else 4), rtol=1e-6)


def test_kernel_and_bias_of_a_layer_share_a_multiplier():
    with keras.name_scope("a"):
        variables = [keras.Variable(np.full((2, 2), 2.0), name="kernel"), keras.Variable(np.zeros(2), name="bias")]
    with keras.name_scope("b"):
        variables.append(keras.Variable(np.full((4,), 1.0), name="kernel"))
    norms = RelativeGradientNorms(variables)
    norms.observe([np.zeros((2, 2)), np.array([3.0, 4.0]), np.full(4, 5.0)], variables)
    assert norms.means() == {"a": pytest.approx((5 / 4) / (10 / 2)), "b": pytest.approx(1.0)}


def test_zero_gradients_give_zero_multipliers():
    variables = two_layers(0.0, 1.0)
    norms = RelativeGradientNorms(variables)
    norms.observe([np.zeros((2, 2))] * 2, variables)
    assert list(norms.means().values()) == [0.0, 0.0]


def test_means_are_computed_over_the_steps_of_an_epoch():
    variables = two_layers()
    norms = RelativeGradientNorms(variables)
    for first in (1.0, 0.5):
        norms.observe([np.full((2, 2), first), np.ones((2, 2))], variables)
    assert list(norms.means().values()) == pytest.approx([0.75, 1.0])
    norms.begin_epoch(None, None)
    norms.observe([np.ones((2, 2)), np.full((2, 2), 0.25)], variables)
    assert list(norms.means().values()) == pytest.approx([1.0, 0.25])


def compiled(model, optimizer="adam", scale_loss=False, **options):
    """Compile a classifier whose layers are all trainable, with multipliers by tensor; return the multipliers."""
    everything = frozenset(la.name for la in model.layers if la.weights and la.name != "head")
    set_trainable(model, everything)
    multipliers = make_multipliers(model, (), "stages", "tensor")
    settings = optimizer_settings(TrainingConfig(optimizer=optimizer, **options))
    compile_phase(model, Phase("all", everything, 1, 0.01), settings, make_loss(False), multipliers, scale_loss)
    return multipliers


def dataset(batch, size=1, count=8):
    """Return a function that returns the first images of a batch in batches, with unequal case weights."""
    import tensorflow as tf

    images, targets = batch
    weights = np.linspace(0.5, 2, len(targets), dtype=np.float32)
    return lambda: tf.data.Dataset.from_tensor_slices((images[:count], targets[:count], weights[:count])).batch(size)


def expected_ratios(model, batches):
    """Return mean ||gradient|| / ||weights|| of each trainable variable, from a loss that is written out here."""
    import tensorflow as tf

    norms = {variable.path: [] for variable in model.trainable_variables}
    for images, targets, weights in batches:
        with tf.GradientTape() as tape:
            logits = model(images, training=True)
            each = tf.reduce_logsumexp(logits, axis=1) - tf.gather(logits, targets, batch_dims=1)
            loss = tf.reduce_sum(each * weights) / len(targets)
        gradients = tape.gradient(loss, [variable.value for variable in model.trainable_variables])
        for variable, gradient in zip(model.trainable_variables, gradients, strict=True):
            norms[variable.path].append(np.sqrt((gradient.numpy().astype(float) ** 2).sum()))
    with np.errstate(divide="ignore"):
        return {v.path: np.mean(norms[v.path]) / np.linalg.norm(v.numpy()) for v in model.trainable_variables}


@pytest.mark.parametrize("batchnorm", ["inference", "adapt"])
def test_tensors_have_their_mean_ratio_over_five_batches(make_classifier, batch, batchnorm):
    """Seven batches are offered, the last two must not count; BatchNorm and the head's bias of 0 are not compared."""
    model = make_classifier(batchnorm)
    norms, offered = compiled(model), dataset(batch, size=1, count=7)
    norms.begin_epoch(model, offered)
    ratios = expected_ratios(model, list(offered())[:5])
    compared = {path: ratio for path, ratio in ratios.items() if "_bn/" not in path and path != "head/logits/bias"}
    expected = {path: ratio / max(compared.values()) for path, ratio in compared.items()}
    expected |= {path: 0.0 for path in ratios if "_bn/" in path} | {"head/logits/bias": 1.0}
    found = norms.means()
    assert found.keys() == expected.keys() and sum("_bn/" in path for path in found) == 6
    assert found == pytest.approx(expected, rel=1e-4) and len(set(found.values())) > 4
    for variable in model.trainable_variables:
        assert float(norms.scale(variable)) == pytest.approx(expected[variable.path], rel=1e-4)


def test_a_small_bias_is_a_tensor_of_its_own(classifier, batch):
    norms = compiled(classifier)
    classifier.get_layer("head").logits.bias.assign([0.001, -0.001])
    norms.begin_epoch(classifier, dataset(batch))
    ratios = expected_ratios(classifier, list(dataset(batch)())[:5])
    assert max((path for path in ratios if "_bn/" not in path), key=ratios.get) == "head/logits/bias"
    kernel = ratios["head/logits/kernel"] / ratios["head/logits/bias"]
    assert norms.means()["head/logits/bias"] == 1.0
    assert norms.means()["head/logits/kernel"] == pytest.approx(kernel, rel=1e-4)


def test_an_epoch_may_have_fewer_than_five_batches(classifier, batch):
    norms, two = compiled(classifier), dataset(batch, size=3, count=5)
    norms.begin_epoch(classifier, two)
    ratios = expected_ratios(classifier, two())
    expected = ratios["stem_conv/kernel"] / ratios["last_conv/kernel"]
    assert norms.means()["stem_conv/kernel"] / norms.means()["last_conv/kernel"] == pytest.approx(expected, rel=1e-4)


def test_the_measurement_changes_no_variable(make_classifier, batch):
    model = make_classifier("adapt", dropout=0.5)
    norms = compiled(model)
    everything = [*model.variables, *model.optimizer.variables, *model.metrics_variables]
    before = [variable.numpy().copy() for variable in everything]
    norms.begin_epoch(model, dataset(batch))
    assert all(np.array_equal(value, variable.numpy()) for value, variable in zip(before, everything, strict=True))
    model.train_on_batch(*batch)
    moved = {v.path for value, v in zip(before, everything, strict=True) if not np.array_equal(value, v.numpy())}
    assert {"stem_bn/moving_mean", "stem_conv/kernel"} <= moved and "stem_bn/gamma" not in moved


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "radam", "sgd"])
def test_multipliers_by_tensor_scale_the_updates(classifier, batch, weights, optimizer):
    """The update of each tensor is its multiplier times the update without multipliers, BatchNorm stays as it is."""
    initial, changes = classifier.get_weights(), []
    norms = compiled(classifier, optimizer, weight_decay=0.1, weight_decay_mode="decoupled")
    for multipliers in (norms, None):
        classifier.set_weights(initial)
        if multipliers is None:
            settings = optimizer_settings(TrainingConfig(optimizer=optimizer, weight_decay=0.1))
            compile_phase(classifier, Phase("all", frozenset(), 1, 0.01), settings, make_loss(False))
        else:
            norms.begin_epoch(classifier, dataset(batch))
        before = weights(classifier)
        classifier.train_on_batch(*batch)
        changes.append({path: value - before[path] for path, value in weights(classifier).items()})
    scaled, plain = changes
    for path, multiplier in norms.means().items():
        np.testing.assert_allclose(scaled[path], multiplier * plain[path], rtol=1e-3, atol=2e-7)
        assert (multiplier == 0) == ("_bn/" in path) and np.abs(plain[path]).max() > 1e-4


def test_float16_measures_the_same_norms(make_classifier, batch):
    """Small gradients are zero in float16 unless the loss is scaled."""
    from keras_radtl.models.precision import dtype_policy

    def measured(model, scale_loss=False):
        norms = compiled(model, scale_loss=scale_loss)
        model.get_layer("head").logits.kernel.assign(1e-6 * initial)
        norms.begin_epoch(model, dataset(batch))
        return {path: value for path, value in norms.means().items() if "conv" in path}

    single = make_classifier()
    with dtype_policy("mixed_float16"):
        half = make_classifier()
    half.set_weights(single.get_weights())
    initial = single.get_layer("head").logits.kernel.numpy()
    expected = measured(single)
    assert measured(half, scale_loss=True) == pytest.approx(expected, rel=0.05)
    assert measured(half) != pytest.approx(expected, rel=0.05)


def test_group_multipliers_start_at_the_head_and_the_last_one_repeats(classifier):
    means = GroupMultipliers(classifier, (1.0, 0.5, 0.25), "stages").means()
    expected = {"head": 1.0, "last": 0.5, "middle": 0.25, "stem": 0.25}
    assert {layer.split("/")[0].split("_")[0] for layer in means} == set(expected)
    for layer, multiplier in means.items():
        assert multiplier == expected[layer.split("/")[0].split("_")[0]]


def test_too_many_group_multipliers_are_refused():
    with pytest.raises(
        UserError, match="`group_rates` must have at most 4 multipliers, for the head and 3 groups. Received: 5"
    ):
        group_multipliers(TrainingConfig(group_rates=(1.0,) * 5), ("stem", "middle", "last"))


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_group_multipliers_scale_the_updates_in_training(classifier, batch, weights, optimizer):
    """Multipliers of 0 and 1/2 give no update and half the update."""

    def change(group_rates):
        classifier.set_weights(initial)
        training = TrainingConfig(optimizer=optimizer, group_rates=group_rates)
        everything = frozenset(la.name for la in classifier.layers if la.weights and la.name != "head")
        set_trainable(classifier, everything)
        multipliers = make_multipliers(classifier, training.group_rates, "stages", None)
        phase, settings = Phase("all", everything, 1, 0.01), optimizer_settings(training)
        compile_phase(classifier, phase, settings, make_loss(False), multipliers)
        before = weights(classifier)
        classifier.train_on_batch(*batch)
        return {path: value - before[path] for path, value in weights(classifier).items()}

    initial = classifier.get_weights()
    plain, scaled = change(()), change((1.0, 0.5, 0.0))
    for path, multiplier in (("head/logits/kernel", 1.0), ("last_conv/kernel", 0.5), ("middle_conv/kernel", 0.0)):
        np.testing.assert_allclose(scaled[path], multiplier * plain[path], rtol=1e-3, atol=1e-8)
        assert np.abs(plain[path]).max() > 1e-5


def test_group_multipliers_are_refused_with_auto_rgn():
    for given in ({"group_rates": (1.0,)}, {"group_decay": 0.5}):
        training = TrainingConfig(strategy="auto_rgn", **given)
        with pytest.raises(UserError, match=f"`{next(iter(given))}` cannot be used with `strategy='auto_rgn'`"):
            group_multipliers(training, ("stem", "middle", "last"))


def test_group_decay_gives_its_powers():
    groups = ("stem", "middle", "last")
    assert group_multipliers(TrainingConfig(group_decay=0.5), groups) == (1.0, 0.5, 0.25, 0.125)
    assert group_multipliers(TrainingConfig(group_rates=(1.0, 0.5)), groups) == (1.0, 0.5)


def test_the_last_multiplier_repeats(classifier):
    short, long = (make_multipliers(classifier, f, "stages", None) for f in ((1.0, 0.5), (1.0, 0.5, 0.5, 0.5)))
    assert short.means() == long.means() and len(set(short.means().values())) == 2


def test_there_are_no_multipliers_by_default(classifier):
    assert group_multipliers(TrainingConfig(), ("stem",)) == ()
    assert make_multipliers(classifier, (), "stages", auto_multipliers=None) is None
