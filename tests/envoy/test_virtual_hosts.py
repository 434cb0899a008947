from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mirror_addon.envoy.bootstrap import Address
from mirror_addon.envoy.bootstrap import Export


def test_domains_and_order(export: Callable[..., Any]) -> None:
    made = export("[{match: [{uri: {prefix: /a}}, {uri: {prefix: /b}}], route: [{destination: {host: v1}}]}]")
    first, last = made.routes["virtual_hosts"]
    assert (first["name"], first["domains"]) == ("a.test", ["a.test"])
    assert [route["name"] for route in first["routes"]] == ["default/x http[0] match[0]", "default/x http[0] match[1]"]
    assert (last["name"], last["domains"]) == ("passthrough", ["*"])
    assert made.routes["ignore_port_in_host_matching"] is True


def test_unclaimed_hosts_are_dialled_except_the_listener_itself(export: Callable[..., Any]) -> None:
    itself, rest = export("[]", listen=Address("127.0.0.1", 8080)).routes["virtual_hosts"][-1]["routes"]
    assert itself["direct_response"] == {"status": 404}
    assert itself["match"]["headers"][0]["string_match"]["safe_regex"]["regex"].startswith(r"127\.0\.0\.1:8080|")
    assert rest["route"]["cluster"] == "original_destination"


def test_ports_come_first_and_end_in_404(routes: Callable[..., list[dict[str, Any]]]) -> None:
    to = "route: [{destination: {host: v1}}]"
    found = routes(
        f"[{{match: [{{port: 81, uri: {{prefix: /p}}}}], {to}}}, {{match: [{{uri: {{prefix: /q}}}}], {to}}}]"
    )
    assert [(route["match"]["prefix"], "headers" in route["match"]) for route in found] == [
        ("/p", True),
        ("/q", True),
        ("", True),
        ("/q", False),
    ]
    assert found[2]["direct_response"] == {"status": 404}


def test_a_host_for_other_ports_only_passes_through(routes: Callable[..., list[dict[str, Any]]]) -> None:
    found = routes("[{match: [{port: 81}], route: [{destination: {host: v1}}]}]", listen=Address("127.0.0.1", 0))
    assert [route.get("name") for route in found] == ["default/x http[0] match[0]", None, "passthrough"]


def test_a_virtual_host_for_every_host_leaves_no_passthrough(export: Callable[..., Any]) -> None:
    hosts = export("[{route: [{destination: {host: v1}}]}]", hosts="['*']").routes["virtual_hosts"]
    assert [(host["name"], host["domains"]) for host in hosts] == [("*", ["*"])]


def test_two_spellings_of_one_address_are_one_domain(export: Callable[..., Any]) -> None:
    mapped = "['::ffff:1.2.3.4', '[::ffff:1.2.3.4]']"
    hosts = export("[{route: [{destination: {host: v1}}]}]", hosts=mapped).routes["virtual_hosts"]
    assert [host["domains"] for host in hosts] == [["[::ffff:1.2.3.4]"], ["*"]]


@pytest.mark.parametrize(
    ("backends", "valid"),
    [
        ("[{name: v1, port: 80}]", True),
        ("[{name: gone, port: 80}]", False),
        ("[{name: v1, port: 80}, {name: gone, port: 80}]", False),
    ],
)
def test_clusters_that_do_not_exist_are_no_error(
    backends: str, valid: bool, gateway_export: Callable[..., Export]
) -> None:
    """Envoy then responds with the status that the route has for them."""
    export = gateway_export(f"[{{backendRefs: {backends}}}]")
    assert export.routes.get("validate_clusters", True) is valid
    assert not any("gone" in cluster["name"] for cluster in export.clusters)
    assert any("exported as 500" in note for note in export.notes) is not valid


def test_a_route_that_istio_drops_leaves_its_host_without_routes(gateway_export: Callable[..., Export]) -> None:
    filters = "[{type: ExtensionRef, extensionRef: {group: a.b, kind: C, name: d}}]"
    hosts = gateway_export(f"[{{filters: {filters}, backendRefs: [{{name: v1, port: 80}}]}}]").routes["virtual_hosts"]
    assert next(host["routes"] for host in hosts if host["name"] == "b.test") == []
