"""Archive members are located in the file, and a section behaves like a separate file."""

from __future__ import annotations

import io
import mmap
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_radtl.config import UserError
from keras_radtl.models.weights.zip_members import Section, list_members, stored_region


def mapped(content: bytes) -> mmap.mmap:
    data = mmap.mmap(-1, len(content))
    data[:] = content
    return data


MOVES = st.lists(st.tuples(st.integers(-5, 30), st.sampled_from([0, 1, 2]), st.integers(0, 12)), max_size=8)


@settings(max_examples=100, deadline=None)
@given(moves=MOVES)
def test_a_section_behaves_like_a_separate_file(moves):
    with mapped(b"before" + b"0123456789" + b"after") as data:
        section, file = Section(data, 6, 10), io.BytesIO(b"0123456789")
        for offset, whence, count in moves:
            position = max(0, offset + (0, file.tell(), 10)[whence])
            assert section.seek(offset, whence) == file.seek(position) == section.tell()
            assert section.read(count) == file.read(count)


def archive(name="a/b", compression=zipfile.ZIP_STORED) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", compression) as file:
        file.writestr(name, b"0123456789" * 20)
    return content.getvalue()


def test_the_region_of_a_member_contains_its_bytes():
    with mapped(archive()) as data:
        (member,) = list_members(data, "x")
        start, size = stored_region(data, member, "x")
        assert data[start : start + size] == b"0123456789" * 20


@pytest.mark.parametrize("name", ["../a", "a/../../b", "/etc/passwd"])
def test_paths_outside_the_archive_are_refused(name):
    with mapped(archive(name)) as data, pytest.raises(UserError, match="refused, unsafe archive member"):
        list_members(data, "x")


def test_compressed_damaged_and_truncated_archives_are_refused():
    with mapped(archive(compression=zipfile.ZIP_DEFLATED)) as data:
        with pytest.raises(UserError, match="compressed"):
            stored_region(data, list_members(data, "x")[0], "x")
    with mapped(archive()[:-10]) as data, pytest.raises(UserError, match="damaged zip archive"):
        list_members(data, "x")
    with mapped(b"XX" + archive()[2:]) as data:
        with pytest.raises(UserError, match="damaged archive member"):
            stored_region(data, list_members(data, "x")[0], "x")
