from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from mirror_addon.gateway_api.reading import GATEWAY_API
from mirror_addon.istio.parsing import Source
from mirror_addon.istio.parsing import parse_sources
from mirror_addon.options.settings import OPTIONS
from mirror_addon.options.settings import Settings
from mirror_addon.options.settings import parse_settings
from mirror_addon.options.values import parse_endpoint
from mirror_addon.routing.clusters import Endpoint
from mirror_addon.routing.decision import Request
from mirror_addon.rules.option_names import NamedEndpoints
from mirror_addon.rules.option_names import known_hosts
from mirror_addon.rules.option_names import resolve_endpoints
from mirror_addon.rules.option_names import unknown_names
from mirror_addon.rules.rule_set import load_rule_set

RULES = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop, namespace: prod}
spec:
  hosts: [shop.test]
  gateways: [front, infra/edge]
  http:
  - match: [{gateways: [mesh]}]
    route: [{destination: {host: reviews, subset: v1}}]
    mirror: {host: reviews, subset: v2}
    mirrors: [{destination: {host: details.other}}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: reviews, namespace: prod}
spec: {host: reviews, subsets: [{name: v1, labels: {version: v1}}, {name: v3, labels: {version: v3}}]}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: hosts, namespace: prod}
spec: {hosts: [pay.example.com, '*.wild.test'], ports: [{number: 80, name: http}], resolution: DNS}
---
apiVersion: v1
kind: Service
metadata: {name: ratings, namespace: test}
spec: {ports: [{port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: ratings, namespace: prod}
spec: {ports: [{port: 80}]}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: back, namespace: prod}
spec: {servers: [{hosts: ['*'], port: {number: 80, name: http, protocol: HTTP}}]}
"""
RESOURCES = parse_sources([Source("rules.yaml", RULES.encode())]).resources
REVIEWS = "reviews.prod.svc.cluster.local"


def resolved(*entries: str, namespace: str = "default") -> NamedEndpoints:
    return resolve_endpoints([parse_endpoint(entry) for entry in entries], RESOURCES, namespace)


def test_hosts_that_the_rules_know() -> None:
    assert known_hosts(RESOURCES) == {
        REVIEWS: {"v1", "v2", "v3"},
        "details.other": set(),
        "pay.example.com": set(),
        "*.wild.test": set(),
        "ratings.prod.svc.cluster.local": set(),
        "ratings.test.svc.cluster.local": set(),
    }


@pytest.mark.parametrize(
    ("name", "host", "subset"),
    [
        ("reviews/v1", REVIEWS, "v1"),
        ("reviews/v2", REVIEWS, "v2"),
        ("reviews/v3", REVIEWS, "v3"),
        ("reviews", REVIEWS, ""),
        ("reviews.prod", REVIEWS, ""),
        ("reviews.prod.svc", REVIEWS, ""),
        (REVIEWS, REVIEWS, ""),
        ("details.other", "details.other", ""),
        ("pay.example.com", "pay.example.com", ""),
        ("api.wild.test", "api.wild.test", ""),
    ],
)
def test_names_that_fit_one_service(name: str, host: str, subset: str) -> None:
    found = resolved(f"{name}=127.0.0.1:9001")
    assert found == NamedEndpoints({(host, subset): Endpoint("127.0.0.1", 9001)}, [])


def test_the_proxys_own_namespace_takes_precedence() -> None:
    found = resolved("ratings=127.0.0.1:1", namespace="test")
    assert list(found.overrides) == [("ratings.test.svc.cluster.local", "")]
    assert not found.problems


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("ratings", r"ratings\.prod\S* ratings\.test\S* have this name; write one of them"),
        ("reviewz/v1", rf"no rule names this host; did you mean {re.escape(REVIEWS)}\?"),
        ("Reviews", rf"did you mean {re.escape(REVIEWS)}\?"),
        ("reviews:v1", rf"did you mean {re.escape(REVIEWS)}\?"),
        ("pay.exmaple.com", r"did you mean pay\.example\.com\?"),
        ("reviews/v22", r"no rule names this subset; there are v1, v2, v3; did you mean v2\?"),
        ("reviews/canary", r"no rule names this subset; there are v1, v2, v3"),
        ("ratings.prod/v1", "no rule names this subset; there are none"),
        ("zzzz", r"no rule names this host; there are .*\*\.wild\.test.* and 1 more"),
        ("wild.test", r"no rule names this host"),
        ("z" * 5000, r"no rule names this host"),
    ],
)
def test_names_that_fit_none_or_several(name: str, said: str) -> None:
    (problem,) = resolved(f"{name}=127.0.0.1:9001").problems
    assert problem.startswith(f"mirror_endpoints: {name} has no effect: ")
    assert re.search(said, problem)


@pytest.mark.parametrize("name", ["reviewz", "reviews/v22", "pay.exmaple.com", "Reviews/v1"])
def test_what_is_advised_works(name: str) -> None:
    (problem,) = resolved(f"{name}=127.0.0.1:9001").problems
    meant = problem.rpartition("did you mean ")[2].removesuffix("?")
    advised = f"reviews/{meant}" if "this subset" in problem else meant
    assert not resolved(f"{advised}=127.0.0.1:9001").problems


def test_without_rules() -> None:
    (problem,) = resolve_endpoints([parse_endpoint("a=127.0.0.1:1")], (), "default").problems
    assert problem.endswith("no rule names this host; there is none")


def settings(**options: Any) -> Settings:
    values = {option.name: option.default for option in OPTIONS} | {f"mirror_{k}": v for k, v in options.items()}
    return parse_settings(values)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"gateways": ["mesh"]}, None),
        ({"gateways": ["prod/front", "infra/edge", "prod/back"]}, None),
        ({"gateways": ["front"], "namespace": "prod"}, None),
        ({"gateways": ["mehs"]}, r"mirror_gateways: .*mehs; did you mean mesh\?"),
        ({"gateways": ["front"]}, r"mirror_gateways: .*front; did you mean prod/front\?"),
        ({"namespace": "elsewhere"}, None),
        ({"namespace": "prodd"}, r"mirror_namespace: .*prodd; did you mean prod\?"),
    ],
)
def test_gateways_and_namespaces(options: dict[str, Any], said: str | None) -> None:
    found = list(unknown_names(settings(**options), RESOURCES))
    assert len(found) == (said is not None)
    assert said is None or re.search(said, found[0])


def test_the_advice_of_a_503_works_when_it_is_pasted(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(RULES.replace("metadata: {name: shop, namespace: prod}", SHOPS))
    request = Request(b"GET", b"http", b"shop.test", b"/", (), 80)
    pasted: list[str] = []
    for _ in range(3):
        rule_set = load_rule_set(settings(rules=[str(tmp_path)], endpoints=pasted), b"192.0.2.1")
        assert not rule_set.warnings
        decision = rule_set.table.route(request, 0)
        missing = [cluster.missing for cluster in (mirror.cluster for mirror in decision.mirrors) if cluster.missing]
        body = decision.response.body.decode() if decision.response else "".join(missing[:1])
        if not body:
            break
        advised = re.search(r"--set mirror_endpoints=(\S+)=ADDRESS:PORT", body)
        assert advised
        pasted.append(f"{advised[1]}=127.0.0.1:{9001 + len(pasted)}")
    assert [str(mirror.endpoint) for mirror in decision.mirrors[:1]] == ["127.0.0.1:9002"]
    assert str(decision.endpoint) == "127.0.0.1:9001"


SHOPS = """{name: other, namespace: test}
spec:
  hosts: [other.test]
  http: [{route: [{destination: {host: reviews, subset: v1}}]}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop, namespace: prod}"""
"""Two namespaces with the same short name, so that the advice has to say which."""


ROUTE = """
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: shop, namespace: prod}
spec:
  parentRefs: [{name: edge, namespace: infra}]
  rules:
  - filters: [{type: RequestMirror, requestMirror: {backendRef: {name: cart-v2, port: 80}}}]
    backendRefs: [{name: cart-v1, port: 80}]
"""


def test_backends_of_routes() -> None:
    """Their Services need not be among the documents; one port of them may have an endpoint of its own."""
    resources = parse_sources([Source("r", ROUTE.encode())], extension=GATEWAY_API).resources
    entries = [parse_endpoint(f"{name}=127.0.0.1:9001") for name in ("cart-v1", "cart-v2.prod:80", "cart-v3:80")]
    found = resolve_endpoints(entries, resources, "default")
    assert list(found.overrides) == [
        ("cart-v1.prod.svc.cluster.local", ""),
        ("cart-v2.prod.svc.cluster.local:80", ""),
        ("cart-v3.default.svc.cluster.local:80", ""),
    ]
    (problem,) = found.problems
    assert problem.startswith("mirror_endpoints: cart-v3:80 has no effect: no rule names this host")


def test_gateways_of_routes() -> None:
    resources = parse_sources([Source("r", ROUTE.encode())], extension=GATEWAY_API).resources
    defaults = {option.name: option.default for option in OPTIONS}
    settings = parse_settings({**defaults, "mirror_gateways": ["infra/edge", "infra/ledge"]})
    assert [line.partition(";")[0] for line in unknown_names(settings, resources)] == [
        "mirror_gateways: no rule names the gateway infra/ledge"
    ]
