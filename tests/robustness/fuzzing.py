"""What the fuzz tests share: random inputs whose outcome must be a value or an error of one line."""

from __future__ import annotations

import os
from collections.abc import Callable

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keras_radtl.config import UserError

SECONDS = 10  # of one example
EDITS = st.lists(  # relative place, kind and bytes of each edit of a file
    st.tuples(st.floats(0, 1), st.sampled_from(["set", "cut", "insert", "end"]), st.binary(min_size=1, max_size=4)),
    min_size=1,
    max_size=4,
)


def damaged(content: bytes, edits) -> bytes:
    """Return the content of a file after the edits."""
    data = bytearray(content)
    for place, how, new in edits:
        at = int(place * len(data))
        if how == "end":
            del data[at:]
        elif how == "cut":
            del data[at : at + len(new)]
        else:
            data[at : at + (len(new) if how == "set" else 0)] = new
    return bytes(data)


def check_message(error: Exception) -> None:
    """Check that the message of an error is one printable line of at most 300 characters."""
    text = str(error)
    assert 0 < len(text) <= 300 and text.isprintable(), text


def fuzz(check: Callable, strategy, examples: int, allowed: tuple[type[Exception], ...] = (UserError,)) -> None:
    """Call `check` with random values; only the allowed errors may come out.

    The examples are always the same ones; the environment variable FUZZ_RANDOM=1 draws others.
    """

    @settings(
        max_examples=examples,
        deadline=1000 * SECONDS,
        database=None,
        derandomize="FUZZ_RANDOM" not in os.environ,
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def each(value):
        try:
            check(value)
        except allowed as error:
            check_message(error)

    each()
