"""Command-line options: one flag per key, and the order of preset, file, flags and --set."""

from __future__ import annotations

import importlib

import pytest

from keras_radtl.cli.options import add_config_options, config_from, make_parser
from keras_radtl.config import NO_CHANGES, AugmentConfig, Config, UserError, dumps, to_dict
from keras_radtl.config.arguments import ARGUMENTS
from keras_radtl.config.presets import PRESETS

VALUES = {
    "--data": "folder", "--label": "finding", "--positive": "malignant", "--groups": "patient", "--image-size": "64",
    "--on-label-conflict": "keep", "--on-bad-image": "skip", "--folds": "5", "--train-share": "0.75",
    "--val-share": "0.15", "--test-share": "0.1", "--backbone": "resnet50", "--weights": "none", "--weights-dir": "w",
    "--scaling": "tf", "--head": "linear", "--batchnorm": "adapt", "--strategy": "ft", "--unfreeze": "all",
    "--epochs": "3", "--phase-epochs": "7", "--group-rates": "1,0.3,0.1", "--group-decay": "0.5", "--batch-size": "8",
    "--learning-rate": "0.5", "--optimizer": "sgd", "--weight-decay": "0.1", "--weight-decay-mode": "coupled",
    "--schedule": "beta", "--patience": "2", "--total-patience": "4", "--monitor": "val_loss", "--loss": "focal",
    "--class-weight": "balanced", "--sampling": "balanced", "--precision": "mixed_bfloat16", "--seed": "7",
    "--device": "cpu", "--tta": "flips", "--threshold": "youden", "--pooling": "stages", "--initial-head": "zero",
    "--views": "3", "--inner-folds": "4",
}  # fmt: skip
EVERY = [(row.flag, row.key, row.kind) for rows in ARGUMENTS.values() for row in rows]


def parse(*arguments) -> Config:
    parser = make_parser("fit", "Test.")
    add_config_options(parser)
    return config_from(parser.parse_args(list(arguments)))


def at(config, key):
    for part in key.split("."):
        config = getattr(config, part)
    return config


def test_default_is_the_preset_quickstart():
    assert parse() == Config.preset("quickstart")


@pytest.mark.parametrize(("flag", "key", "kind"), EVERY)
def test_each_flag_sets_its_key(flag, key, kind):
    assert at(parse(flag, VALUES[flag]), key) == kind(VALUES[flag])


def test_threshold_is_a_number_or_a_rule():
    assert parse("--threshold", "0.3").prediction.threshold == 0.3
    assert parse("--set", "prediction.threshold=0.3").prediction.threshold == 0.3
    assert parse("--threshold", "sensitivity:0.95").prediction.threshold == "sensitivity:0.95"


@pytest.mark.parametrize(("flag", "key", "kind"), [row for row in EVERY if row[2] is not str])
def test_text_for_a_number_is_an_error(flag, key, kind):
    with pytest.raises(UserError, match=f"^{flag} must be an? [a-z ]+. Received: 'many'$"):
        parse(flag, "many")


def test_several_labels_define_a_multi_label_task():
    data = parse("--label", "edema, mass").data
    assert (data.label, data.labels) == (None, ("edema", "mass"))


def test_short_flags():
    assert parse("-b", "4", "--lr", "1e-2").training == parse("--batch-size", "4", "--learning-rate", "0.01").training


def test_order_of_file_flags_and_set(tmp_path):
    file = tmp_path / "c.yaml"
    file.write_text("seed: 1\ntraining: {epochs: 11, batch_size: 11}\n")
    config = parse("--config", str(file), "--epochs", "12", "--set", "seed=13")
    assert (config.training.batch_size, config.training.epochs, config.seed) == (11, 12, 13)
    assert config.training.unfreeze == "top2"  # of the preset


def test_configuration_file_of_a_run_gives_the_same_configuration(tmp_path):
    first = parse("--epochs", "3", "--set", "training.phase_epochs=[2]", "--weight-decay", "1e-4")
    (tmp_path / "config.json").write_text(dumps(first))
    assert parse("--config", str(tmp_path / "config.json")) == first


@pytest.mark.parametrize(
    ("pair", "key", "value"),
    [
        ("augment.rotation=0", "augment.rotation", 0.0),
        ("augment.vertical_flip=true", "augment.vertical_flip", True),
        ("training.group_rates=[1, 0.1]", "training.group_rates", (1.0, 0.1)),
        ("data.groups=re:([a=b]+)", "data.groups", "re:([a=b]+)"),
        ("training.patience=null", "training.patience", None),
    ],
)
def test_set_accepts_any_key(pair, key, value):
    assert at(parse("--set", pair), key) == value


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--no-such"], "unrecognized arguments: --no-such"),
        (["--epoch", "3"], "unrecognized arguments"),  # no abbreviations
        (["--epochs"], "expected one argument"),
        (["--preset", "nope"], "Unknown preset 'nope'. Known: quickstart"),
        (["--set", "augment.rotation"], "--set takes KEY=VALUE"),
        (["--set", "augment.spin=1"], "Unknown configuration key 'augment.spin'"),
        (["--set", "seed=[1"], "--set seed: not a value"),
        (["--learning-rate", "-1"], "`learning_rate` must be in (0, 1e9]. Received: learning_rate=-1.0"),
        (["--folds", "1"], "`folds` must be in"),
        (["--config", "absent.yaml"], "No such configuration file: absent.yaml"),
    ],
)
def test_invalid_options_are_an_error(arguments, message):
    with pytest.raises(UserError) as error:
        parse(*arguments)
    assert message in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("preset", ["[a]", "{b: 1}", "7", "null"])
