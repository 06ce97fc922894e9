"""Command-line options for a configuration: one flag for each short name of a configuration key."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

from keras_radtl.cli.radimagenet_flags import read_radimagenet_flags
from keras_radtl.config import Config, UserError, load_values
from keras_radtl.config.arguments import ARGUMENTS, AUGMENTATIONS, Argument, floats, ints
from keras_radtl.config.errors import shown
from keras_radtl.config.fields import TEXT
from keras_radtl.config.presets import PRESETS
from keras_radtl.config.serialization import get_key, is_optional, nested
from keras_radtl.config.wording import as_flags
from keras_radtl.version import __version__

_RULES = {int: "an integer", float: "a number", ints: "a list of integers", floats: "a list of numbers"}
_SHORT = {"--batch-size": ["-b"], "--learning-rate": ["--lr"]}


class _Formatter(argparse.HelpFormatter):
    """Help that shows the default of each option that takes a value, and keeps the lines of a text of several lines."""

    def _fill_text(self, text, width, indent):
        if "\n" not in text.strip():
            return super()._fill_text(text, width, indent)
        return "".join(indent + line for line in text.splitlines(keepends=True))

    def _get_help_string(self, action):
        text = action.help or ""
        if action.nargs == 0 or action.default is argparse.SUPPRESS or not action.option_strings or "default" in text:
            return text
        default = "none" if action.default in (None, [], ()) else "%(default)s"
        return f"{text} (default: {default})"


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, with the same rules for numbers and paths in all commands."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        for kind, convert in ((int, _integer), (float, _number), (Path, _path)):
            self.register("type", kind, convert)

    def error(self, message):
        raise UserError(f"{message} (see {self.prog} --help)")


def _integer(text: str) -> int:
    if not text.isascii():
        raise argparse.ArgumentTypeError(f"must be an integer. Received: {shown(text)}")
    return int(text)


def _number(text: str) -> float:
    if not text.isascii():
        raise argparse.ArgumentTypeError(f"must be a number. Received: {shown(text)}")
    return float(text)


def _path(text: str) -> Path:
    try:
        valid = bool(text) and "\0" not in text and len(text.encode()) <= TEXT
    except UnicodeEncodeError:
        valid = False
    if not valid:
        raise argparse.ArgumentTypeError(f"must be a path. Received: {shown(text)}")
    return Path(text)


def make_parser(command: str, description: str) -> argparse.ArgumentParser:
    """Return a parser for a command, with `--version` and errors of one line."""
    parser = _Parser(
        prog=f"python -m keras_radtl.{command}", description=description, allow_abbrev=False, formatter_class=_Formatter
    )
    parser.add_argument("--version", action="version", version=f"keras_radtl {__version__}")
    return parser


def add_config_options(parser: argparse.ArgumentParser) -> None:
    """Add `--preset`, `--config`, `--set`, `--print-config` and a flag for each short name of a configuration key."""
    order = "applied in this order: preset, file, flags, --set; the defaults below are those of the preset quickstart"
    group = parser.add_argument_group("configuration", order)
    text = "default: recommended for your data; quickstart for simulated images, or with another head or training"
    group.add_argument("--preset", help=f"a named configuration: {', '.join(PRESETS)} ({text})")
    group.add_argument("--config", metavar="FILE", help="JSON or YAML, such as the config.json of a run")
    text = "set any configuration key, such as augment.rotation=0; may be repeated"
    group.add_argument("--set", metavar="KEY=VALUE", action="append", default=[], help=text)
    group.add_argument("--augment", choices=AUGMENTATIONS, help="no augmentation, or that of BACON (default: standard)")
    group.add_argument("--print-config", action="store_true", help="print the resulting configuration and exit")
    text = "flags of the RadImageNet scripts as one string; they are applied before all other flags"
    group.add_argument("--radimagenet-flags", metavar="FLAGS", help=text)
    defaults = Config.preset("quickstart", positive=None, image_size=None)  # without those of its own data
    for title, listed in ARGUMENTS.items():
        group = parser.add_argument_group(title)
        for argument in listed:
            names = [argument.flag, *_SHORT.get(argument.flag, [])]
            text = (as_flags(argument.help) + _default_text(argument, defaults)).replace("%", "%%")
            group.add_argument(*names, dest=argument.key, metavar=argument.kind.__name__.upper(), help=text)


def _default_text(argument: Argument, defaults: Config) -> str:
    if "default" in argument.help:
        return ""
    value = get_key(defaults, argument.key)
    return f" (default: {'none' if value in (None, ()) else value})"


def config_from(arguments: argparse.Namespace, study: Mapping | None = None, default: str | None = None) -> Config:
    """Return the configuration that the options of `add_config_options` describe.

    Args:
        arguments: Parsed options.
        study: Nested values of a study, which override the preset and are overridden by file and flags.
        default: The preset if none is named; None: as for `Config.preset`.
    Raises:
        UserError: If an option or key is not valid; the message names it.
    """
    file = load_values(arguments.config) if arguments.config else {}
    scripts = arguments.radimagenet_flags
    study = study or {}
    default = study.get("preset", default if scripts is None else "radimagenet")
    preset = file.get("preset", default) if arguments.preset is None else arguments.preset
    layers = [study, file, read_radimagenet_flags(scripts) if scripts is not None else {}]
    if arguments.augment:
        layers.append({"augment": AUGMENTATIONS[arguments.augment]})
    given = [_flag_value(argument, text) for argument, text in given_flags(arguments)]
    layers += [nested(dict(given)), *(nested(dict([_pair_value(pair)])) for pair in arguments.set)]
    return Config.from_layers(preset, *layers)


def given_flags(arguments: argparse.Namespace) -> list[tuple[Argument, str]]:
    """Return the short names whose flags were given, each with the text of the value."""
    every = [argument for listed in ARGUMENTS.values() for argument in listed]
    return [(a, text) for a in every if (text := getattr(arguments, a.key)) is not None]


def _flag_value(argument: Argument, text: str) -> tuple[str, object]:
    if argument.key == "data.label" and "," in text:
        return "data.labels", [name.strip() for name in text.split(",")]
    if text == "none" and is_optional(Config, argument.key):
        return argument.key, None
    try:
        if argument.kind is not str and not text.isascii():
            raise ValueError
        return argument.key, argument.kind(text)
    except ValueError:
        raise UserError(f"{argument.flag} must be {_RULES[argument.kind]}. Received: {shown(text)}") from None


def _pair_value(pair: str) -> tuple[str, object]:
    from keras_radtl.config.yaml_reader import read_yaml

    key, separator, text = pair.partition("=")
    if not separator:
        raise UserError(f"--set takes KEY=VALUE. Received: {shown(pair)}")
    if key == "preset":
        raise UserError("--set cannot change the preset; use --preset NAME")
    try:
        return key, read_yaml(text)
    except ValueError as error:
        raise UserError(f"--set {key}: not a value: {shown(text)} ({error})") from None
