"""Read a pickle safely: a small interpreter for plain containers and a given set of functions.

Python's unpickler calls any function that a file names. This reader interprets the opcodes itself. It only builds
numbers, strings, tuples, lists, dicts and the results of the given functions, and refuses every other name and opcode.
Sizes are limited by the length of the stream, so a short file cannot allocate much memory.

Reference: Python documentation, module `pickletools` (opcodes of protocols 0 to 5).
"""

from __future__ import annotations

import pickletools
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO, NamedTuple

from keras_radtl.config import UserError


class Name(NamedTuple):
    """A name in a pickle; the object it refers to is not imported."""

    module: str
    name: str


_VALUES = {  # opcodes that push their argument
    "BININT", "BININT1", "BININT2", "LONG1", "LONG4", "BINFLOAT", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8",
    "BINBYTES", "SHORT_BINBYTES", "BINBYTES8",
}  # fmt: skip
_CONSTANTS: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_TUPLE": tuple,
    "EMPTY_LIST": list,
    "EMPTY_DICT": dict,
}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_MARK = object()
MAXIMUM_OPERATIONS = 5_000_000  # ResNet50 with optimizer state has some ten thousand


def read_pickle(
    stream: BinaryIO,
    calls: Mapping[Name, Callable | None],
    persistent_load: Callable[[Any], Any],
    where: str,
) -> Any:
    """Read one pickle from a stream, which is then positioned after its last byte.

    Args:
        stream: Binary stream with `read`, `readline` and `tell`, whose `read` never allocates more than its length
            (BytesIO or mmap).
        calls: Allowed names. A function is called with the pickled arguments; None allows a name only as a value
            (such as a storage type).
        persistent_load: Function that returns the object of a persistent id.
        where: Name of the file, for messages.

    Returns:
        The unpickled object.

    Raises:
        UserError: If the pickle uses another name or an unsupported opcode, or is damaged.
    """
    machine = _Machine(calls, persistent_load, where)
    try:
        for count, (operation, argument, _) in enumerate(pickletools.genops(stream)):
            if operation.name == "STOP":
                return machine.stack.pop()
            if count == MAXIMUM_OPERATIONS:
                raise UserError(f"{where}: refused, its pickle has more than {count} opcodes")
            machine.step(operation.name, argument)
    except UserError:
        raise
    except Exception as error:  # a damaged stream can raise anything
        detail = " ".join(str(error).split())[:200]
        raise UserError(f"{where}: damaged pickle ({type(error).__name__}: {detail})") from None
    raise UserError(f"{where}: damaged pickle (no STOP)")


class _Machine:
    """The stack and memo of one pickle."""

    def __init__(self, calls, persistent_load, where):
        self.calls, self.persistent_load, self.where = calls, persistent_load, where
        self.stack: list = []
        self.memo: dict[int, Any] = {}

    def step(self, code: str, argument: Any) -> None:
        """Execute one opcode."""
        if code in _VALUES:
            self.stack.append(argument)
        elif code in _CONSTANTS:
            self.stack.append(_CONSTANTS[code]())
        elif code in _TUPLES:
            self.stack[-_TUPLES[code] :] = [tuple(self._last(_TUPLES[code]))]
        elif code in ("BINPUT", "LONG_BINPUT"):
            self.memo[argument] = self.stack[-1]
        elif code in ("BINGET", "LONG_BINGET"):
            self.stack.append(self.memo[argument])
        elif code not in ("PROTO", "FRAME"):
            method = getattr(self, f"_{code.lower()}", None)
            if method is None:
                raise UserError(
                    f"{self.where}: refused, its pickle uses the opcode {code}, which weight files do not need"
                )
            method(argument)

    def _last(self, count: int) -> list:
        if len(self.stack) < count:
            raise ValueError("stack underflow")
        return self.stack[-count:]

    def _pop_to_mark(self) -> list:
        items = []
        while (item := self.stack.pop()) is not _MARK:
            items.append(item)
        return items[::-1]

    def _mark(self, _):
        self.stack.append(_MARK)

    def _memoize(self, _):
        self.memo[len(self.memo)] = self.stack[-1]

    def _tuple(self, _):
        self.stack.append(tuple(self._pop_to_mark()))

    def _append(self, _):
        item = self.stack.pop()
        self._container(list).append(item)

    def _appends(self, _):
        items = self._pop_to_mark()
        self._container(list).extend(items)

    def _setitem(self, _):
        key, value = self._last(2)
        del self.stack[-2:]
        self._container(dict)[key] = value

    def _setitems(self, _):
        items = self._pop_to_mark()
        self._container(dict).update(zip(items[::2], items[1::2], strict=True))

    def _container(self, kind: type):
        if not isinstance(self.stack[-1], kind):
            raise ValueError(f"expected a {kind.__name__}")
        return self.stack[-1]

    def _global(self, argument):
        module, _, name = argument.partition(" ")
        self._push_name(module, name)

    def _stack_global(self, _):
        module, name = self._last(2)
        del self.stack[-2:]
        self._push_name(module, name)

    def _push_name(self, module, name):
        if Name(module, name) not in self.calls:
            raise UserError(
                f"{self.where}: refused, its pickle uses '{module}.{name}'; "
                f"only tensors and plain containers are allowed"
            )
        self.stack.append(Name(module, name))

    def _reduce(self, _):
        function, arguments = self._last(2)
        del self.stack[-2:]
        call = self.calls.get(function) if isinstance(function, Name) else None
        if call is None or not isinstance(arguments, tuple):
            raise UserError(f"{self.where}: refused, its pickle calls {function!r}, which is not an allowed function")
        self.stack.append(call(*arguments))

    def _build(self, _):
        """Ignore the state of an OrderedDict (`_metadata` of a state_dict) and refuse any other state."""
        self.stack.pop()
        self._container(OrderedDict)

    def _binpersid(self, _):
        self.stack.append(self.persistent_load(self.stack.pop()))
