"""Messages as documents, by the names of their fields where the type is known."""

from __future__ import annotations

import base64
import math
import struct
from collections.abc import Callable
from collections.abc import Iterable
from typing import Any

from google.protobuf.descriptor import Descriptor
from google.protobuf.descriptor import FieldDescriptor as F

from mirror_addon.compare.messages.schema import Schema
from mirror_addon.compare.messages.untyped import shortest
from mirror_addon.compare.messages.untyped import untyped_document
from mirror_addon.compare.messages.well_known import ANY
from mirror_addon.compare.messages.well_known import well_known
from mirror_addon.compare.messages.wire import GROUP
from mirror_addon.compare.messages.wire import I32
from mirror_addon.compare.messages.wire import I64
from mirror_addon.compare.messages.wire import LEN
from mirror_addon.compare.messages.wire import MAX_DEPTH
from mirror_addon.compare.messages.wire import VARINT
from mirror_addon.compare.messages.wire import Budget
from mirror_addon.compare.messages.wire import WireError
from mirror_addon.compare.messages.wire import WireField
from mirror_addon.compare.messages.wire import read_fields
from mirror_addon.compare.messages.wire import read_packed


def read_message(data: bytes, type: Descriptor | None, schema: Schema, budget: Budget) -> Any:
    """A message as a document. Fields that the type does not have are named by their number. Raises WireError."""
    return _Reader(schema, budget).message(read_fields(data, budget), type, 0)


def _signed(bits: int) -> Callable[[int], int]:
    half, whole = 1 << (bits - 1), 1 << bits
    return lambda value: (value & (whole - 1)) - (whole if value & half else 0)


def _zigzag(bits: int) -> Callable[[int], int]:
    mask = (1 << bits) - 1
    return lambda value: ((value & mask) >> 1) ^ -(value & 1)


def _float(kind: str, size: int) -> Callable[[int], Any]:
    def read(value: int) -> Any:
        number: float = struct.unpack(kind, value.to_bytes(size, "little"))[0]
        if math.isnan(number):
            return "NaN"
        if math.isinf(number):
            return "Infinity" if number > 0 else "-Infinity"
        return shortest(number) if size == 4 else number

    return read


_NUMBERS: dict[int, tuple[int, Callable[[int], Any]]] = {
    F.TYPE_INT32: (VARINT, _signed(32)),
    F.TYPE_INT64: (VARINT, _signed(64)),
    F.TYPE_UINT32: (VARINT, lambda value: value & 0xFFFFFFFF),
    F.TYPE_UINT64: (VARINT, lambda value: value),
    F.TYPE_SINT32: (VARINT, _zigzag(32)),
    F.TYPE_SINT64: (VARINT, _zigzag(64)),
    F.TYPE_BOOL: (VARINT, bool),
    F.TYPE_ENUM: (VARINT, _signed(32)),
    F.TYPE_FIXED32: (I32, lambda value: value),
    F.TYPE_FIXED64: (I64, lambda value: value),
    F.TYPE_SFIXED32: (I32, _signed(32)),
    F.TYPE_SFIXED64: (I64, _signed(64)),
    F.TYPE_FLOAT: (I32, _float("<f", 4)),
    F.TYPE_DOUBLE: (I64, _float("<d", 8)),
}
"""The wire type of numbers, and what their bits mean."""


