from __future__ import annotations

import math
from typing import Any

import pytest
from google.protobuf import any_pb2
from google.protobuf import timestamp_pb2
from google.protobuf.json_format import MessageToDict
from hypothesis import given
from hypothesis import strategies as st
from messagetools import descriptors
from messagetools import kind
from messagetools import order

from mirror_addon.compare.messages.schema import schema_of
from mirror_addon.compare.messages.typed import read_message
from mirror_addon.compare.messages.wire import Budget
from mirror_addon.compare.messages.wire import WireError


def read(data: Any, name: str = "shop.Order") -> Any:
    schema = schema_of(descriptors())
    data = data if isinstance(data, bytes) else data.SerializeToString()
    return read_message(data, schema.message(name), schema, Budget())


ITEM = {"sku": "a", "price": 9.99, "weight": 1.5}
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
ITEMS = st.fixed_dictionaries(
    {}, optional={"sku": TEXT, "price": st.floats(allow_nan=False), "weight": st.floats(width=32, allow_nan=False)}
)
INT32, INT64 = st.integers(-(2**31), 2**31 - 1), st.integers(-(2**63), 2**63 - 1)
ORDERS = st.fixed_dictionaries({}, optional={
    "id": INT64, "items": st.lists(ITEMS, max_size=3), "stock": st.dictionaries(TEXT, INT32, max_size=3),
    "state": st.sampled_from([0, 1, 2]), "deltas": st.lists(INT32, max_size=4), "card": TEXT, "count": INT32,
    "big": st.integers(0, 2**64 - 1), "f32": st.integers(0, 2**32 - 1), "sf64": INT64, "raw": st.binary(max_size=6),
    "by_number": st.dictionaries(INT32, ITEMS, max_size=2), "states": st.lists(st.sampled_from([0, 1, 2]), max_size=3),
    "small": INT32, "parent": st.fixed_dictionaries({}, optional={"id": INT64}), "flag": st.booleans(),
})  # fmt: skip


def as_google(value: Any, key: str = "") -> Any:
    """MessageToDict writes 64-bit integers as text, and floats that are no numbers as we do."""
    if isinstance(value, dict):
        return {name: as_google(each, name) for name, each in value.items()}
    if isinstance(value, list):
        return [as_google(each, key) for each in value]
    return int(value) if key in ("id", "big", "sf64") else value


@given(ORDERS)
def test_messages_are_read_as_google_protobuf_reads_them(fields: dict[str, Any]) -> None:
    message = order(**fields)
    assert read(message) == as_google(MessageToDict(message, preserving_proto_field_name=True))


def test_defaults() -> None:
    assert read(b"\x08\x00\x20\x00") == {}, "a default that is on the wire is the same as none"
    assert read(order(count=0)) == {"count": 0}, "one with presence is not"
    assert read(b"\x12\x09\x11" + b"\0" * 7 + b"\x80") == {"items": [{"price": -0.0}]}


def test_packed_or_not() -> None:
    assert read(b"\x30\x01\x30\x02") == read(b"\x32\x02\x01\x02") == {"deltas": [-1, 1]}
    assert read(b"\x18\x05\x18\x06\x1a\x01\x07", "old.Reply") == {"numbers": [5, 6, 7]}


def test_the_last_value_counts_and_messages_are_merged() -> None:
    assert read(b"\x08\x01\x08\x02") == {"id": 2}
    assert read(b"\xb2\x01\x02\x08\x01\xb2\x01\x03\xa8\x01\x05") == {"parent": {"id": 1, "small": 5}}
    assert read(b"\x3a\x01a\x40\x01") == {"cash": True}, "the last of a oneof"
    assert read(b"\x1a\x07\x0a\x01a\x10\x07\x18\x01") == {"stock": {"a": 7}}, "an entry with an unknown field"
    assert read(b"\x1a\x03\x0a\x01a\x1a\x05\x0a\x01a\x10\x07\x1a\x02\x10\x03") == {"stock": {"a": 7, "": 3}}


def test_unknown_fields_have_numbers() -> None:
    assert read(b"\xc0\x3e\x05\xca\x3e\x02hi") == {"1000": 5, "1001": "hi"}
    assert read(b"\x0d\x01\x02\x03\x04") == {"1": 67305985}, "a field in another wire type"
    assert read(b"\x0a\x02hi") == {"1": "hi"}


def test_enums() -> None:
    assert read(b"\x20\x07") == {"state": 7}, "an open enum keeps what it does not know"
    assert read(b"\x28\x01", "old.Reply") == {"kind": "A"}
    assert read(b"\x28\x09", "old.Reply") == {"5": 9}, "a closed one has it among the unknown fields"


def test_groups_and_extensions() -> None:
    message = kind("old.Reply")(id=1, inner={"a": 3})
    assert read(message, "old.Reply") == {"id": 1, "inner": {"a": 3}}
    assert read(b"\xa2\x06\x01x", "old.Reply") == {"[old.more]": "x"}
    assert read(b"\x22\x00", "old.Reply") == {"4": ""}, "a group is none in another wire type"


def test_well_known_types() -> None:
    message = order(note={"value": ""}, took={"seconds": 1, "nanos": 500_000_000}, created={"seconds": 1_700_000_000})
    message.free.update({"a": [1, None, {"b": "c"}], "d": True})
    assert read(message) == {
        "note": "", "took": 1.5, "created": "2023-11-14T22:13:20.000000000Z",
        "free": {"a": [1, None, {"b": "c"}], "d": True},
    }  # fmt: skip
    assert read(order(took={"seconds": 2})) == {"took": 2}
    assert read(order(created={"seconds": 2**40}))["created"] == {"seconds": 2**40}, "beyond the year 9999"


def test_any() -> None:
    message = order()
    message.extra.Pack(kind("shop.Item")(**ITEM))
    assert read(message) == {"extra": {"@type": "type.googleapis.com/shop.Item", **ITEM}}
    message.extra.Pack(timestamp_pb2.Timestamp(seconds=1))
    assert read(message)["extra"]["value"] == "1970-01-01T00:00:01.000000000Z"
    message.extra.type_url, message.extra.value = "x/not.Known", b"\x08\x03"
    assert read(message)["extra"] == {"@type": "x/not.Known", "1": 3}
    assert read(b"\x5a\x00") == {"extra": {}}


def test_floats() -> None:
    found = read(order(items=[{"weight": 9.99, "price": math.nan}, {"price": math.inf}, {"price": -math.inf}]))
    assert found["items"] == [{"weight": 9.99, "price": "NaN"}, {"price": "Infinity"}, {"price": "-Infinity"}]


def test_texts_that_are_no_utf_8() -> None:
    assert read(b"\x12\x03\x0a\x01\xff") == {"items": [{"sku": "\udcff"}]}


def test_messages_within_messages() -> None:
    def nested(depth: int) -> bytes:
        message = order(id=1)
        for _ in range(depth):
            message = order(parent=message)
        return bytes(message.SerializeToString())

    assert read(nested(50))
    with pytest.raises(WireError, match="nested too deep"):
        read(nested(99) and deep(150))


def deep(levels: int) -> bytes:
    data = b""
    for _ in range(levels):
        size = len(data)
        data = b"\xb2\x01" + (bytes([size]) if size < 128 else bytes([size & 0x7F | 0x80, size >> 7])) + data
    return data


def test_any_within_any_is_bounded() -> None:
    data = b""
    for _ in range(150):
        data = any_pb2.Any(type_url="x/google.protobuf.Any", value=data).SerializeToString()
    with pytest.raises(WireError, match="nested too deep"):
        read(data, "google.protobuf.Any")
