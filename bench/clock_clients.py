"""The clients of `bench.clocks`: `python -m bench.clock_clients PORT CLIENTS COUNT SECONDS`.

Each sends one request after the other over a connection that it opens again when the proxy closes it. Ends after COUNT
requests or so many seconds, and prints how many were responded to.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys

from bench.load import REQUEST


class Clients:
    """What all clients share."""

    def __init__(self, port: int, count: int) -> None:
        self.port = port
        self.left = count
        self.done = 0

    async def run(self) -> None:
        """One client."""
        while self.left > 0:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=4 * 1024 * 1024)
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await self._use(reader, writer)
            writer.close()

    async def _use(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while self.left > 0:
            self.left -= 1
            writer.write(REQUEST)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            await reader.readexactly(int(head.partition(b"content-length:")[2].partition(b"\r\n")[0]))
            self.done += 1
            if b"connection: close" in head:
                return


async def main(port: int, clients: int, count: int, seconds: float) -> int:
    shared = Clients(port, count)
    tasks = [asyncio.ensure_future(shared.run()) for _ in range(clients)]
    await asyncio.wait(tasks, timeout=seconds)
    for task in tasks:
        task.cancel()
    return shared.done


if __name__ == "__main__":
    print(asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]))))
