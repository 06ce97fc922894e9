"""Atomic files, CSV cells that are read back, and differences of configurations."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_radtl.runs import files
from keras_radtl.runs.files import (
    atomic,
    csv_cell,
    difference,
    read_csv,
    read_json,
    write_csv,
    write_json,
    write_text_atomic,
)


def names(folder):
    return sorted(path.name for path in folder.rglob("*"))


def test_file_is_replaced(tmp_path):
    write_text_atomic(tmp_path / "deep" / "a.txt", "old")
    write_text_atomic(tmp_path / "deep" / "a.txt", "new")
    assert (tmp_path / "deep" / "a.txt").read_text() == "new" and names(tmp_path) == ["a.txt", "deep"]


def test_temporary_name_keeps_the_suffix(tmp_path):
    with atomic(tmp_path / "model.keras") as temporary:
        assert temporary.suffix == ".keras" and temporary.parent == tmp_path
        temporary.write_text("x")


def test_exception_while_writing_keeps_the_old_file(tmp_path):
    write_text_atomic(tmp_path / "a.txt", "old")
    with pytest.raises(RuntimeError), atomic(tmp_path / "a.txt") as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert (tmp_path / "a.txt").read_text() == "old" and names(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("operation", ["fsync", "replace"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_disk_error_keeps_the_old_file(tmp_path, monkeypatch, operation, code):
    write_text_atomic(tmp_path / "a.txt", "old")

    def fail(*_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(files.os, operation, fail)
    with pytest.raises(OSError, match=os.strerror(code)):
        write_text_atomic(tmp_path / "a.txt", "new")
    assert (tmp_path / "a.txt").read_text() == "old" and names(tmp_path) == ["a.txt"]


def test_file_is_flushed_before_and_folder_after_the_rename(tmp_path, monkeypatch):
    calls = []
    for operation in ("fsync", "replace"):
        real = getattr(os, operation)
        monkeypatch.setattr(files.os, operation, lambda *a, o=operation, r=real: (calls.append(o), r(*a))[1])
    write_text_atomic(tmp_path / "a.txt", "x")
    assert calls == ["fsync", "replace", "fsync"]


def test_json_is_strict(tmp_path):
    write_json(tmp_path / "a.json", {"a": [1, None, "é"]})
    assert read_json(tmp_path / "a.json") == {"a": [1, None, "é"]}
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", {"a": float("nan")})
    assert read_json(tmp_path / "a.json") == {"a": [1, None, "é"]}


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@sum", "\tx", "'=1"])
def test_formulas_are_escaped_and_read_back(tmp_path, text):
    assert csv_cell(text)[0] == "'"
    write_csv(tmp_path / "a.csv", ["a", "b"], [[text, "x"]])
    assert read_csv(tmp_path / "a.csv") == [{"a": text, "b": "x"}]


def test_floats_have_nine_digits():
    values = [1 / 3, np.float64(1e-300), -2.5, 5.0, 0.1 + 0.2, 1e-5, np.inf, np.int64(-3), 123456789012, None]
    expected = ["0.333333333", "1e-300", "-2.5", "5.0", "0.3", "1e-05", "inf", "-3", "123456789012", ""]
    assert [csv_cell(value) for value in values] == expected


@settings(max_examples=200, deadline=None)
@given(value=st.floats(width=32, allow_nan=False))
def test_float32_is_read_back_to_the_same_bits(value):
    assert np.float32(csv_cell(np.float32(value))) == np.float32(value)


PRINTABLE = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=8)


@settings(max_examples=100, deadline=None)
@given(cell=PRINTABLE | PRINTABLE.map(lambda text: "=" + text) | PRINTABLE.map(lambda text: "'" + text))
def test_any_printable_text_is_read_back_unchanged(tmp_path_factory, cell):
    file = tmp_path_factory.mktemp("cells") / "a.csv"
    write_csv(file, ["a", "b"], [[cell, "x"]])
    assert read_csv(file) == [{"a": cell, "b": "x"}]


def test_difference_lists_dotted_keys_with_both_values():
    old, new = {"a": 1, "b": {"c": 2, "d": 3}, "e": 4}, {"a": 1, "b": {"c": 5, "d": 3}, "f": 6}
    assert difference(old, new) == ["b.c: 2 before, 5 now", "e: 4 before, None now", "f: None before, 6 now"]
    assert difference(old, old) == []


@pytest.mark.parametrize("after", [0.0, 0.05, 0.1, 0.15])
def test_killed_writer_leaves_the_old_or_the_new_file(tmp_path, after):
    code = (
        "import sys\nfrom keras_radtl.runs.files import write_json\nprint('go', flush=True)\n"
        "for i in range(10**6): write_json(sys.argv[1], [i] * 20000)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "a.json")], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "go\n"
        time.sleep(after)
        process.kill()
    assert process.returncode == -signal.SIGKILL
    if (tmp_path / "a.json").exists():
        assert len(set(json.loads((tmp_path / "a.json").read_text()))) == 1
    assert [name for name in names(tmp_path) if not name.startswith(files.TEMPORARY)] in ([], ["a.json"])


def test_disk_error_names_the_file(tmp_path):
    with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)) as found, atomic(tmp_path / "a.txt"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # as from a write
    assert found.value.filename == str(tmp_path / "a.txt")


def test_remove_temporary(tmp_path):
    for name in (".tmp-1-a.txt", "a.txt", "deep/.tmp-1-a.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    files.remove_temporary(tmp_path)
    assert names(tmp_path) == [".tmp-1-a.txt", "a.txt", "deep"]
