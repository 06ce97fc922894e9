"""The plan of a run: names are resolved to objects, and checked when a configuration is constructed."""

from __future__ import annotations

import subprocess
import sys

import pytest

from keras_radtl.config import Config, HeadConfig, ModelConfig, TrainingConfig, UserError, update
from keras_radtl.training.plan import make_plan

WRONG = [
    ({"model.backbone": "resnet51"}, "Unknown backbone 'resnet51'"),
    ({"model.weights": "imagenet22k"}, "Unknown weights 'imagenet22k' for EfficientNet-Lite0"),
    ({"model.scaling": "zscore"}, "Unknown scaling 'zscore'"),
    ({"model.head.name": "mlp"}, "Unknown head 'mlp'"),
    ({"training.strategy": "lpft"}, "Unknown strategy 'lpft'"),
    ({"training.optimizer": "lion"}, "Unknown optimizer 'lion'"),
    ({"training.counting": "fts"}, "has no layer groups for `counting='fts'`"),
    ({"training.unfreeze": "top40"}, "`unfreeze` must be at most top"),
    ({"training.unfreeze": "layers:149"}, "`unfreeze` must be at most layers:148 for EfficientNet-Lite0"),
    ({"training.strategy": "g_lf", "training.epochs": 2}, "`epochs` must be at least"),
    ({"training.phase_epochs": [1, 2]}, "`phase_epochs` must have one number for each phase"),
    ({"training.group_rates": [1.0] * 40}, "`group_rates` must have at most"),
    ({"training.strategy": "auto_rgn", "training.group_decay": 0.5}, "cannot be used with `strategy='auto_rgn'`"),
    ({"training.strategy": "l2_sp", "model.head.l2": 0.1}, "`model.head.l2` must be 0 with the strategy l2_sp"),
    ({"training.optimizer": "adamw", "training.weight_decay": 0.1, "training.weight_decay_mode": "coupled"}, "AdamW"),
    ({"model.backbone": "tiny", "model.weights": "none", "model.head.kernel_size": 9}, "`kernel_size` must be at most"),
    ({"data.image_size": 16}, "`image_size` must be at least 32 pixels for EfficientNet-Lite0"),
]  # fmt: skip


@pytest.mark.parametrize(("values", "message"), WRONG)
def test_invalid_configuration_is_an_error_on_construction(values, message, tiny_backbone):
    with pytest.raises(UserError) as error:
        Config.preset("quickstart", **values)
    assert message in str(error.value) and "\n" not in str(error.value)


def test_constructor_and_update_reject_unknown_names():
    with pytest.raises(UserError, match="Unknown backbone 'resnet51'"):
        Config(model=ModelConfig(backbone="resnet51"))
    with pytest.raises(UserError, match="Unknown head 'mlp'"):
        update(Config(), {"model": {"head": {"name": "mlp"}}})


@pytest.mark.parametrize("name", ["fit", "audit", "tune"])
def test_commands_have_the_same_message(name, refusal):
    from importlib import import_module

    command = import_module(f"keras_radtl.{name}")
    assert command.main(["--backbone", "resnet51", "--print-config"]) == 2
    assert "Unknown backbone 'resnet51'. Known: resnet50" in refusal()


def test_names_are_resolved_to_objects():
    plan = make_plan(Config.preset("fts", strategy="lp_ft", optimizer="sgd", loss="focal", epochs=9))
    assert [branch.spec.name for branch in plan.branches] == ["resnet50"] and plan.image_size == 224
    assert [(p.name, p.unfreeze, p.epochs) for p in plan.phases] == [("classifier", "none", 3), ("all", "all", 6)]
    assert (plan.optimizer.kind, plan.focal_gamma, plan.frozen, plan.epochs) == ("SGD", 2.0, False, 9)
    assert make_plan(Config.preset("fts", strategy="lp")).frozen


def test_default_image_size_is_the_larger_of_two_backbones():
    config = Config(model=ModelConfig(backbone="resnet50+inception_v3", weights="none", head=HeadConfig("linear")))
    assert make_plan(config).image_size == 299


def test_plan_does_not_need_the_weight_file():
    """A finished run can be opened and evaluated without the weight file of its backbone."""
    plan = make_plan(Config(model=ModelConfig(backbone="resnet50", weights="gone.h5")))
    assert plan.branches[0].assumed_scaling


def test_plan_does_not_import_tensorflow():
    code = (
        "import sys, keras_radtl as rtl; rtl.Config.preset('breast', folds=5); "
        "print([m for m in ('tensorflow', 'keras', 'numpy', 'pandas') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"


def test_sections_are_validated_on_construction():
    with pytest.raises(UserError, match="`epochs` must be in"):
        TrainingConfig(epochs=0)
