from __future__ import annotations

import gzip

import brotli
import pytest

from mirror_addon.compare import decoded_body
from mirror_addon.compare.answer import Answer
from mirror_addon.compare.comparison import Comparison
from mirror_addon.compare.new_ids import NewIds
from mirror_addon.compare.rules import DEFAULT_RULES
from mirror_addon.worker import comparison_task
from mirror_addon.worker.comparison_task import IdArguments
from mirror_addon.worker.comparison_task import Task

JSON = (b"Content-Type", b"application/json")


def response(body: bytes, coding: bytes = b"", status: int = 200) -> Answer:
    headers = (JSON, (b"Content-Encoding", coding)) if coding else (JSON,)
    return Answer(status, headers, body, len(body), 1.0)


def task(primary: Answer, shadow: Answer, control: Answer | None = None, ids: IdArguments | None = None) -> Task:
    return Task(primary, shadow, control, "POST", "http://b/orders", "", 1.0, 1.0, ids)


def test_its_size_is_that_of_all_fields_and_bodies() -> None:
    one = response(b"12345")
    fields = len(JSON[0] + JSON[1])
    assert task(one, one).size == 2 * (5 + fields)
    assert task(one, one, one).size == 3 * (5 + fields)


@pytest.mark.parametrize("coding", [b"br", b"gzip", b"gzip, br"])
def test_a_few_bytes_may_be_many(coding: bytes) -> None:
    """The body of a mirror that held the worker: 25 bytes of brotli are 2.8 million numbers."""
    text = b"[" + b"1," * 2_800_000 + b"1]"
    bomb = gzip.compress(text) if coding.startswith(b"gzip") else text
    bomb = brotli.compress(bomb) if coding.endswith(b"br") else bomb
    assert not task(response(b"{}"), response(bomb, coding)).decoded_within(16 * 1024)
    assert not task(response(b"{}"), response(b"{}"), response(bomb, coding)).decoded_within(16 * 1024)


def test_what_is_small_when_decoded_is_small() -> None:
    assert task(response(b"{}"), response(gzip.compress(b"{}"), b"gzip")).decoded_within(2)
    assert not task(response(b"{}"), response(gzip.compress(b"{} "), b"gzip")).decoded_within(2)
    assert task(response(b"{}"), response(b"no gzip", b"gzip")).decoded_within(10)
    assert not task(response(b"{}"), response(b"x" * 100, b"gzip")).decoded_within(10)
    assert task(response(b"x" * 100), response(b"")).decoded_within(2)  # has no coding


def test_what_was_decoded_to_see_its_size_is_not_decoded_again(monkeypatch: pytest.MonkeyPatch) -> None:
    pair = task(response(gzip.compress(b'{"a":1}'), b"gzip"), response(gzip.compress(b'{"a":2}', 1), b"gzip"))
    small = pair.decoded_within(100)
    assert small is not None
    expected = pair.run(DEFAULT_RULES, None)
    monkeypatch.delattr(decoded_body, "undo")
    assert small.run(DEFAULT_RULES, None) == expected and expected.verdict == "different"


def test_ids_are_learned() -> None:
    learned = NewIds()
    ids = IdArguments("POST", "http://b/orders", "http://b/orders {}", True, None)
    made = task(response(b'{"id":1001}', status=201), response(b'{"id":57}', status=201), ids=ids)
    assert made.run(DEFAULT_RULES, learned).verdict == "noise"
    assert made.run(DEFAULT_RULES, None).verdict == "different"


@pytest.mark.parametrize(
    ("error", "note"),
    [
        (MemoryError(), "not compared: it needs too much memory"),
        (RecursionError("too deep"), "not compared: RecursionError: too deep"),
    ],
)
def test_an_error_is_a_note(monkeypatch: pytest.MonkeyPatch, error: Exception, note: str) -> None:
    def broken(*_: object, **__: object) -> Comparison:
        raise error

    monkeypatch.setattr(comparison_task, "compare", broken)
    assert task(response(b""), response(b"")).run(DEFAULT_RULES, None) == Comparison(None, (), (note,))


@pytest.mark.parametrize("content_type", [b"application/grpc-web", b"application/x-protobuf"])
def test_messages_are_never_read_in_the_loop(content_type: bytes) -> None:
    answer = Answer(200, ((b"content-type", content_type),), b"\0\0\0\0\0", 5)
    assert not Task(answer, answer, None, "POST", "", "", 0.0, 0.0, None).decoded_within(1000)
