"""The pickle reader builds plain containers, calls only what it is given, and refuses the rest."""

from __future__ import annotations

import io
import os
import pickle
from collections import OrderedDict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_radtl.config import UserError
from keras_radtl.models.weights.pickle_reader import Name, read_pickle

CALLS = {Name("collections", "OrderedDict"): OrderedDict, Name("torch", "FloatStorage"): None}


def read(data: bytes):
    return read_pickle(io.BytesIO(data), CALLS, lambda identifier: ("persistent", identifier), "x.pt")


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
    max_leaves=20,
)


@settings(max_examples=100, deadline=None)
@given(value=PLAIN, protocol=st.sampled_from([2, 4, 5]))
def test_plain_values_are_read_as_python_reads_them(value, protocol):
    data = pickle.dumps(value, protocol)
    assert read(data) == pickle.loads(data)


@pytest.mark.parametrize("length", [0, 1, 300])
def test_bytes_are_read_where_the_protocol_knows_them(length):
    assert read(pickle.dumps(b"x" * length, 4)) == b"x" * length
    with pytest.raises(UserError, match="refused"):
        read(pickle.dumps(b"x" * length, 2))  # written as a call


def test_the_stream_is_left_behind_the_pickle():
    stream = io.BytesIO(pickle.dumps([1], 2) + b"rest")
    assert read_pickle(stream, {}, None, "x.pt") == [1]
    assert stream.read() == b"rest"


class Command:
    """Pickles as a call of a shell command, as an attack would."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.system, (f"touch {self.marker}",)


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_calls_of_other_functions_are_refused_and_not_made(tmp_path, protocol):
    marker = tmp_path / "marker"
    data = pickle.dumps({"weights": Command(marker)}, protocol)
    with pytest.raises(UserError, match="system|refused"):
        read(data)
    assert not marker.exists()
    pickle.loads(data)  # the same bytes do run in Python's own reader
    assert marker.exists()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\x80\x02cbuiltins\neval\n(X\x03\x00\x00\x001+1tR.", r"builtins\.eval"),
        (b"\x80\x04\x8c\x02os\x8c\x06system\x93.", r"os\.system"),
        (b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n.", "_rebuild_tensor_v2"),  # not among this reader's calls
        (b"\x80\x02ctorch\nFloatStorage\n)R.", "not a function"),
        (b"\x80\x02(ibuiltins\nlist\n.", "INST"),
        (b"\x80\x02ccollections\nOrderedDict\n)\x81.", "NEWOBJ"),
        (b"\x80\x02\x82\x01.", "EXT1"),
        (b"\x80\x02ccollections\nOrderedDict\n}X\x08\x00\x00\x00__call__Nsb.", "damaged"),  # state for a name
        (b"\x80\x02X\xff\xff\xff\x7fabc", "damaged"),  # a string of 2 GB in 10 bytes
        (b"\x80\x02\x8d\xff\xff\xff\xff\xff\xff\xff\x7fa.", "damaged"),
        (b"\x80\x02]", "damaged"),
        (b"\x80\x02.", "damaged"),
        (b"\x80\x02a.", "damaged"),
        (b"\x80\x02(1.", "refused|damaged"),
        (b"", "damaged"),
    ],
)
def test_hostile_and_damaged_pickles_are_user_errors(data, message):
    with pytest.raises(UserError, match=message):
        read(data)


def test_a_state_is_dropped_where_state_dicts_carry_one():
    assert read(b"\x80\x02ccollections\nOrderedDict\n)R}X\x09\x00\x00\x00_metadataNsb.") == OrderedDict()


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=60))
def test_random_bytes_give_a_value_or_a_user_error(data):
    try:
        read(b"\x80\x02" + data)
    except UserError:
        pass
