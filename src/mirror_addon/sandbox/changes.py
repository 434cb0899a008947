"""Waiting for the next change of an entry, without holding the event loop."""

from __future__ import annotations

import asyncio

from mirror_addon.sandbox.book import Entry


async def changed(entry: Entry, timeout: float) -> None:
    """Return at the next change of `entry`, or after `timeout` seconds."""
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def tell() -> None:
        if not future.done():
            future.set_result(None)

    entry.listeners.append(tell)
    try:
        await asyncio.wait([future], timeout=timeout)
    finally:
        if tell in entry.listeners:
            entry.listeners.remove(tell)
