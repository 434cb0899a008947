from __future__ import annotations

import base64
from typing import Any

import pytest
from google.protobuf import any_pb2
from google.rpc import error_details_pb2
from google.rpc import status_pb2
from messagetools import compared
from messagetools import grpc
from messagetools import told

from mirror_addon.compare.messages.status import binary_value
from mirror_addon.compare.messages.status import message_text
from mirror_addon.compare.redaction import Redaction


def ended(status: bytes, message: bytes = b"", details: bytes = b"", **more: bytes) -> Any:
    fields = [(b"grpc-status", status)]
    fields += [(b"Grpc-Message", message)] if message else []
    fields += [(b"grpc-status-details-bin", details)] if details else []
    fields += [(name.encode().replace(b"_", b"-"), value) for name, value in more.items()]
    return grpc(fields=tuple(fields))


def details(field: str, code: int = 3, padded: bool = True) -> bytes:
    status = status_pb2.Status(code=code, message="bad")
    violation = error_details_pb2.BadRequest.FieldViolation(field=field, description="no")
    status.details.add().Pack(error_details_pb2.BadRequest(field_violations=[violation]))
    coded = base64.b64encode(status.SerializeToString())
    return coded if padded else coded.rstrip(b"=")


def test_status_and_message() -> None:
    found = compared(ended(b"0"), ended(b"5", b"caf%C3%A9"))
    assert told(found) == [("header:grpc-message", "extra", ""), ("header:grpc-status", "value", "")]
    assert found.differences[0].shadow == "café"
    assert compared(ended(b"5", b"a b"), ended(b"5", b"a%20b")).verdict == "same"
    assert compared(ended(b"5", b"a"), ended(b"5", b"b")).verdict == "different"


def test_details_by_field() -> None:
    one, other = ended(b"3", b"bad", details("a")), ended(b"3", b"bad", details("b"))
    assert compared(one, ended(b"3", b"bad", details("a", padded=False))).verdict == "same"
    found = compared(one, other)
    path = "header:grpc-status-details-bin.details[*].field_violations[*].field"
    assert told(found) == [(path, "value", "")]
    blank = Redaction(("grpc-status-details-bin",)).difference(found.differences[0])
    assert blank.primary == "[redacted]"
    rules = "rules: [{header: grpc-status-details-bin, ignore: true}]"
    assert compared(one, other, rules=rules).verdict == "noise"


def test_details_of_a_type_that_is_not_known() -> None:
    coded = []
    for number in (1, 2):
        status = status_pb2.Status(code=3, details=[any_pb2.Any(type_url="x/a.B", value=b"\x08" + bytes([number]))])
        coded.append(base64.b64encode(status.SerializeToString()))
    found = compared(ended(b"3", b"", coded[0]), ended(b"3", b"", coded[1]))
    assert told(found) == [("header:grpc-status-details-bin.details[*].1", "value", "")]


@pytest.mark.parametrize("wrong", [b"!", b"CP8", b"A" * 100_000])
def test_details_that_cannot_be_read_are_compared_as_text(wrong: bytes) -> None:
    found = compared(ended(b"3", b"", details("a")), ended(b"3", b"", wrong))
    assert told(found) == [("header:grpc-status-details-bin", "value", "")]


def test_padding_of_other_binary_fields() -> None:
    assert compared(ended(b"0", trace_bin=b"AA=="), ended(b"0", trace_bin=b"AA")).verdict == "same"
    assert compared(ended(b"0", trace_bin=b"AA=="), ended(b"0", trace_bin=b"AB")).verdict == "different"


def test_text() -> None:
    assert message_text("100%25 %zz %") == "100% %zz %"
    assert (binary_value("AA"), binary_value("AA=="), binary_value("?")) == (b"\0", b"\0", None)
