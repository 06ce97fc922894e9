"""The phases of each strategy: their trainable layers and epochs."""

from __future__ import annotations

import pytest

from keras_radtl.config import TrainingConfig, UserError
from keras_radtl.models.groups import layer_groups
from keras_radtl.strategies.table import STRATEGIES, get_strategy

STEM, MIDDLE, LAST = (
    frozenset(f"{name}_{kind}" for kind in ("conv", "bn", "relu")) for name in ("stem", "middle", "last")
)
EVERYTHING = STEM | MIDDLE | LAST


@pytest.fixture
def plan(plan_phases):
    def make(model, strategy, **options):
        return plan_phases(model, TrainingConfig(strategy=strategy, **{"epochs": 12, **options}))

    return make


def unfrozen(phase):
    """Return the trainable layers without the pooling."""
    return phase.layers - {"pooling"}


@pytest.mark.parametrize(
    ("strategy", "steps"),
    [
        ("ft", [EVERYTHING]),
        ("l1_sp", [EVERYTHING]),
        ("l2_sp", [EVERYTHING]),
        ("auto_rgn", [EVERYTHING]),
        ("lp", [frozenset()]),
        ("lp_ft", [frozenset(), EVERYTHING]),
        ("g_lf", [frozenset(), LAST, LAST | MIDDLE, EVERYTHING]),
        ("g_fl", [STEM, STEM | MIDDLE, EVERYTHING]),
    ],
)
def test_each_strategy_unfreezes_its_layers_in_order(classifier, strategy, steps, plan):
    assert [unfrozen(phase) for phase in plan(classifier, strategy)] == steps


@pytest.mark.parametrize(
    ("unfreeze", "layers"), [("none", frozenset()), ("top1", LAST), ("top2", LAST | MIDDLE), ("all", EVERYTHING)]
)
def test_fixed_uses_unfreeze(classifier, unfreeze, layers, plan):
    (phase,) = plan(classifier, "fixed", unfreeze=unfreeze)
    assert unfrozen(phase) == layers and phase.epochs == 12


@pytest.mark.parametrize(
    ("strategy", "epochs", "parts"),
    [
        ("ft", 5, [5]),
        ("lp_ft", 12, [4, 8]),  # a third for linear probing
        ("lp_ft", 2, [1, 1]),
        ("lp_ft", 10, [3, 7]),
        ("g_lf", 4, [1, 1, 1, 1]),
        ("g_lf", 11, [2, 2, 2, 5]),  # the last phase has the remainder
        ("g_fl", 10, [3, 3, 4]),
    ],
)
def test_epochs_are_divided_among_phases(classifier, strategy, epochs, parts, plan):
    assert [phase.epochs for phase in plan(classifier, strategy, epochs=epochs)] == parts


def test_the_epochs_of_each_phase_can_be_set(classifier, plan):
    assert [phase.epochs for phase in plan(classifier, "lp_ft", phase_epochs=(7, 1))] == [7, 1]


def test_phase_names_and_learning_rates(classifier, plan):
    phases = plan(classifier, "g_lf", learning_rate=0.5)
    assert [phase.name for phase in phases] == ["classifier", "last", "middle", "stem"]
    assert {phase.learning_rate for phase in phases} == {0.5}


def test_wrong_numbers_of_epochs_are_refused(classifier, plan):
    with pytest.raises(
        UserError,
        match=r"`phase_epochs` must have one number for each phase \(classifier, all\). Received: \[1, 1, 1\]",
    ):
        plan(classifier, "lp_ft", phase_epochs=(1, 1, 1))
    with pytest.raises(
        UserError, match="`epochs` must be at least 4, one for each phase of the strategy. Received: epochs=3"
    ):
        plan(classifier, "g_lf", epochs=3)


def test_which_strategies_have_a_penalty_or_multipliers():
    assert {
        name: (s.penalty, s.auto_multipliers) for name, s in STRATEGIES.items() if s.penalty or s.auto_multipliers
    } == {
        "l1_sp": (1, False),
        "l2_sp": (2, False),
        "auto_rgn": (None, True),
    }


def test_an_unknown_strategy_is_refused_with_the_known_names():
    with pytest.raises(
        UserError, match="Unknown strategy 'lpft'. Known: fixed, ft, lp, g_lf, g_fl, lp_ft, l1_sp, l2_sp, auto_rgn"
    ):
        get_strategy("lpft")


def test_gradual_unfreezing_of_a_real_backbone_ends_with_all_layers(plan):
    from keras_radtl.config import HeadConfig, ModelConfig
    from keras_radtl.models.classifier import build_classifier

    model = build_classifier(ModelConfig(weights="none", head=HeadConfig("linear")), 2, (32, 32, 3), 0)
    groups = [group for group in layer_groups(model) if group.parameters]
    forth, back = (plan(model, name, epochs=2 * len(groups) + 2) for name in ("g_fl", "g_lf"))
    assert len(forth) == len(groups) and len(back) == len(groups) + 1
    everything = frozenset(name for group in groups for name in group.layers)
    assert forth[-1].layers == back[-1].layers == everything
    for phases in (forth, back):
        assert all(before.layers < after.layers for before, after in zip(phases, phases[1:], strict=False))
    assert forth[0].layers == frozenset(groups[0].layers) and back[1].layers == frozenset(groups[-1].layers)
