from __future__ import annotations

from mirror_addon.compare.calls import Call
from mirror_addon.compare.difference import Difference
from mirror_addon.compare.twin_values import Translation
from mirror_addon.diff_view.calls import SHOWN
from mirror_addon.diff_view.calls import call_lines

URL = "http://pay.test/charges"


def test_both_sides_of_each_call() -> None:
    differences = (
        Difference("$.amount", "value", 10, 12),
        Difference("$.x", "missing", 1, None),
        Difference("$.at", "value", "a", "b", "time"),
    )
    calls = (
        Call("POST", URL, "answered"),
        Call("POST", URL + "?a=1", "different", differences),
        Call("DELETE", "http://a/x", "blocked"),
        Call("GET", "http://a/y", "passed", note="it was streamed"),
        Call("GET", "http://a/z", "missing"),
    )
    assert [line.text for line in call_lines(calls)] == [
        " ",
        "Calls to other services (1 answered, 1 different, 1 blocked, 1 passed, 1 missing)",
        "              primary                        shadow",
        "  answered    POST http://pay.test/charges   POST http://pay.test/charges",
        "  different   POST http://pay.test/charges   POST http://pay.test/charges?a=1",
        "    $.amount: value",
        "      - 10",
        "      + 12",
        "    $.x: missing",
        "      - 1",
        '    ~ $.at: value (time): "a" | "b"',
        "  blocked     -                              DELETE http://a/x",
        "  passed      GET http://a/y                 GET http://a/y",
        "    note: it was streamed",
        "  missing     GET http://a/z                 -",
    ]


def test_of_many_the_first_are_shown() -> None:
    lines = [line.text for line in call_lines([Call("GET", URL, "answered")] * (SHOWN + 2))]
    assert lines[-1] == "  and 2 more" and len(lines) == SHOWN + 4


def test_what_was_read_as_the_primary_s() -> None:
    twin = (Translation("path[1]", "1007", "2001", "p1"),)
    call = Call("GET", "http://a/o/2001?x=1", "answered", twin=twin, primary_url="http://a/o/1007?x=1")
    assert [line.text for line in call_lines([call])][-2:] == [
        "  answered   GET http://a/o/1007   GET http://a/o/2001?x=1",
        "    path[1]: 2001 is the primary's 1007",
    ]