def test_preset_that_is_not_a_name_is_an_error(tmp_path, preset):
    (tmp_path / "c.yaml").write_text(f"preset: {preset}\n")
    with pytest.raises(UserError, match="preset"):
        parse("--config", str(tmp_path / "c.yaml"))


def test_ratios_of_a_split():
    split = parse("--train-share", "0.5", "--val-share", "0.25", "--test-share", "0.25").split
    assert (split.train, split.val, split.test) == (0.5, 0.25, 0.25)


def test_version(capsys):
    with pytest.raises(SystemExit) as stop:
        make_parser("fit", "Test.").parse_args(["--version"])
    assert stop.value.code == 0 and capsys.readouterr().out.startswith("keras_radtl ")


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_valid_and_store_their_name(name):
    assert to_dict(Config.preset(name))["preset"] == name


def test_augment_flag():
    assert parse("--augment", "none").augment == NO_CHANGES
    assert parse("--augment", "standard").augment == AugmentConfig()
    assert parse("--augment", "none", "--set", "augment.rotation=5").augment.rotation == 5
    with pytest.raises(UserError, match="invalid choice: 'wild'"):
        parse("--augment", "wild")


def test_set_merges_tables_and_keys():
    config = parse("--epochs", "3", "--set", "training={batch_size: 4, patience: 2}", "--set", "training.patience=1")
    assert (config.training.epochs, config.training.batch_size, config.training.patience) == (3, 4, 1)
    with pytest.raises(UserError, match="`data.path` must be of type str"):
        parse("--data", "x", "--set", "data.path.name=3")


def test_positive_class_of_a_preset_applies_only_to_its_data(tmp_path):
    assert parse().data.positive == "malignant"
    assert parse("--data", "folder").data.positive is None
    assert parse("--data", "folder", "--positive", "cancer").data.positive == "cancer"
    (tmp_path / "a.yaml").write_text("data: {path: folder}")
    assert parse("--config", str(tmp_path / "a.yaml")).data.positive is None


def test_help_texts_name_flags():
    parser = make_parser("fit", "Test.")
    add_config_options(parser)
    text = " ".join(parser.format_help().split())
    assert "fixed (see --unfreeze)" in text and "see --weight-decay-mode" in text
    assert "`unfreeze`" not in text


def test_none_unsets_what_may_be_unset():
    assert parse().data.image_size == 160 and parse("--data", "folder").data.image_size is None
    config = parse("--positive", "none", "--image-size", "none", "--patience", "none", "--weights", "none")
    assert (config.data.positive, config.data.image_size, config.training.patience) == (None, None, None)
    assert config.model.weights == "none"  # a value of its own
    with pytest.raises(UserError, match="--epochs must be an integer"):
        parse("--epochs", "none")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set", "seed=2001-99-99"], "`seed` must be of type int. Received: seed='2001-99-99'"),
        (["--set", 'seed=!!int "x"'], "--set seed: not a value"),
        (["--set", "seed=" + "9" * 5000], "an integer of 5000 digits"),
        (["--set", "data=" + "{" * 3000], "inside each other"),
        (["--set", "a." * 3000 + "b=1"], "Unknown configuration key"),
        (["--set", "model.head.ratio=.inf"], "`ratio` must be in (0, 100]"),
        (["--set", "data.resize_side=1000000"], "`resize_side` must be in [8, 16384] pixels"),
        (["--unfreeze", "top²"], "`unfreeze` must be"),
        (["--unfreeze", "layers:³"], "`unfreeze` must be"),
        (["--epochs", "1e20"], "--epochs must be an integer"),
        (["--epochs", "1" + "0" * 20], "`epochs` must be in [1, 100000]"),
        (["--epochs", "9" * 5000], "--epochs must be an integer"),
        (["--image-size", "9999999999999999999999"], "`image_size` must be in [8, 4096] pixels"),
        (["--group-rates", "inf"], "`group_rates` must be a list of numbers in [0, 1e6]"),
        (["--groups", "re:a{99999999999}"], "`groups` is not a valid regular expression"),
        (["--data", "a\0b"], "`data.path` must be Unicode text"),
        (["--config", "x" * 5000], "File name too long"),
        (["--config", "a\0b"], "No such configuration file"),
    ],
    ids=range(18),
)
def test_values_that_no_key_can_have_are_one_line(arguments, message):
    with pytest.raises(UserError) as error:
        parse(*arguments)
    assert message in str(error.value) and len(str(error.value)) <= 300 and str(error.value).isprintable()


COMMANDS = ("analyze", "audit", "compare", "fit", "phantoms", "predict", "sweep", "tune")


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_the_default_of_every_option_that_takes_a_value(command):
    module = importlib.import_module(f"keras_radtl.{command}")
    parser = module.parser()
    formatter = parser._get_formatter()
    for action in parser._actions:
        if action.option_strings and action.nargs != 0 and not action.required:
            assert "default" in formatter._expand_help(action), action.option_strings


def test_defaults_are_those_of_the_quickstart(monkeypatch):
    monkeypatch.setenv("COLUMNS", "400")
    parser = make_parser("fit", "Test.")
    add_config_options(parser)
    text = " ".join(parser.format_help().split())
    for part in (
        "--epochs INT number of epochs (default: 8)",
        "(default: conv_skip)",
        "(default: top2)",
        "(default: 0.0002)",
    ):
        assert part in text
