"""The feature store: entries are computed once, recomputed if damaged, shared, and limited in total size."""

from __future__ import annotations

import errno
import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import platformdirs
import pytest

from keras_radtl.training.feature_store import FeatureStore, default_folder

A = np.arange(60, dtype=np.float32).reshape(10, 2, 3)
B = np.linspace(0, 1, 10, dtype=np.float32).reshape(10, 1)


class Source:
    """Ten rows of two tensors in batches of four; counts the calls."""

    def __init__(self):
        self.calls = 0

    def __call__(self):
        self.calls += 1
        for start in range(0, 10, 4):
            yield [A[start : start + 4], B[start : start + 4]]


@pytest.fixture
def store(tmp_path):
    return FeatureStore(tmp_path / "features", limit=10**6)


def entries(store):
    return sorted(entry.name for entry in store.folder.iterdir())


def test_entry_is_computed_once_and_read_back(store):
    source = Source()
    for _ in range(2):
        first, second = store.fetch({"epoch": 0}, 10, source)
        assert np.array_equal(first, A) and np.array_equal(second, B)
        assert isinstance(first, np.memmap) and not first.flags.writeable
    assert source.calls == 1 and len(entries(store)) == 1


def test_entry_is_shared(store):
    store.fetch({"epoch": 0}, 10, Source())
    source = Source()
    FeatureStore(store.folder, 10**6).fetch({"epoch": 0}, 10, source)
    assert source.calls == 0


def test_two_threads_write_an_entry_once(store):
    """A training reads ahead in another thread while multipliers are measured on the same activations."""
    started, source = threading.Barrier(2), Source()

    def slow():
        for batch in source():
            time.sleep(0.02)
            yield batch

    def fetch(_):
        started.wait()
        return store.fetch({"epoch": 0}, 10, slow)

    with ThreadPoolExecutor(2) as pool:
        for first, _ in pool.map(fetch, range(2)):
            assert np.array_equal(first, A)
    assert source.calls == 1 and len(entries(store)) == 1


@pytest.mark.parametrize("other", [{"epoch": 1}, {"epoch": 0, "seed": 0}, {"epoch": "0"}])
def test_each_key_has_its_entry(store, other):
    source = Source()
    store.fetch({"epoch": 0}, 10, source)
    store.fetch(other, 10, source)
    assert source.calls == 2 and len(entries(store)) == 2


def test_the_order_of_a_key_does_not_matter(store):
    source = Source()
    store.fetch({"a": 1, "b": 2}, 10, source)
    store.fetch({"b": 2, "a": 1}, 10, source)
    assert source.calls == 1


def test_half_precision_has_its_entry_and_logs_the_error(store, caplog):
    source = Source()
    store.fetch({"epoch": 0}, 10, source)
    with caplog.at_level("INFO"):
        first, second = FeatureStore(store.folder, 10**6, "float16").fetch({"epoch": 0}, 10, source)
    assert source.calls == 2 and first.dtype == np.float16
    error = np.abs(second.astype(np.float32) - B).max()
    assert error > 0 and f"largest error of float16 is {error:.2g}" in caplog.text


def damage_flip(entry):
    file = entry / "tensor_0.npy"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)


def damage_cut(entry):
    file = entry / "tensor_1.npy"
    file.write_bytes(file.read_bytes()[:-4])


def damage_missing(entry):
    (entry / "tensor_1.npy").unlink()


def damage_manifest(entry):
    (entry / "manifest.json").write_text("{")


def damage_no_manifest(entry):
    (entry / "manifest.json").unlink()


def damage_other_key(entry):
    file = entry / "manifest.json"
    file.write_text(file.read_text().replace('"epoch": 0', '"epoch": 1'))


@pytest.mark.parametrize(
    "damage", [damage_flip, damage_cut, damage_missing, damage_manifest, damage_other_key, damage_no_manifest]
)
def test_damaged_entry_is_recomputed(store, damage):
    source = Source()
    store.fetch({"epoch": 0}, 10, source)
    damage(store.folder / entries(store)[0])
    first, _ = store.fetch({"epoch": 0}, 10, source)
    assert np.array_equal(first, A) and source.calls == 2


def test_wrong_number_of_rows_is_an_error(store):
    source = Source()
    store.fetch({"epoch": 0}, 10, source)
    with pytest.raises(ValueError, match="could not be broadcast|broadcast"):
        store.fetch({"epoch": 0}, 9, source)
    assert source.calls == 2


def test_exception_leaves_no_entry(store):
    def failing():
        yield [A[:4], B[:4]]
        raise RuntimeError("defect")

    with pytest.raises(RuntimeError, match="defect"):
        store.fetch({"epoch": 0}, 10, failing)
    assert entries(store) == []


def test_two_writers_of_an_entry(store):
    """Another process completes the entry while this one computes it."""
    source = Source()
    temporary = f".tmp-{os.getpid()}-"
    other = FeatureStore(store.folder, 10**6)
    other._write = lambda name, key, rows, batches: _write_as_other_process(other, name, key, rows, batches)

    def meanwhile():
        other.fetch({"epoch": 0}, 10, source)
        yield from source()

    first, _ = store.fetch({"epoch": 0}, 10, meanwhile)
    assert np.array_equal(first, A)
    assert not [name for name in entries(store) if name.startswith(temporary)]


def _write_as_other_process(store, name, key, rows, batches):
    real = os.getpid
    os.getpid = lambda: 1
    try:
        FeatureStore._write(store, name, key, rows, batches)
    finally:
        os.getpid = real


