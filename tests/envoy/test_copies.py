from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mirror_addon.envoy.bootstrap import Address
from mirror_addon.envoy.bootstrap import Export
from mirror_addon.envoy.bootstrap import ExportOptions
from mirror_addon.envoy.bootstrap import translate
from mirror_addon.envoy.processor import FILTER
from mirror_addon.envoy.processor import Processors
from mirror_addon.routing.identity import Identity
from mirror_addon.routing.table import MirrorTo
from mirror_addon.routing.table import RouteTable

PROCESSORS = Processors((("127.0.0.1", 9090),))


def is_copied(route: dict[str, Any]) -> bool:
    return FILTER in route.get("typed_per_filter_config", {})


@pytest.mark.parametrize(
    ("rule", "copied"),
    [
        ("route: [{destination: {host: v1}}]", False),
        ("route: [{destination: {host: v1}}], mirror: {host: m1}", True),
        ("route: [{destination: {host: v1}}], mirror: {host: m1}, mirrorPercentage: {value: 0}", False),
        ("route: [{destination: {host: v1}}], mirror: {host: nowhere}", False),
        ("redirect: {uri: /x}, mirror: {host: m1}", False),
        (
            "route: [{destination: {host: v1}, weight: 0}, {destination: {host: v2}, weight: 0}], mirror: {host: m1}",
            False,
        ),
    ],
)
def test_routes_with_mirrors_are_copied(rule: str, copied: bool, routes: Callable[..., list[dict[str, Any]]]) -> None:
    (route,) = routes(f"[{{{rule}}}]", processors=PROCESSORS)
    assert route["name"] == "default/x http[0]"
    assert is_copied(route) is copied
    assert "request_mirror_policies" not in str(route)
    (plain,) = routes(f"[{{{rule}}}]")
    assert not is_copied(plain)
    (off,) = routes(f"[{{{rule}}}]", processors=PROCESSORS, mirroring=False)
    assert not is_copied(off)


def test_a_part_of_the_requests_has_a_route_of_its_own(routes: Callable[..., list[dict[str, Any]]]) -> None:
    rule = (
        "{match: [{uri: {prefix: /a}}], route: [{destination: {host: v1}}], mirror: {host: m1}, "
        "mirrorPercentage: {value: 10}, fault: {delay: {fixedDelay: 1ms, percentage: {value: 1}}}}"
    )
    sampled, rest = routes(f"[{rule}]", processors=PROCESSORS)
    assert sampled["match"].pop("runtime_fraction") == {
        "default_value": {"numerator": 100000, "denominator": "MILLION"}
    }
    assert is_copied(sampled) and not is_copied(rest)
    assert sampled.pop("name") == rest.pop("name") + " sampled"
    sampled["typed_per_filter_config"].pop(FILTER)
    assert sampled == rest
    assert "envoy.filters.http.fault" in rest["typed_per_filter_config"]


def test_a_mirror_without_endpoint_is_named(export: Callable[..., Export]) -> None:
    made = export("[{route: [{destination: {host: v1}}], mirror: {host: nowhere}}]", processors=PROCESSORS)
    assert any("nowhere" in note and "it gets no shadow" in note for note in made.notes)


def test_what_passes_through_is_copied_where_mirror_to_is_set() -> None:
    def passthrough(*urls: MirrorTo) -> tuple[dict[str, Any], tuple[str, ...]]:
        table = RouteTable.build((), Identity(), mirror_to=urls)
        made = translate(table, ExportOptions(Address("127.0.0.1", 8080), processors=PROCESSORS))
        listener, route = made.routes["virtual_hosts"][0]["routes"]
        assert listener["name"] == "this listener" and not is_copied(listener)
        assert route["name"] == "passthrough"
        return route, made.notes

    assert not is_copied(passthrough()[0])
    # The processor applies filters and paths, which Envoy's own mirrors cannot.
    route, notes = passthrough(MirrorTo("http", "127.0.0.1", 9, "/base", filter="~d a", matches=lambda _: True))
    assert is_copied(route)
    assert "request_mirror_policies" not in route["route"]
    assert not any("counterpart" in note or "/base" in note for note in notes)
