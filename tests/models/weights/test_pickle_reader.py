"""The pickle reader builds plain containers, calls only allowed functions, and refuses the rest."""

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
def test_plain_values_are_read_as_by_pickle(value, protocol):
    data = pickle.dumps(value, protocol)
    assert read(data) == pickle.loads(data)


@pytest.mark.parametrize("length", [0, 1, 300])
def test_bytes_are_read_if_the_protocol_supports_them(length):
    assert read(pickle.dumps(b"x" * length, 4)) == b"x" * length
    with pytest.raises(UserError, match="refused"):
        read(pickle.dumps(b"x" * length, 2))  # pickled as a function call


def test_the_stream_is_positioned_after_the_pickle():
    stream = io.BytesIO(pickle.dumps([1], 2) + b"rest")
    assert read_pickle(stream, {}, None, "x.pt") == [1]
    assert stream.read() == b"rest"


class Command:
    """An object whose pickle calls a shell command."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.system, (f"touch {self.marker}",)


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_calls_of_other_functions_are_refused_and_not_executed(tmp_path, protocol):
    marker = tmp_path / "marker"
    data = pickle.dumps({"weights": Command(marker)}, protocol)
    with pytest.raises(UserError, match="system|refused"):
        read(data)
    assert not marker.exists()
    pickle.loads(data)  # Python's unpickler does execute the call
    assert marker.exists()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\x80\x02cbuiltins\neval\n(X\x03\x00\x00\x001+1tR.", r"builtins\.eval"),
        (b"\x80\x04\x8c\x02os\x8c\x06system\x93.", r"os\.system"),
        (b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n.", "_rebuild_tensor_v2"),  # not allowed here
        (b"\x80\x02ctorch\nFloatStorage\n)R.", "not an allowed function"),
        (b"\x80\x02(ibuiltins\nlist\n.", "INST"),
        (b"\x80\x02ccollections\nOrderedDict\n)\x81.", "NEWOBJ"),
        (b"\x80\x02\x82\x01.", "EXT1"),
        (b"\x80\x02ccollections\nOrderedDict\n}X\x08\x00\x00\x00__call__Nsb.", "damaged"),  # a name with a state
        (b"\x80\x02X\xff\xff\xff\x7fabc", "damaged"),  # a string of 2 GB in 10 bytes
        (b"\x80\x02\x8d\xff\xff\xff\xff\xff\xff\xff\x7fa.", "damaged"),
        (b"\x80\x02]", "damaged"),
        (b"\x80\x02.", "damaged"),
        (b"\x80\x02a.", "damaged"),
        (b"\x80\x02(1.", "refused|damaged"),
        (b"", "damaged"),
    ],
)
def test_malicious_and_damaged_pickles_are_refused(data, message):
    with pytest.raises(UserError, match=message):
        read(data)


def test_the_state_of_an_ordered_dict_is_ignored():
    assert read(b"\x80\x02ccollections\nOrderedDict\n)R}X\x09\x00\x00\x00_metadataNsb.") == OrderedDict()


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=60))
def test_random_bytes_raise_only_user_errors(data):
    try:
        read(b"\x80\x02" + data)
    except UserError:
        pass
