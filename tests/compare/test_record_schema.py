from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from jsonschema import Draft7Validator

from mirror_addon.compare.answer import Answer
from mirror_addon.compare.calls import Call
from mirror_addon.compare.comparison import Comparison
from mirror_addon.compare.difference import Difference
from mirror_addon.compare.record import About
from mirror_addon.compare.record import RecordedRequest
from mirror_addon.compare.record import record_line
from mirror_addon.compare.record_schema import RECORD_SCHEMA
from mirror_addon.compare.twin_values import Translation

VALIDATOR = Draft7Validator(RECORD_SCHEMA, format_checker=Draft7Validator.FORMAT_CHECKER)
ABOUT = About(
    "f/0", "f", 1764590400.1234, "default/b http[0]", "b/v1", "b/v2", False, "GET", "http://b/", 2**64 - 1, "[::1]:9"
)
DIFFERENT = Comparison("different", (Difference("$.a[*]", "value", 1, [None, "x"], "", "$.a[0]"),), ("a note",), 7)
REQUEST = RecordedRequest(((b"Host", b"b"),), b"\xff", False)
TWIN = (Translation("path[1]", "1007", "2001", "f1/1"),)
CALLS = [
    Call("POST", "http://pay.test/2001", "different", DIFFERENT.differences, "a note", TWIN, "http://pay.test/1007")
]
OK = Answer(200, bytes=3, ms=1.23456)


def line(primary: Answer | None = OK, shadow: Answer = OK, **others: Any) -> dict[str, Any]:
    written: dict[str, Any] = json.loads(
        record_line(ABOUT, primary, shadow, others.pop("comparison", DIFFERENT), **others)
    )
    return written


def test_it_is_a_schema_of_draft_07() -> None:
    Draft7Validator.check_schema(RECORD_SCHEMA)


@pytest.mark.parametrize(
    "written",
    [
        line(),
        line(request=REQUEST),
        line(calls=CALLS),
        line(calls=[]),
        line(comparison=replace(DIFFERENT, twin=TWIN)),
        line(None, Answer(None, error="queue_full"), comparison=Comparison(None, ())),
        line(None, Answer(None, error="timeout"), comparison=Comparison("failed", ()), request=REQUEST),
    ],
)
def test_lines_that_are_written(written: dict[str, Any]) -> None:
    VALIDATOR.validate(written)


def test_it_names_every_field_that_is_written() -> None:
    written = line(request=REQUEST, calls=CALLS, comparison=replace(DIFFERENT, twin=TWIN))
    assert set(RECORD_SCHEMA["definitions"]["translation"]["properties"]) == set(written["twin"][0])
    assert set(RECORD_SCHEMA["properties"]) == set(written)
    assert set(RECORD_SCHEMA["definitions"]["call"]["properties"]) == set(written["calls"][0])
    side = RECORD_SCHEMA["definitions"]["side"]["properties"]
    assert set(side) == set(written["primary"])
    assert set(RECORD_SCHEMA["definitions"]["difference"]["properties"]) == set(written["differences"][0])
    assert set(RECORD_SCHEMA["properties"]["request"]["properties"]) == set(written["request"])


@pytest.mark.parametrize(
    "change", [{"version": 2}, {"verdict": "equal"}, {"primary": {}}, {"draw": -1}, {"time": "yesterday"}, {"id": None}]
)
def test_other_lines_are_refused(change: dict[str, Any]) -> None:
    if "time" in change and "date-time" not in Draft7Validator.FORMAT_CHECKER.checkers:
        change = {"time": 5}
    assert not VALIDATOR.is_valid({**line(), **change})
