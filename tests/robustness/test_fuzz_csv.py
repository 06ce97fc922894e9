"""Random CSV files: tables of cases, files of predictions, and tables of results."""

from __future__ import annotations

import pytest
from fuzzing import fuzz
from hypothesis import strategies as st

from keras_radtl.config import DataConfig
from keras_radtl.data.sources import read_table
from keras_radtl.reports.result_table import read_result_table
from keras_radtl.runs.predictions import align, read_scored_cases

NAMES = ["path", "image", "label", "class", "a_label", "b_label", "patient", "group", "split", "fold", "case", "score"]
NAMES += ["prob_a", "prob_b", "logit_a", "multilabel", "", " ", "PATH", "é", "x" * 300]
CELLS = [
    "a/1.png",
    "a/2.png",
    "b/1.png",
    "b/2.png",
    "../x.png",
    "/etc/passwd",
    "a\\1.png",
    "C:a.png",
    "._1.png",
    "a",
    "b",
]
CELLS += [
    "",
    "0",
    "1",
    "-1",
    "2",
    "0.5",
    "1e308",
    "-1e308",
    "nan",
    "inf",
    "1e-320",
    "²",
    "=1+1",
    "train",
    "val",
    "test",
    "1.0",
]
CELLS += ['"', '""', "a;b", "'=", "x" * 250, "\ufeff", "\x85", "NA", "1,5", "9" * 400]
TABLES = st.tuples(
    st.lists(st.sampled_from(NAMES), min_size=1, max_size=6),
    st.lists(st.lists(st.sampled_from(CELLS), min_size=1, max_size=6), max_size=8),
    st.sampled_from([",", ";", "\t"]),
    st.booleans(),
)


def text_of(table) -> bytes:
    """Return a table as text; `ragged` keeps rows of any length."""
    header, rows, separator, ragged = table
    rows = rows if ragged else [(row * 6)[: len(header)] for row in rows]
    return "\n".join(separator.join(row) for row in [header, *rows]).encode()


FILES = TABLES.map(text_of) | st.binary(max_size=80) | st.text('path,label\n;"ab.png01=-\r\t \0\\/').map(str.encode)
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "label": st.sampled_from(["label", "LABEL", "nope", ""]),
        "labels": st.lists(st.sampled_from(NAMES[:6]), max_size=3).map(tuple),
        "positive": st.sampled_from(["a", "b", "nope"]),
        "groups": st.sampled_from(["auto", "none", "patient", "nope", "re:a", r"re:(\d)", "re:()"]),
        "on_bad_image": st.sampled_from(["error", "skip"]),
    },
)


@pytest.fixture
def folder(tmp_path, write_image):
    for seed, name in enumerate(("a/1.png", "a/2.png", "b/1.png", "b/2.png")):
        write_image(name, seed)
    return tmp_path


@pytest.mark.parametrize("examples", [60, pytest.param(900, marks=pytest.mark.slow)])
def test_tables_of_cases(folder, examples):
    file = folder / "cases.csv"

    def check(drawn):
        content, options = drawn
        file.write_bytes(content)
        table = read_table(DataConfig(path=str(file), **options))
        assert len(table) == len(table.targets) >= 1

    fuzz(check, st.tuples(FILES, OPTIONS), examples)


@pytest.mark.parametrize("examples", [30, pytest.param(400, marks=pytest.mark.slow)])
def test_files_of_predictions(tmp_path, examples):
    file = tmp_path / "scores.csv"

    def check(drawn):
        content, positive = drawn
        file.write_bytes(content)
        scored = read_scored_cases(file, positive=positive)
        assert len(align([scored, scored])) == 2 and len(scored.cases) == len(scored.scores)

    fuzz(check, st.tuples(FILES, st.sampled_from(["", "a", "nope"])), examples)


@pytest.mark.parametrize("examples", [30, pytest.param(400, marks=pytest.mark.slow)])
def test_tables_of_results(tmp_path, examples):
    file = tmp_path / "results.csv"

    def check(content):
        file.write_bytes(content)
        read_result_table(file)

    fuzz(check, FILES, examples)
