"""The pickle inside a checkpoint, read without unpickling: what torch.save writes for named tensors, and nothing else.

Each operation that torch.save writes has a few lines here; any other is refused. They make tuples, lists and
dictionaries of plain values and of descriptions, and call nothing. What is made is never traversed, compared or turned
into text, so sharing and cycles cost nothing.
"""

import pickletools
import struct
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from scoring.untrusted.names import LONGEST_NAME, checked_name, quoted
from scoring.untrusted.pickled_values import NAMES, Container, Global, kind_of, returned, storage_of

PROTOCOL = b"\x80\x02"
"""How a pickle of torch.save begins."""

WEIGHT_BYTES, WEIGHT_OPERATIONS = 2048, 100
"""What a pickle may have at most for each weight. torch.save needs 200 bytes and 50 operations."""

MAX_ITEMS = 16
"""Items of a tuple: a shape, or what describes a tensor."""


def state_in_pickle(pickled: bytes, most: int) -> object:
    """What is pickled. In a dictionary, each tensor is ``StoredTensor``, and a container is an empty one of its type.

    Args:
        pickled: the whole pickle.
        most: the number of weights up to which it is read.

    Raises:
        ValueError: torch.save does not write named tensors like this; the message says what is different.
    """
    if len(pickled) > most * WEIGHT_BYTES:
        raise ValueError(f"its pickle has {len(pickled)} bytes, and at most {most * WEIGHT_BYTES} are accepted")
    if pickled[:2] != PROTOCOL:
        raise ValueError(f"its pickle contains {pickled[:2]!r} where torch.save writes {PROTOCOL!r}")
    machine = _Machine(pickled)
    for _ in range(most * WEIGHT_OPERATIONS):
        code = machine.take(1)
        if code == b".":
            return machine.result()
        action = ACTIONS.get(code)
        if action is None:
            name = next(
                (known.name for known in pickletools.opcodes if known.code.encode("latin-1") == code), repr(code)
            )
            raise ValueError(f"its pickle contains the operation {name}")
        action(machine)
    raise ValueError(f"its pickle has more than {most * WEIGHT_OPERATIONS} operations")


