from __future__ import annotations

from typing import Any

import pytest
from google.protobuf import struct_pb2

from mirror_addon.processor import messages
from mirror_addon.processor.events import Body
from mirror_addon.processor.events import Head
from mirror_addon.processor.events import Trailers
from mirror_addon.processor.messages import TYPES
from mirror_addon.processor.messages import MessageError
from mirror_addon.processor.messages import read_message

FIELDS = ((b":path", b"/x"), (b"a", b"\xff"), (b"a", b"2"))


def header_map(fields: Any = FIELDS) -> Any:
    return TYPES["HeaderMap"](headers=[{"key": name, "raw_value": value} for name, value in fields])


def wire(**fields: Any) -> bytes:
    written: bytes = TYPES["ProcessingRequest"](**fields).SerializeToString()
    return written


@pytest.mark.parametrize(("name", "request_"), [("request", True), ("response", False)])
def test_parts_of_an_exchange(name: str, request_: bool) -> None:
    head = {"headers": header_map(), "end_of_stream": True}
    assert read_message(wire(**{f"{name}_headers": head})) == Head(request_, FIELDS, True, {})
    body = {"body": b"\0\xff", "end_of_stream": False}
    assert read_message(wire(**{f"{name}_body": body})) == Body(request_, b"\0\xff", False)
    assert read_message(wire(**{f"{name}_body": {"end_of_stream": True}})) == Body(request_, b"", True)
    assert read_message(wire(**{f"{name}_trailers": {"trailers": header_map()}})) == Trailers(request_, FIELDS)


def test_a_text_that_is_in_value() -> None:
    fields = TYPES["HeaderMap"](headers=[{"key": b"a", "value": b"1"}])
    assert read_message(wire(request_headers={"headers": fields})) == Head(True, ((b"a", b"1"),), False, {})


def test_attributes_are_a_struct_by_the_filters_name() -> None:
    """The bytes are those of google.protobuf.Struct, which is written here by protobuf's own class."""
    struct = struct_pb2.Struct()
    struct.update({"xds.route_name": "default/a http[0]", "response.flags": 4.0, "empty": "", "none": None})
    attributes = TYPES["Attributes"](key=b"envoy.filters.http.ext_proc")
    attributes.value.MergeFromString(struct.SerializeToString())
    found = read_message(wire(request_headers={"headers": header_map()}, attributes=[attributes]))
    assert isinstance(found, Head)
    assert found.attributes == {"xds.route_name": "default/a http[0]", "response.flags": "4", "empty": "", "none": ""}


def test_unknown_fields_are_skipped() -> None:
    newer = b"\x98\x06\x01"  # field 99
    assert read_message(wire(request_body={"body": b"x"}) + newer) == Body(True, b"x", False)


@pytest.mark.parametrize("data", [b"", b"\x50\x01", b"nonsense", b"\x12\xff\xff\xff\xff\x0f", b"\0" * 100])
def test_what_is_no_part_of_an_exchange(data: bytes) -> None:
    with pytest.raises(MessageError):
        read_message(data)


def test_health_checks() -> None:
    assert messages.health_response(1) == b"\x08\x01"
    assert messages.health_response(2) == b"\x08\x02"
    assert messages.health_service(b"") == ""
    assert messages.health_service(b"\x0a\x03a.b") == "a.b"
    with pytest.raises(MessageError):
        messages.health_service(b"\x0a\xff")
