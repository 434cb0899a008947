from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from mirror_addon.compare.rules import DEFAULT_RULES
from mirror_addon.compare.rules import Rules
from mirror_addon.sandbox.call import CallRequest
from mirror_addon.sandbox.comparison import MAX_COMPARED
from mirror_addon.sandbox.comparison import compare_calls
from mirror_addon.sandbox.comparison import is_quick

NOW = 1_800_000_000.0


def post(body: Any = None, query: bytes = b"", **more: bytes) -> CallRequest:
    content = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    call = CallRequest(b"POST", b"http", b"pay.test", b"/charges", query, b"application/json", b"", content)
    return call._replace(**more)


def found(one: CallRequest, other: CallRequest, rules: Rules = DEFAULT_RULES) -> list[tuple[str, str, Any, Any]]:
    call = compare_calls(one, other, rules, NOW)
    listed = [(each.path, each.kind, each.primary, each.shadow) for each in call.differences if not each.noise]
    assert (call.state == "different") is bool(listed)
    return listed


def test_fields_of_the_body_and_the_query() -> None:
    one, other = post({"amount": 10, "x": 1}, b"a=1&b=2"), post({"amount": 12}, b"a=1&b=3")
    assert found(one, other) == [
        ("query:b", "value", "2", "3"),
        ("$.amount", "value", 10, 12),
        ("$.x", "missing", 1, None),
    ]
    assert found(one, one) == []
    assert found(post({"a": 1}), post(b'{ "a":1 }')) == []
    assert found(post(b"", b""), post(b"", b"n=1")) == [("query:n", "extra", None, "1")]


def test_what_is_no_difference() -> None:
    times = post({"at": "2027-01-15T08:00:00Z"}), post({"at": "2027-01-15T08:00:01Z"})
    assert found(*times) == []
    assert [each.noise for each in compare_calls(*times, DEFAULT_RULES, NOW).differences] == ["time"]
    rules = Rules.parse("rules: [{endpoint: POST /charges, path: $.amount, ignore: true}]", "compare.yaml")
    assert found(post({"amount": 1}), post({"amount": 2}), rules) == []
    assert found(post({"amount": 1}), post({"amount": 2})._replace(path=b"/other"), rules) != []


def test_codings_and_forms() -> None:
    coded = post(gzip.compress(b'{"a": 1}'), content_encoding=b"gzip")
    assert found(coded, post(gzip.compress(b'{"a": 2}'), content_encoding=b"gzip")) == [("$.a", "value", 1, 2)]
    form = {"content_type": b"application/x-www-form-urlencoded"}
    assert found(post(b"a=1", **form), post(b"a=2", **form)) == [("form:a", "value", "1", "2")]


def test_what_cannot_be_compared_is_said() -> None:
    call = compare_calls(post(None), post({"a": 1}), DEFAULT_RULES, NOW)
    assert (call.state, call.note) == ("answered", "the body was not compared, because it was streamed")
    big = b'{"a": "' + b"x" * MAX_COMPARED
    call = compare_calls(post(big + b'"}'), post(big + b'y"}'), DEFAULT_RULES, NOW)
    assert call.state == "different" and "not compared by structure" in call.note
    assert [each.path for each in call.differences] == ["body"]


@pytest.mark.parametrize(
    ("one", "other", "quick"),
    [
        (post({"a": 1}), post({"a": 2}), True),
        (post(b"x" * 9000), post(b"y"), False),
        (post(b"x" * 9000), post(b"x" * 9000), True),
        (post(b"x", content_encoding=b"gzip"), post(b"y"), False),
        (post(b"x", content_type=b"application/grpc"), post(b"y"), False),
    ],
)
def test_what_is_compared_at_once(one: CallRequest, other: CallRequest, quick: bool) -> None:
    assert is_quick(one, other) is quick
