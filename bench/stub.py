"""The benchmark's upstream: `python -m bench.stub SECONDS` answers each request after so long, `hang` never.

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

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.buffer = b""

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = self.buffer[:end].lower()
            end += 4
            if (found := head.find(b"\r\ncontent-length:")) >= 0:
                end += int(head[found + 17 :].partition(b"\r\n")[0])
                if len(self.buffer) < end:
                    return
            counting = self.buffer.startswith(COUNT)
            self.buffer = self.buffer[end:]
            if counting:
                count = b"%d" % Stub.requests
                self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(count), count))
                continue
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
    asyncio.run(serve())