def test_least_recently_used_entries_are_removed(tmp_path):
    store = FeatureStore(tmp_path, limit=3 * 700)  # an entry has about 650 bytes
    names = []
    for epoch in range(3):
        store.fetch({"epoch": epoch}, 10, Source())
        names.append(next(name for name in entries(store) if name not in names))
        past = time.time() - 1000 + epoch
        os.utime(tmp_path / names[-1], (past, past))
    size = sum(file.stat().st_size for file in (tmp_path / names[0]).iterdir())
    store.limit = 3 * size
    store.fetch({"epoch": 0}, 10, Source())  # now the most recently used
    store.fetch({"epoch": 3}, 10, Source())
    assert names[1] not in entries(store) and {names[0], names[2]} <= set(entries(store))


def test_entry_larger_than_the_limit_is_kept_for_its_reader(tmp_path):
    store = FeatureStore(tmp_path, limit=1)
    first, _ = store.fetch({"epoch": 0}, 10, Source())
    assert np.array_equal(first, A) and len(entries(store)) == 1


def test_temporary_entries_are_removed_after_a_day(store):
    store.folder.mkdir(parents=True)
    for name, age in ((".tmp-1-old", 25 * 3600), (".tmp-2-young", 3600)):
        (store.folder / name).mkdir()
        os.utime(store.folder / name, (time.time() - age,) * 2)
    store.fetch({"epoch": 0}, 10, Source())
    assert ".tmp-1-old" not in entries(store) and ".tmp-2-young" in entries(store)


def _full(*_):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_full_disk_leaves_no_entry(store, monkeypatch):
    monkeypatch.setattr(store, "_new", _full)
    with pytest.raises(OSError, match="No space left"):
        store.fetch({"epoch": 0}, 10, Source())
    assert entries(store) == []


def in_batches(store, make, rows=10, key=None):
    return [[tensor.copy() for tensor in batch] for batch in store.batches(key or {"epoch": 0}, rows, 4, make)]


def test_batches_of_a_stored_entry(store):
    source = Source()
    for _ in range(2):
        found = in_batches(store, source)
        assert [len(first) for first, _ in found] == [4, 4, 2]
        assert np.array_equal(np.concatenate([first for first, _ in found]), A)
    assert source.calls == 1


def not_a_folder(folder):
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.write_text("")


def read_only(folder, monkeypatch):
    def refuse(path, *_, **__):
        raise OSError(errno.EROFS, "Read-only file system", str(path))

    monkeypatch.setattr(Path, "mkdir", refuse)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("damage", ["not_a_folder", "read_only", "full"])
def test_a_store_that_cannot_be_written_computes_again(tmp_path, monkeypatch, caplog, damage, dtype):
    expected = in_batches(FeatureStore(tmp_path / "other", 10**6, dtype), Source())
    store, source = FeatureStore(tmp_path / "features", 10**6, dtype), Source()
    if damage == "not_a_folder":
        not_a_folder(store.folder)
    elif damage == "read_only":
        read_only(store.folder, monkeypatch)
    else:
        monkeypatch.setattr(store, "_new", _full)
    for _ in range(3):
        found = in_batches(store, source)
        assert all(
            np.array_equal(a, b) for x, y in zip(found, expected, strict=True) for a, b in zip(x, y, strict=True)
        )
        assert found[0][0].dtype == dtype
    assert caplog.text.count("cannot be written") == 1 and "are computed again when needed" in caplog.text


def test_a_read_only_store_serves_its_entries(store, monkeypatch):
    source = Source()
    expected = in_batches(store, source)
    read_only(store.folder, monkeypatch)
    found = in_batches(store, source)
    assert np.array_equal(found[0][0], expected[0][0]) and source.calls == 1


def test_an_error_of_the_source_is_not_an_error_of_the_store(store, caplog):
    def failing():
        yield [A[:4], B[:4]]
        raise FileNotFoundError(errno.ENOENT, "No such file", "image.png")

    with pytest.raises(FileNotFoundError, match="image.png"):
        in_batches(store, failing)
    assert "cannot be written" not in caplog.text


def test_default_folder_is_in_the_user_cache(monkeypatch):
    monkeypatch.delenv("KERAS_RADTL_CACHE", raising=False)
    assert default_folder() == Path(platformdirs.user_cache_dir("keras_radtl", appauthor=False)) / "features"
    monkeypatch.setenv("KERAS_RADTL_CACHE", "~/a")
    assert default_folder() == Path.home() / "a" / "features"


@pytest.mark.skipif(sys.platform != "linux", reason="XDG folders of Linux")
@pytest.mark.parametrize(
    ("variables", "folder"),
    [
        ({"XDG_CACHE_HOME": "/b"}, "/b/keras_radtl/features"),
        ({"HOME": "/home/x"}, "/home/x/.cache/keras_radtl/features"),
    ],
)
def test_default_folder_on_linux(monkeypatch, variables, folder):
    for name in ("KERAS_RADTL_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert str(default_folder()) == folder


def test_disk_space_is_reserved_before_writing(store, monkeypatch):
    """Writing to a sparse mapped file on a full disk would kill the process."""
    reserved = []
    monkeypatch.setattr(os, "posix_fallocate", lambda file, start, size: reserved.append((start, size)), raising=False)
    store.fetch({"epoch": 0}, 10, Source())
    (entry,) = store.folder.iterdir()
    assert reserved == [(0, (entry / f"tensor_{i}.npy").stat().st_size) for i in (0, 1)]


@pytest.mark.usefixtures("tiny_backbone")
def test_a_run_without_a_writable_cache_has_the_same_results(go, outcome, tmp_path, monkeypatch, caplog):
    stored = go(tmp_path / "stored", {"unfreeze": "none"})
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("KERAS_RADTL_CACHE", str(tmp_path / "file"))
    computed = go(tmp_path / "computed", {"unfreeze": "none"})
    assert outcome(stored) == outcome(computed)
    assert caplog.text.count("cannot be written") == 1
