"""Event streams, JSON Lines and JSON text sequences."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from mirror_addon.compare.answer import Answer
from mirror_addon.compare.comparison import Comparison
from mirror_addon.compare.comparison import compare
from mirror_addon.compare.event_streams import StreamError
from mirror_addon.compare.event_streams import read_events
from mirror_addon.compare.event_streams import read_json_lines
from mirror_addon.compare.event_streams import read_json_sequence
from mirror_addon.compare.json_documents import JsonError

SSE, LINES, SEQUENCE = "text/event-stream", "application/x-ndjson", "application/json-seq"


def answer(body: str, kind: str, *, ended: bool = True, more: int = 0) -> Answer:
    data = body.encode()
    return Answer(200, ((b"content-type", kind.encode()),), data, len(data) + more, ended=ended)


def compared(one: str, other: str, kind: str = SSE, *, ended: bool = True) -> Comparison:
    return compare(answer(one, kind), answer(other, kind, ended=ended))


def told(found: Comparison) -> list[tuple[str, str, str]]:
    return [(each.path, each.kind, each.noise) for each in found.differences]


@pytest.mark.parametrize(
    ("text", "document"),
    [
        ("data: 1\n\n", {"events": [{"data": "1"}]}),
        ('data: "\\u00e9"\n\n', {"events": [{"data": "é"}]}),
        ('data: "a" b\n\n', {"events": [{"data": '"a" b'}]}),
        ("event:\ndata: 1\n\n", {"events": [{"data": "1"}]}),
        ('data: {"a": 1}\r\n\r\ndata:[2]\r\r', {"events": [{"data": {"a": 1}}, {"data": [2]}]}),
        ("data: a\ndata: b\ndata\n\n", {"events": [{"data": "a\nb\n"}]}),
        (": hello\n\ndata: [DONE]\n\n: bye\n", {"events": [{"data": "[DONE]"}]}),
        ("event: add\nid: 7\ndata: x\n\n", {"events": [{"event": "add", "id": "7", "data": "x"}]}),
        ("event: message\nid: \0\ndata: x\n\n", {"events": [{"data": "x"}]}),
        ("retry: 100\nretry: x\nother: y\nid: 3\n\n", {"events": [], "retry": 100}),
        ("\ufeffdata: x\n\ndata: y", {"events": [{"data": "x"}, {"data": "y"}]}),
        ("", {"events": []}),
    ],
)
def test_events(text: str, document: dict[str, Any]) -> None:
    assert read_events(text, False) == document


def test_an_event_that_was_cut_is_left_out() -> None:
    assert read_events("data: x\n\ndata: y\n", True) == {"events": [{"data": "x"}]}
    assert read_events("data: x\n\ndata: y\n\nda", True) == {"events": [{"data": "x"}, {"data": "y"}]}


def test_lines() -> None:
    assert read_json_lines('{"a": 1}\r\n\n[2]\n', False) == [{"a": 1}, [2]]
    assert read_json_lines('{"a": 1}\n[2', True) == [{"a": 1}]
    with pytest.raises(JsonError):
        read_json_lines('{"a": 1} x\n', False)


def test_sequence() -> None:
    assert read_json_sequence('\x1e{"a": 1}\n\x1e[2]\n', False) == [{"a": 1}, [2]]
    assert read_json_sequence('\x1e{"a": 1}\n\x1e[2]\n', True) == [{"a": 1}, [2]]
    assert read_json_sequence('\x1e{"a": 1}\n\x1e[2', True) == [{"a": 1}]


@pytest.mark.parametrize(
    ("one", "other", "kind"),
    [
        ('data: {"a": 1, "b": 2}\n\n', 'data: {"b": 2, "a": 1.0}\n\n', SSE),
        (': ping\n\ndata: {"a": 1}\n\n', 'data: {"a": 1}\n\n:\n\n', SSE),
        ("data:x\r\n\r\n", "data: x\n\n", SSE),
        ('{"a": 1, "b": 2}\n', '{"b": 2, "a": 1}\n\n', LINES),
        ('\x1e{"a": 1, "b": 2}\n', '\x1e{"b": 2, "a": 1}', SEQUENCE),
        ('{"a": 1, "b": 2}\n[1]', '{"b": 2, "a": 1}\n[1]', "application/stream+json"),
        ('{"a": 1, "b": 2}\n[1]', '{"b": 2, "a": 1}\n[1]', "application/jsonlines"),
    ],
)
def test_same(one: str, other: str, kind: str) -> None:
    assert compared(one, other, kind).verdict == "same"


@pytest.mark.parametrize(
    ("one", "other", "kind", "found"),
    [
        ('data: {"price": 1}\n\n', 'data: {"price": 2}\n\n', SSE, ("$.events[*].data.price", "value", "")),
        ("data: x\n\n", "data: y\n\n", SSE, ("$.events[*].data", "value", "")),
        ("data: true\n\n", "data: 1\n\n", SSE, ("$.events[*].data", "value", "")),
        ("event: a\ndata: x\n\n", "event: b\ndata: x\n\n", SSE, ("$.events[*].event", "value", "")),
        ("id: 1\ndata: x\n\n", "id: 2\ndata: x\n\n", SSE, ("$.events[*].id", "value", "")),
        ("id: 1\ndata: x\n\n", "data: x\n\n", SSE, ("$.events[*].id", "missing", "")),
        ("retry: 1\ndata: x\n\n", "retry: 2\ndata: x\n\n", SSE, ("$.retry", "value", "")),
        ("data: x\n\ndata: y\n\n", "data: x\n\n", SSE, ("$.events", "length", "")),
        ('data: {"jti": "a1a1BB11"}\n\n', 'data: {"jti":"zzzzYY99"}\n\n', SSE, ("$.events[*].data.jti", "value", "id")),
        ('{"a": 1}\n', '{"a": 2}\n', LINES, ("$[*].a", "value", "")),
        ('\x1e{"a": 1}\n', '\x1e{"a": 2}\n', SEQUENCE, ("$[*].a", "value", "")),
    ],
)  # fmt: skip
def test_what_differs(one: str, other: str, kind: str, found: tuple[str, str, str]) -> None:
    assert told(compared(one, other, kind))[0] == found


def events(count: int, **changed: Any) -> str:
    return "".join(f"data: {json.dumps({'n': n, **changed})}\n\n" for n in range(count))


@pytest.mark.parametrize(
    ("one", "other", "kind"),
    [
        (events(5), events(3), SSE),
        (events(3), events(5), SSE),
        (events(5), events(3) + 'data: {"n": 3', SSE),
        (events(5), "", SSE),
        ("retry: 5\n" + events(5), events(3), SSE),
        ('{"a": 1}\n{"a": 2}\n', '{"a": 1}\n{"a', LINES),
        ('\x1e{"a": 1}\n\x1e{"a": 2}\n', '\x1e{"a": 1}\n\x1e{"a', SEQUENCE),
    ],
)
def test_a_cut_stream_is_compared_as_far_as_both_went(one: str, other: str, kind: str) -> None:
    found = compared(one, other, kind, ended=False)
    assert found.verdict == "same"
    assert "cut" in found.notes[0]


def test_what_differs_before_the_cut_counts() -> None:
    assert told(compared(events(5), events(3, n=9), ended=False))[0] == ("$.events[*].data.n", "value", "")
    assert compared(events(5), "", ended=True).verdict == "different"
    assert compared("", events(5), ended=False).verdict == "different"


def test_a_stream_of_which_only_a_part_was_kept() -> None:
    cut = answer(events(5)[:60], SSE, more=1000)
    assert compare(cut, answer(events(5), SSE)).verdict == "same"
    assert compare(cut, answer(events(5, n=7), SSE)).verdict == "different"


def test_too_many_events() -> None:
    with pytest.raises(StreamError):
        read_events("data:\n\n" * 60000, False)
    found = compared("data:\n\n" * 60000, "data:\n\n" * 59999)
    assert found.verdict == "different"
    assert "too many events" in found.notes[0]


@pytest.mark.parametrize(
    "text", ["data: {" * 200000, "data: [\n" * 100000 + "data: ]\n\n", "\r" * 500000, "id:\n" * 300000]
)
def test_hostile_streams_take_bounded_time(text: str) -> None:
    began = time.process_time()
    compared(text, text + "data: x\n\n")
    assert time.process_time() - began < 10
