from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mirror_addon.envoy.bootstrap import Address
from mirror_addon.envoy.bootstrap import Export
from mirror_addon.routing.identity import Identity


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


class TestGateways:
    """Servers of a Gateway that the proxy acts as."""

    GATEWAY = "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: gate}\nspec: {servers: [%s]}\n"
    SERVER = "{port: {number: %d, name: p%d, protocol: HTTP}, hosts: [%s], tls: {httpsRedirect: %s}}"

    def hosts(self, export: Callable[..., Any], *servers: tuple[int, str, str]) -> dict[str, dict[str, Any]]:
        text = ", ".join(self.SERVER % (port, port, host, redirect) for port, host, redirect in servers)
        http = "[{directResponse: {status: 201}}]"
        made = export(http, more=self.GATEWAY % text, identity=Identity(gateways=("gate",)))
        return {host["name"]: host for host in made.routes["virtual_hosts"]}

    def actions(self, host: dict[str, Any]) -> list[Any]:
        kinds = ("direct_response", "redirect", "route")
        return [next(route[kind] for kind in kinds if kind in route) for route in host["routes"]]

    def test_what_is_not_claimed_at_a_port_is_not_found(self, export: Callable[..., Any]) -> None:
        hosts = self.hosts(export, (80, "a.test", "false"), (81, "b.test", "false"))
        statuses = [action.get("status") for action in self.actions(hosts["a.test"])]
        assert statuses == [201, 404, 404, 404, None]  # port 80, its end, port 81, the listener itself, other ports
        assert [action.get("status") for action in self.actions(hosts["passthrough"])] == [404, 404, 404, None]

    def test_a_host_that_is_redirected_everywhere(self, export: Callable[..., Any]) -> None:
        hosts = self.hosts(export, (80, "'*.test'", "true"))
        assert {name: host.get("require_tls") for name, host in hosts.items()} == {
            "a.test": "ALL",
            "*.test": "ALL",
            "passthrough": None,
        }

    def test_a_host_that_is_redirected_at_one_port(self, export: Callable[..., Any]) -> None:
        redirect = {"https_redirect": True}
        hosts = self.hosts(export, (80, "a.test", "true"), (81, "a.test", "false"))
        assert "require_tls" not in hosts["a.test"]
        assert self.actions(hosts["a.test"])[:3] == [{**redirect, "port_redirect": 80}, redirect, {"status": 201}]
        hosts = self.hosts(export, (80, "a.test", "false"), (81, "a.test", "true"))
        assert self.actions(hosts["a.test"])[2:4] == [redirect, {"status": 201}]

    def test_a_host_that_is_not_served_at_another_port(self, export: Callable[..., Any]) -> None:
        hosts = self.hosts(export, (80, "a.test", "true"), (81, "b.test", "true"))
        assert "require_tls" not in hosts["a.test"]
        assert self.actions(hosts["a.test"])[4] == {"status": 404}


def test_attempts_are_counted_where_the_meshs_fields_are_added(export: Callable[..., Any]) -> None:
    to = "[{route: [{destination: {host: v1}}]}]"
    hosts = [export(to, identity=Identity(mesh_headers=each)).routes["virtual_hosts"][0] for each in (True, False)]
    assert [host.get("include_request_attempt_count") for host in hosts] == [True, None]
