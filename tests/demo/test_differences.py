from __future__ import annotations

import json

import pytest

from mirror_addon.demo.differences import Difference
from mirror_addon.demo.differences import differing_requests
from mirror_addon.demo.differences import differing_responses
from mirror_addon.demo.differences import differing_values
from mirror_addon.demo.differences import problems
from mirror_addon.demo.upstreams import Exchange
from mirror_addon.demo.upstreams import Received
from mirror_addon.demo.upstreams import Response

OK = Response(200, {"Content-Type": "application/json"}, b"{}")
PRIMARY = Received("GET", "//x", (("Host", "a.test"), ("X-Forwarded-For", "1.1.1.1"), ("X-A", "1")), b"")
SHADOW = Received("GET", "//x", (("Host", "a.test-shadow"), ("X-Forwarded-For", "1.1.1.1,2.2.2.2"), ("X-A", "1")), b"")


@pytest.mark.parametrize(
    ("old", "new", "lines"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1}, {"a": 2}, ["$.a 1 → 2"]),
        ({"a": 1}, {"a": "1"}, ['$.a 1 → "1"']),
        ({"a": 1}, {"a": True}, ["$.a 1 → true"]),
        ({"a": 1}, {"b": 1}, ["$.a only in v1", "$.b only in v2"]),
        ({"a": [{"b": 1}, 2]}, {"a": [{"b": 3}, 2]}, ["$.a[0].b 1 → 3"]),
        ([1], [1, 2], ["$ [1] → [1, 2]"]),
    ],
)
def test_values(old: object, new: object, lines: list[str]) -> None:
    assert list(map(str, differing_values(old, new))) == lines


def test_answers() -> None:
    assert list(differing_responses(OK, OK)) == []
    assert list(differing_responses(OK, Response(500, {}, b"x"))) == [
        Difference("status", "200 → 500", "status 200 → 500")
    ]
    other = Response(200, {"X-New": "1"}, json.dumps({"a": 1}).encode())
    assert list(differing_responses(OK, other)) == [
        Difference("Content-Type", "missing", "Content-Type application/json → absent"),
        Difference("X-New", "extra", "X-New absent → 1"),
        Difference("$.a", "extra", "$.a only in v2"),
    ]


def test_kinds() -> None:
    old, new = {"a": 1, "b": 1, "c": 1}, {"a": 2, "b": "1"}
    assert [each.kind for each in differing_values(old, new)] == ["value", "type", "missing"]
    one, other = (Response(200, {"X-A": value}, b"{}") for value in "12")
    assert list(differing_responses(one, other)) == [Difference("X-A", "value", "X-A 1 → 2")]


def test_requests() -> None:
    assert list(differing_requests(PRIMARY, PRIMARY)) == []
    assert list(differing_requests(PRIMARY, SHADOW)) == ["Host", "X-Forwarded-For"]
    other = Received("PUT", "/x", PRIMARY.fields[:-1], b"x")
    assert list(differing_requests(PRIMARY, other)) == ["method", "target", "body", "X-A"]


def changed(name: str, value: str) -> Received:
    return Received(
        SHADOW.method, SHADOW.target, tuple((n, value if n == name else v) for n, v in SHADOW.fields), SHADOW.body
    )


@pytest.mark.parametrize(
    ("got", "primary", "shadow", "found"),
    [
        (OK, Exchange(PRIMARY, OK, 0.0), Exchange(SHADOW, OK, 0.1), ""),
        (Response(502, {}, b""), None, None, "v1 received nothing"),
        (OK, Exchange(PRIMARY, OK, 0.0), None, "v2 received nothing"),
        (Response(500, {}, b"{}"), Exchange(PRIMARY, OK, 0.0), Exchange(SHADOW, OK, 0.1), "client got 500"),
        (OK, Exchange(PRIMARY, OK, 0.0), Exchange(changed("X-A", "2"), OK, 0.1), "X-A"),
        (OK, Exchange(PRIMARY, OK, 0.0), Exchange(changed("Host", "b"), OK, 0.1), "Host is b"),
        (
            OK,
            Exchange(PRIMARY, OK, 0.0),
            Exchange(changed("X-Forwarded-For", "3"), OK, 0.1),
            "X-Forwarded-For is 3",
        ),
    ],
)
def test_problems(got: Response, primary: Exchange | None, shadow: Exchange | None, found: str) -> None:
    lines = list(problems(got, primary, shadow))
    assert len(lines) == bool(found)
    assert not found or found in lines[0]
