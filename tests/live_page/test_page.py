"""The live page of a session: what it shows, its port, and what its buttons do."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
import urllib.request
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from mitmproxy import exceptions
from mitmproxy import http
from mitmproxy.addons.proxyserver import Proxyserver
from mitmproxy.test import taddons
from mitmproxy.test import tflow

from mirror_addon.addon import MirrorAddon
from mirror_addon.compare.comparison import Comparison
from mirror_addon.live_page import page as module
from mirror_addon.live_page.page import SessionSource
from mirror_addon.live_page.page import state_of
from mirror_addon.live_page.state import CommandRefused
from mirror_addon.options.settings import OptionError
from mirror_addon.shadow.pair import Pair
from mirror_addon.shadow.result import ShadowResult

RULES = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop}
spec:
  hosts: [shop.test]
  http:
  - name: checkout
    route: [{destination: {host: b, subset: v1}}]
    mirror: {host: b, subset: v2}
"""


class Running:
    """A started addon and its page."""

    def __init__(self, addon: MirrorAddon, context: Any) -> None:
        self.addon, self.context, self.session, self.page = addon, context, addon.session, addon.page
        self.source = SessionSource(
            self.session, addon.commands.by_name(), self.page.compared_since, asyncio.get_running_loop()
        )

    def configure(self, **options: Any) -> None:
        self.context.configure(self.addon, **options)

    def request(self) -> http.HTTPFlow:
        flow = tflow.tflow(live=True)
        flow.request = http.Request.make("GET", "http://shop.test/x", b"", {"Host": "shop.test"})
        self.addon.requestheaders(flow)
        return flow


@pytest_asyncio.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    (tmp_path / "shop.yaml").write_text(RULES)
    addon = MirrorAddon()
    with taddons.context(Proxyserver(), loadcore=False) as context:
        context.master.addons.add(addon)
        context.configure(
            addon,
            mirror_rules=[str(tmp_path)],
            mirror_endpoints=["b/v1=127.0.0.1:1", "b/v2=127.0.0.1:2"],
            mirror_drain="0s",
        )
        yield Running(addon, context)
        if (drained := addon.done()) is not None:
            await drained


@pytest.fixture
def place() -> Any:
    """A port that is bound, so that nobody else is given it, and on which nobody listens."""
    with socket.socket() as bound:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


def pair(compared: bool) -> Pair:
    result = ShadowResult("f/0", "b/v2", "sent", status=200, total_ms=2)
    comparison = Comparison("same") if compared else None
    return Pair("f/0", "f", "default/shop http[0]", "b/v1", "b/v2", "GET", "/", False, 200, 1.0, result, comparison)


async def test_the_state_of_a_session(running: Running) -> None:
    running.request()
    state = await asyncio.to_thread(running.source.state)
    assert (state.mode, state.requests, state.problem) == ("mirroring", 1, "")
    assert state.table is running.session.rules.table
    assert state.statistics is not running.session.statistics
    assert "workers" in state.engine and state.overrides == {} and state.compared_since is None


async def test_a_session_that_has_not_started() -> None:
    assert state_of(MirrorAddon().session, None).mode == "not started"


@pytest.mark.parametrize(
    ("option", "mode"),
    [({}, "mirroring"), ({"mirror_enabled": False}, "off"), ({"mirror_expires": "2001-01-01T00:00:00Z"}, "expired")],
)
async def test_the_mode(running: Running, option: dict[str, Any], mode: str) -> None:
    running.configure(**option)
    assert state_of(running.session, None).mode == mode
    running.addon.commands.pause()
    assert state_of(running.session, None).mode == "paused"


async def test_overrides_are_copied(running: Running) -> None:
    said = await asyncio.to_thread(running.source.command, "percent", "checkout", "5")
    assert said.startswith("default/shop http[0]: 5 % of the requests are mirrored")
    (override,) = state_of(running.session, None).overrides.values()
    await asyncio.to_thread(running.source.command, "pause", "checkout")
    assert not override.paused
    (override,) = state_of(running.session, None).overrides.values()
    assert override.paused and override.words() == "paused, 5 % of the requests"


async def test_a_command_that_fails(running: Running) -> None:
    with pytest.raises(CommandRefused, match="did you mean"):
        await asyncio.to_thread(running.source.command, "pause", "default/shop http[7]")


async def test_a_proxy_that_is_busy(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.05)
    refused: list[str] = []

    def press() -> None:
        try:
            running.source.command("pause")
        except CommandRefused as error:
            refused.append(str(error))

    thread = threading.Thread(target=press)
    thread.start()
    thread.join(30)  # blocks the loop, as a proxy would that is busy
    assert refused == ["the proxy did not run the command within 0.05 s"]


async def test_comparing_begins_when_the_page_is_opened(running: Running) -> None:
    running.configure(mirror_responses="auto")
    assert running.page.compared_since() is None
    await asyncio.to_thread(running.source.opened)
    began = running.page.compared_since()
    assert began == running.session.statistics.started, "no response came before"
    assert running.page.compared_since() == began


async def test_comparing_begins_later(running: Running) -> None:
    statistics = running.session.statistics
    statistics.pair(pair(compared=False))
    await asyncio.to_thread(running.source.opened)
    since = running.page.compared_since()
    assert since is not None and since > statistics.started
    statistics.pair(pair(compared=True))
    assert running.page.compared_since() == since


async def test_opened_before_the_start(running: Running) -> None:
    running.session.writer, kept = None, running.session.writer
    await asyncio.to_thread(running.source.opened)
    assert running.page.compared_since() is None
    running.session.writer = kept


def fetch(port: int) -> str:
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"http://127.0.0.1:{port}/") as response:
        return str(response.read().decode())


async def test_a_port_of_its_own(running: Running, place: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    running.page.listen(place)
    running.page.listen(place)
    assert caplog.text.count(f"the live page is at http://127.0.0.1:{place}/") == 1
    assert "No request has come through the proxy yet" in await asyncio.to_thread(fetch, place)
    running.page.listen(None)
    with pytest.raises(OSError, match="refused"):
        await asyncio.to_thread(fetch, place)


async def test_a_port_that_is_taken(running: Running, place: int, caplog: pytest.LogCaptureFixture) -> None:
    running.page.listen(place)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OptionError, match=rf"^mirror_web_port={port}: Address already in use; choose a port"):
            running.page.listen(port)
        assert "mirror_addon" in await asyncio.to_thread(fetch, place)
        running.page.close()
        assert running.session.writer
        running.page.start(replace(running.session.writer.settings, web_port=port))
    assert "until then, the page is at http://mirror-addon.test/ through the proxy" in caplog.text


async def test_a_flow_gets_the_page_and_goes_no_further(running: Running) -> None:
    flow = tflow.tflow()
    flow.request.url = "http://mirror-addon.test/"
    assert running.page.serves(flow)
    with pytest.raises(exceptions.AddonHalt):
        await running.page.serve(flow)
    assert flow.response and "</html>" in (flow.response.text or "")


async def test_the_response_of_another_addon_stays(running: Running) -> None:
    flow = tflow.tflow(resp=http.Response.make(407))
    flow.request.url = "http://mirror-addon.test/"
    with pytest.raises(exceptions.AddonHalt):
        await running.page.serve(flow)
    assert flow.response and flow.response.status_code == 407
