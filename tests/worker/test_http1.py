"""HTTP/1.1: what is no fault of the mirror, and what takes the loop's time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from mirror_addon.worker.pace import MAX_INFORMATIONAL


@pytest.mark.parametrize(
    ("change", "body"),
    [
        ({"method": b"G@T"}, b""),
        ({"path": b"/a b"}, b""),
        ({"path": b"/\x00"}, b""),
        ({"headers": ((b"X Y", b"1"),)}, b""),
        ({"headers": ((b"X", b"a\x00b"),)}, b""),
        ({"headers": ((b"Content-Length", b"3"),)}, b"abcd"),
        ({"headers": ((b"Content-Length", b"5"),)}, b"abcd"),
        ({"headers": ((b"Content-Length", b"x"),)}, b"abcd"),
        ({"headers": ((b"Transfer-Encoding", b"gzip, chunked"),)}, b"abcd"),
    ],
    ids=str,
)
async def test_requests_that_http_has_no_form_for_are_dropped(
    mirrors: Any, engine: Any, change: dict[str, Any], body: bytes
) -> None:
    """Ten of them open no circuit breaker, and the mirror gets the next request."""
    port = await mirrors.answering()
    made = engine()
    for _ in range(10):
        shadow = made.shadow(port)
        for name, value in change.items():
            setattr(shadow, name, value)
        made.hand_over(shadow, body)
    await made.wait(10)
    assert {(result.outcome, result.reason) for result in made.results} == {("dropped", "unsendable")}
    assert all(result.detail for result in made.results)
    assert (await made.one(port)).outcome == "sent"
    assert made.counters.totals().dropped == {"unsendable": 10}
    assert not made.counters.totals().failed


async def test_interim_responses_without_end_are_none(mirrors: Any, engine: Any) -> None:
    interim = b"HTTP/1.1 103 Early Hints\r\n\r\n"
    final = b"HTTP/1.1 204 No Content\r\n\r\n"
    made = engine()
    assert (await made.one(await mirrors.answering(interim * MAX_INFORMATIONAL + final))).status == 204
    result = await made.one(await mirrors.answering(interim * (MAX_INFORMATIONAL + 1) + final))
    assert (result.outcome, result.reason) == ("failed", "protocol")
    assert result.detail == "more than 100 interim responses"


async def test_a_body_of_tiny_chunks_holds_no_other_mirror(mirrors: Any, engine: Any) -> None:
    """A megabyte of chunks is there at once; meanwhile shadows to another mirror are sent one after the other."""
    chunks = b"1\r\na\r\n" * 100_000
    other = await mirrors.answering()

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await mirrors.read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(chunks)
            await writer.drain()

    made = engine()
    made.offer(await mirrors.start(handler), label="tiny")
    await made.one(other)
    for _ in range(20):
        result = await made.one(other)
        assert result.outcome == "sent"
    assert len(made.results) == 21
    assert sorted(result.ms for result in made.results)[10] < 100
