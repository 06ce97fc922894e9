"""Command-line options of the commands that take a configuration: one table from flag to configuration key."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace

from keras_radtl import __version__
from keras_radtl.cli.radimagenet_flags import read_radimagenet_flags
from keras_radtl.config import NO_CHANGES, AugmentConfig, Config, UserError, load_values, require, set_key, update
from keras_radtl.config.presets import PRESETS, get_preset


def ints(text: str) -> tuple[int, ...]:
    """Read whole numbers separated by commas."""
    return tuple(int(part) for part in text.split(","))


def floats(text: str) -> tuple[float, ...]:
    """Read numbers separated by commas."""
    return tuple(float(part) for part in text.split(","))


_RULES = {int: "a whole number", float: "a number", ints: "a list of whole numbers", floats: "a list of numbers"}
FLAGS: dict[str, list[tuple[str, str, Callable, str]]] = {
    "data": [
        (
            "--data",
            "data.path",
            str,
            "folder of class folders, CSV, MedMNIST .npz, RadImageNet task folder, or `phantoms`",
        ),
        ("--label", "data.label", str, "label column of a CSV; several separated by commas are a multi-label task"),
        ("--positive", "data.positive", str, "this class against all others"),
        ("--groups", "data.groups", str, "auto, none, a CSV column, or re:REGEX on the path; groups are never divided"),
        ("--image-size", "data.image_size", int, "pixels, square; default: the backbone's"),
        (
            "--on-label-conflict",
            "data.on_label_conflict",
            str,
            "identical images with different labels: drop, keep, error",
        ),
        ("--on-bad-image", "data.on_bad_image", str, "error, or skip and list in rejected.csv"),
        ("--folds", "split.folds", int, "k-fold cross-validation instead of one split"),
        ("--train-share", "split.train", float, "share of training cases"),
        ("--val-share", "split.val", float, "share of validation cases"),
        ("--test-share", "split.test", float, "share of test cases"),
    ],
    "model": [
        ("--backbone", "model.backbone", str, "python -m keras_radtl.models lists them"),
        ("--weights", "model.weights", str, "none, imagenet, radimagenet, or a weight file"),
        ("--weights-dir", "model.weights_dir", str, "folder of the RadImageNet files"),
        ("--scaling", "model.scaling", str, "pixel scaling; default: the one of the weights"),
        ("--head", "model.head.name", str, "linear, nonlinear, conv or conv_skip"),
        (
            "--batchnorm",
            "model.batchnorm",
            str,
            "backbone BatchNorm: inference (moving statistics) or adapt (batch statistics)",
        ),
    ],
    "training": [
        ("--strategy", "training.strategy", str, "fixed (see --unfreeze) or a named strategy"),
        ("--unfreeze", "training.unfreeze", str, "none, all, topN layer groups, or layers:N"),
        ("--epochs", "training.epochs", int, "epochs"),
        (
            "--phase-epochs",
            "training.phase_epochs",
            ints,
            "epochs of each phase, such as 3,7; default: --epochs divided",
        ),
        (
            "--group-rates",
            "training.group_rates",
            floats,
            "factors of the rate: head, last group, the one before; 1,0.3,0.1",
        ),
        ("--group-decay", "training.group_decay", float, "the same by one factor a group, such as 0.3"),
        ("--batch-size", "training.batch_size", int, "images a step"),
        ("--learning-rate", "training.learning_rate", float, "of the first epoch"),
        ("--optimizer", "training.optimizer", str, "adam, adamw, radam or sgd (Nesterov)"),
        ("--weight-decay", "training.weight_decay", float, "decay strength; see training.weight_decay_mode"),
        ("--weight-decay-mode", "training.weight_decay_mode", str, "decoupled, or coupled as torch's L2"),
        ("--schedule", "training.schedule", str, "constant, cosine or beta"),
        (
            "--patience",
            "training.patience",
            int,
            "end a phase after so many epochs without a better validation of its own",
        ),
        (
            "--total-patience",
            "training.total_patience",
            int,
            "end the run after so many epochs without a better validation",
        ),
        ("--monitor", "training.monitor", str, "what chooses the epoch: val_auc or val_loss"),
        ("--loss", "training.loss", str, "cross_entropy or focal"),
        ("--class-weight", "training.class_weight", str, "none or balanced"),
        ("--sampling", "training.sampling", str, "none, or balanced: as many cases of each class an epoch"),
        ("--precision", "training.precision", str, "float32, mixed_bfloat16 or mixed_float16"),
    ],
    "run": [
        ("--seed", "seed", int, "decides split, first weights, order and augmentation"),
        ("--device", "device", str, "auto, cpu or gpu"),
    ],
}
_SHORT = {"--batch-size": ["-b"], "--learning-rate": ["--lr"]}


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message):
        raise UserError(f"{message} (see {self.prog} --help)")


def make_parser(command: str, description: str) -> argparse.ArgumentParser:
    """Return a parser for a command, with `--version` and one-line errors."""
    parser = _Parser(prog=f"python -m keras_radtl.{command}", description=description, allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"keras_radtl {__version__}")
    return parser


def add_config_options(parser: argparse.ArgumentParser) -> None:
    """Add `--preset`, `--config`, `--set`, `--print-config` and every flag of `FLAGS`."""
    group = parser.add_argument_group("configuration", "applied in this order: preset, file, flags, --set")
    group.add_argument("--preset", help=f"a named configuration: {', '.join(PRESETS)} (default: quickstart)")
    group.add_argument("--config", metavar="FILE", help="JSON or YAML, such as the config.json of a run")
    group.add_argument(
        "--set", metavar="KEY=VALUE", action="append", default=[], help="any key, such as augment.rotation=0"
    )
    group.add_argument("--augment", choices=("none", "standard"), help="no picture changes, or those of BACON")
    group.add_argument("--print-config", action="store_true", help="print the resulting configuration and stop")
    text = "flags of the RadImageNet scripts in one string, put on the preset radimagenet below all other flags"
    group.add_argument("--radimagenet-flags", metavar="FLAGS", help=text)
    for title, flags in FLAGS.items():
        group = parser.add_argument_group(title)
        for flag, key, kind, text in flags:
            group.add_argument(flag, *_SHORT.get(flag, []), dest=key, metavar=kind.__name__.upper(), help=text)


def config_from(arguments: argparse.Namespace, study: dict | None = None) -> Config:
    """Return the configuration that the options of `add_config_options` say.

    Args:
        arguments: parsed options.
        study: nested values put on the preset, below file and flags, as the list of a sweep does.
    Raises:
        UserError: naming the option or key that is wrong.
    """
    values = load_values(arguments.config) if arguments.config else {}
    scripts = arguments.radimagenet_flags
    config = get_preset(arguments.preset or values.get("preset", "quickstart" if scripts is None else "radimagenet"))
    data = values.get("data")
    named = getattr(arguments, "data.path") or (data.get("path") if isinstance(data, dict) else None)
    if named not in (None, config.data.path):
        config = set_key(config, "data.positive", None)  # what a preset says of its own data
    config = update(update(config, study or {}), values)
    if scripts is not None:
        config = update(config, read_radimagenet_flags(scripts))
    if arguments.augment:
        config = replace(config, augment=NO_CHANGES if arguments.augment == "none" else AugmentConfig())
    changes = {}
    for flags in FLAGS.values():
        for flag, key, kind, _ in flags:
            text = getattr(arguments, key)
            if text is not None:
                _put(changes, *_flag_value(flag, key, kind, text))
    for pair in arguments.set:
        _put(changes, *_pair_value(pair))
    return update(config, changes)  # all at once: the shares of a split are only right together


def _flag_value(flag: str, key: str, kind: Callable, text: str) -> tuple[str, object]:
    if key == "data.label" and "," in text:
        return "data.labels", [name.strip() for name in text.split(",")]
    try:
        return key, kind(text)
    except ValueError:
        raise UserError(f"{flag} must be {_RULES[kind]}. Received: {text!r}") from None


def _pair_value(pair: str) -> tuple[str, object]:
    import yaml

    key, separator, text = pair.partition("=")
    if not separator:
        raise UserError(f"--set takes KEY=VALUE. Received: {pair!r}")
    try:
        return key, yaml.safe_load(text)
    except yaml.YAMLError:
        raise UserError(f"--set {key}: not a value: {text!r}") from None


def _put(changes: dict, dotted: str, value) -> None:
    """Set one key in nested dicts; a table is joined with what is there."""
    *parents, last = dotted.split(".")
    for part in parents:
        changes = changes.setdefault(part, {})
        require(isinstance(changes, dict), dotted, f"a key, and `{part}` is no table", value)
    if isinstance(value, dict) and isinstance(changes.get(last), dict):
        for key, inner in value.items():
            _put(changes[last], str(key), inner)
    else:
        changes[last] = value
