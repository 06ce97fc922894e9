"""Random configurations: values of keys, texts of `--set` and of flags, and files."""

from __future__ import annotations

import dataclasses
import json

import pytest
from fuzzing import fuzz
from hypothesis import strategies as st

from keras_radtl.cli.options import add_config_options, config_from, make_parser
from keras_radtl.config import Config, dumps, from_dict, load_values, to_dict
from keras_radtl.config.arguments import ARGUMENTS
from keras_radtl.config.presets import PRESETS
from keras_radtl.config.serialization import nested


def keys_of(values: dict, prefix: str = "") -> list[str]:
    found = []
    for name, value in values.items():
        found += [prefix + name, *(keys_of(value, f"{prefix}{name}.") if isinstance(value, dict) else ())]
    return found


KEYS = keys_of(to_dict(Config()))
FLAGS = [argument.flag for arguments in ARGUMENTS.values() for argument in arguments]
NUMBERS = st.sampled_from([0, 1, -1, 2**31, 2**63, 10**400, 1e-320, 1e308, float("inf"), float("-inf"), float("nan")])
WORDS = st.sampled_from(
    ["none", "all", "top2", "top²", "layers:³", "layers:9999999999", "re:(", "re:a{99999999999}", "re:" + "(" * 3000]
    + ["~nosuchuser/x", "x" * 5000, "a\0b", "\ud800", "0:255", "²:³", "auto", "ft", "g_lf", "resnet50"]
    + ["vgg19+vgg19", "adam"]
)  # fmt: skip
PLAIN = st.none() | st.booleans() | st.integers() | NUMBERS | st.floats() | st.text(max_size=8) | WORDS
JUNK = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
CHANGES = st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=12), JUNK, max_size=4)
YAML_TEXT = st.text(
    st.sampled_from("{}[]&*!|>%@`'\"#,:-?<=~ \n\t0123456789.+_aeflnortuxyE²٣\0\x07\u2028é😀"), max_size=30
)
YAML_WORDS = st.sampled_from(
    ["2001-99-99", '!!int "x"', '!!float ""', "!!timestamp x", "!!python/object:os.system {}", "9" * 5000, "{" * 3000]
    + ["[" * 40 + "]" * 40, "&a [*a]", "<<: {a: 1}", "{a: 1, a: 2}", "{1: 2}", "? {a: 1}", "1e999", "0x" + "f" * 5000]
)  # fmt: skip


@pytest.mark.parametrize("examples", [60, pytest.param(1700, marks=pytest.mark.slow)])
def test_values_of_keys(examples):
    def check(drawn):
        preset, changes = drawn
        config = Config.from_layers(preset, nested(changes))
        assert from_dict(Config, json.loads(dumps(config))) == config

    fuzz(check, st.tuples(st.sampled_from([*PRESETS]), CHANGES), examples)


@pytest.mark.parametrize("examples", [60, pytest.param(800, marks=pytest.mark.slow)])
def test_arguments_of_python(examples):
    def check(drawn):
        kind, name, value = drawn
        made = kind(**{name: value})
        assert json.loads(dumps(made)) == to_dict(made)

    names = ("data", "split", "augment", "model", "training", "prediction")
    sections = [type(getattr(Config(), name)) for name in names]
    sections += [type(Config().data.phantoms), type(Config().model.head)]
    pairs = [(kind, field.name) for kind in sections for field in dataclasses.fields(kind)]
    fuzz(check, st.tuples(st.sampled_from(pairs), JUNK).map(lambda drawn: (*drawn[0], drawn[1])), examples)


@pytest.mark.parametrize("examples", [60, pytest.param(800, marks=pytest.mark.slow)])
def test_texts_of_options(examples):
    parser = make_parser("fit", "Test.")
    add_config_options(parser)

    def check(drawn):
        pairs, flags = drawn
        arguments = [f"--set={pair}" for pair in pairs] + [f"{flag}={text}" for flag, text in flags.items()]
        config_from(parser.parse_args(arguments))

    texts = YAML_TEXT | YAML_WORDS
    pairs = st.lists(st.tuples(st.sampled_from(KEYS) | st.text(max_size=9), texts).map("=".join), max_size=2)
    flags = st.dictionaries(st.sampled_from(FLAGS), texts | WORDS | st.just("1e20"), max_size=3)
    fuzz(check, st.tuples(pairs, flags), examples)


@pytest.mark.parametrize("examples", [60, pytest.param(900, marks=pytest.mark.slow)])
def test_files(tmp_path, examples):
    file = tmp_path / "config.yaml"
    whole = dumps(Config()).encode()

    def check(content):
        file.write_bytes(content)
        Config.from_layers("quickstart", load_values(file))

    damaged = st.tuples(st.integers(0, len(whole)), st.integers(0, 20), st.binary(max_size=4)).map(
        lambda cut: whole[: cut[0]] + cut[2] + whole[cut[0] + cut[1] :]
    )
    lines = st.lists(st.tuples(st.sampled_from(KEYS), YAML_TEXT | YAML_WORDS).map(": ".join), max_size=4)
    texts = lines.map(lambda found: "\n".join(found).encode("utf-8", "surrogatepass"))
    fuzz(check, damaged | texts | st.binary(max_size=40), examples)
