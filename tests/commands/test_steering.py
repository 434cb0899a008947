from __future__ import annotations

import logging
import re
from collections.abc import AsyncIterator
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
from mirror_addon.admission.gate import AdmissionGate

RULES = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop, annotations: {mirror-addon/max-requests: '5', mirror-addon/expires: 2h}}
spec:
  hosts: [shop.test]
  http:
  - match: [{uri: {prefix: /a}}]
    name: checkout
    route: [{destination: {host: b, subset: v1}}]
    mirror: {host: b, subset: v2}
  - match: [{uri: {prefix: /b}}]
    route: [{destination: {host: b, subset: v1}}]
  - route: [{destination: {host: b, subset: v1}}]
    mirror: {host: b, subset: v2}
"""


class Steered:
    """A started addon, steered as from the console."""

    def __init__(self, addon: MirrorAddon, context: Any, rules: Path) -> None:
        self.addon, self.context, self.rules = addon, context, rules

    def __call__(self, command: str) -> str:
        return str(self.context.master.commands.execute(f"mirror.{command}"))

    @property
    def gate(self) -> AdmissionGate:
        assert self.addon.session.writer
        return self.addon.session.writer.gate

    @property
    def overridden(self) -> list[str]:
        return [line for line in self("status").splitlines() if line.startswith("overridden: ")]


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def addon(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Steered]:
    rules = tmp_path_factory.mktemp("rules") / "shop.yaml"
    rules.write_text(RULES)
    addon = MirrorAddon()
    with taddons.context(Proxyserver(), loadcore=False) as context:
        context.master.addons.add(addon)
        context.configure(addon, mirror_rules=[str(rules)])
        assert addon.session.writer
        yield Steered(addon, context, rules)
        if (drained := addon.done()) is not None:
            await drained


@pytest_asyncio.fixture(loop_scope="module")
async def steer(addon: Steered) -> AsyncIterator[Steered]:
    """As if just started."""
    yield addon
    addon("resume")
    addon.gate.overrides.keep([])
    addon.rules.write_text(RULES)
    await addon.addon.session.rules.reload()


@pytest.mark.parametrize(
    "name",
    ["default/shop http[0]", "'default/shop http[0]'", "default/shop/http[0]", "checkout", "default/shop checkout"],
)
async def test_a_rule_is_paused_and_resumed(name: str, steer: Steered) -> None:
    assert steer(f"pause {name}") == "default/shop http[0]: paused: no new shadows are sent; routing continues"
    assert steer.overridden == ["overridden: default/shop http[0]: paused"]
    assert steer("resume") == "resumed; still paused: default/shop http[0]"
    assert steer(f"resume {name}") == "default/shop http[0]: resumed"
    assert steer.overridden == []


async def test_a_virtual_service_is_all_its_rules_that_mirror(steer: Steered) -> None:
    steer("percent default/shop 0.5%")
    assert steer.overridden == [
        "overridden: default/shop http[0]: 0.5 % of the requests",
        "overridden: default/shop http[2]: 0.5 % of the requests",
    ]
    said = steer("percent shop reset")
    assert said == "default/shop http[0], default/shop http[2]: mirrored at the percentage of the files"
    assert steer.overridden == []


async def test_everything_is_paused_and_resumed(steer: Steered) -> None:
    steer("pause")
    assert steer.gate.paused and "state: paused" in steer("status")
    assert steer("resume checkout").endswith("resumed, but all mirroring is paused")
    assert steer("resume") == "resumed"
    assert not steer.gate.paused


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("pause default/shop http[1]", r"did you mean 'default/shop http\[\d\]'"),
        ("percent default/shop lots", "'lots' is not a percentage; write 0 to 100, such as 5 or 0.1, or reset"),
        ("percent default/shop 101", "write 0 to 100"),
        ("percent default/shop -1", "write 0 to 100"),
        ("percent default/shop", "Give a rule and a percentage"),
        ("percent", "Give a rule and a percentage"),
    ],
)
async def test_what_is_wrong_is_said_and_changes_nothing(command: str, said: str, steer: Steered) -> None:
    with pytest.raises(exceptions.CommandError, match=said):
        steer(command)
    assert steer.overridden == []


async def test_overrides_outlive_a_reload_until_their_rule_is_gone(
    steer: Steered, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    steer("percent checkout 5")
    steer("pause default/shop http[2]")
    steer.rules.write_text(
        RULES.replace("http:\n", "http:\n  - {match: [{port: 9}], directResponse: {status: 204}}\n", 1)
    )
    await steer.addon.session.rules.reload()
    assert steer.overridden == ["overridden: default/shop http[1]: 5 % of the requests"], "it has a name of its own"
    assert "no longer overridden, because the rule is gone: default/shop http[2]: paused" in caplog.text
    assert "percent" not in steer.rules.read_text()


async def test_status_says_what_ends(steer: Steered) -> None:
    ends = [line for line in steer("status").splitlines() if line.startswith("expires: ")]
    assert [line.partition(": 20")[0] for line in ends] == [
        "expires: default/shop http[0]",
        "expires: default/shop http[2]",
    ]
    assert all(", in 7" in line for line in ends)
    steer.context.configure(steer.addon, mirror_expires="2001-01-01T00:00:00Z")
    assert "state: expired" in steer("status") and "expires: 2001-01-0" in steer("status")


@pytest.mark.parametrize(
    ("active", "state"),
    [
        ("2001-01-01T00:00:00Z/P1D", "over"),
        ("2001-01-01T00:00:00Z/2999-01-01T00:00:00Z", "now"),
        ("2999-01-01T00:00:00Z/P1D", "not yet"),
    ],
)
async def test_status_says_when_a_rule_is_active(active: str, state: str, steer: Steered) -> None:
    text = RULES.replace("mirror-addon/expires: 2h", f"mirror-addon/active: {active}")
    steer.rules.write_text(text + "---\n" + RULES.replace("shop", "other").replace(", annotations: {", ", labels: {"))
    await steer.addon.session.rules.reload()
    lines = [line for line in steer("status").splitlines() if line.startswith("active: ")]
    assert [line.partition(": 2")[0] for line in lines] == [
        "active: default/shop http[0]",
        "active: default/shop http[2]",
    ]
    assert all(line.endswith(f", {state}") for line in lines)


async def test_status_says_how_many_requests_are_held(steer: Steered) -> None:
    steer.rules.write_text(RULES.replace("mirror-addon/expires: 2h", "mirror-addon/when: ~c 500"))
    await steer.addon.session.rules.reload()
    steer.context.configure(steer.addon, mirror_endpoints=["b/v1=127.0.0.1:1", "b/v2=127.0.0.1:2"], mirror_expires="")
    flow = tflow.tflow(live=True)
    flow.request = http.Request.make("POST", "http://shop.test/a", b"12345", {"Host": "shop.test"})
    steer.addon.requestheaders(flow)
    steer.addon.request(flow)
    steer.addon.leaves(flow)
    (line,) = [line for line in steer("status").splitlines() if line.startswith("held: ")]
    assert re.fullmatch(r"held: 1 requests, \d+ bytes, until the primary has responded", line)


async def test_status_says_what_is_held_back(steer: Steered) -> None:
    steer.gate.limits.backoffs.take("default/shop", "b/v2", 0.5)
    (line,) = [line for line in steer("status").splitlines() if line.startswith("max_latency: ")]
    assert line.startswith("max_latency: default/shop -> b/v2: 100 % of the shadows; ")
