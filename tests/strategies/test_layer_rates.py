"""Learning-rate multipliers by layer group and by relative gradient norm, with all optimizers."""

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
    norms.begin_epoch()
    norms.observe([np.ones((2, 2)), np.full((2, 2), 0.25)], variables)
    assert list(norms.means().values()) == pytest.approx([1.0, 0.25])


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
        multipliers = make_multipliers(classifier, training.group_rates, "stages", False)
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
    short, long = (make_multipliers(classifier, f, "stages", False) for f in ((1.0, 0.5), (1.0, 0.5, 0.5, 0.5)))
    assert short.means() == long.means() and len(set(short.means().values())) == 2


def test_there_are_no_multipliers_by_default(classifier):
    assert group_multipliers(TrainingConfig(), ("stem",)) == ()
    assert make_multipliers(classifier, (), "stages", auto_multipliers=False) is None
