"""Real sockets on loopback: the times are those of the bytes, whenever they are read."""

from __future__ import annotations

import asyncio
import socket
import sys
import time
from collections.abc import Iterator

import pytest

from mirror_addon.clock.socket_clock import ClockedSocket
from mirror_addon.clock.socket_clock import Marks
from mirror_addon.clock.socket_clock import unwatch_all
from mirror_addon.clock.socket_clock import watch

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="the kernel's times are Linux's")
Pair = tuple[socket.socket, socket.socket]


@pytest.fixture(scope="module", autouse=True)
def stamping() -> Iterator[None]:
    """Linux begins to stamp segments some time after the first socket asks for it, and goes on while there is one."""
    for client, server in connected():
        marks, deadline = watched(client), time.monotonic() + 10
        while sys.platform == "linux" and not marks.exact and time.monotonic() < deadline:
            server.send(b"x")
            client.recv(1)
        yield


@pytest.fixture
def pair() -> Iterator[Pair]:
    yield from connected()


def connected() -> Iterator[Pair]:
    """A client's and a server's end of a TCP connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        server, _ = listener.accept()
    with client, server:
        client.settimeout(10)
        server.settimeout(10)
        yield client, server


def watched(sock: socket.socket) -> Marks:
    marks = watch(sock)
    assert marks is not None
    return marks


@LINUX
def test_a_late_read_does_not_make_the_arrival_later(pair: Pair) -> None:
    client, server = pair
    marks = watched(client)
    before = time.time()
    client.send(b"request")
    server.recv(100)
    server.send(b"response")
    after = time.time()
    time.sleep(0.05)
    assert client.recv(100) == b"response"
    assert before <= marks.sent <= marks.received <= after + 0.005
    assert marks.exact
    assert marks.first == marks.received
    assert marks.lag == 0


@LINUX
def test_the_lag_of_all_reads_but_the_last(pair: Pair) -> None:
    client, server = pair
    marks = watched(client)
    client.send(b"request")
    server.send(b"head")
    time.sleep(0.03)
    assert client.recv_into(bytearray(100)) == 4
    server.send(b"body")
    time.sleep(0.03)
    assert client.recv_into(bytearray(100), 4) == 4
    assert 0.03 <= marks.lag <= time.time() - marks.sent - 0.03
    assert marks.received - marks.first >= 0.03
    client.send(b"another")
    server.send(b"response")
    client.recv(100)
    assert (marks.lag, marks.first) == (0, marks.received)


def test_a_send_of_several_parts(pair: Pair) -> None:
    client, server = pair
    marks = watched(client)
    assert client.sendmsg([b"a", b"bc"]) == 3
    assert server.recv(100) == b"abc"
    assert marks.sent


def test_a_send_that_fails_and_an_end_are_no_times(pair: Pair) -> None:
    client, server = pair
    marks = watched(client)
    server.close()
    assert client.recv(100) == b""
    assert client.recv_into(bytearray(1)) == 0
    client.shutdown(socket.SHUT_WR)
    with pytest.raises(BrokenPipeError):
        client.send(b"x")
    assert (marks.sent, marks.received, marks.first) == (0, 0, 0)


def test_a_unix_socket_has_the_time_of_the_read() -> None:
    left, right = socket.socketpair()
    with left, right:
        marks = watched(left)
        left.send(b"x")
        right.send(b"y")
        time.sleep(0.02)
        before = time.time()
        left.recv(1)
        assert marks.received >= before
        assert not marks.exact
    unwatch_all()


def test_what_is_no_stream_socket_is_left_alone() -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as datagrams:
        assert watch(datagrams) is None
        assert type(datagrams) is socket.socket
    assert watch(None) is None
    assert watch(object()) is None


def test_it_can_be_taken_back(pair: Pair) -> None:
    client, server = pair
    watched(client)
    assert isinstance(client, ClockedSocket)
    unwatch_all()
    assert type(client) is socket.socket
    client.send(b"x")
    assert server.recv(1) == b"x"


async def test_asyncio_reads_and_writes_through_it(pair: Pair) -> None:
    client, server = pair
    server.setblocking(False)
    reader, writer = await asyncio.open_connection(sock=client)
    marks = watch(writer.get_extra_info("socket"))
    assert marks is not None
    big = bytes(8 * 1024 * 1024)
    writer.write(b"head")
    writer.write(big)  # more than the kernel takes at once: asyncio sends the rest later
    sent_first, loop, got = marks.sent, asyncio.get_running_loop(), 0
    while got < len(big) + 4:
        got += len(await loop.sock_recv(server, 1024 * 1024))
    assert marks.sent > sent_first > 0
    await loop.sock_sendall(server, b"response")
    assert await reader.readexactly(8) == b"response"
    assert marks.received >= marks.sent
    writer.close()
    await writer.wait_closed()


@pytest.mark.skipif(not hasattr(socket, "TCP_QUICKACK"), reason="an option of Linux")
def test_a_response_in_two_parts_does_not_wait_for_an_acknowledgement(pair: Pair) -> None:
    """Nagle's algorithm holds back the second part until the first is acknowledged, which Linux delays by 40 ms."""
    client, server = pair
    server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 0)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    marks = watched(client)
    times = []
    for _ in range(40):  # the first 16 or so segments of a connection are acknowledged at once anyway
        client.send(b"request")
        server.recv(100)
        server.send(b"head")
        server.send(b"body")
        got = b""
        while len(got) < 8:
            got += client.recv(100)
        times.append(marks.received - marks.sent)
    assert sorted(times)[30] < 0.03


def test_what_arrived_before_the_request_was_sent_is_no_response() -> None:
    """Such as the tickets that a server of TLS 1.3 sends after the handshake, which are read with the response."""
    marks = Marks()
    marks.sent = 10.0
    marks.arrived(9.5, 10.25)
    assert (marks.first, marks.received) == (0.0, 9.5)
    marks.arrived(10.5, 10.75)
    assert (marks.first, marks.received, marks.lag, marks.late) == (10.5, 10.5, 0.0, 0.25)
