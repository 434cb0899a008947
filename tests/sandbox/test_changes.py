from __future__ import annotations

import asyncio

from mirror_addon.sandbox.book import Entry
from mirror_addon.sandbox.changes import changed


async def test_the_next_change_or_the_time() -> None:
    entry = Entry((b"a",), "flow", 0.0)
    waiting = asyncio.ensure_future(changed(entry, 60))
    await asyncio.sleep(0)
    entry.changed()
    await waiting
    assert entry.listeners == []
    await changed(entry, 0)
    assert entry.listeners == []


async def test_one_that_is_cancelled_leaves_nothing() -> None:
    entry = Entry((b"a",), "flow", 0.0)
    waiting = asyncio.ensure_future(changed(entry, 60))
    await asyncio.sleep(0)
    assert len(entry.listeners) == 1
    waiting.cancel()
    await asyncio.wait([waiting])
    assert entry.listeners == []
