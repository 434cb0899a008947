"""The commands that report, run as from mitmproxy's console."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from mitmproxy import exceptions
from mitmproxy import http
from mitmproxy.addons.proxyserver import Proxyserver
from mitmproxy.addons.view import View
from mitmproxy.test import taddons
from mitmproxy.test import tflow

from mirror_addon.addon import MirrorAddon
from mirror_addon.commands.commands import flat
from mirror_addon.commands.commands import headline
from mirror_addon.dispatch.counters import Counters
from mirror_addon.mirroring.rerun import RerunResult
from mirror_addon.rules.live import READ_AT_ONCE
from mirror_addon.shadow.request import Target
from mirror_addon.statistics.pair_statistics import PairStatistics
from mirror_addon.statistics.pair_statistics import RouteStatistics

RULES = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop}
spec:
  hosts: [shop.test]
  http:
  - route: [{destination: {host: b, subset: v1}}]
    mirror: {host: b, subset: v2}
"""


class Console:
    """An addon, and the commands as a person types them."""

    def __init__(self, addon: MirrorAddon, view: View, context: Any, rules: Path) -> None:
        self.addon, self.view, self.context, self.rules = addon, view, context, rules

    def __call__(self, command: str) -> str:
        return str(self.context.master.commands.execute(f"mirror.{command}"))


@pytest_asyncio.fixture
async def console(tmp_path: Path) -> AsyncIterator[Console]:
    """Not started yet."""
    rules = tmp_path / "shop.yaml"
    rules.write_text(RULES)
    addon, view = MirrorAddon(), View()
    with taddons.context(Proxyserver(), view, loadcore=False) as context:
        context.master.addons.add(addon)
        yield Console(addon, view, context, rules)
        if (drained := addon.done()) is not None:
            await drained


@pytest.fixture
async def started(console: Console) -> Console:
    console.context.configure(
        console.addon,
        mirror_rules=[str(console.rules)],
        mirror_endpoints=["b/v1=127.0.0.1:1", "b/v2=127.0.0.1:2"],
    )
    assert console.addon.session.writer
    return console


async def until(condition: Callable[[], bool]) -> None:
    deadline = asyncio.get_running_loop().time() + 30
    while not condition():
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.01)


def routed(console: Console, host: str = "shop.test") -> str:
    """Show a flow that the addon routed, and return its id."""
    flow = tflow.tflow(live=True)
    flow.request = http.Request.make("GET", f"http://{host}/x", b"", {"Host": host})
    console.addon.requestheaders(flow)
    console.view.add([flow])
    return flow.id


def test_flat() -> None:
    value = {"a": {"high": 1}, "workers": [{"pid": 2}, {"pid": 3}], "none": {}, "pair": (4, None)}
    assert list(flat(value)) == [
        ("a.high", 1),
        ("workers[0].pid", 2),
        ("workers[1].pid", 3),
        ("pair[0]", 4),
        ("pair[1]", None),
    ]


async def test_before_the_start(console: Console) -> None:
    assert console("status") == "mirror: not started; the event log says why"
    assert console("rules") == "mirror: no rules are loaded; the event log says why"
    for command in ("pause", "resume shop", "percent shop 5", "replay @all", "rerun"):
        with pytest.raises(exceptions.CommandError, match="The mirror has not started"):
            console(command)


def test_the_headline() -> None:
    counters, statistics = Counters(), PairStatistics()
    counters.of("b/v2").sent = 4810
    counters.of("b/v2").dropped["queue_full"] = 2
    row = statistics.routes["r", "b/v2", False] = RouteStatistics("r", "b/v1", "b/v2", False)
    row.sent, row.compared, row.different = 4810, 600, 31
    assert headline(counters, statistics) == "4,810 of 4,812 sent, 2 dropped, compared 600 of 4,810, 31 different"


async def test_status(started: Console) -> None:
    lines = started("status").splitlines()
    assert lines[:2] == ["state: mirroring", "shadows: 0 of 0 sent, compared 0 of 0, 0 different"]
    assert any(line.startswith("mirror: default/shop http[0]") for line in lines)
    assert "requests 0" in lines and "waiting_bytes.value 0" in lines
    routed(started)
    assert "requests 1" in started("status").splitlines()


@pytest.mark.parametrize(
    ("option", "line"),
    [
        ({"mirror_enabled": False}, "state: off (mirror_enabled=false)"),
        ({"mirror_expires": "2001-01-01T00:00:00Z"}, "state: expired"),
        ({"mirror_to": ["http://127.0.0.1:3"], "mirror_rules": []}, "state: mirroring"),
    ],
)
async def test_the_state(started: Console, option: dict[str, Any], line: str) -> None:
    started.context.configure(started.addon, **option)
    assert started("status").splitlines()[0] == line
    started("pause")
    assert started("status").splitlines()[0] == "state: paused"


