from __future__ import annotations

import asyncio
import os
import re
import signal
import tomllib
from pathlib import Path

import pytest
from childtools import children

from mirror_addon.demo.proxy import DemoError
from mirror_addon.demo.run import EXAMPLE_RULES
from mirror_addon.demo.run import Demonstration
from mirror_addon.demo.run import Sent
from mirror_addon.demo.run import browse
from mirror_addon.demo.run import demonstrate
from mirror_addon.demo.traffic import ASKS
from mirror_addon.demo.traffic import Got
from mirror_addon.demo.traffic import send
from mirror_addon.demo.upstreams import Exchange
from mirror_addon.demo.upstreams import Received
from mirror_addon.demo.upstreams import Response

OK = Response(200, {}, b"")
PRIMARY = Exchange(Received("GET", "/", (("Host", "a"), ("X-Forwarded-For", "1")), b""), OK, 0.0)
SHADOW = Exchange(Received("GET", "/", (("Host", "a-shadow"), ("X-Forwarded-For", "1,2")), b""), OK, 0.5)


@pytest.fixture(autouse=True)
def sources(monkeypatch: pytest.MonkeyPatch) -> None:
    """The proxy is a child process, which has to import this package."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[2] / "src"))


def test_the_example_rules_are_those_of_the_checkout() -> None:
    ours = Path(__file__).resolve().parents[2] / "rules"
    assert {each.name for each in EXAMPLE_RULES.iterdir()} == {each.name for each in ours.iterdir()}


def test_the_sdist_has_a_copy_where_the_link_is() -> None:
    root = Path(__file__).resolve().parents[2]
    build = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]
    linked = str(EXAMPLE_RULES.relative_to(root))
    assert build["sdist"]["force-include"] == {"rules": "rules", linked: linked}


def test_a_summary_in_medians() -> None:
    found = Demonstration()
    for seconds in (0.001, 0.003, 0.2):
        found.add(Sent(ASKS[0], Got(OK, seconds), PRIMARY, SHADOW))
    assert found.problems == []
    assert found.times == "The client waited 3.0 ms, v2 took 500.0 ms (medians): no request waits for v2."
    assert found.headline == "v2 differs in 0 of 3: 0 findings"


def test_problems_name_the_request() -> None:
    found = Demonstration()
    found.add(Sent(ASKS[0], Got(OK, 0.001), PRIMARY, None))
    assert found.problems == ["GET /request/info: v2 received nothing"]
    assert found.times == "The client waited 1.0 ms (median)."
    assert found.headline == "Nothing could be compared: of 1 requests no pair arrived."
    assert found.sent[0].differences == ()


def test_a_headline_counts_requests_and_causes() -> None:
    found = Demonstration()
    for status in (200, 500, 500):
        shadow = Exchange(SHADOW.received, Response(status, {}, b""), 0.5)
        found.add(Sent(ASKS[0], Got(OK, 0.001), PRIMARY, shadow))
    assert found.headline == "v2 differs in 2 of 3: 1 finding"
    found.add(Sent(ASKS[0], Got(OK, 0.001), PRIMARY, Exchange(SHADOW.received, Response(404, {}, b""), 0.5)))
    assert found.headline == "v2 differs in 3 of 4: 2 findings"


@pytest.mark.parametrize(
    ("waited", "code", "output", "texts"),
    [
        (0.1, 0, "", []),
        (0.1, None, "fine", []),
        (0.5, 0, "", ["the client waited as long as v2 took"]),
        (0.1, 1, "said", ["the proxy ended with 1:\nsaid"]),
        (0.1, 0, "Traceback", ["the proxy ended with 0:\nTraceback"]),
    ],
)
def test_what_is_wrong_with_all_of_them(waited: float, code: int | None, output: str, texts: list[str]) -> None:
    found = Demonstration()
    found.add(Sent(ASKS[0], Got(OK, waited), PRIMARY, SHADOW))
    found.conclude(code, output)
    assert found.problems == texts


async def test_the_worked_example() -> None:
    said: list[str] = []
    shown: list[Sent] = []
    found = await demonstrate(EXAMPLE_RULES, said.append, shown.append)
    assert found.problems == []
    assert len(found.sent) == len(ASKS)
    assert shown == found.sent
    assert len(said) == 2 and "v1 listens on 127.0.0.1:" in said[0]
    assert found.headline.startswith("v2 differs in 8 of 12: ")


@pytest.mark.long
async def test_rules_that_do_not_route() -> None:
    """Endpoints alone, without a virtual service: no request reaches v1."""
    rules = Path(__file__).resolve().parents[2] / "rules" / "service-entry.yaml"
    found = await demonstrate(rules, lambda _: None, lambda _: None)
    assert len(found.problems) == len(ASKS)
    assert "v1 received nothing" in found.problems[0]
    assert found.took is None


class Listener:
    """Stops `browse`, or its proxy, when mitmweb has its requests."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.stopped = asyncio.Event()

    async def proxy(self) -> tuple[str, int]:
        while len(self.said) < 3:
            await asyncio.sleep(0.01)
        assert re.search(r"mitmweb: http://127\.0\.0\.1:[1-9]\d*/", self.said[0])
        found = re.search(r"The proxy listens on ([\d.]+):([1-9]\d*)\.", self.said[1])
        assert found and f"curl -x http://{found[1]}:{found[2]} " in self.said[2]
        return found[1], int(found[2])


@pytest.mark.long
async def test_browse_sends_requests_until_it_is_stopped() -> None:
    listener = Listener()
    task = asyncio.create_task(browse(EXAMPLE_RULES, listener.said.append, listener.stopped))
    address = await listener.proxy()
    assert (await asyncio.to_thread(send, address, ASKS[0])).response.status == 200
    listener.stopped.set()
    await asyncio.wait_for(task, 60)


@pytest.mark.long
async def test_browse_fails_where_its_proxy_is_killed() -> None:
    listener = Listener()
    task = asyncio.create_task(browse(EXAMPLE_RULES, listener.said.append, listener.stopped))
    await listener.proxy()
    (child,) = children()
    os.kill(child, signal.SIGKILL)
    with pytest.raises(DemoError, match="the proxy ended with -9"):
        await asyncio.wait_for(task, 60)
