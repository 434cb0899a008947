from __future__ import annotations

import asyncio
import hashlib
from typing import Any

import pytest
from enginetools import a_request
from enginetools import until
from mitmproxy import http
from mitmproxy.test import taddons
from mitmproxy.test import tflow

from mirror_addon.dispatch.upload import Upload
from mirror_addon.flows.exchange import Exchange
from mirror_addon.mirroring import tee as tee_module
from mirror_addon.mirroring.tee import end
from mirror_addon.mirroring.tee import tee
from mirror_addon.routing.decision import Action
from mirror_addon.routing.decision import Decision
from mirror_addon.routing.identity import Identity
from mirror_addon.routing.table import RouteTable

CHUNKED = ((b"Transfer-Encoding", b"chunked"),)


class Streamed:
    """A flow whose body is streamed to mirrors through a real engine."""

    def __init__(self, engine: Any, *ports: int) -> None:
        self.engine = engine
        self.ports = ports
        self.flow = streaming_flow()
        request = a_request(b"POST", headers=CHUNKED)
        self.exchange = Exchange(RouteTable.build((), Identity()), request, 1, Decision(Action.PASSTHROUGH))
        self.begun = 0

    def begin(self) -> list[Upload]:
        self.begun += 1
        request = self.exchange.request
        return [self.engine.open(self.engine.shadow(port, None, request)) for port in self.ports]

    def stream(self) -> Any:
        return tee(self.flow, self.exchange, self.begin)


def streaming_flow() -> http.HTTPFlow:
    flow = tflow.tflow()
    flow.request.timestamp_end = None
    flow.request.stream = True
    flow.live = True
    return flow


async def test_the_primary_and_all_shadows_get_each_chunk(mirrors: Any, engine: Any) -> None:
    with taddons.context():
        streamed = Streamed(engine(), await mirrors.answering(), await mirrors.answering())
        stream = streamed.stream()
        assert (streamed.begun, streamed.exchange.uploads) == (0, None), "opened at the first byte"
        assert [stream(chunk) for chunk in (b"one ", b"two ", b"three")] == [b"one ", b"two ", b"three"]
        assert streamed.begun == 1
        end(streamed.flow, streamed.exchange)
        await streamed.engine.wait(2)
    assert [result.outcome for result in streamed.engine.results] == ["sent", "sent"]
    assert [received.body for received in mirrors.received] == [b"one two three"] * 2


async def test_a_body_may_end_without_the_request_hook(mirrors: Any, engine: Any) -> None:
    """After a reload of the script, that hook goes to another addon."""
    with taddons.context():
        streamed = Streamed(engine(), await mirrors.answering())
        stream = streamed.stream()
        stream(b"body")
        assert stream(b"") == b""
        await asyncio.sleep(0)
        assert not streamed.exchange.settled, "an empty chunk need not be the end"
        assert stream(b" goes on") == b" goes on"
        stream(b"")
        streamed.flow.request.timestamp_end = 1.0  # mitmproxy sets it after the last call
        await until(lambda: streamed.exchange.settled)
        await streamed.engine.wait(1)
    assert mirrors.received[0].body == b"body goes on"


async def test_an_empty_body_opens_its_shadow_at_the_end(mirrors: Any, engine: Any) -> None:
    with taddons.context():
        streamed = Streamed(engine(), await mirrors.answering())
        stream = streamed.stream()
        stream(b"")
        streamed.flow.request.timestamp_end = 1.0
        await asyncio.sleep(0)
        assert (streamed.begun, streamed.exchange.settled) == (0, False), "the `request` hook decides"
        end(streamed.flow, streamed.exchange, streamed.begin)
        await streamed.engine.wait(1)
    assert streamed.exchange.settled
    assert (streamed.begun, mirrors.received[0].body) == (1, b"")


async def test_an_exchange_that_gets_no_shadow_opens_none(engine: Any) -> None:
    streamed = Streamed(engine(), 1)
    streamed.exchange.settled = True
    end(streamed.flow, streamed.exchange, streamed.begin)
    assert streamed.begun == 0


@pytest.mark.parametrize(
    ("replaced", "sent"), [(b"other", b"otherother"), ([b"an", b"", b"other"], b"anotheranother"), (b"", b"")]
)
async def test_shadows_get_what_another_addons_function_returns(
    mirrors: Any, engine: Any, replaced: bytes | list[bytes], sent: bytes
) -> None:
    """As the primary does. A function that returns nothing until the end opens no shadow before it."""
    given = hashlib.sha256()

    def change(chunk: bytes) -> Any:
        given.update(chunk)
        return replaced if isinstance(replaced, bytes) else iter(replaced)

    with taddons.context():
        streamed = Streamed(engine(), await mirrors.answering())
        streamed.flow.request.stream = change
        stream = streamed.stream()
        for chunk in (b"client's", b""):
            returned = stream(chunk)
            assert returned == replaced or list(returned) == replaced
        assert streamed.begun == bool(sent)
        end(streamed.flow, streamed.exchange, streamed.begin)
        await streamed.engine.wait(1)
    assert given.digest() == hashlib.sha256(b"client's").digest()
    assert mirrors.received[0].body == sent


async def test_a_function_that_fails_fails_for_mitmproxy(engine: Any) -> None:
    def change(chunk: bytes) -> bytes:
        raise LookupError(chunk)

    streamed = Streamed(engine(), 1)
    streamed.flow.request.stream = change
    with pytest.raises(LookupError, match="part"):
        streamed.stream()(b"part")
    assert (streamed.begun, streamed.exchange.uploads) == (0, None)


async def test_trailers_go_with_the_end(engine: Any, mirrors: Any, h2_mirror: Any) -> None:
    with taddons.context():
        streamed = Streamed(engine(), 0)
        port = await mirrors.start(h2_mirror)
        made = streamed.engine
        streamed.begin = lambda: [made.open(made.shadow(port, None, streamed.exchange.request, protocol="grpc"))]
        streamed.stream()(b"body")
        streamed.flow.request.trailers = http.Headers(((b"x-sum", b"1"),))
        end(streamed.flow, streamed.exchange)
        await made.wait(1)
    assert h2_mirror.trailers == [[(b"x-sum", b"1")]]


async def test_a_client_that_goes_without_a_hook(engine: Any, mirrors: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tee_module, "WATCH_SECONDS", 0.01)
    with taddons.context():
        streamed = Streamed(engine(), await mirrors.hanging())
        streamed.flow.live = True
        streamed.stream()(b"half")
        await asyncio.sleep(0.05)
        assert streamed.engine.results == []
        streamed.flow.live = False
        await streamed.engine.wait(1)
    assert (streamed.engine.results[0].outcome, streamed.engine.results[0].reason) == ("dropped", "aborted")
