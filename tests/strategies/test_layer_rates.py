"""Rates by layer: fixed by group, and by relative gradient norm, under Adam and under SGD."""

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
from keras_radtl.strategies.table import group_factors


def two_layers(first=1.0, second=1.0):
    values = {"a/kernel": np.full((2, 2), first), "b/kernel": np.full((2, 2), second)}
    made = []
    for path, value in values.items():
        with keras.name_scope(path.split("/")[0]):
            made.append(keras.Variable(value.astype("float32"), name="kernel"))
    return made


def steps(name, variables, gradients, rates=None, count=3, **options):
    optimizer = make_optimizer(optimizer_settings(TrainingConfig(optimizer=name, **options)), 0.1)
    optimizer.set_multipliers(rates)
    for _ in range(count):
        optimizer.apply_gradients([(np.array(g, "float32"), v) for g, v in zip(gradients, variables, strict=True)])
    return [variable.numpy() for variable in variables]


def test_layer_of_a_path():
    assert [layer_of(path) for path in ("head/hidden/kernel", "stem_conv/kernel")] == ["head/hidden", "stem_conv"]


@pytest.mark.parametrize("name", ["adam", "adamw", "radam", "sgd"])
@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_equal_norms_are_plain_training_bit_for_bit(name, decay):
    gradients = [np.full((2, 2), 0.3)] * 2
    plain = steps(name, two_layers(), gradients, weight_decay=decay)
    variables = two_layers()
    scaled = steps(name, variables, gradients, RelativeGradientNorms(variables), weight_decay=decay)
    assert np.array_equal(plain, scaled) and not np.array_equal(plain[0], np.ones((2, 2)))


@pytest.mark.parametrize("name", ["adam", "adamw", "radam", "sgd"])
@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_a_layer_without_gradient_stays(name, decay):
    variables = two_layers()
    first, second = steps(
        name, variables, [np.zeros((2, 2)), np.ones((2, 2))], RelativeGradientNorms(variables), weight_decay=decay
    )
    assert np.array_equal(first, np.ones((2, 2))) and (second < 1).all()


@pytest.mark.parametrize(("name", "moved"), [("adam", 0.1), ("sgd", 0.1 * 1.9 * 0.2)])
def test_the_factor_is_the_relative_norm_and_scales_the_update(name, moved):
    """||g|| / ||w|| is 0.2/1 and 0.8/2, so the factors are 1/2 and 1; Adam's first update is the rate, SGD's 1.9 g."""
    variables = two_layers(1.0, 2.0)
    rates = RelativeGradientNorms(variables)
    first, second = steps(name, variables, [np.full((2, 2), 0.2), np.full((2, 2), 0.8)], rates, count=1)
    assert list(rates.means().values()) == pytest.approx([0.5, 1.0])
    np.testing.assert_allclose(first, 1 - moved / 2, rtol=1e-6)
    np.testing.assert_allclose(second, 2 - moved * (1 if name == "adam" else 4), rtol=1e-6)


def test_kernel_and_bias_of_a_layer_share_a_factor():
    with keras.name_scope("a"):
        variables = [keras.Variable(np.full((2, 2), 2.0), name="kernel"), keras.Variable(np.zeros(2), name="bias")]
    with keras.name_scope("b"):
        variables.append(keras.Variable(np.full((4,), 1.0), name="kernel"))
    rates = RelativeGradientNorms(variables)
    rates.observe([np.zeros((2, 2)), np.array([3.0, 4.0]), np.full(4, 5.0)], variables)
    assert rates.means() == {"a": pytest.approx((5 / 4) / (10 / 2)), "b": pytest.approx(1.0)}


def test_no_gradient_at_all_is_no_division_by_zero():
    variables = two_layers(0.0, 1.0)
    rates = RelativeGradientNorms(variables)
    rates.observe([np.zeros((2, 2))] * 2, variables)
    assert list(rates.means().values()) == [0.0, 0.0]


def test_means_are_over_the_steps_of_an_epoch():
    variables = two_layers()
    rates = RelativeGradientNorms(variables)
    for first in (1.0, 0.5):
        rates.observe([np.full((2, 2), first), np.ones((2, 2))], variables)
    assert list(rates.means().values()) == pytest.approx([0.75, 1.0])
    rates.begin_epoch()
    rates.observe([np.ones((2, 2)), np.full((2, 2), 0.25)], variables)
    assert list(rates.means().values()) == pytest.approx([1.0, 0.25])


def test_group_rates_go_from_the_head_down_and_the_last_repeats(classifier):
    rates = GroupMultipliers(classifier, (1.0, 0.5, 0.25), "stages")
    expected = {"head": 1.0, "last": 0.5, "middle": 0.25, "stem": 0.25}
    assert rates.means()
    for layer, factor in rates.means().items():
        assert factor == expected[layer.split("/")[0].split("_")[0]]


def test_too_many_group_rates():
    with pytest.raises(
        UserError, match="`group_rates` must have at most 4 factors, for the head and 3 groups. Received: 5"
    ):
        group_factors(TrainingConfig(group_rates=(1.0,) * 5), ("stem", "middle", "last"))


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_group_rates_act_in_the_trainer(classifier, batch, weights, optimizer):
    """A group with factor 0 stays, one with factor 1/2 goes half the way of plain training."""

    def moved(group_rates):
        classifier.set_weights(initial)
        training = TrainingConfig(optimizer=optimizer, group_rates=group_rates)
        everything = frozenset(la.name for la in classifier.layers if la.weights and la.name != "head")
        set_trainable(classifier, everything)
        rates = make_multipliers(classifier, training.group_rates, "stages", False)
        phase, settings = Phase("all", everything, 1, 0.01), optimizer_settings(training)
        compile_phase(classifier, phase, settings, make_loss(False), rates)
        before = weights(classifier)
        classifier.train_on_batch(*batch)
        return {path: value - before[path] for path, value in weights(classifier).items()}

    initial = classifier.get_weights()
    plain, scaled = moved(()), moved((1.0, 0.5, 0.0))
    for path, factor in (("head/logits/kernel", 1.0), ("last_conv/kernel", 0.5), ("middle_conv/kernel", 0.0)):
        np.testing.assert_allclose(scaled[path], factor * plain[path], rtol=1e-3, atol=1e-8)
        assert np.abs(plain[path]).max() > 1e-5


def test_both_ways_at_once_are_refused():
    for given in ({"group_rates": (1.0,)}, {"group_decay": 0.5}):
        training = TrainingConfig(strategy="auto_rgn", **given)
        with pytest.raises(UserError, match=f"`{next(iter(given))}` cannot be used with strategy auto_rgn"):
            group_factors(training, ("stem", "middle", "last"))


def test_a_decay_factor_is_a_list_of_its_powers():
    groups = ("stem", "middle", "last")
    assert group_factors(TrainingConfig(group_decay=0.5), groups) == (1.0, 0.5, 0.25, 0.125)
    assert group_factors(TrainingConfig(group_rates=(1.0, 0.5)), groups) == (1.0, 0.5)


def test_the_last_factor_repeats(classifier):
    short, long = (make_multipliers(classifier, f, "stages", False) for f in ((1.0, 0.5), (1.0, 0.5, 0.5, 0.5)))
    assert short.means() == long.means() and len(set(short.means().values())) == 2


def test_without_factors_there_are_no_multipliers(classifier):
    assert group_factors(TrainingConfig(), ("stem",)) == ()
    assert make_multipliers(classifier, (), "stages", auto_rates=False) is None