async def test_status_reports_rules_that_were_refused(started: Console, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    started.rules.write_text("kind: [")
    compare = started.rules.parent / "compare.yaml"
    compare.write_text("")
    started.context.configure(started.addon, mirror_compare=str(compare))
    writer = started.addon.session.writer
    assert writer
    started.addon.session.comparison.watch(writer.settings, writer.compare_by)
    compare.write_text("ignore: [")
    said = started("reload")
    assert "the rules were not loaded" in said and "compare.yaml:1: is not YAML" in said
    assert caplog.text.count("the rules were not loaded") == 1
    lines = started("status").splitlines()
    assert any(line.startswith("rules: ") for line in lines) and any(line.startswith("comparison: ") for line in lines)
    assert any(line.startswith("mirror: default/shop http[0]") for line in lines), "the former rules are in force"


async def test_reload_logs_its_outcome(started: Console, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    started.rules.write_text(RULES.replace("name: shop", "name: store"))
    assert started("reload").startswith("reloaded 1 resources")
    assert "default/store http[0]" in started("rules"), "it is in force when the command returns"
    assert "mirror: reloaded 1 resources" in caplog.text


async def test_reload_reads_long_rules_in_the_background(started: Console, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    started.rules.write_text(RULES.replace("name: shop", "name: store") + "#" * READ_AT_ONCE)
    said = started("reload")
    assert "in the background" in said and "event log" in said
    await until(lambda: "default/store http[0]" in started("rules"))
    await until(lambda: "mirror: reloaded 1 resources" in caplog.text)


async def test_reload_takes_the_rules_of_comparison_too(started: Console) -> None:
    compare = started.rules.parent / "compare.yaml"
    compare.write_text("")
    started.context.configure(started.addon, mirror_compare=str(compare))
    writer = started.addon.session.writer
    assert writer
    started.addon.session.comparison.watch(writer.settings, writer.compare_by)
    compare.write_text("rules: []")
    assert started("reload").endswith(f"; comparing by {compare} as it is now")
    assert writer.comparison_rules == "rules: []"
    assert "comparing" not in started("reload")


async def test_reload_names_what_lost_its_endpoints(started: Console) -> None:
    started.rules.write_text(RULES.replace("subset: v2", "subset: v22"))
    said = started("reload")
    assert "since this change, default/shop http[0] has no endpoint for its mirror b/v22" in said


async def test_rules_without_rules(started: Console) -> None:
    started.rules.write_text("")
    started("reload")
    assert started("rules") == "no rules: every request passes through"
    assert "mirror: none" in started("status").splitlines()


async def test_explain(started: Console) -> None:
    id = routed(started)
    lines = started(f"explain @{id}").splitlines()
    assert lines[0] == f"{id[:8]}: GET shop.test/x -> route"
    assert any("default/shop http[0]: matches" in line for line in lines)
    started("pause shop")
    assert started(f"explain @{id}").splitlines()[-1] == "  overridden: paused"
    other = routed(started, "elsewhere.test")
    assert started("explain @all").startswith(f"{id[:8]}: ")
    assert f"{other[:8]}: GET elsewhere.test/x -> " in started("explain @all")


async def test_explain_flows_that_were_not_routed(started: Console) -> None:
    flow, tcp = tflow.tflow(), tflow.ttcpflow()
    started.view.add([flow, tcp])
    for each in (flow, tcp):
        assert f"{each.id[:8]}: was not routed by this proxy" in started("explain @all").splitlines()


@pytest.mark.parametrize("command", ["explain", "diff", "replay"])
async def test_without_flows(started: Console, command: str) -> None:
    with pytest.raises(exceptions.CommandError, match=f"No flows given; name some, as in mirror.{command} @focus"):
        started(f"{command} @all")


async def test_diff_is_the_text_of_mirror_diff(started: Console) -> None:
    id = routed(started)
    flow = started.view.get_by_id(id)
    assert started(f"diff @{id}") == started.addon.diff.text([flow])


async def test_every_command_has_help_and_a_name_for_mitmproxy(started: Console) -> None:
    for name, command in started.addon.commands.by_name().items():
        assert command.__doc__ and len(command.__doc__.splitlines()[0]) < 120
        assert f"mirror.{name}" in started.context.master.commands.commands


HOSTILE = "\x1b[2J\r\nforged: yes\x85\u202e"


async def test_hostile_text_in_rules_and_requests_stays_on_its_line(console: Console) -> None:
    text = json.dumps(HOSTILE)
    console.rules.write_text(
        RULES.replace(
            "  - route:", f"  - name: {text}\n    match: [{{headers: {{x-a: {{exact: {text}}}}}}}]\n    route:"
        )
        + "  - route: [{destination: {host: b, subset: v1}}]\n"
    )
    console.context.configure(
        console.addon, mirror_rules=[str(console.rules)], mirror_endpoints=["b/v1=127.0.0.1:1", "b/v2=127.0.0.1:2"]
    )
    flow = tflow.tflow(live=True)
    flow.request = http.Request.make("G", "http://shop.test/", b"", {"Host": "shop.test"})
    flow.request.data.path = HOSTILE.encode()
    console.addon.requestheaders(flow)
    console.view.add([flow])
    shown = [console(command) for command in ("status", "rules", f"explain @{flow.id}", f"diff @{flow.id}")]
    shown += [console("reload"), console("pause shop")]
    assert any("forged" in each for each in shown)
    for each in shown:
        assert all(line.isprintable() for line in each.split("\n")), each
        assert not any(line.startswith("forged") for line in each.split("\n")), each
    with pytest.raises(exceptions.CommandError) as raised:
        console.addon.commands.by_name()["pause"](HOSTILE)
    assert str(raised.value).isprintable()


async def test_rerun(started: Console) -> None:
    with pytest.raises(exceptions.CommandError, match="set mirror_rerun=true"):
        started("rerun")
    started.context.configure(started.addon, mirror_rerun=True)
    assert started("rerun").startswith("nothing to send again")
    with pytest.raises(exceptions.CommandError, match="POST: the mirror would do it twice"):
        started("rerun POST")
    assert started("rerun GET") == "GET, HEAD, OPTIONS are sent again from now on"
    writer = started.addon.session.writer
    assert writer is not None
    target = Target("b/v2", "127.0.0.1", 2, False, "b", None)
    writer.rerun.results[target] = RerunResult(0.0, "b/v2", 14, 12, 2, ("$.a missing",), {}, ())
    assert "\nrerun: b/v2: 12 of 14 fixed, 2 left, 1 new; new: $.a missing\n" in started("status")
