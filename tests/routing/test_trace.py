from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mirror_addon.routing.clusters import Cluster
from mirror_addon.routing.decision import Request
from mirror_addon.routing.identity import Identity
from mirror_addon.routing.mirror_to import MirrorTo
from mirror_addon.routing.table import RouteTable
from mirror_addon.routing.trace import explain
from mirror_addon.routing.trace import rules

Build = Callable[..., RouteTable]
Ask = Callable[..., Request]
V2 = {"host": "svc", "subset": "v2"}


def said(table: RouteTable, request: Request, draw: int = 0) -> str:
    return "\n".join(explain(table, request, draw))


def test_every_rule_and_the_first_condition_that_failed(build: Build, ask: Ask, to_v1: Any) -> None:
    table = build(
        [
            {
                "match": [{"uri": {"prefix": "/b"}}, {"uri": {"exact": "/a"}, "method": {"exact": "PUT"}}],
                "route": to_v1,
            },
            {"match": [{"headers": {"x-u": {"exact": "1"}}, "queryParams": {"q": {}}}], "route": to_v1},
            {"match": [{"headers": {"x-u": {"prefix": "2"}}, "queryParams": {"q": {}}}], "route": to_v1},
            {"route": to_v1},
        ]
    )
    lines = explain(table, ask("/a", "example.com", ("x-u", "2")), 0)
    assert lines[:6] == [
        "host 'example.com': virtual host example.com",
        "default/test http[0] match[0]: no: path begins with '/b', but it is '/a'",
        "default/test http[0] match[1]: no: method is 'PUT', but it is 'GET'",
        "default/test http[1] match[0]: no: header x-u is '1', but it is '2'",
        "default/test http[2] match[0]: no: query parameter q is present, but it is absent",
        "default/test http[3]: matches: any path",
    ]


def test_rules_that_are_not_tested(build: Build, ask: Ask, to_v1: Any) -> None:
    table = build(
        [
            {"match": [{"port": 8080}], "route": to_v1},
            {"match": [{"sourceLabels": {"a": "b"}}], "route": to_v1},
            {"match": [{"gateways": ["edge"]}], "route": to_v1},
            {"route": to_v1},
            {"match": [{"uri": {"prefix": "/x"}}], "route": to_v1},
        ],
        identity=Identity(gateways=("mesh",)),
    )
    text = said(table, ask("/x"))
    assert "http[0] match[0]: not tested: it is for port 8080, the request arrived on 80" in text
    assert "http[1] match[0]: not tested: it is for clients with labels a=b" in text
    assert "http[2] match[0]: not tested: it is for gateways edge" in text
    assert "http[4] match[0]: not tested: a rule before it matches everything" in text


def test_host_and_path(build: Build, ask: Ask, to_v1: Any) -> None:
    table = build([{"match": [{"uri": {"prefix": "/b"}}], "route": to_v1}])
    assert said(table, ask("/", "other.com")).startswith("host 'other.com': no rule claims it")
    text = said(table, ask("/a/../c"))
    assert "path '/a/../c' is normalised to '/c'" in text
    assert text.endswith("no rule matches: 404")


def test_draws_and_thresholds(build: Build, ask: Ask) -> None:
    route = [
        {"destination": {"host": "svc", "subset": "v1"}, "weight": 30},
        {"destination": {"host": "svc", "subset": "v2"}, "weight": 70},
    ]
    mirrors = [{"destination": V2, "percentage": {"value": 0.01}}, {"destination": V2}]
    text = said(build([{"route": route, "mirrors": mirrors}]), ask(), 1_000_131)
    assert "draw % 100 = 31 of svc/v1 30 : svc/v2 70: svc/v2" in text
    assert "mirror svc/v2: not drawn: draw % 1000000 = 131 >= 100 (0.01 %)" in text
    assert "mirror svc/v2: drawn: draw % 100 = 31 < 100 (100 %), to 127.0.0.1:9002" in text


