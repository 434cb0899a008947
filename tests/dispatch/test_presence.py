"""Whether mirrors answer, seen at real sockets."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from enginetools import until

from mirror_addon.dispatch import presence as module
from mirror_addon.dispatch.presence import Presence
from mirror_addon.shadow.request import ClientTLS
from mirror_addon.shadow.request import Target

TLS = ClientTLS("", "", "", (), insecure_skip_verify=True)


def target(address: str, port: int, tls: ClientTLS | None = None) -> Target:
    return Target("v2", address, port, False, "v2", tls)


class Place:
    """A port of 127.0.0.1 at which servers come and go."""

    def __init__(self) -> None:
        self._place = self._bind(0)
        self.port: int = self._place.getsockname()[1]
        self.server: asyncio.Server | None = None
        self.connections = 0

    def _bind(self, port: int) -> socket.socket:
        bound = socket.socket()
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(("127.0.0.1", port))
        return bound

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        await reader.read()
        writer.close()

    async def up(self, held: socket.socket | None = None) -> None:
        """Serve, with another socket than before, or with one that is `held` meanwhile."""
        listener = held.dup() if held is not None else self._bind(self.port)
        self.server = await asyncio.start_server(self._serve, sock=listener)

    def down(self) -> None:
        if self.server is not None:
            self.server.close()
            self.server = None

    def close(self) -> None:
        self.down()
        self._place.close()


class Seen:
    """What a Presence told."""

    def __init__(self) -> None:
        self.returned: list[Target] = []
        self.presence = Presence(self.returned.append)


@pytest.fixture
async def place(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Place]:
    monkeypatch.setattr(module, "INTERVAL", 0.01)
    made = Place()
    yield made
    made.close()


@pytest.fixture
async def seen() -> AsyncIterator[Seen]:
    made = Seen()
    yield made
    made.presence.close()


async def looked(place: Place, times: int = 2) -> None:
    """The target was looked at so many times more."""
    wanted = place.connections + times
    await until(lambda: place.connections >= wanted)


@pytest.mark.parametrize("by_listeners", [True, False])
async def test_it_goes_and_comes_back(
    place: Place, seen: Seen, monkeypatch: pytest.MonkeyPatch, by_listeners: bool
) -> None:
    if not by_listeners:
        monkeypatch.setattr(module, "listeners_of", lambda target: None)
    watched = target("127.0.0.1", place.port)
    await place.up()
    seen.presence.watch({watched})
    assert seen.presence.watches(watched)
    await looked(place)
    assert seen.returned == [] and not seen.presence.is_gone(watched)
    for number in (1, 2, 3):
        place.down()
        await until(lambda: seen.presence.is_gone(watched))
        await place.up()
        await until(lambda number=number: len(seen.returned) == number)  # type: ignore[misc]
        assert not seen.presence.is_gone(watched)
        await looked(place)
    assert seen.returned == [watched] * 3


async def test_another_server_at_the_port_however_quick(place: Place, seen: Seen) -> None:
    watched = target("127.0.0.1", place.port)
    await place.up()
    seen.presence.watch({watched})
    await looked(place)
    place.down()
    await place.up()
    await until(lambda: seen.returned == [watched])


@pytest.mark.parametrize("by_holders", [True, False])
async def test_a_supervisor_keeps_the_socket(
    place: Place, seen: Seen, monkeypatch: pytest.MonkeyPatch, by_holders: bool
) -> None:
    monkeypatch.setattr(module, "SILENCE", 30.0 if by_holders else 0.05)
    if not by_holders:
        monkeypatch.setattr(module, "holders_of", lambda listeners: frozenset())
    watched = target("127.0.0.1", place.port)
    with place._bind(place.port) as held:
        await place.up(held)
        seen.presence.watch({watched})
        await looked(place)
        place.down()
        held.listen()
        await until(lambda: seen.presence.is_gone(watched))
        assert seen.returned == []
        await place.up(held)
        await until(lambda: seen.returned == [watched])
        assert not seen.presence.is_gone(watched)


async def test_a_busy_server_that_answers_shadows_is_there(
    place: Place, seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SILENCE", 0.05)
    monkeypatch.setattr(module, "holders_of", lambda listeners: frozenset())
    watched = target("127.0.0.1", place.port)
    with place._bind(place.port) as held:
        await place.up(held)
        seen.presence.watch({watched})
        await looked(place)
        place.down()
        held.listen()
        await until(lambda: seen.presence.is_gone(watched))
        seen.presence.answered(watched)
        assert not seen.presence.is_gone(watched)
        await place.up(held)
        await looked(place, 4)
        assert seen.returned == []


async def test_a_server_that_never_closes_is_not_silent(
    place: Place, seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SILENCE", 0.01)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        watched = target("127.0.0.1", listener.getsockname()[1])
        seen.presence.watch({watched})
        listener.setblocking(False)
        accepted = [await asyncio.get_running_loop().sock_accept(listener) for _ in range(3)]
        assert not seen.presence.is_gone(watched)
        for connection, _ in accepted:
            connection.close()


async def test_a_refused_shadow_counts_where_nothing_else_tells(
    place: Place, seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = target("127.0.0.1", place.port)
    await place.up()
    seen.presence.watch({watched})
    await looked(place)
    seen.presence.refused(watched)
    assert not seen.presence.is_gone(watched)  # the kernel lists its socket
    seen.presence.watch(())
    monkeypatch.setattr(module, "listeners_of", lambda target: None)
    seen.presence.watch({watched})
    seen.presence.refused(watched)
    assert seen.presence.is_gone(watched)
    await until(lambda: seen.returned == [watched])
    seen.presence.refused(target("127.0.0.1", 1))
    seen.presence.answered(target("127.0.0.1", 1))  # not watched


async def test_tls_is_not_spoken_to(place: Place, seen: Seen) -> None:
    """Go's servers log each connection that ends before the handshake."""
    watched = target("127.0.0.1", place.port, TLS)
    await place.up()
    seen.presence.watch({watched})
    await until(lambda: seen.presence._watched[watched].listeners)
    place.down()
    await until(lambda: seen.presence.is_gone(watched))
    await place.up()
    await until(lambda: seen.returned == [watched])
    seen.presence.refused(watched)
    assert not seen.presence.is_gone(watched) and place.connections == 0


async def test_tls_elsewhere_is_connected_to(place: Place, seen: Seen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "listeners_of", lambda target: None)
    watched = target("127.0.0.1", place.port, TLS)
    await place.up()
    seen.presence.watch({watched})
    await looked(place)
    assert not seen.presence.is_gone(watched)


async def test_unix_sockets(seen: Seen, place: Place, tmp_path: Path) -> None:
    path = tmp_path / "v2.sock"
    watched = target(f"unix://{path}", 0)
    seen.presence.watch({watched})
    await until(lambda: seen.presence.is_gone(watched))
    server = await asyncio.start_unix_server(place._serve, path)
    await until(lambda: seen.returned == [watched])
    server.close()


async def test_no_more_is_watched_than_that(seen: Seen) -> None:
    many = [target("127.0.0.1", port) for port in range(1, module.MOST + 5)]
    seen.presence.watch(many)
    assert sum(map(seen.presence.watches, many)) == module.MOST
    seen.presence.watch(many[:1])
    assert [each for each in many if seen.presence.watches(each)] == many[:1]
