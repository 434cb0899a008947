from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror_addon.compare.answer import Answer
from mirror_addon.compare.comparison import Comparison
from mirror_addon.compare.difference import Difference
from mirror_addon.compare.record import MAX_BODY
from mirror_addon.compare.record import About
from mirror_addon.compare.record import RecordedRequest
from mirror_addon.compare.record import record_line
from mirror_addon.compare.record import to_json
from mirror_addon.compare.redaction import Redaction

ABOUT = About(
    "f/0",
    "f",
    1764590400.1234,
    "default/b http[0]",
    "b/v1",
    "b/v2",
    False,
    "GET",
    "http://b/x?y=1",
    2**64 - 1,
    "[::1]:9",
)
SAME = Comparison("same", ())
OK = Answer(200, bytes=3, ms=1.23456)
HEADERS = ((b"Content-Type", b"text/plain"), (b"set-Cookie", b"secret"), (b"X", b"\xe9"))


def line(primary: Answer | None = OK, **others: Any) -> dict[str, Any]:
    shadow = others.pop("shadow", Answer(500, bytes=4, ms=2.0))
    written = record_line(ABOUT, primary, shadow, others.pop("comparison", SAME), **others)
    assert written.endswith(b"\n")
    assert written.count(b"\n") == 1
    value: dict[str, Any] = json.loads(written)
    return value


def test_a_line_says_what_the_readme_says() -> None:
    difference = Difference("$.a[*]", "value", 1, [None, "x"], "", "$.a[0]")
    times = {"first_ms": None, "connect_ms": None, "late_ms": None, "clock": "program"}
    assert line(comparison=Comparison("different", (difference,), ("a note",), 7)) == {
        "version": 1,
        "id": "f/0",
        "flow": "f",
        "time": "2025-12-01T12:00:00.123Z",
        "rule": "default/b http[0]",
        "route": "b/v1",
        "target": "b/v2",
        "control": False,
        "method": "GET",
        "url": "http://b/x?y=1",
        "endpoint": "GET /x",
        "draw": 2**64 - 1,
        "primary": {
            "status": 200,
            "ms": 1.235,
            **times,
            "bytes": 3,
            "error": None,
        },
        "shadow": {
            "status": 500,
            "ms": 2.0,
            **times,
            "bytes": 4,
            "error": None,
        },
        "verdict": "different",
        "differences": [
            {"path": "$.a[*]", "kind": "value", "primary": 1, "shadow": [None, "x"], "noise": "", "where": "$.a[0]"}
        ],
        "notes": ["a note"],
        "more": 7,
        "client": "[::1]:9",
        "start": 1764590400.1234,
    }


def test_the_primary_never_responded() -> None:
    value = line(None, shadow=Answer(None, error="queue_full"), comparison=Comparison("failed", ()))
    assert value["primary"] == {
        "status": None,
        "ms": None,
        "first_ms": None,
        "connect_ms": None,
        "late_ms": None,
        "clock": None,
        "bytes": 0,
        "error": None,
    }
    assert value["shadow"] == {
        "status": None,
        "ms": None,
        "first_ms": None,
        "connect_ms": None,
        "late_ms": None,
        "clock": None,
        "bytes": 0,
        "error": "queue_full",
    }


def test_bodies_and_headers_when_asked_and_secrets_never() -> None:
    value = line(
        Answer(200, HEADERS, b"caf\xc3\xa9", 5),
        shadow=Answer(200, HEADERS, b"\xff\x00", 9),
        request=RecordedRequest(((b"Authorization", b"secret"), (b"Host", b"b")), None, True),
        redacted=Redaction(("set-cookie", "authorization")),
    )
    headers = [["Content-Type", "text/plain"], ["set-Cookie", "[redacted]"], ["X", "é"]]
    assert value["primary"] == {
        "status": 200, "ms": None, "first_ms": None, "connect_ms": None, "late_ms": None, "clock": None,
        "bytes": 5, "error": None,
        "headers": headers, "body": "café", "encoding": "utf-8", "cut": False,
    }  # fmt: skip
    assert value["shadow"] == {
        "status": 200, "ms": None, "first_ms": None, "connect_ms": None, "late_ms": None, "clock": None,
        "bytes": 9, "error": None,
        "headers": headers, "body": "/wA=", "encoding": "base64", "cut": True,
    }  # fmt: skip
    assert value["request"] == {
        "headers": [["Authorization", "[redacted]"], ["Host", "b"]],
        "body": None,
        "encoding": None,
        "cut": True,
    }


def test_a_long_body_is_cut() -> None:
    body = bytes(MAX_BODY + 1)
    value = line(Answer(200, (), body, len(body)), request=RecordedRequest((), body, False))
    assert len(value["primary"]["body"]) == len(value["request"]["body"]) == MAX_BODY
    assert value["primary"]["cut"] is value["request"]["cut"] is True


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("\ud800", '"�"'),
        ("\U0001f600", r'"\ud83d\ude00"'),
        (["a", {"\udfff": float("nan")}], r'["a",{"�":"nan"}]'),
        ("a\u2028b", r'"a\u2028b"'),
    ],
)
def test_json_that_every_reader_takes(value: Any, written: str) -> None:
    text = to_json(value)
    assert text.isascii()
    assert json.loads(text) == json.loads(written)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(ANYTHING, st.binary())
def test_any_difference_and_any_body_make_a_valid_line(value: Any, body: bytes) -> None:
    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    written = record_line(
        ABOUT,
        Answer(200, ((body, body),), body, len(body)),
        Answer(200),
        Comparison("different", (Difference("$", "value", value, None),)),
        request=RecordedRequest((), body, False),
    )
    assert len(written.splitlines()) == 1
    json.loads(written, parse_constant=refuse)["differences"][0]["primary"]
    written.decode("ascii")
    json.loads(written).__repr__().encode()


def test_a_stream_that_went_on_is_cut() -> None:
    cut = Answer(200, (), b"data: 1\n\n", 9, ended=False)
    for request in (None, RecordedRequest((), b"", False)):
        made = json.loads(record_line(ABOUT, OK, cut, SAME, request=request))
        assert made["shadow"]["cut"] is True
        assert "cut" not in made["primary"] or made["primary"]["cut"] is False


@pytest.mark.parametrize("side", ["primary", "shadow"])
def test_the_endpoint_of_a_call_of_grpc(side: str) -> None:
    about = ABOUT._replace(method="POST", url="http://h/shop.Shop/Get")
    grpc = Answer(200, ((b"content-type", b"application/grpc"),), b"", 0)
    sides = (grpc, Answer(None, error="timeout")) if side == "primary" else (None, grpc)
    assert json.loads(record_line(about, *sides, Comparison(None)))["endpoint"] == "/shop.Shop/Get"