@pytest.mark.parametrize(
    ("http", "expected"),
    [
        ({"mirror": {"host": "gone.com"}}, "skipped: no_endpoint: no endpoint for gone.com"),
        ({"mirror": V2, "redirect": {"uri": "/"}, "route": None}, "local reply: redirect with 301"),
        ({"mirror": V2, "directResponse": {"status": 200}, "route": None}, "skipped: local_reply"),
        (
            {"mirror": V2, "fault": {"abort": {"httpStatus": 418, "percentage": {"value": 100}}}},
            "local reply: fault abort",
        ),
        (
            {"mirror": V2, "route": [{"destination": {"host": "gone.com"}}]},
            "destination gone.com: 503: no endpoint for",
        ),
        ({"headers": {"request": {"set": {"a": "b"}, "remove": ["c"]}}}, "request header: set a: b"),
        (
            {"fault": {"delay": {"fixedDelay": "2s", "percentage": {"value": 100}}}},
            "fault: delay 2 s: roll % 1000000 = ",
        ),
    ],
)
def test_outcomes(http: dict[str, Any], expected: str, build: Build, ask: Ask, to_v1: Any) -> None:
    assert expected in said(build([{"route": to_v1, **http}]), ask())


def test_it_agrees_with_the_decision_and_takes_no_turn(build: Build, ask: Ask) -> None:
    text = """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: rr, namespace: default}
spec: {host: svc, trafficPolicy: {loadBalancer: {simple: ROUND_ROBIN}}}
"""
    table = build([{"route": [{"destination": {"host": "svc"}}]}], text)
    first = table.route(ask(), 0)
    said(table, ask())
    second = table.route(ask(), 0)
    assert isinstance(first.cluster, Cluster)
    assert {str(first.endpoint), str(second.endpoint)} == {"127.0.0.1:9001", "127.0.0.1:9002"}


def test_rules_are_listed(build: Build, virtual_service: Callable[..., str], to_v1: Any) -> None:
    http = [
        {
            "name": "r",
            "match": [{"uri": {"prefix": "/a"}, "headers": {"h": {}}}, {"uri": {"exact": "/b"}, "port": 80}],
            "route": [{"destination": V2, "weight": 1}, {"destination": {"host": "gone.com"}, "weight": 3}],
            "mirror": V2,
            "mirrorPercentage": {"value": 5},
        },
        {"directResponse": {"status": 204}},
    ]
    first, second = rules(build(virtual_service(http, hosts=["a.com", "b.com"])))
    assert (first.rule.virtual_service, first.rule.rule, first.rule.name) == ("default/test", "http[0]", "r")
    assert first.hosts == ("a.com", "b.com")
    assert first.matches == ("path begins with '/a' and header h is present", "path is '/b' and port is 80")
    assert first.destinations == ("svc/v2 25 % -> 127.0.0.1:9002", "gone.com 75 % -> no endpoint")
    assert [str(mirror) for mirror in first.mirrors] == ["svc/v2 5 % -> 127.0.0.1:9002"]
    assert (second.matches, second.destinations, second.mirrors) == (("any path",), ("direct response 204",), ())


def test_a_preflight_and_a_route_without_weights(build: Build, ask: Ask, to_v1: Any) -> None:
    cors = build([{"route": to_v1, "mirror": V2, "corsPolicy": {"allowOrigin": ["*"]}}])
    fields = ("origin", "http://o"), ("access-control-request-method", "PUT")
    preflight = ask("/", "example.com", *fields, method="OPTIONS")
    assert "local reply: CORS preflight" in said(cors, preflight)
    assert "skipped: local_reply" in said(cors, preflight)
    assert "local reply: " not in said(cors, ask())
    weightless = build([{"route": [{"destination": V2}, {"destination": V2}]}])
    assert said(weightless, ask()).endswith("no destination has a weight above zero: 503")


def test_connect_is_never_mirrored(build: Build, ask: Ask, to_v1: Any) -> None:
    text = said(build([{"route": to_v1, "mirror": V2}]), ask(method="CONNECT"))
    assert "skipped: method: CONNECT is never mirrored" in text


def test_the_mirror_to_of_unclaimed_hosts(build: Build, ask: Ask) -> None:
    table = build(mirror_to=[MirrorTo("http", "127.0.0.1", 9)])
    assert "mirror 127.0.0.1:9: drawn: draw % 100 = 0 < 100 (100 %), to 127.0.0.1:9" in said(table, ask())
    assert "skipped: method" in said(table, ask(method="CONNECT"))
    (view,) = rules(table)
    assert (str(view.rule), view.hosts, view.destinations) == ("mirror_to", ("any other",), ("passes through",))


def test_the_requests_own_host(build: Build, ask: Ask) -> None:
    text = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: any}
