"""Short names of configuration keys."""

from __future__ import annotations

import pytest

from keras_radtl.config import Config, UserError, set_key
from keras_radtl.config.arguments import ARGUMENTS, AUGMENTATIONS, KEYS, expand, floats, ints

EVERY = [argument for listed in ARGUMENTS.values() for argument in listed]


def test_numbers_are_separated_by_commas():
    assert ints("3,7") == (3, 7) and floats("1,0.3") == (1.0, 0.3)
    with pytest.raises(ValueError, match="invalid literal"):
        ints("3,x")


@pytest.mark.parametrize("argument", EVERY, ids=lambda argument: argument.name)
def test_keys_exist(argument):
    config = Config()
    for part in argument.key.split("."):
        config = getattr(config, part)
    assert argument.flag == "--" + argument.name.replace("_", "-")
    assert argument.help and argument.help[0].islower() or argument.help.startswith(("CSV", "BatchNorm"))


def test_names_and_keys_are_unique():
    assert len({a.name for a in EVERY}) == len({a.key for a in EVERY}) == len(EVERY) == len(KEYS)


def test_short_names_dotted_keys_and_tables_are_equivalent():
    expected = {"training": {"epochs": 3}}
    assert expand({"epochs": 3}) == expand({"training.epochs": 3}) == expand({"training": {"epochs": 3}}) == expected
    assert expand({"epochs": 3, "training.patience": 2}) == {"training": {"epochs": 3, "patience": 2}}


def test_data_is_a_path_and_several_labels_are_a_list(tmp_path):
    assert expand({"data": tmp_path}) == {"data": {"path": str(tmp_path)}}
    assert expand({"label": "edema"}) == {"data": {"label": "edema"}}
    assert expand({"label": ["edema", "mass"]}) == {"data": {"labels": ["edema", "mass"]}}
    assert expand({"label": None}) == {"data": {"label": None}}


def test_augment_is_a_word_or_a_table():
    assert expand({"augment": "none"}) == {"augment": AUGMENTATIONS["none"]}
    assert expand({"augment": {"rotation": 5}}) == {"augment": {"rotation": 5}}
    assert set_key(Config(), "augment", AUGMENTATIONS["standard"]).augment == Config().augment
    with pytest.raises(UserError, match="`augment` must be one of none, standard, or a table. Received: 'wild'"):
        expand({"augment": "wild"})


def test_unknown_name_is_an_error():
    with pytest.raises(UserError, match="Unknown argument 'epoch'. Known: data, label, positive"):
        expand({"epoch": 3})
