from __future__ import annotations

import logging
from typing import Any

import pytest

from mirror_addon.processor import beginning
from mirror_addon.processor.exchange import End


async def test_messages_are_counted(told: Any) -> None:
    told.request("/x")
    assert (told.engine.counts.begun, told.engine.counts.messages, told.engine.counts.open) == (1, 1, 1)
    assert told.engine.counts.bytes > 50


async def test_nonsense_ends_the_stream(told: Any, caplog: pytest.LogCaptureFixture) -> None:
    told.request("/x", end=False, method=b"PUT")
    assert not told.stream.message(b"\xff" * 10)
    assert not told.stream.message(b"\xff" * 10)
    assert (told.engine.counts.invalid, told.ended) == (2, {End.LOST: 1})
    assert len(caplog.records) == 1
    told.engine.book.check()


async def test_a_fault_of_this_program_ends_one_stream(
    told: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(beginning, "read_request", broken)
    for _ in range(2):
        told.begin()
        assert not told.request("/x")
    monkeypatch.undo()
    assert (told.engine.counts.faults, told.ended) == (2, {End.LEFT: 2})
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    told.begin()
    assert told.request("/x")


async def test_the_end_of_a_stream_is_told_once(told: Any) -> None:
    told.request("/x")
    told.stream.closed()
    told.stream.closed(lost=True)
    assert told.ended == {End.CLOSED: 1}


async def test_a_local_reply_without_a_request(told: Any) -> None:
    assert not told.answer(b"503", end=True)
    assert told.ended == {End.LOCAL: 1}
