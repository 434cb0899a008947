"""The wire format of Protocol Buffers: fields as numbers, wire types and raw values.

https://protobuf.dev/programming-guides/encoding. google.protobuf parses messages too, but only into structs whose
unknown fields unfold without a limit; here every field is charged to a budget.
"""

from __future__ import annotations

from typing import Any
from typing import NamedTuple

VARINT, I64, LEN, GROUP, END, I32 = range(6)
MAX_FIELDS = 200_000
"""The most fields of all messages of a body, elements of packed fields included."""
MAX_BYTES = 256 * 1024 * 1024
MAX_DEPTH = 100
"""Messages within each other, as google.protobuf allows."""
_MASK = 2**64 - 1


class WireError(ValueError):
    """The bytes are no message, or one that is not read. The message says why."""


class BudgetError(WireError):
    """There is too much to read."""


class Budget:
    """How much may still be read of the messages of a body."""

    def __init__(self, fields: int = MAX_FIELDS, size: int = MAX_BYTES) -> None:
        self._fields = fields
        self._bytes = size

    def take(self, fields: int) -> None:
        """Raises BudgetError if there are not so many fields left."""
        self._fields -= fields
        if self._fields < 0:
            raise BudgetError("messages with too many fields")

    def read(self, size: int) -> None:
        """Raises BudgetError if there are not so many bytes left. A message in a message is read again."""
        self._bytes -= size
        if self._bytes < 0:
            raise BudgetError("messages within messages that are too big")


class WireField(NamedTuple):
    """`value`: an unsigned number, bytes, or the fields of a group."""

    number: int
    wire: int
    value: Any


def read_fields(data: bytes, budget: Budget) -> list[WireField]:
    """The fields of a message, in their order. Raises WireError."""
    budget.read(len(data))
    return _fields(data, 0, 0, 0, budget)[0]


def _fields(data: bytes, at: int, group: int, depth: int, budget: Budget) -> tuple[list[WireField], int]:
    """The fields from `at` to the end of the message, or of the group of that number, and where it ends."""
    if depth > MAX_DEPTH:
        raise WireError("a message nested too deep")
    fields: list[WireField] = []
    end = len(data)
    while at < end:
        budget.take(1)
        tag, at = read_varint(data, at)
        number, wire = tag >> 3, tag & 7
        if not 0 < number < 2**29:
            raise WireError("not a message (a field with an invalid number)")
        if wire == END:
            if number != group:
                raise WireError("not a message (a group that ends without a begin)")
            return fields, at
        if wire == GROUP:
            value, at = _fields(data, at, number, depth + 1, budget)
        else:
            value, at = _value(data, at, wire)
        fields.append(WireField(number, wire, value))
    if group:
        raise WireError("not a message (a group without an end)")
    return fields, at


def _value(data: bytes, at: int, wire: int) -> tuple[Any, int]:
    """The value of a field that is no group, and the index behind it."""
    if wire == VARINT:
        return read_varint(data, at)
    if wire == LEN:
        size, at = read_varint(data, at)
        if size > len(data) - at:
            raise WireError("not a message (a field that is longer than the message)")
        return data[at : at + size], at + size
    if wire not in (I64, I32):
        raise WireError("not a message (a field with an invalid type)")
    size = 8 if wire == I64 else 4
    if size > len(data) - at:
        raise WireError("not a message (it ends within a number)")
    return int.from_bytes(data[at : at + size], "little"), at + size


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """An unsigned number of 64 bits at this index, and the index behind it. Raises WireError."""
    result = shift = 0
    while True:
        if at >= len(data):
            raise WireError("not a message (it ends within a number)")
        byte = data[at]
        at += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result & _MASK, at
        shift += 7
        if shift > 63:
            raise WireError("not a message (a number of more than 10 bytes)")


def read_packed(data: bytes, wire: int, budget: Budget) -> list[int]:
    """The numbers of a packed field whose elements have this wire type. Raises WireError."""
    if wire == VARINT:
        values, at = [], 0
        while at < len(data):
            budget.take(1)
            value, at = read_varint(data, at)
            values.append(value)
        return values
    size = 8 if wire == I64 else 4
    if len(data) % size:
        raise WireError("not a message (it ends within a number)")
    budget.take(len(data) // size)
    return [int.from_bytes(data[at : at + size], "little") for at in range(0, len(data), size)]
