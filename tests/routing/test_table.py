"""The worked example of `rules/`, and properties of every table."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from pathlib import Path

import pytest

from mirror_addon.istio.parsing import Source
from mirror_addon.istio.parsing import parse_sources
from mirror_addon.routing.clusters import Endpoint
from mirror_addon.routing.decision import Action
from mirror_addon.routing.decision import Request
from mirror_addon.routing.identity import Identity
from mirror_addon.routing.table import RouteTable

Ask = Callable[..., Request]
RULES = Path(__file__).parents[2] / "rules"
HOST = "istio.gateway.xxxx.tech"


def load(overrides: Mapping[tuple[str, str], Endpoint]) -> RouteTable:
    sources = [Source(path.name, path.read_bytes()) for path in sorted(RULES.glob("*.yaml"))]
    identity = Identity(local_address=b"10.10.2.121")
    return RouteTable.build(parse_sources(sources).resources, identity, endpoint_overrides=overrides)


@pytest.fixture(scope="module")
def table() -> RouteTable:
    return load({})


def test_the_worked_example(table: RouteTable, ask: Ask) -> None:
    request = ask("/serviceB/request/info", HOST, ("accept", "*/*"), client=b"10.10.2.151")
    decision = table.route(request, 2**63)
    assert decision.action is Action.ROUTE
    assert str(decision.endpoint) == "127.0.0.1:9001"
    assert decision.cluster is not None
    assert decision.cluster.label == "serviceB/v1"
    assert decision.request == Request(
        b"GET",
        b"http",
        HOST.encode(),
        b"//request/info",
        ((b"accept", b"*/*"), (b"x-forwarded-for", b"10.10.2.151")),
        80,
        b"10.10.2.151",
    )
    (mirror,) = decision.mirrors
    assert (str(mirror.endpoint), mirror.cluster.label) == ("127.0.0.1:9002", "serviceB/v2")
    assert (mirror.percent, mirror.sampled, mirror.skipped) == (100, True, None)
    assert decision.rule is not None
    assert decision.rule.virtual_service == "default/serviceB"
    assert (decision.rule.rule, decision.match) == ("http[0]", 0)
    assert decision.rule.location.startswith("virtual-service.yaml:")


def test_its_other_paths_are_404(table: RouteTable, ask: Ask) -> None:
    assert table.route(ask("/other", HOST), 0).action is Action.NOT_FOUND


def test_its_other_hosts_pass(table: RouteTable, ask: Ask) -> None:
    assert table.route(ask("/serviceB", "other.tech"), 0).action is Action.PASSTHROUGH


def test_an_endpoint_for_the_afternoon(ask: Ask) -> None:
    override = {("serviceB.default.svc.cluster.local", "v2"): Endpoint("127.0.0.1", 9012)}
    decision = load(override).route(ask("/serviceB", HOST), 0)
    assert [str(mirror.endpoint) for mirror in decision.mirrors] == ["127.0.0.1:9012"]
    assert str(decision.endpoint) == "127.0.0.1:9001"


def test_an_empty_table_lets_everything_pass(ask: Ask) -> None:
    table = RouteTable.build([], Identity())
    assert table.route(ask(), 0).action is Action.PASSTHROUGH


@pytest.mark.parametrize(
    "path", [b"", b"*", b"x", b"\xff", b"/\x00", b"/%", b"?", b"#", b"/a#b?c", b"//", b"/\xc3\xa9"]
)
def test_odd_targets_are_decided_too(path: bytes, table: RouteTable, ask: Ask) -> None:
    assert table.route(ask(path, HOST), 0).action is Action.NOT_FOUND
    assert table.route(ask(b"/serviceB" + path, HOST), 0).action is Action.ROUTE


@pytest.mark.parametrize("host", [b"", b":", b"[", b"]:", b"[::1]", b"\xff", b"a:b:c"])
def test_odd_hosts_are_decided_too(host: bytes, table: RouteTable, ask: Ask) -> None:
    assert table.route(ask(b"/", host), 0).action is Action.PASSTHROUGH
