"""`python -m bench.isolation`: what a hostile mirror costs the shadows to another one.

A worker sends shadows to a healthy mirror, one after the other, and meanwhile to a second one that is hostile: it sends
one-byte chunks or interim responses as fast as it can. Prints a line for each kind of hostile mirror: the median of the
time from the hand-over of a healthy shadow to its result, without and with the hostile mirror, and their ratio. The
promise is a ratio of at most 1.5.

The healthy mirror and the hostile ones run in a process each. The hostile ones fill their sockets and then wait for the
worker.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import statistics
import time
from collections.abc import Callable
from multiprocessing.connection import Connection

import click

from bench.report import heading
from bench.report import line
from bench.report import machine
from mirror_addon.dispatch.dispatcher import Dispatcher
from mirror_addon.dispatch.in_flight import InFlight
from mirror_addon.dispatch.in_flight import Primary
from mirror_addon.dispatch.in_flight import Shadow
from mirror_addon.dispatch.settings import ShadowSettings
from mirror_addon.shadow.request import ShadowRequest
from mirror_addon.shadow.request import Target

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
HOSTILE = {
    "one-byte chunks": (HEAD, b"1\r\na\r\n" * 10_000),
    "a storm of 1xx": (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n" * 5_000),
    "one-byte parts of a body": (b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n", b""),
}
PROMISE = 1.5


async def _serve(pipe: Connection, good: bool) -> None:
    """Serve the healthy mirror or the hostile ones; send their ports."""

    async def healthy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                await reader.readuntil(b"\r\n\r\n")
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        except (OSError, asyncio.IncompleteReadError):
            writer.close()

    def hostile(head: bytes, part: bytes) -> Callable[..., object]:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await reader.readuntil(b"\r\n\r\n")
                writer.write(head)
                while True:
                    writer.write(part or b"a")
                    await writer.drain()
                    await asyncio.sleep(0 if part else 0.0005)
            except (OSError, asyncio.IncompleteReadError):
                writer.close()

        return serve

    handlers = [healthy] if good else [hostile(head, part) for head, part in HOSTILE.values()]
    servers = [await asyncio.start_server(handler, "127.0.0.1", 0) for handler in handlers]  # type: ignore[arg-type]
    pipe.send([server.sockets[0].getsockname()[1] for server in servers])
    await asyncio.get_running_loop().run_in_executor(None, pipe.recv)


def _mirrors(pipe: Connection, good: bool) -> None:
    asyncio.run(_serve(pipe, good))


class Sender:
    """Sends shadows by a real dispatcher and worker, and waits for their results."""

    def __init__(self) -> None:
        self.book = InFlight()
        self.book.observers.append(self)
        self.dispatcher = Dispatcher(ShadowSettings(prompt=True), self.book)
        self._waiting: dict[str, asyncio.Future[None]] = {}

    def outcome(self, shadow: Shadow) -> None:
        if (future := self._waiting.pop(shadow.id, None)) is not None and not future.done():
            future.set_result(None)

    def send(self, port: int, label: str) -> asyncio.Future[None]:
        request = ShadowRequest(Target(label, "127.0.0.1", port, False, "", None), b"GET", b"b", b"/", (), 600.0)
        shadow = self.book.admit(Primary(f"{time.perf_counter_ns()}"), label)
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[shadow.id] = done
        self.dispatcher.offer(shadow, request, b"")
        return done

    async def median(self, port: int, seconds: float) -> float:
        """Milliseconds of a shadow to the healthy mirror."""
        took = []
        end = time.perf_counter() + seconds
        while time.perf_counter() < end or len(took) < 5:
            started = time.perf_counter()
            await self.send(port, "healthy")
            took.append((time.perf_counter() - started) * 1000)
            await asyncio.sleep(0.002)
        return statistics.median(took)


async def measure(ports: list[int], index: int, streams: int, seconds: float) -> tuple[float, float]:
    """The medians without and with the hostile mirror, to which `streams` shadows are sent at a time."""
    sender = Sender()
    sender.dispatcher.start()
    try:
        await sender.median(ports[0], 0.5)
        alone = await sender.median(ports[0], seconds)
        hostile = [asyncio.create_task(_keep(sender, ports[index])) for _ in range(streams)]
        await sender.median(ports[0], 0.5)
        beside = await sender.median(ports[0], seconds)
        for task in hostile:
            task.cancel()
        return alone, beside
    finally:
        await sender.dispatcher.close(0)


async def _keep(sender: Sender, port: int) -> None:
    """Send one shadow after the other to the hostile mirror."""
    while True:
        await sender.send(port, "hostile")
        await asyncio.sleep(0.01)


@click.command()
@click.option("--seconds", default=3.0, show_default=True, help="Time of each measurement.")
@click.option("--streams", default=2, show_default=True, help="Shadows to the hostile mirror at a time.")
def main(seconds: float, streams: int) -> None:
    """Measure the median of shadows to a healthy mirror beside a hostile one."""
    click.echo(f"{machine()}\n")
    click.echo(heading(["hostile mirror", "healthy alone, ms", "beside it, ms", f"ratio (at most {PROMISE})"]))
    context = multiprocessing.get_context("spawn")
    started = []
    for good in (True, False):
        ours, its = context.Pipe()
        process = context.Process(target=_mirrors, args=(its, good), daemon=True)
        process.start()
        started.append((process, ours))
    try:
        ports = [port for _, pipe in started for port in pipe.recv()]
        for index, name in enumerate(HOSTILE, 1):
            alone, beside = asyncio.run(measure(ports, index, streams, seconds))
            click.echo(line([name, f"{alone:.2f}", f"{beside:.2f}", f"{beside / alone:.2f}"]))
    finally:
        for process, pipe in started:
            pipe.send(None)
            process.join(5)
            process.kill()


if __name__ == "__main__":
    main()
