"""Whatever the text: resources or diagnostics, never an exception."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from mirror_addon.gateway_api.analysis import analyze_gateway_api
from mirror_addon.gateway_api.reading import GATEWAY_API
from mirror_addon.gateway_api.resources.kinds import READ
from mirror_addon.gateway_api.resources.messages import GatewayMessage
from mirror_addon.istio.parsing import Source
from mirror_addon.istio.parsing import parse_sources
from mirror_addon.routing.identity import Identity
from mirror_addon.routing.table import RouteTable


def all_messages(message: type[GatewayMessage]) -> list[type[GatewayMessage]]:
    return [message, *(each for below in message.__subclasses__() for each in all_messages(below))]


NAMES = sorted({info.alias or "" for message in all_messages(GatewayMessage) for info in message.model_fields.values()})
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 70000),
    st.floats(),
    st.text(max_size=6),
    st.sampled_from(
        [
            "Exact",
            "PathPrefix",
            "RegularExpression",
            "RequestMirror",
            "URLRewrite",
            "RequestRedirect",
            "CORS",
            "All",
            "Selector",
            "Same",
            "HTTP",
            "HTTPS",
            "TLS",
            "Service",
            "Gateway",
            "ListenerSet",
            "",
            "a",
            "a.b",
            "*.b",
            "/",
            "/a",
            "(",
            "5s",
            "0s",
            "ReplacePrefixMatch",
            "ReplaceFullPath",
            "https",
            "System",
            "GET",
            "\\\\1",
            "%",
        ]
    ),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.one_of(st.sampled_from(NAMES), st.text(max_size=3)), inner, max_size=5),
    ),
    max_leaves=16,
)
matches = st.fixed_dictionaries(
    {}, optional={"path": values, "headers": values, "queryParams": values, "method": values}
)
backends = st.fixed_dictionaries(
    {"name": st.sampled_from("ab"), "port": st.sampled_from([80, 0, None])},
    optional={"weight": st.integers(0, 3), "filters": values, "namespace": values, "kind": values, "group": values},
)
rules = st.fixed_dictionaries(
    {},
    optional={
        "matches": st.lists(matches, max_size=3),
        "filters": st.lists(
            st.one_of(
                values,
                st.fixed_dictionaries(
                    {"type": scalars},
                    optional={"requestMirror": values, "urlRewrite": values, "requestRedirect": values, "cors": values},
                ),
            ),
            max_size=3,
        ),
        "backendRefs": st.lists(backends, max_size=3),
        "timeouts": values,
        "retry": values,
    },
)
routes = st.fixed_dictionaries(
    {"parentRefs": st.one_of(values, st.just([{"name": "g"}]))},
    optional={"hostnames": values, "rules": st.lists(rules, max_size=3)},
)


def check(documents: list[dict[str, Any]]) -> None:
    text = "\n---\n".join(map(json.dumps, documents)).encode()
    parsed = parse_sources([Source("f", text)], extension=GATEWAY_API)
    found = [*parsed.diagnostics, *analyze_gateway_api(parsed.resources)]
    for item in found:
        assert item.line >= 1 and item.message
    RouteTable.build(parsed.resources, Identity())


def document(kind: str, spec: Any) -> dict[str, Any]:
    return {"apiVersion": "gateway.networking.k8s.io/v1", "kind": kind, "metadata": {"name": "g"}, "spec": spec}


QUICK = settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))


@QUICK
@given(st.lists(st.builds(document, st.sampled_from([*READ, "TCPRoute"]), values), max_size=4))
def test_any_values(documents: list[dict[str, Any]]) -> None:
    check(documents)


@QUICK
@given(st.lists(st.builds(document, st.sampled_from(["HTTPRoute", "GRPCRoute"]), routes), max_size=3), values)
def test_things_like_routes(documents: list[dict[str, Any]], listeners: Any) -> None:
    gateway = {"gatewayClassName": "x", "listeners": [listeners, {"name": "a", "port": 80, "protocol": "HTTP"}]}
    check([*documents, document("Gateway", gateway)])


def test_thousands_of_routes_take_seconds(make: Callable[..., str]) -> None:
    """All of them at one host, half of them at the same path, with mirrors and grants that are looked for."""
    texts = [
        make(
            "HTTPRoute",
            {
                "parentRefs": [{"name": "g"}],
                "hostnames": ["a.b", "*.c"],
                "rules": [
                    {
                        "matches": [{"path": {"value": f"/p{index % 400}"}}],
                        "filters": [
                            {
                                "type": "RequestMirror",
                                "requestMirror": {"backendRef": {"name": "m", "namespace": "n", "port": 80}},
                            }
                        ],
                        "backendRefs": [{"name": f"s{index}", "port": 80}],
                    }
                ],
            },
            name=f"r{index}",
        )
        for index in range(800)
    ]
    begin = time.process_time()
    parsed = parse_sources([Source("f", "\n---\n".join(texts).encode())], extension=GATEWAY_API)
    assert len(analyze_gateway_api(parsed.resources)) > 800
    RouteTable.build(parsed.resources, Identity())
    assert time.process_time() - begin < 30
