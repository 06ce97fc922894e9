"""Types and bounds of the fields of a configuration."""

from __future__ import annotations

import dataclasses
import typing

import pytest

from keras_radtl.config import Config, DataConfig, HeadConfig, PhantomConfig, SplitConfig, TrainingConfig, UserError
from keras_radtl.config.fields import Bounds, count_in, number, require_pattern, type_hints

SECTIONS = [Config, *(type(getattr(Config(), field.name)) for field in dataclasses.fields(Config))]
SECTIONS = [kind for kind in [*SECTIONS, PhantomConfig, HeadConfig] if dataclasses.is_dataclass(kind)]


def is_number(hint) -> bool:
    return any(
        kind in (int, float) or is_number(kind) for kind in (hint, *typing.get_args(hint)) if kind is not hint
    ) or (hint in (int, float))


@pytest.mark.parametrize("kind", SECTIONS)
def test_every_number_has_bounds_that_include_its_default(kind):
    hints = type_hints(kind)
    for field in dataclasses.fields(kind):
        if not is_number(hints[field.name]):
            assert "bounds" not in field.metadata, field.name
            continue
        bounds = field.metadata["bounds"]
        assert -(2**31) <= bounds.low < bounds.high < 2**31, field.name
        values = field.default if isinstance(field.default, tuple) else (field.default,)
        assert all(value is None or value in bounds for value in values), field.name


@pytest.mark.parametrize("kind", SECTIONS)
def test_numbers_out_of_bounds_and_other_types_are_refused_by_name(kind):
    for field in dataclasses.fields(kind):
        bounds = field.metadata.get("bounds")
        wrong = [object(), {}, b"x"] + ([float("nan"), float("inf"), 10**400, bounds.low - 1] if bounds else [])
        for value in wrong:
            value = (value,) if isinstance(field.default, tuple) else value
            with pytest.raises(UserError, match=f"^`{field.name}` must be"):
                kind(**{field.name: value})


@pytest.mark.parametrize(
    ("rule", "inside", "outside"),
    [
        ("[1, 3]", (1, 2.5, 3), (0.999, 3.001)),
        ("(1, 3)", (1.001, 2.999), (1, 3)),
        ("[1, 3) pixels", (1,), (3, float("nan"))),
        ("(0, 1e9]", (1e9,), (0, float("inf"))),
    ],
)
def test_bounds(rule, inside, outside):
    bounds = number(1, rule).metadata["bounds"]
    assert isinstance(bounds, Bounds)
    assert all(value in bounds for value in inside) and not any(value in bounds for value in outside)


def test_plain_values_get_the_types_of_the_fields():
    config = TrainingConfig(phase_epochs=[3], group_rates=[1, 0.5], learning_rate="1e-4", weight_decay=1)
    assert config.phase_epochs == (3,) and config.group_rates == (1.0, 0.5)
    assert config.learning_rate == 1e-4 and type(config.weight_decay) is float


@pytest.mark.parametrize("text", ["a\0b", "\ud800", "x" * 4097], ids=["NUL", "surrogate", "long"])
def test_text_that_no_file_can_have_is_refused(text):
    with pytest.raises(UserError, match="^`path` must be Unicode text of at most 4096 characters without NUL"):
        DataConfig(path=text)


@pytest.mark.parametrize(
    ("text", "count"), [("0", 0), ("12", 12), ("", None), ("-1", None), ("²", None), ("٣", None), ("9" * 10, None)]
)
def test_count_in(text, count):
    assert count_in(text) == count


@pytest.mark.parametrize("value", ["top²", "layers:³", "layers:9999999999", "top", "layers:"])
def test_digits_of_unfreeze_are_ascii(value):
    with pytest.raises(UserError, match="^`unfreeze` must be none, all, topN or layers:N"):
        TrainingConfig(unfreeze=value)


@pytest.mark.parametrize("value", ["²:³", "0:9999999999", "5:5", ":5", "a:b"])
def test_digits_of_window_are_ascii(value):
    with pytest.raises(UserError, match="^`window` must be"):
        DataConfig(window=value)


@pytest.mark.parametrize("groups", ["re:(", "re:a{99999999999}", "re:" + "(" * 3000, "re:*"], ids=range(4))
def test_invalid_patterns_are_refused_when_the_configuration_is_made(groups):
    with pytest.raises(UserError, match="^`groups` is not a valid regular expression"):
        DataConfig(groups=groups)


def test_patterns():
    assert require_pattern("auto") is None and require_pattern("re:a(.)").search("xab")[1] == "b"


def test_sections_must_be_sections():
    with pytest.raises(UserError, match="^`split` must be of type SplitConfig"):
        Config(split={"folds": 2})
    assert Config(split=SplitConfig(folds=2)).split.folds == 2