spec: {hosts: ['*.foo.com'], ports: [{number: 80, name: http}], resolution: DYNAMIC_DNS}
"""
    assert "destination *.foo.com: the request's own host" in said(
        build([{"route": [{"destination": {"host": "*.foo.com"}}]}], text), ask()
    )


class TestNamespaces:
    """With documents of several namespaces a trace says which were chosen, and why."""

    def entry(self, namespace: str, export_to: str = "'*'") -> str:
        return (
            "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\n"
            f"metadata: {{name: api, namespace: {namespace}}}\n"
            f"spec: {{hosts: [api.test], exportTo: [{export_to}], ports: [{{number: 80, name: http}}],"
            " resolution: STATIC, endpoints: [{address: 10.0.0.1}]}"
        )

    RULE = (
        "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: r, namespace: istio-system}\n"
        "spec: {host: api.test, trafficPolicy: {loadBalancer: {simple: RANDOM}}}"
    )
    ROUTE: Any = [{"route": [{"destination": {"host": "api.test"}}], "mirror": {"host": "gone.test"}}]

    def test_of_destinations(self, build: Build, ask: Ask) -> None:
        table = build(self.entry("two"), self.entry("one"), self.entry("three", "'.'"), self.RULE, self.ROUTE)
        assert [line for line in explain(table, ask(), 0) if line.startswith(("destination", "mirror"))] == [
            "destination api.test: ServiceEntry of namespace one: the oldest, then the first by namespace, is used; "
            "not used: two; not exported to default: three",
            "destination api.test: DestinationRule of namespace istio-system",
            "destination api.test: 10.0.0.1:80",
            "mirror gone.test: drawn (draw % 100 = 0 < 100 (100 %)), but skipped: no_endpoint: no endpoint for "
            "gone.test: no ServiceEntry or Service declares gone.test; give it one with endpoints in a ServiceEntry "
            "for gone.test, or with --set mirror_endpoints=gone.test=ADDRESS:PORT",
        ]

    def test_of_one_namespace_nothing_is_said(self, build: Build, ask: Ask) -> None:
        assert "namespace" not in said(build(self.entry("default"), self.ROUTE), ask())

    def test_virtual_services_that_do_not_apply(self, build: Build, ask: Ask, virtual_service: Any) -> None:
        table = build(
            virtual_service(self.ROUTE, name="private", namespace="two", exportTo=["."]),
            virtual_service(self.ROUTE, name="edge", gateways=["edge"]),
            virtual_service(self.ROUTE, name="other", hosts=["other.test"], gateways=["edge"]),
            identity=Identity(gateways=("mesh",)),
        )
        assert explain(table, ask(), 0) == [
            "virtual service two/private: not used: it is not exported to namespace default",
            "virtual service default/edge: not used: it is for gateways edge",
            "host 'example.com': no rule claims it; the request passes through",
        ]


class TestGateways:
    GATEWAY = (
        "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: edge}\nspec:\n  servers:\n"
        "  - {port: {number: 80, name: a, protocol: HTTP}, hosts: [example.com], tls: {httpsRedirect: true}}\n"
        "  - {port: {number: 81, name: b, protocol: HTTP}, hosts: [example.com]}\n"
        "  - {port: {number: 443, name: c, protocol: TLS}, hosts: [example.com], tls: {mode: PASSTHROUGH}}"
    )

    @pytest.mark.parametrize(
        ("host", "port", "scheme", "last"),
        [
            ("example.com", 80, "http", "a gateway's server on port 80 has httpsRedirect: 301 to https"),
            ("example.com", 80, "https", "destination svc/v1: 127.0.0.1:9001"),
            ("example.com", 81, "http", "destination svc/v1: 127.0.0.1:9001"),
            ("other.com", 81, "http", "host 'other.com': no rule claims it on port 81 of default/edge: 404"),
            ("other.com", 443, "http", "host 'other.com': no rule claims it (the gateway does not serve "
             "HTTP on port 443); the request passes through"),
            ("example.com", 82, "http", "host 'example.com': no rule claims it (no server of default/edge "
             "is for port 82; ports with HTTP: 80, 81); the request passes through"),
        ],
    )  # fmt: skip
    def test_what_becomes_of_a_request(
        self, host: str, port: int, scheme: str, last: str, build: Build, ask: Ask, virtual_service: Any, to_v1: Any
    ) -> None:
        text = virtual_service([{"route": to_v1}], gateways=["edge"])
        table = build(self.GATEWAY, text, identity=Identity(gateways=("edge",)))
        assert explain(table, ask("/", host, port=port, scheme=scheme), 0)[-1] == last
