from __future__ import annotations

import asyncio
from typing import Any

import pytest

from mirror_addon.dispatch import translations as module
from mirror_addon.dispatch.translations import Translations
from mirror_addon.shadow.frames import Decoder
from mirror_addon.shadow.frames import Kind
from mirror_addon.shadow.frames import OwnCall
from mirror_addon.shadow.frames import TranslatedCall

CALL = OwnCall("b/v2", b"GET", b"/orders/7", (), False)
ANSWER = TranslatedCall(b"/orders/1007", (), False, (), ())
LONG = 1000.0


class Link:
    def __init__(self, state: str = "running") -> None:
        self.state = state
        self.frames: list[tuple[tuple[Any, ...], bytes]] = []
        self.written = 0

    def send(self, data: bytes) -> None:
        self.frames += Decoder().feed(data)

    def write(self) -> None:
        self.written += 1


def made(*states: str) -> tuple[Any, Translations]:
    links: list[Any] = [Link(state) for state in states or ("running",)]
    translations = Translations()
    translations.links = links
    return links[0], translations


async def begun(translations: Translations, body: bytes = b"") -> asyncio.Task[Any]:
    task = asyncio.create_task(translations.ask(CALL, body, seconds=LONG))
    await asyncio.sleep(0)
    return task


async def test_an_answer() -> None:
    link, translations = made("running", "running")
    one, two = await begun(translations, b"7"), await begun(translations)
    ((kind, first, *call), tail), ((_, second, *_), _) = link.frames
    assert (kind, tuple(call), tail, link.written) == (Kind.TRANSLATE, CALL, b"7", 2)
    translations.told(second, ANSWER, b"2")
    translations.told(first, ANSWER, b"1")
    translations.told(first, ANSWER, b"again")
    assert (await one, await two) == ((ANSWER, b"1"), (ANSWER, b"2"))
    translations.told(first, ANSWER, b"late")
    assert len(translations) == 0


@pytest.mark.parametrize("states", [("restarting",), ("starting",)])
async def test_no_worker(states: tuple[str, ...]) -> None:
    link, translations = made(*states)
    assert await translations.ask(CALL, b"") == "worker_lost" and link.frames == []
    translations.links = ()
    assert await translations.ask(CALL, b"") == "worker_lost"


async def test_a_worker_that_ends() -> None:
    link, translations = made()
    task = await begun(translations)
    translations.lost(Link())  # type: ignore[arg-type]
    assert not task.done()
    translations.lost(link)
    assert await task == "worker_lost"


async def test_a_worker_that_is_silent_is_asked_again_when_it_speaks() -> None:
    link, translations = made()
    assert await translations.ask(CALL, b"", seconds=0.0) == "timeout"
    assert await translations.ask(CALL, b"", seconds=LONG) == "timeout" and len(link.frames) == 1
    translations.told(1, ANSWER, b"")
    task = await begun(translations)
    translations.told(2, ANSWER, b"")
    assert await task == (ANSWER, b"")


async def test_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 2)
    monkeypatch.setattr(module, "MOST_BYTES", 10)
    link, translations = made()
    assert await translations.ask(CALL, b"x" * 11) == "busy"
    tasks = [await begun(translations, b"x"), await begun(translations, b"x")]
    assert await translations.ask(CALL, b"") == "busy" and len(link.frames) == 2
    tasks[0].cancel()
    await asyncio.wait([tasks[0]])
    tasks.append(await begun(translations, b"x" * 9))
    assert len(translations) == 2
    translations.lost(link)
    assert await tasks[1] == await tasks[2] == "worker_lost"


async def test_what_cannot_be_sent() -> None:
    link, translations = made()
    assert await translations.ask(CALL._replace(path=object()), b"") == "busy"  # type: ignore[arg-type]
    assert link.frames == []
