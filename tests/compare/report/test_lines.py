from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror_addon.compare.report.lines import KeptLine
from mirror_addon.compare.report.lines import LineError
from mirror_addon.compare.report.lines import LineParser
from mirror_addon.compare.report.lines import NotJson
from mirror_addon.compare.report.lines import RecordLine

SIDE = {"status": 200}
LEAST: dict[str, Any] = {
    "version": 1, "id": "a", "method": "GET", "url": "http://b/", "target": "t", "primary": SIDE, "shadow": SIDE,
}  # fmt: skip


def parse(**changes: Any) -> RecordLine:
    return LineParser(RecordLine)(json.dumps(LEAST | changes).encode())


def test_a_line_as_written(line: Any) -> None:
    found = LineParser(RecordLine)(json.dumps(line()).encode() + b"\n")
    assert (found.id, found.route, found.target, found.shadow.ms, found.control) == (
        "f1/0",
        "b/v1",
        "b/v2",
        12.0,
        False,
    )


@pytest.mark.parametrize(
    ("changes", "fate"),
    [
        ({"verdict": "same"}, "compared"),
        ({"verdict": "different"}, "compared"),
        ({"verdict": "noise"}, "compared"),
        ({"verdict": None}, "uncompared"),
        ({"verdict": "failed", "shadow": {"status": None, "error": "timeout"}}, "failed"),
        ({"verdict": "failed", "shadow": {"status": None, "error": "queue_full"}}, "dropped"),
        ({"verdict": None, "shadow": {"status": None, "error": "breaker_open"}}, "dropped"),
        ({"verdict": None, "shadow": {"status": 200, "error": "reset"}}, "failed"),
        ({"verdict": None, "shadow": {"status": None}}, "failed"),
    ],
)
def test_fate(changes: dict[str, Any], fate: str) -> None:
    assert parse(**changes).fate == fate


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"version": 2}, "its version is 2"),
        ({"version": "1"}, "its version is '1'"),
        ({"version": 2, "id": 5}, "its version is 2"),
        ({"id": 5}, "$.id"),
        ({"verdict": "fine"}, "$.verdict"),
        ({"primary": None}, "$.primary"),
        ({"shadow": {"status": "200"}}, "$.shadow.status"),
        ({"shadow": {"status": 20}}, "$.shadow.status"),
        ({"shadow": {"status": 200, "ms": -1}}, "$.shadow.ms"),
        ({"shadow": {"status": 200, "ms": float("nan")}}, "$.shadow.ms"),
        ({"shadow": {"status": 200, "ms": float("inf")}}, "$.shadow.ms"),
        ({"differences": [{}]}, "$.differences[0]"),
        ({"differences": 1}, "$.differences"),
    ],
)
def test_what_is_no_line(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(LineError) as error:
        parse(**changes)
    assert said in str(error.value)
    assert not isinstance(error.value, NotJson)


@pytest.mark.parametrize("text", [b"", b"no", b"{", b'{"id": "a"', b"\x00", b"\xff\xfe", b"{'a': 1}"])
def test_no_json(text: bytes) -> None:
    with pytest.raises(NotJson):
        LineParser(RecordLine)(text)


@pytest.mark.parametrize(
    "text", [b"1", b"null", b"[]", b"{}", b"[" * 100_000, b'{"a":' * 100_000, b'{"version":1e999}']
)
def test_json_that_is_no_line(text: bytes) -> None:
    with pytest.raises(LineError):
        LineParser(RecordLine)(text)


def test_deep_values_do_not_exhaust_the_stack() -> None:
    deep = json.dumps(LEAST)[:-1] + ', "differences": [{"path": "$", "primary": %s}]}' % ("[" * 90_000 + "]" * 90_000)
    with pytest.raises(LineError):
        LineParser(RecordLine)(deep.encode())


def test_what_python_writes_and_strict_json_has_not() -> None:
    assert parse(id="\ud800").id == "\ud800"
    found = parse(differences=[{"path": "$.a", "primary": float("nan")}]).differences[0].primary
    assert found != found


def test_bodies_are_read_where_asked(line: Any) -> None:
    record = line()
    record["request"] = {"headers": [["a", "b"]], "body": "aGk=", "encoding": "base64", "cut": False}
    record["primary"] |= {"headers": [["c", "d"]], "body": None, "encoding": None, "cut": True}
    found = LineParser(KeptLine)(json.dumps(record).encode())
    assert found.request is not None
    assert (found.request.headers, found.request.body, found.request.encoding) == ((("a", "b"),), "aGk=", "base64")
    assert (found.primary.headers, found.primary.body, found.primary.cut) == ((("c", "d"),), None, True)
    assert LineParser(KeptLine)(json.dumps(line()).encode()).request is None


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@given(st.sampled_from([*sorted(LEAST), "differences", "verdict", "control", "more", "time", "route"]), JSON)
def test_any_value_in_any_field_is_read_or_refused(name: str, value: Any) -> None:
    try:
        found = LineParser(RecordLine)(json.dumps(LEAST | {name: value}).encode())
    except LineError:
        return
    assert found.fate


@given(st.binary(max_size=40))
def test_any_bytes(text: bytes) -> None:
    with pytest.raises(LineError):
        LineParser(RecordLine)(text)


@pytest.mark.parametrize("changes", [{"verdict": "\ud800"}, {"control": "\ud800"}, {"\ud800": 1}])
def test_a_lone_surrogate_where_no_text_is_expected(changes: dict[str, Any]) -> None:
    with pytest.raises(LineError, match="a lone surrogate stands in place of another value"):
        parse(**changes)
