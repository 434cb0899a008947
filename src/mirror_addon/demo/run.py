"""`mirror-addon demo`: the worked example with real traffic.

Theory of operation. The demo is one process with one event loop, and the proxy as its child:

    upstreams.py    service B as v1 and v2, servers in the demo's own event loop, which keep what they received
    proxy.py        mitmdump or mitmweb with the addon, in a child process, with the rules of the worked example
    traffic.py      a dozen requests, sent through the proxy by a client in a thread
    differences.py  compares what v1 and v2 received and sent, and checks it against what the example should do
    findings.py     groups what differs by its cause

`demonstrate` sends the requests one by one. After each it takes the primary from v1 and the shadow from v2, and what
does not fit becomes a problem, which makes the command fail: the demo is a test of the installation too. `browse` sends
them again and again, for somebody who looks at mitmweb.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path

from mirror_addon.demo.differences import Difference
from mirror_addon.demo.differences import differing_responses
from mirror_addon.demo.differences import problems
from mirror_addon.demo.findings import findings
from mirror_addon.demo.proxy import DemoError
from mirror_addon.demo.proxy import Proxy
from mirror_addon.demo.proxy import running
from mirror_addon.demo.traffic import ASKS
from mirror_addon.demo.traffic import HOST
from mirror_addon.demo.traffic import PATIENCE
from mirror_addon.demo.traffic import PREFIX
from mirror_addon.demo.traffic import Ask
from mirror_addon.demo.traffic import Got
from mirror_addon.demo.traffic import send
from mirror_addon.demo.upstreams import Exchange
from mirror_addon.demo.upstreams import Upstream

EXAMPLE_RULES = Path(__file__).with_name("example_rules")
"""In a checkout a symbolic link to `rules/`, in an installed package a copy of it."""
_SLOW = 0.12
"""Seconds that v2 takes to respond."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Sent:
    """One request of the demo, and what came of it."""

    ask: Ask
    got: Got
    primary: Exchange | None
    """What v1 received, and its response."""
    shadow: Exchange | None
    """The same of v2."""

    @property
    def differences(self) -> tuple[Difference, ...]:
        """Where the two responses differ; nothing where one of them is missing."""
        if self.primary is None or self.shadow is None:
            return ()
        return tuple(differing_responses(self.primary.response, self.shadow.response))


@dataclass(slots=True)
class Demonstration:
    """The result of `demonstrate`."""

    sent: list[Sent] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def add(self, sent: Sent) -> None:
        self.sent.append(sent)
        name = f"{sent.ask.method} {sent.ask.path}"
        self.problems += [f"{name}: {each}" for each in problems(sent.got.response, sent.primary, sent.shadow)]

    def conclude(self, code: int | None, output: str) -> None:
        """Check all requests together, and how the proxy ended: its exit code and its output."""
        if self.took is not None and self.waited >= self.took:
            self.problems.append("the client waited as long as v2 took")
        if code or "Traceback" in output:
            self.problems.append(f"the proxy ended with {code}:\n{output}")

    @property
    def waited(self) -> float:
        """Median of the seconds that the client waited."""
        return statistics.median(each.got.seconds for each in self.sent)

    @property
    def took(self) -> float | None:
        """Median of the seconds that v2 took; None where it received nothing."""
        times = [each.shadow.seconds for each in self.sent if each.shadow]
        return statistics.median(times) if times else None

    @property
    def headline(self) -> str:
        """In how many requests v2 differs, and from how many causes."""
        compared = [sent for sent in self.sent if sent.primary and sent.shadow]
        if not compared:
            return f"Nothing could be compared: of {len(self.sent)} requests no pair arrived."
        differing = [sent.differences for sent in compared if sent.differences]
        causes = len(findings(differing))
        return f"v2 differs in {len(differing)} of {len(compared)}: {causes} finding{'s' * (causes != 1)}"

    @property
    def times(self) -> str:
        """One sentence."""
        waited = f"The client waited {self.waited * 1000:.1f} ms"
        if self.took is None:
            return f"{waited} (median)."
        return f"{waited}, v2 took {self.took * 1000:.1f} ms (medians): no request waits for v2."


async def demonstrate(rules: Path, say: Say, show: Callable[[Sent], None]) -> Demonstration:
    """Send a dozen requests through mitmdump. `say` prints a line, `show` one request. Raises DemoError."""
    async with Upstream("v1", 0.0) as v1, Upstream("v2", _SLOW) as v2:
        say(f"v1 listens on {v1.address}, v2 on {v2.address}.")
        async with running(rules, v1, v2, web=False) as proxy:
            say(f"mitmdump with the addon listens on {proxy.address[0]}:{proxy.address[1]}.")
            found = await _send_all(proxy, v1, v2, show)
    found.conclude(proxy.process.returncode, proxy.output)
    return found


async def _send_all(proxy: Proxy, v1: Upstream, v2: Upstream, show: Callable[[Sent], None]) -> Demonstration:
    found = Demonstration()
    for ask in ASKS:
        try:
            got = await asyncio.to_thread(send, proxy.address, ask)
        except (OSError, http.client.HTTPException) as error:
            raise DemoError(f"{ask.method} {ask.path}: {error!r}\n{proxy.output}") from None
        primary = await v1.next(0)  # v1 had sent its response before the client could get one
        shadow = await v2.next(0.5 if found.problems else PATIENCE) if primary else None
        sent = Sent(ask, got, primary, shadow)
        found.add(sent)
        show(sent)
    return found


async def browse(rules: Path, say: Say, stopped: asyncio.Event) -> None:
    """Run mitmweb and send it a request a second, until `stopped` is set. Raises DemoError where mitmweb fails."""
    async with (
        Upstream("v1", 0.0) as v1,
        Upstream("v2", _SLOW) as v2,
        running(rules, v1, v2, web=True) as proxy,
    ):
        address = f"{proxy.address[0]}:{proxy.address[1]}"
        say(f"mitmweb: {proxy.url}")
        say(f"The proxy listens on {address}. A request a second goes through it; Ctrl-C ends both.")
        say(f"Send it more: curl -x http://{address} http://{HOST}{PREFIX}/orders/17")
        number = 0
        while not stopped.is_set() and proxy.process.returncode is None:
            with contextlib.suppress(OSError, http.client.HTTPException):
                await asyncio.to_thread(send, proxy.address, ASKS[number % len(ASKS)])
            number += 1
            v1.forget()
            v2.forget()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopped.wait(), 1)
    if proxy.process.returncode:
        raise DemoError(f"the proxy ended with {proxy.process.returncode}:\n{proxy.output}")
