"""Servers of the Gateways that this proxy acts as (istio `pilot/pkg/model/gateway.go`)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from mirror_addon.routing.decision import Action
from mirror_addon.routing.decision import Decision
from mirror_addon.routing.decision import Request
from mirror_addon.routing.gateways import Gateways
from mirror_addon.routing.gateways import Server
from mirror_addon.routing.identity import Identity
from mirror_addon.routing.table import RouteTable

Build = Callable[..., RouteTable]
Ask = Callable[..., Request]
Text = Callable[..., str]
EDGE = Identity(gateways=("edge",))


def gateway(*servers: str, name: str = "edge", namespace: str = "default") -> str:
    return (
        "apiVersion: networking.istio.io/v1\nkind: Gateway\n"
        f"metadata: {{name: {name}, namespace: {namespace}}}\nspec: {{servers: [{', '.join(servers)}]}}"
    )


def server(hosts: str = "'*'", port: int = 80, protocol: str = "HTTP", tls: str = "") -> str:
    extra = f", tls: {tls}" if tls else ""
    return f"{{port: {{number: {port}, name: p{port}, protocol: {protocol}}}, hosts: [{hosts}]{extra}}}"


@pytest.fixture
def status(build: Build, ask: Ask, virtual_service: Text) -> Callable[..., str]:
    """`status(host, *documents, hosts=...)`: what a request gets; a virtual service of `edge` responds with 201."""

    def find(
        host: str,
        *documents: str,
        hosts: tuple[str, ...] = ("shop.test",),
        port: int = 80,
        scheme: str = "http",
        identity: Identity = EDGE,
        **spec: Any,
    ) -> str:
        spec = {"gateways": ["edge"], **spec}
        text = virtual_service([{"directResponse": {"status": 201}}], hosts=list(hosts), **spec)
        return outcome(build(*documents, text, identity=identity).route(ask("/", host, port=port, scheme=scheme), 0))

    return find


def outcome(decision: Decision) -> str:
    return str(decision.response.status) if decision.response else decision.action.value


@pytest.mark.parametrize(
    ("servers", "hosts", "asked", "expected"),
    [
        ("'*'", ["shop.test"], "shop.test", "201"),
        ("'*'", ["shop.test"], "other.test", "404"),
        ("shop.test", ["shop.test", "other.test"], "other.test", "404"),
        ("Shop.test", ["shop.TEST"], "SHOP.test:8080", "201"),
        ("'*.test'", ["shop.test"], "shop.test", "201"),
        ("'*.shop.test'", ["shop.test"], "shop.test", "404"),
        ("a.test", ["*.test"], "a.test", "201"),
        ("a.test", ["*.test"], "b.test", "404"),
        ("'*.a.test'", ["*.test"], "x.a.test", "201"),
        ("'*.a.test'", ["*.test"], "x.test", "404"),
        ("'*.test'", ["*.a.test"], "x.test", "404"),
        ("'*'", ["*"], "any.test", "201"),
        ("./shop.test", ["shop.test"], "shop.test", "201"),
        ("default/shop.test", ["shop.test"], "shop.test", "201"),
        ("other/shop.test", ["shop.test"], "shop.test", "404"),
        ("'*/shop.test'", ["shop.test"], "shop.test", "201"),
        ("'*/*'", ["shop.test"], "shop.test", "201"),
        ("other/a.test, 'default/*'", ["shop.test"], "shop.test", "201"),
    ],
)
def test_hosts(servers: str, hosts: list[str], asked: str, expected: str, status: Callable[..., str]) -> None:
    assert status(asked, gateway(server(servers)), hosts=tuple(hosts)) == expected


def test_the_namespace_of_a_host_is_the_virtual_services(status: Callable[..., str]) -> None:
    own = gateway(server("./shop.test"), namespace="infra")
    identity = Identity(gateways=("infra/edge",))
    for namespace, expected in (("infra", "201"), ("default", "404")):
        found = status("shop.test", own, identity=identity, gateways=["infra/edge"], namespace=namespace)
        assert found == expected


@pytest.mark.parametrize(
    ("servers", "port", "expected"),
    [
        ([server(port=80)], 80, "201"),
        ([server(port=80)], 8080, "passthrough"),
        ([server(port=443, protocol="HTTPS", tls="{mode: SIMPLE}")], 443, "201"),
        ([server(port=443, protocol="https", tls="{mode: MUTUAL}")], 443, "201"),
        ([server(port=443, protocol="HTTPS")], 443, "201"),
        ([server(port=443, protocol="HTTPS", tls="{mode: PASSTHROUGH}")], 443, "passthrough"),
        ([server(port=443, protocol="TLS", tls="{mode: AUTO_PASSTHROUGH}")], 443, "passthrough"),
        ([server(port=443, protocol="TLS", tls="{mode: SIMPLE}")], 443, "passthrough"),
        ([server(port=80, protocol="TCP")], 80, "passthrough"),
        ([server(port=80, protocol="GRPC")], 80, "201"),
        ([server(port=80, protocol="http2"), server(port=80)], 80, "201"),
        ([server(port=80, protocol="TCP"), server(port=80)], 80, "passthrough"),
        ([server(port=80), server(port=80, protocol="TCP")], 80, "201"),
        (["{hosts: ['*']}"], 80, "passthrough"),
        # Of two servers with TLS settings for one host the first counts.
        ([server("a.test, shop.test", 443, "HTTPS", "{mode: SIMPLE}"),
          server("shop.test", 443, "HTTPS", "{mode: PASSTHROUGH}")],
         443, "201"),
    ],
)  # fmt: skip
def test_ports_and_protocols(servers: list[str], port: int, expected: str, status: Callable[..., str]) -> None:
    assert status("shop.test", gateway(*servers), port=port) == expected


@pytest.mark.parametrize(
    ("servers", "asked", "scheme", "expected"),
    [
        ([server("shop.test", tls="{httpsRedirect: true}")], "shop.test", "http", "301"),
        ([server("shop.test", tls="{httpsRedirect: true}")], "shop.test", "https", "201"),
        ([server("shop.test", tls="{httpsRedirect: false}")], "shop.test", "http", "201"),
        ([server("shop.test", tls="{httpsRedirect: true}")], "other.test", "http", "404"),
        # A server redirects all of its hosts, whether or not a virtual service claims them.
        ([server("'*'", tls="{httpsRedirect: true}")], "other.test", "http", "301"),
        ([server("'*'", tls="{httpsRedirect: true}")], "other.test", "https", "404"),
        ([server("'*.test'", tls="{httpsRedirect: true}")], "shop.test", "http", "301"),
        # Hosts for one namespace are redirected only where a virtual service claims them.
        ([server("./other.test", tls="{httpsRedirect: true}")], "other.test", "http", "404"),
        ([server("./shop.test", tls="{httpsRedirect: true}")], "shop.test", "http", "301"),
        # One of two servers of a port redirects for both.
        ([server("shop.test"), server("'*'", tls="{httpsRedirect: true}")], "shop.test", "http", "301"),
    ],
)
def test_https_redirect(servers: list[str], asked: str, scheme: str, expected: str, status: Callable[..., str]) -> None:
    assert status(asked, gateway(*servers), scheme=scheme) == expected


def test_a_redirect_with_the_meshs_fields(status: Callable[..., str]) -> None:
    """It has no route that could add some."""
    text = gateway(server("shop.test", tls="{httpsRedirect: true}"))
    assert status("shop.test", text, identity=replace(EDGE, mesh_headers=True)) == "301"


def test_a_redirect_is_for_its_own_port(status: Callable[..., str]) -> None:
    text = gateway(server(tls="{httpsRedirect: true}"), server(port=8080))
    assert [status("shop.test", text, port=port) for port in (80, 8080)] == ["301", "201"]


@pytest.mark.parametrize("identity", [Identity(), Identity(gateways=("other", "edge"))])
def test_a_gateway_that_is_not_in_the_files_accepts_its_hosts(identity: Identity, status: Callable[..., str]) -> None:
    assert status("shop.test", identity=identity, port=7) == "201"
    assert status("other.test", identity=identity, port=7) == "passthrough"


def test_the_default_identity_takes_no_notice(status: Callable[..., str]) -> None:
    text = gateway(server("other.test", tls="{httpsRedirect: true}"))
    assert status("shop.test", text, identity=Identity()) == "201"


def test_beside_the_mesh_unclaimed_hosts_pass_through(status: Callable[..., str]) -> None:
    both = Identity(gateways=("edge", "mesh"))
    assert status("other.test", gateway(server("shop.test")), identity=both) == "passthrough"
    # A virtual service of the mesh is not limited by the gateway's hosts.
    found = status("shop.test", gateway(server("a.test")), identity=both, gateways=["edge", "mesh"])
    assert found == "201"
    assert status("shop.test", gateway(server("a.test")), identity=both) == "passthrough"


class TestSeveralGateways:
    IDENTITY = Identity(gateways=("one", "two"))

    def test_each_has_its_own_hosts(self, status: Callable[..., str]) -> None:
        texts = (gateway(server("a.test"), name="one"), gateway(server("b.test", 81), name="two"))
        for bound, expected in ((["one"], ["201", "404"]), (["two"], ["404", "201"]), (["one", "two"], ["201", "201"])):
            found = [
                status(host, *texts, hosts=("a.test", "b.test"), port=port, identity=self.IDENTITY, gateways=bound)
                for host, port in (("a.test", 80), ("b.test", 81))
            ]
            assert found == expected

    def test_matches_for_one_of_them(self, build: Build, ask: Ask, virtual_service: Text) -> None:
        http = [
            {"match": [{"gateways": ["two"]}], "directResponse": {"status": 202}},
            {"directResponse": {"status": 201}},
        ]
        table = build(
            gateway(server(), name="one"),
            gateway(server(port=81), server(port=80), name="two"),
            virtual_service(http, hosts=["a.test"], gateways=["one", "two"]),
            identity=self.IDENTITY,
        )
        found = [outcome(table.route(ask("/", "a.test", port=port), 0)) for port in (80, 81)]
        # On port 80 the routes of both are merged, and catch-alls move to the end.
        assert found == ["201", "202"]

    def test_what_a_port_matches(self, build: Build, ask: Ask, virtual_service: Text) -> None:
        http = [{"match": [{"port": 81}], "directResponse": {"status": 202}}, {"directResponse": {"status": 201}}]
        table = build(
            gateway(server(), server(port=81), name="one"),
            virtual_service(http, hosts=["a.test"], gateways=["one"]),
            identity=self.IDENTITY,
        )
        found = [outcome(table.route(ask("/", "a.test", port=port), 0)) for port in (80, 81, 82)]
        assert found == ["201", "202", "passthrough"]


def test_no_other_names_on_a_gateway(build: Build, ask: Ask, virtual_service: Text) -> None:
    text = virtual_service([{"directResponse": {"status": 201}}], hosts=["svc"], gateways=["edge"])
    table = build(gateway(server()), text, identity=EDGE)
    found = [table.route(ask("/", host), 0).action for host in ("svc.default.svc.cluster.local", "svc.default", "svc")]
    assert found == [Action.DIRECT_RESPONSE, Action.NOT_FOUND, Action.NOT_FOUND]


def test_servers_are_in_the_order_of_their_gateways_age() -> None:
    found = Gateways((), EDGE)
    assert (found.known, found.servers, found.ports) == (frozenset(), [], frozenset())
    made = Server("default/edge", 80, (("", "a.test"), ("ns", "b.test")), True)
    assert made.redirected == ["a.test"]
    assert made.claimed(["a.test", "b.test"], "other") == ["a.test"]