class _Reader:
    def __init__(self, schema: Schema, budget: Budget) -> None:
        self._schema = schema
        self._budget = budget

    def message(self, fields: Iterable[WireField], type: Descriptor | None, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise WireError("a message nested too deep")
        if type is None:
            return untyped_document(fields, self._budget, depth)
        values: dict[int, tuple[Any, list[Any]]] = {}
        unknown: list[WireField] = []
        for each in fields:
            field = type.fields_by_number.get(each.number) or self._schema.extension(type, each.number)
            found = self._raw(field, each) if field is not None else None
            if found is None:
                unknown.append(each)
                continue
            self._leave_oneof(field, values)
            raw = values.setdefault(each.number, (field, []))[1]
            if not _repeated(field) and field.message_type is None:
                raw.clear()  # the last one counts; messages are merged
            raw += found
        document = {}
        for field, raw in values.values():
            if _repeated(field) or field.has_presence or not _is_default(raw[0]):
                document[f"[{field.full_name}]" if field.is_extension else field.name] = self._field(field, raw, depth)
        if unknown:
            document |= untyped_document(unknown, self._budget, depth)
        if type.full_name == ANY and not unknown:
            return self._any(document, depth)
        return well_known(type.full_name, document)

    def _raw(self, field: Any, found: WireField) -> list[Any] | None:
        """The values on the wire; None if they are of another type, or of an enum that does not have them."""
        if field.type not in _NUMBERS:
            wanted = GROUP if field.type == F.TYPE_GROUP else LEN
            return [found.value] if found.wire == wanted else None
        wire, read = _NUMBERS[field.type]
        if found.wire == wire:
            values = [found.value]
        elif found.wire == LEN and _repeated(field) and isinstance(found.value, bytes):
            values = read_packed(found.value, wire, self._budget)
        else:
            return None
        numbers = [read(value) for value in values]
        if field.enum_type is not None and field.enum_type.is_closed:
            numbers = [value for value in numbers if value in field.enum_type.values_by_number]
            return numbers or None
        return numbers

    @staticmethod
    def _leave_oneof(field: Any, values: dict[int, tuple[Any, list[Any]]]) -> None:
        if field.containing_oneof is not None:
            for other in field.containing_oneof.fields:
                if other.number != field.number:
                    values.pop(other.number, None)

    def _field(self, field: Any, raw: list[Any], depth: int) -> Any:
        if _is_map(field):
            return self._map(field, raw, depth)
        if _repeated(field):
            return [self._value(field, [each], depth) for each in raw]
        return self._value(field, raw, depth)

    def _value(self, field: Any, raw: list[Any], depth: int) -> Any:
        """A single value; several parts of a message are merged."""
        if field.message_type is not None:
            fields = [
                inner for part in raw for inner in (part if isinstance(part, list) else read_fields(part, self._budget))
            ]
            return self.message(fields, field.message_type, depth + 1)
        (value,) = raw
        if field.enum_type is not None:
            named = field.enum_type.values_by_number.get(value)
            return named.name if named is not None else value
        if field.type == F.TYPE_STRING:
            return value.decode("utf-8", "surrogateescape")
        return base64.b64encode(value).decode() if field.type == F.TYPE_BYTES else value

    def _map(self, field: Any, raw: list[Any], depth: int) -> dict[str, Any]:
        """By key, as text. The last entry of a key counts."""
        entry = field.message_type
        key_field, value_field = entry.fields_by_number[1], entry.fields_by_number[2]
        found = {}
        for part in raw:
            keys: list[Any] = []
            values: list[Any] = []
            for each in read_fields(part, self._budget):
                if each.number == 1:
                    keys = self._raw(key_field, each) or keys
                elif each.number == 2:
                    values = self._raw(value_field, each) or values
            key = self._value(key_field, keys[-1:] or [_zero(key_field)], depth)
            text = str(key).lower() if isinstance(key, bool) else str(key)
            found[text] = self._value(value_field, values[-1:] or [_zero(value_field)], depth)
        return found

    def _any(self, document: dict[str, Any], depth: int) -> Any:
        url = document.get("type_url", "")
        if "value" not in document and not url:
            return document
        data = base64.b64decode(document.get("value", ""))
        type = self._schema.message(url.rpartition("/")[2])
        content = self.message(read_fields(data, self._budget), type, depth + 1)
        return {"@type": url, **(content if isinstance(content, dict) else {"value": content})}


def _repeated(field: Any) -> bool:
    return bool(field.is_repeated)


def _is_default(value: Any) -> bool:
    """Whether a field without presence that has this value is the same as none. Negative zero is not."""
    return value in (0, b"") and not (isinstance(value, float) and math.copysign(1, value) < 0)


def _is_map(field: Any) -> bool:
    return field.message_type is not None and field.message_type.GetOptions().map_entry


def _zero(field: Any) -> Any:
    return b"" if field.type not in _NUMBERS else 0
