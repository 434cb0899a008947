from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from collections.abc import Callable
from pathlib import Path

from enginetools import Mirrors
from enginetools import until

from mirror_addon.replay.arguments import Faults
from mirror_addon.replay.arguments import parse_selection
from mirror_addon.replay.order import Turn
from mirror_addon.replay.order import turns
from mirror_addon.replay.player import Pace
from mirror_addon.replay.setup import Setup
from mirror_addon.replay.shadows import Shadows
from mirror_addon.replay.source import open_sources

MakeSetup = Callable[..., Setup]
Capture = Callable[..., Path]


def turns_of(path: Path) -> list[Turn]:
    sources = open_sources(parse_selection([str(path)], []), b"10.0.0.1", lambda _: None)
    return list(turns(sources, [1]))


@contextlib.asynccontextmanager
async def running(setup: Setup) -> AsyncIterator[Shadows]:
    shadows = Shadows(setup)
    try:
        await shadows.ready()
        yield shadows
    finally:
        await shadows.close(0)


def response(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


async def test_responses_are_compared_with_the_recorded_ones(
    setup: MakeSetup, capture: Capture, mirrors: Mirrors
) -> None:
    port = await mirrors.answering(response(b"ok"))
    first, second, unmirrored = [*turns_of(capture(["/a", "/private"])), *turns_of(capture(body=b"other", name="b"))]
    async with running(setup(port)) as shadows:
        for turn in (first, second, unmirrored):
            await shadows.send(turn)
        await until(lambda: shadows.ended == 2)
        assert (shadows.mirrored, shadows.differing, shadows.failed) == (2, 1, 0)
        assert shadows.dispatcher.counters.totals().sent == 2
    assert [each.head.split(b"\r\n")[0] for each in mirrors.received] == [b"GET /a HTTP/1.1"] * 2


async def test_the_annotation_ignore_applies(setup: MakeSetup, capture: Capture, mirrors: Mirrors) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n"
    port = await mirrors.answering(head + b'{"at": 2}')
    (turn,) = turns_of(capture(body=b'{"at": 1}'))
    assert turn.recorded.flow.response is not None
    turn.recorded.flow.response.headers["Content-Type"] = "application/json"
    async with running(setup(port)) as shadows:
        await shadows.send(turn)
        await until(lambda: shadows.ended)
        assert shadows.differing == 0


async def test_discarded_responses_have_no_verdict(setup: MakeSetup, capture: Capture, mirrors: Mirrors) -> None:
    port = await mirrors.answering(response(b"different"))
    async with running(setup(port, "mirror_responses=discard")) as shadows:
        await shadows.send(turns_of(capture())[0])
        await until(lambda: shadows.ended)
        assert (shadows.differing, shadows.failed) == (0, 0)


async def test_a_mirror_that_refuses(setup: MakeSetup, capture: Capture, mirrors: Mirrors) -> None:
    async with running(setup(mirrors.refusing())) as shadows:
        await shadows.send(turns_of(capture())[0])
        await until(lambda: shadows.ended)
        assert shadows.failed == 1
        assert shadows.dispatcher.counters.totals().failed == {"connect": 1}


async def test_the_same_turn_twice_at_once_has_two_ids(setup: MakeSetup, capture: Capture, mirrors: Mirrors) -> None:
    port = await mirrors.answering(response(b"ok"))
    (turn,) = turns_of(capture())
    async with running(setup(port)) as shadows:
        await asyncio.gather(*(shadows.send(turn) for _ in range(3)))
        await until(lambda: shadows.ended == 3)
        assert shadows.mirrored == 3


async def test_faults(setup: MakeSetup, capture: Capture, mirrors: Mirrors) -> None:
    port = await mirrors.answering(response(b"ok"))
    loop = asyncio.get_running_loop()
    (turn,) = turns_of(capture())
    turn.recorded.body = b"body"
    async with running(setup(port, faults=Faults(((0.2, 1.0),)))) as shadows:
        begin = loop.time()
        await shadows.send(turn)
        assert loop.time() - begin >= 0.2
        assert (shadows.delayed, shadows.aborted) == (1, 0)
    async with running(setup(port, faults=Faults(abort=1.0))) as shadows:
        await shadows.send(turn)
        assert (shadows.delayed, shadows.aborted) == (0, 1)
        assert shadows.dispatcher.counters.totals().dropped == {"aborted": 1}
    assert len(mirrors.received) == 1


async def test_stop_sends_delayed_shadows_at_once_and_gives_up_those_that_wait(
    setup: MakeSetup, capture: Capture, mirrors: Mirrors
) -> None:
    port = await mirrors.answering(response(b"ok"))
    (turn,) = turns_of(capture())
    async with running(setup(port, "mirror_concurrency=1", faults=Faults(((1000.0, 1.0),)))) as shadows:
        tasks = [asyncio.create_task(shadows.send(turn)) for _ in range(3)]
        await until(lambda: shadows.delayed)
        assert shadows.mirrored == 1, "there is room for one"
        shadows.stop()
        await asyncio.gather(*tasks)
        assert (shadows.mirrored, shadows.given_up) == (1, 2)
    assert len(mirrors.received) == 1


async def test_a_fixed_rate_waits_for_no_room(setup: MakeSetup, capture: Capture, mirrors: Mirrors) -> None:
    port = await mirrors.hanging()
    (turn,) = turns_of(capture())
    async with running(setup(port, "mirror_concurrency=1", pace=Pace(rate=1.0))) as shadows:
        tasks = [asyncio.create_task(shadows.send(turn)) for _ in range(3)]
        await until(lambda: shadows.mirrored == 3)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_stop_ends_the_wait_for_the_workers(setup: MakeSetup) -> None:
    shadows = Shadows(setup())
    shadows.stop()
    await asyncio.wait_for(shadows.ready(), 5)
    await shadows.close(0)
