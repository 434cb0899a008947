from __future__ import annotations

import json

import pytest

from mirror_addon.compare.calls import Call
from mirror_addon.compare.calls import call_differences
from mirror_addon.compare.calls import calls_of
from mirror_addon.compare.calls import place_of
from mirror_addon.compare.calls import with_calls
from mirror_addon.compare.causes import causes_of
from mirror_addon.compare.causes import ids_of
from mirror_addon.compare.comparison import Comparison
from mirror_addon.compare.difference import Difference
from mirror_addon.compare.rules import DEFAULT_RULES
from mirror_addon.compare.rules import Rules
from mirror_addon.compare.rules_edit import rule_line
from mirror_addon.compare.twin_values import Translation

AMOUNT = Difference("$.amount", "value", 10, 12, "", "$.amount")
TIME = Difference("$.at", "value", "a", "b", "time", "$.at")
URL = "http://pay.test/users/7/charges?x=1"
DIFFERENT = Call("POST", URL, "different", (AMOUNT, TIME))
PLACE = "call:POST pay.test/users/{id}/charges"
ASKED = {"method": "POST", "url": "http://shop.test/orders"}


def test_each_call_that_differs_is_a_difference() -> None:
    calls = (
        DIFFERENT,
        DIFFERENT,
        Call("POST", URL, "answered", (TIME,)),
        Call("POST", "http://a/x", "missing"),
        Call("POST", "http://a/y", "blocked"),
        Call("GET", "http://a/z", "passed"),
        Call("POST", "http://a/streamed", "blocked", note="the primary's response was not kept"),
    )
    assert call_differences(calls) == [
        Difference(f"{PLACE} $.amount", "call", 10, 12, "", f"POST {URL} $.amount"),
        Difference("call:POST a/x", "call", "POST http://a/x", None, "", "POST http://a/x"),
        Difference("call:POST a/y", "call", None, "POST http://a/y", "", "POST http://a/y"),
        Difference("call:GET a/z", "call", None, "GET http://a/z", "", "GET http://a/z"),
    ]


@pytest.mark.parametrize(
    ("verdict", "calls", "expected"),
    [
        ("same", (DIFFERENT,), "different"),
        ("noise", (DIFFERENT,), "different"),
        ("same", (Call("GET", URL, "answered", (TIME,)),), "same"),
        ("failed", (DIFFERENT,), "failed"),
        (None, (DIFFERENT,), None),
    ],
)
def test_verdicts(verdict: str | None, calls: tuple[Call, ...], expected: str | None) -> None:
    made = with_calls(Comparison(verdict), calls, DEFAULT_RULES, **ASKED)
    assert made.verdict == expected
    assert bool(made.differences) is (expected == "different")


def test_differences_that_count_come_first_and_have_a_limit() -> None:
    many = tuple(Difference(f"$.a{number}", "value", 1, 2) for number in range(100))
    made = with_calls(Comparison("different", (*many, TIME)), (DIFFERENT,), DEFAULT_RULES, **ASKED)
    assert (len(made.differences), made.more) == (100, 2)
    assert made.differences[0].kind == "call" and not any(each.noise for each in made.differences)


def test_a_finding_of_a_call_is_accepted_or_ignored_by_a_rule() -> None:
    pair = with_calls(Comparison("same"), (DIFFERENT,), DEFAULT_RULES, **ASKED)
    (cause,) = causes_of(pair.differences, "POST /orders")
    assert cause.title == f"{PLACE} $.amount value"
    accepted = Rules.parse(f"rules:\n  {rule_line(cause)}\n", "compare.yaml")
    made = with_calls(Comparison("same"), (DIFFERENT,), accepted, **ASKED)
    assert (made.verdict, made.differences[0].noise) == ("noise", "accepted")
    for path in (f"{PLACE} $.amount", "call:POST pay.test/*", "call:*"):
        ignored = Rules.parse(json.dumps({"rules": [{"path": path, "ignore": True}]}), "compare.yaml")
        made = with_calls(Comparison("same"), (DIFFERENT,), ignored, **ASKED)
        assert (made.verdict, made.differences[0].noise) == ("noise", "ignored"), path


def test_another_status_does_not_explain_the_calls() -> None:
    status = Difference("status", "value", 200, 502)
    body = Difference("$.a", "missing", 1, None)
    found = [status, body, *call_differences((DIFFERENT, Call("POST", "http://a/y", "blocked")))]
    titles = [cause.title for cause in causes_of(found, "POST /orders")]
    assert titles == ["status 2xx -> 502", f"{PLACE} $.amount value", "call:POST a/y extra"]
    assert len(set(ids_of(found, "POST /orders"))) == 3


def test_calls_survive_the_record() -> None:
    noted = Call("GET", "http://a/b", "passed", (), "a note")
    assert calls_of(json.loads(json.dumps([DIFFERENT.as_dict(), noted.as_dict()]))) == (DIFFERENT, noted)
    assert "note" not in DIFFERENT.as_dict()
    for wrong in ([1], [{}], [{"method": "GET"}], 7):
        with pytest.raises((LookupError, TypeError, ValueError)):
            calls_of(wrong)


def test_urls_of_any_kind_have_a_place() -> None:
    assert place_of(Call("POST", "http://[::1/x", "missing")) == "call:POST /x"
    assert place_of(Call("POST", "http://g:1/a.B/C", "missing")) == "call:POST g:1/a.B/C"


def test_what_was_translated_is_kept() -> None:
    twin = (Translation("path[1]", "1007", "2001", "p1"),)
    call = Call("GET", "http://a/2001", "answered", twin=twin, primary_url="http://a/1007")
    row = call.as_dict()
    assert row["twin"] == [{"where": "path[1]", "primary": "1007", "shadow": "2001", "from": "p1"}]
    assert calls_of(json.loads(json.dumps([row]))) == (call,)
    assert not {"twin", "primary_url"} & DIFFERENT.as_dict().keys()
