"""An upstream of `bench.clocks`: `python -m bench.clock_server MS BYTES together|apart keep|close`.

It responds after MS milliseconds with BYTES of body, head and body in one write or in two, and closes the connection
after each response or keeps it. Nagle's algorithm is on, as in servers that do not turn it off. Prints its port and
serves until its standard input ends.
"""

from __future__ import annotations

import asyncio
import socket
import sys

MS, BYTES = float(sys.argv[1]), int(sys.argv[2])
APART, CLOSE = sys.argv[3] == "apart", sys.argv[4] == "close"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\n%b\r\n" % (
    BYTES,
    b"Connection: close\r\n" if CLOSE else b"",
)
BODY = b"x" * BYTES


class Upstream(asyncio.Protocol):
    """One connection. Requests have no body."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.buffer = b""
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 0)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            self.buffer = self.buffer[end + 4 :]
            if MS:
                asyncio.get_running_loop().call_later(MS / 1000, self.respond)
            else:
                self.respond()

    def respond(self) -> None:
        if APART:
            self.transport.write(HEAD)
            self.transport.write(BODY)
        else:
            self.transport.write(HEAD + BODY)
        if CLOSE:
            self.transport.close()


async def serve() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Upstream, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(serve())
