"""Each phase starts with a new optimizer and updates exactly its trainable layers."""

from __future__ import annotations

import numpy as np
import pytest

from keras_radtl.config import TrainingConfig
from keras_radtl.models.groups import set_trainable
from keras_radtl.models.keras_internals import optimizer_variables
from keras_radtl.models.losses import make_loss
from keras_radtl.strategies.optimizers import optimizer_settings
from keras_radtl.strategies.phases import Phase, compile_phase


def enter(model, phase, training):
    set_trainable(model, phase.layers)
    compile_phase(model, phase, optimizer_settings(training), make_loss(False))


def test_each_phase_has_a_new_optimizer_with_its_learning_rate(classifier, batch, plan_phases):
    training = TrainingConfig(strategy="lp_ft", epochs=2, learning_rate=0.125)
    first, second = plan_phases(classifier, training)
    enter(classifier, first, training)
    classifier.train_on_batch(*batch)
    old = classifier.optimizer
    enter(classifier, second, training)
    assert classifier.optimizer is not old
    assert int(old.iterations) == 1 and int(classifier.optimizer.iterations) == 0
    assert float(classifier.optimizer.learning_rate) == 0.125
    assert len(optimizer_variables(old)) == 2 and len(optimizer_variables(classifier.optimizer)) == 11


@pytest.mark.parametrize("layers", [frozenset(), frozenset({"last_conv"}), frozenset({"stem_conv", "stem_bn"})])
def test_a_step_updates_only_the_trainable_layers(classifier, batch, weights, layers):
    training = TrainingConfig(optimizer="sgd", learning_rate=0.5)
    enter(classifier, Phase("x", layers, 1, 0.5), training)
    before = weights(classifier)
    classifier.train_on_batch(*batch)
    changed = {path for path, value in weights(classifier).items() if not np.array_equal(value, before[path])}
    expected = {v.path for v in classifier.trainable_variables}
    assert changed == expected
    assert {path.split("/")[0] for path in expected} == {"head", *layers}


def test_the_traced_step_of_the_previous_phase_is_not_reused(classifier, batch, weights, plan_phases):
    """Keras keeps the traced training step until the model is compiled again, even if `trainable` changes."""
    training = TrainingConfig(strategy="lp_ft", epochs=2)
    for phase in plan_phases(classifier, training):
        enter(classifier, phase, training)
        before = weights(classifier)
        classifier.train_on_batch(*batch)
        changed = any(
            not np.array_equal(value, before[path]) for path, value in weights(classifier).items() if "conv" in path
        )
        assert changed == (phase.name == "all")


def test_an_optimizer_with_other_variables_is_an_error(classifier, monkeypatch):
    import keras

    phase = Phase("probe", frozenset(), 1, 0.1)
    set_trainable(classifier, phase.layers)
    build = keras.optimizers.Optimizer.build
    monkeypatch.setattr(keras.optimizers.Optimizer, "build", lambda self, variables: build(self, variables[:1]))
    with pytest.raises(RuntimeError, match="trainable variables of phase 'probe'"):
        compile_phase(classifier, phase, optimizer_settings(TrainingConfig()), make_loss(False))
