"""The benchmark's upstream: `python -m bench.stub SECONDS` answers each request after so long, `hang` never.

A second number is how many bytes a second each connection reads at most.

A connection that hangs is closed after 30 s: a program without a limit of its own would else use up all ports.
Prints its port and serves until its standard input ends. `GET /__count` tells how many other requests have arrived.
A raw asyncio protocol, so that it takes as little as possible of the machine that is measured.
"""

from __future__ import annotations

import asyncio
import math
import sys

BODY = b"x" * 200
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%b" % (len(BODY), BODY)
HANGS = 30.0
COUNT = b"GET /__count "


class Stub(asyncio.Protocol):
    """One connection."""

    requests = 0
    delay = 0.0
    rate = math.inf

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.buffer = b""
        self.body = 0
        """Bytes that are missing of the body that is being read."""

    def data_received(self, data: bytes) -> None:
        if Stub.rate < math.inf:
            self.transport.pause_reading()
            asyncio.get_running_loop().call_later(len(data) / Stub.rate, self.transport.resume_reading)
        if self.body:
            passed = min(self.body, len(data))
            self.body -= passed
            if self.body:
                return
            self.answer()
            data = data[passed:]
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = self.buffer[:end].lower()
            counting = self.buffer.startswith(COUNT)
            self.buffer = self.buffer[end + 4 :]
            if counting:
                count = b"%d" % Stub.requests
                self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(count), count))
                continue
            if (found := head.find(b"\r\ncontent-length:")) >= 0:
                length = int(head[found + 17 :].partition(b"\r\n")[0])
                self.body = max(0, length - len(self.buffer))
                self.buffer = self.buffer[length:]
                if self.body:
                    return
            self.answer()

    def answer(self) -> None:
        """A request is here as a whole."""
        Stub.requests += 1
        if not Stub.delay:
            self.transport.write(ANSWER)
        elif Stub.delay < math.inf:
            asyncio.get_running_loop().call_later(Stub.delay, self.transport.write, ANSWER)
        else:
            asyncio.get_running_loop().call_later(HANGS, self.transport.close)


async def serve() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Stub, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    Stub.delay = math.inf if sys.argv[1] == "hang" else float(sys.argv[1])
    if len(sys.argv) > 2:
        Stub.rate = float(sys.argv[2])
    asyncio.run(serve())
