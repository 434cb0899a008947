"""The page's own port, on a real socket."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest

from mirror_addon.live_page.lazy_app import LazyApp
from mirror_addon.live_page.port import PagePort


def who(peername: tuple[Any, ...] | None) -> str:
    """The peer itself."""
    return peername[0] if peername else ""


@pytest.fixture
async def port(lazy_app: LazyApp) -> AsyncIterator[PagePort]:
    with socket.socket() as place:  # bound, so that nobody else is given this port meanwhile, and not listening
        place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        place.bind(("127.0.0.1", 0))
        opened = PagePort(place.getsockname()[1], lazy_app, who)
        yield opened
        opened.close()
    await asyncio.sleep(0)


async def exchange(port: PagePort, *requests: bytes) -> list[bytes]:
    """Requests on one connection, each after the answer before."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port.port)
    answers = []
    for each in requests:
        writer.write(each)
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0] or 0)
        answers.append(head + (b"" if each.startswith(b"HEAD") else await reader.readexactly(length)))
    writer.close()
    await writer.wait_closed()
    return answers


def get(path: bytes, host: bytes = b"localhost") -> bytes:
    return b"GET %b HTTP/1.1\r\nHost: %b\r\n\r\n" % (path, host)


async def test_answers_one_after_the_other(port: PagePort) -> None:
    page, head, script = await exchange(
        port, get(b"/"), b"HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n", get(b"/static/page.js")
    )
    assert page.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"</html>" in page
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"use strict" in script


async def test_the_absolute_form_is_answered_for_the_host_in_it(port: PagePort) -> None:
    """RFC 9112 3.2.2: the Host field does not count then."""
    status, bare, refused = await exchange(
        port,
        get(b"http://mirror-addon.test/api/status.json", b"evil.example"),
        get(b"HTTP://localhost"),
        get(b"http://evil.example/api/status.json"),
    )
    assert status.startswith(b"HTTP/1.1 200 OK\r\n") and b'"version"' in status
    assert bare.startswith(b"HTTP/1.1 200 OK\r\n") and b"</html>" in bare
    assert refused.startswith(b"HTTP/1.1 403 ")


@pytest.mark.parametrize("host", [b"evil.example", b"a:b:c", b"127.0.0.1:x"])
async def test_other_names_are_refused(port: PagePort, host: bytes) -> None:
    (answer,) = await exchange(port, get(b"/", host))
    assert answer.split(b" ")[1] in (b"400", b"403")


async def test_a_browser_that_does_not_wait(port: PagePort) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", port.port)
    writer.write(get(b"/"))
    writer.transport.abort()
    (answer,) = await exchange(port, get(b"/metrics"))
    assert b"mirror_build_info" in answer


async def test_a_taken_port_is_an_error(port: PagePort, lazy_app: LazyApp) -> None:
    with pytest.raises(OSError, match="in use"):
        PagePort(port.port, lazy_app, who)


async def test_close_frees_the_port(port: PagePort) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port.port)
    port.close()
    assert await reader.read() == b""
    writer.close()
    with socket.create_server(("127.0.0.1", port.port)):
        pass
