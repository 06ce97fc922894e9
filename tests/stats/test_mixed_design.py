"""Design matrices of mixed models against pandas and closed forms."""

from __future__ import annotations

import numpy as np
import pandas
import pytest

from keras_radtl.stats.mixed_design import factor_levels, is_numeric, make_design


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1, 2.5], True),
        (["1", " 2e3 ", "-inf"], True),
        (np.arange(3), True),
        ([np.float32(1), np.int64(2)], True),
        (["1_000"], False),
        ([True, False], False),
        (np.array([True, False]), False),
        (["a", "1"], False),
        ([None], False),
        ([], True),
    ],
)
def test_is_numeric(values, expected):
    assert is_numeric(values) is expected


@pytest.mark.parametrize(
    ("values", "levels", "codes"),
    [
        (["b", "B", "a", "b"], ("B", "a", "b"), [2, 0, 1, 2]),  # by code point
        (["16", "4", "16"], ("4", "16"), [1, 0, 1]),  # by value
        ([10, 9], ("9", "10"), [1, 0]),
        (["none", "16", "4"], ("4", "16", "none"), [2, 1, 0]),  # `none` follows numbers
        (["none", "x", "a"], ("a", "none", "x"), [1, 2, 0]),  # and is sorted as text among text
        (np.array([0.5, 0.25]), ("0.25", "0.5"), [1, 0]),
    ],
)
def test_levels_are_sorted_and_numbered(values, levels, codes):
    found = factor_levels(values)
    assert found[0] == levels
    assert found[1].tolist() == codes


@pytest.fixture
def columns():
    generator = np.random.default_rng(0)
    return {
        "y": generator.normal(size=60),
        "age": generator.normal(size=60),
        "arm": generator.choice(["u", "v", "w"], 60).tolist(),
        "filters": generator.choice(["4", "16", "none"], 60).tolist(),
        "task": generator.choice(["p", "q", "r", "s"], 60).tolist(),
    }


def test_matrix_matches_the_dummy_coding_of_pandas(columns):
    fixed = {name: columns[name] for name in ("age", "arm", "filters")}
    design = make_design(columns["y"], fixed, {"task": columns["task"]})
    dummies = pandas.get_dummies(pandas.DataFrame(fixed), prefix_sep="")
    assert design.terms == ("(Intercept)", "age", "armv", "armw", "filters16", "filtersnone")
    np.testing.assert_array_equal(design.fixed[:, 0], 1)
    np.testing.assert_array_equal(design.fixed[:, 1:], dummies[list(design.terms[1:])].to_numpy(float))
    np.testing.assert_array_equal(design.response, columns["y"])


def test_reference_level_has_no_column(columns):
    design = make_design(columns["y"], {"arm": columns["arm"]}, {"task": columns["task"]}, reference={"arm": "v"})
    assert design.terms == ("(Intercept)", "armu", "armw")
    assert design.fixed[:, 2].tolist() == [float(level == "w") for level in columns["arm"]]


def test_numbers_are_levels_if_categorical_or_with_a_reference(columns):
    dose = ["4", "16", "8"] * 20
    arguments = columns["y"], {"dose": dose}, {"task": columns["task"]}
    assert make_design(*arguments).terms == ("(Intercept)", "dose")
    assert make_design(*arguments, categorical=["dose"]).terms == ("(Intercept)", "dose8", "dose16")
    assert make_design(*arguments, reference={"dose": "8"}).terms == ("(Intercept)", "dose4", "dose16")


def test_random_factors_are_coded_by_sorted_level(columns):
    reader = np.arange(60) % 11
    design = make_design(columns["y"], {}, {"task": columns["task"], "reader": reader})
    assert design.groups == ("task", "reader")
    assert design.levels == (("p", "q", "r", "s"), tuple(map(str, range(11))))
    assert [design.levels[0][code] for code in design.codes[0]] == columns["task"]
    np.testing.assert_array_equal(design.codes[1], reader)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"response": ["high"] * 60}, "`response` must be numeric. Received: 'high'"),
        ({"response": [1.0] * 59 + [np.inf]}, "`response` must be finite and at most 1e.100. Received: inf in row 59"),
        ({"fixed": {"x": np.arange(59)}}, "`x` must have one value for each of the 60 rows. Received: 59"),
        ({"fixed": {"x": ["u"] * 60}}, "`x` must have at least two different values. Received: u"),
        ({"fixed": {"x": np.arange(60.0), "z": 1 - np.arange(60.0)}}, "Received: `z`, which is a combination"),
        ({"fixed": {"x": [str(i) + "x" for i in range(60)]}}, "more rows than fixed effects"),
        ({"fixed": {"task": ["u", "v"] * 30}}, "`task` must not be both a fixed term and a random factor"),
        ({"random": {}}, "at least one random factor"),
        ({"random": {"row": range(60)}}, "random factor `row` must have fewer levels than rows. Received: 60 levels"),
        ({"random": {"g": [0, 1] * 30, "h": ["b", "a"] * 30}}, "`g` and `h` must not group the rows identically"),
        ({"fixed": {"x": ["u", "v"] * 30}, "random": {"g": [0, 1] * 30}}, "`x` and `g` must not group the rows"),
        ({"reference": {"dose": "4"}}, r"`dose` must be one of the fixed terms: \(none\)"),
        ({"categorical": ["dose"]}, "`dose` must be one of the fixed terms"),
        ({"fixed": {"x": ["u", "v", "w"] * 20}, "reference": {"x": "t"}}, "reference of `x` must be one of u, v, w"),
    ],
)
def test_invalid_input_raises(columns, change, message):
    arguments = {"response": columns["y"], "fixed": {}, "random": {"task": columns["task"]}} | change
    with pytest.raises(ValueError, match=message):
        make_design(**arguments)