class _Machine:
    """The stack and the memo of an unpickler. `ACTIONS` says which operation does what."""

    def __init__(self, pickled: bytes) -> None:
        self.pickled, self.at = pickled, len(PROTOCOL)
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}

    def take(self, size: int) -> bytes:
        """The next bytes of the pickle."""
        taken = self.pickled[self.at : self.at + size]
        if len(taken) < size:
            raise ValueError("its pickle is cut off")
        self.at += size
        return taken

    def number(self, size: int, signed: bool = False) -> int:
        """The integer in the next bytes."""
        return int.from_bytes(self.take(size), "little", signed=signed)

    def push(self, value: object) -> None:
        self.stack.append(value)

    def top(self) -> Any:
        """The last value since the last mark."""
        if len(self.stack) <= (self.marks[-1] if self.marks else 0):
            raise ValueError("its pickle takes a value where none is")
        return self.stack[-1]

    def pop(self) -> Any:
        """The last value, which is removed."""
        self.top()
        return self.stack.pop()

    def pop_all(self) -> list[Any]:
        """The values since the last mark, which are removed together with the mark."""
        if not self.marks:
            raise ValueError("its pickle takes a value where none is")
        at = self.marks.pop()
        values = self.stack[at:]
        del self.stack[at:]
        return values

    def mark(self) -> None:
        self.marks.append(len(self.stack))

    def put(self, index: int) -> None:
        """Remember the last value."""
        self.memo[index] = self.top()

    def get(self, index: int) -> None:
        """Push a remembered value."""
        if index not in self.memo:
            raise ValueError("its pickle takes a value where none is")
        self.push(self.memo[index])

    def text(self) -> None:
        size = self.number(4)
        # The limit of a name is in characters, of which each has up to 4 bytes.
        if size > 4 * LONGEST_NAME:
            raise ValueError(
                f"a string in its pickle has {size} bytes, and a name has at most {LONGEST_NAME} characters"
            )
        self.push(self.take(size).decode())

    def name(self) -> None:
        """A class or function: a line with its module and a line with its name."""
        lines = self.pickled[self.at : self.at + LONGEST_NAME].split(b"\n", 2)
        if len(lines) < 3:
            raise ValueError("its pickle contains a class or function without a name")
        self.at += len(lines[0]) + len(lines[1]) + 2
        name = b" ".join(lines[:2]).decode(errors="replace")
        if name not in NAMES:
            raise ValueError(f"its pickle contains {quoted(name)}")
        self.push(Global(name))

    def group(self, values: list[Any]) -> None:
        """A tuple of these values."""
        if len(values) > MAX_ITEMS:
            raise ValueError(f"its pickle has a tuple of {len(values)} items, and torch.save needs at most {MAX_ITEMS}")
        made = Container(tuple, tuple(values))
        made.deepen(values)
        self.push(made)

    def append(self, values: list[Any]) -> None:
        """More values of a list."""
        if kind_of(self.top()) is not list:
            raise ValueError("its pickle appends to something other than a list")
        self.top().deepen(values)

    def assign(self, values: list[Any]) -> None:
        """More keys and values of a dictionary."""
        target = self.top()
        if kind_of(target) not in (dict, OrderedDict) or len(values) % 2:
            raise ValueError("its pickle sets items of something other than a dictionary")
        for key, value in zip(values[::2], values[1::2], strict=True):
            if type(key) is not str:
                raise ValueError(
                    f"expected the names of weights to be strings, found one of type {kind_of(key).__name__}"
                )
            if checked_name(key) in target.named:
                raise ValueError(f"its pickle names {quoted(key)} twice")
            target.named[key] = value
        target.deepen(values)

    def build(self) -> None:
        """The attributes of an object. A state has one, with the version of each layer; nothing needs it."""
        attributes = self.pop()
        if (
            kind_of(self.top()) is not OrderedDict
            or kind_of(attributes) is not dict
            or set(attributes.named) != {"_metadata"}
        ):
            raise ValueError("its pickle sets attributes other than the _metadata of a state")

    def call(self) -> None:
        """What a call of a function would return."""
        arguments, function = self.pop(), self.pop()
        self.push(returned(function, arguments))

    def storage(self) -> None:
        """What a persistent identifier stands for."""
        self.push(storage_of(self.pop()))

    def result(self) -> object:
        """The value that is left at the end."""
        value = self.pop()
        if self.stack or self.marks or self.at != len(self.pickled):
            raise ValueError("its pickle goes on after its end, or leaves more than one value")
        if kind_of(value) in (dict, OrderedDict):
            return {name: held.kind() if type(held) is Container else held for name, held in value.named.items()}
        return value.kind() if type(value) is Container else value


ACTIONS: dict[bytes, Callable[[_Machine], object]] = {
    b"}": lambda machine: machine.push(Container(dict)),
    b"]": lambda machine: machine.push(Container(list)),
    b")": lambda machine: machine.group([]),
    b"(": _Machine.mark,
    b"X": _Machine.text,
    b"c": _Machine.name,
    b"q": lambda machine: machine.put(machine.number(1)),
    b"r": lambda machine: machine.put(machine.number(4)),
    b"h": lambda machine: machine.get(machine.number(1)),
    b"j": lambda machine: machine.get(machine.number(4)),
    b"K": lambda machine: machine.push(machine.number(1)),
    b"M": lambda machine: machine.push(machine.number(2)),
    b"J": lambda machine: machine.push(machine.number(4, signed=True)),
    b"\x8a": lambda machine: machine.push(machine.number(machine.number(1), signed=True)),
    b"G": lambda machine: machine.push(struct.unpack(">d", machine.take(8))[0]),
    b"N": lambda machine: machine.push(None),
    b"\x88": lambda machine: machine.push(True),
    b"\x89": lambda machine: machine.push(False),
    b"\x85": lambda machine: machine.group([machine.pop()]),
    b"\x86": lambda machine: machine.group([machine.pop() for _ in range(2)][::-1]),
    b"\x87": lambda machine: machine.group([machine.pop() for _ in range(3)][::-1]),
    b"t": lambda machine: machine.group(machine.pop_all()),
    b"a": lambda machine: machine.append([machine.pop()]),
    b"e": lambda machine: machine.append(machine.pop_all()),
    b"s": lambda machine: machine.assign([machine.pop() for _ in range(2)][::-1]),
    b"u": lambda machine: machine.assign(machine.pop_all()),
    b"b": _Machine.build,
    b"R": _Machine.call,
    b"Q": _Machine.storage,
}
"""The operations of protocol 2 that torch.save writes for names, numbers, tensors and containers of them."""
