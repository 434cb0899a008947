"""Rules in the terms of Istio's message. What these do to a request is tested in `routing`."""

from __future__ import annotations

from typing import Any

import pytest

from mirror_addon.gateway_api.backends import Backend
from mirror_addon.gateway_api.backends import Resolver
from mirror_addon.gateway_api.grants import Grants
from mirror_addon.gateway_api.resources.grpc_route import GRPCRouteRule
from mirror_addon.gateway_api.resources.http_route import HTTPRouteRule
from mirror_addon.gateway_api.resources.references import BackendObjectReference
from mirror_addon.gateway_api.translation import PathRedirect
from mirror_addon.gateway_api.translation import RouteLost
from mirror_addon.gateway_api.translation import origin_match
from mirror_addon.gateway_api.translation import translate_rule
from mirror_addon.istio.resources.virtual_service import HTTPRoute

BACKENDS = [{"name": "a", "port": 80}]
RESOLVER = Resolver(Grants(()), "HTTPRoute", "demo", "cluster.local", enforced=True)


def resolve(reference: BackendObjectReference) -> Backend:
    return RESOLVER.resolve(reference)


def http(rule: dict[str, Any]) -> HTTPRoute:
    return translate_rule(HTTPRouteRule.model_validate({"backendRefs": BACKENDS, **rule}), resolve)


def filtered(kind: str, name: str, fields: dict[str, Any], prefix: str = "/") -> HTTPRoute:
    matches = [{"path": {"value": prefix}}]
    return http({"filters": [{"type": kind, name: fields}], "matches": matches})


@pytest.mark.parametrize(
    ("backends", "found", "status"),
    [
        ([{"name": "a", "port": 80}], [("a", 80, 1)], None),
        ([{"name": "a", "port": 80, "weight": 0}], [], 500),
        ([], [], 500),
        ([{"name": "a", "port": 80, "weight": 0}, {"name": "b", "port": 81, "weight": 7}], [("b", 81, 7)], None),
        ([{"name": "a", "port": 80}, {"name": "b", "port": 81}], [("a", 80, 1), ("b", 81, 1)], None),
    ],
)
def test_weights(backends: list[Any], found: list[Any], status: int | None) -> None:
    route = http({"backendRefs": backends})
    assert [(item.destination.host, item.destination.port.number, item.weight) for item in route.route] == found  # type: ignore[union-attr]
    assert (route.direct_response.status if route.direct_response else None) == status


@pytest.mark.parametrize(
    ("share", "percentage"),
    [
        ({}, None),
        ({"percent": 0}, 0.0),
        ({"percent": 25}, 25.0),
        ({"fraction": {"numerator": 5}}, 5.0),
        ({"fraction": {"numerator": 1, "denominator": 3}}, 100 / 3),
        ({"fraction": {"numerator": 57, "denominator": 10000}}, 100 * 57.0 / 10000),
        ({"fraction": {"numerator": 25, "denominator": 50}}, 50.0),
        ({"fraction": {"numerator": 0, "denominator": 7}}, 0.0),
    ],
)
def test_mirrors(share: dict[str, Any], percentage: float | None) -> None:
    (mirror,) = filtered("RequestMirror", "requestMirror", {"backendRef": {"name": "b", "port": 80}, **share}).mirrors
    assert mirror.destination is not None and mirror.destination.host == "b"
    assert (mirror.percentage.value if mirror.percentage else None) == percentage


def test_several_mirrors_and_one_without_backend() -> None:
    names = [{"backendRef": {"name": name, "port": 80}} for name in "cb"]
    filters = [{"type": "RequestMirror", "requestMirror": mirror} for mirror in (*names, {})]
    route = http({"filters": [*filters, {"type": "RequestMirror"}]})
    assert [mirror.destination.host for mirror in route.mirrors if mirror.destination] == ["c", "b"]


def test_headers() -> None:
    modifier = {"set": [{"name": "A", "value": "1"}, {"name": "a", "value": "2"}], "add": [{"name": "B", "value": "3"}]}
    filters = [
        {"type": "RequestHeaderModifier", "requestHeaderModifier": {**modifier, "remove": ["C"]}},
        {"type": "ResponseHeaderModifier", "responseHeaderModifier": modifier},
    ]
    route = http({"filters": filters, "backendRefs": [{"name": "a", "port": 80, "filters": filters}]})
    for headers in (route.headers, route.route[0].headers):
        assert headers is not None and headers.request is not None and headers.response is not None
        assert (headers.request.set, headers.request.add, headers.request.remove) == ({"a": "1"}, {"b": "3"}, ("C",))
        assert headers.response.set == {"a": "1"}
    assert http({}).headers is None


@pytest.mark.parametrize(
    "rule",
    [
        {"filters": [{"type": "ExtensionRef", "extensionRef": {"group": "a", "kind": "B", "name": "c"}}]},
        {"filters": [{"type": "ExternalAuth"}]},
        {
            "filters": [
                {"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": [{"name": "a", "value": "\n"}]}}
            ]
        },
        {"backendRefs": [{"name": "a.b", "port": 80}]},
        {"backendRefs": [{"name": "a"}]},
        {"backendRefs": [{"name": "a", "port": 80, "filters": [{"type": "URLRewrite"}]}]},
        {"backendRefs": [{"name": "a", "port": 80, "filters": [{"type": "CORS"}]}]},
    ],
)
def test_lost_routes(rule: dict[str, Any]) -> None:
    with pytest.raises(RouteLost):
        http(rule)


def test_a_mirror_never_costs_the_rule() -> None:
    """Neither one that cannot be resolved nor one on a backendRef."""
    mirror = {"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "a.b", "port": 80}}}
    route = http({"filters": [mirror], "backendRefs": [{"name": "a", "port": 80, "filters": [mirror]}]})
    assert len(route.mirrors) == len(route.route) == 1


@pytest.mark.parametrize(
    ("fields", "prefix", "uri", "regex"),
    [
        ({"hostname": "a.b"}, "/x", "", None),
        ({"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/y"}}, "/x", "/y", None),
        ({"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/y/"}}, "/x/", "/y", None),
        ({"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}}, "/x.y", "", (r"^/x\.y(/?)(.*)", r"/\2")),
        ({"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": ""}}, "/x/", "", (r"^/x(/?)(.*)", r"/\2")),
        ({"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/y"}}, "/", "", ("^/", "/y/")),
        ({"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}}, "/", "", ("^(/?)(.*)", r"/\2")),
        ({"path": {"type": "ReplaceFullPath", "replaceFullPath": "/a\\1"}}, "/x", "", ("/.*", "/a\\\\1")),
        ({"path": {"type": "ReplaceFullPath", "replaceFullPath": ""}}, "/x", "", ("/.*", "/")),
    ],
)
def test_rewrites(fields: dict[str, Any], prefix: str, uri: str, regex: tuple[str, str] | None) -> None:
    rewrite = filtered("URLRewrite", "urlRewrite", fields, prefix).rewrite
    assert rewrite is not None
    assert (rewrite.authority, rewrite.uri) == (fields.get("hostname", ""), uri)
    found = rewrite.uri_regex_rewrite
    assert (None if found is None else (found.match, found.rewrite)) == regex


def test_an_empty_rewrite() -> None:
    assert filtered("URLRewrite", "urlRewrite", {}).rewrite is None


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({}, {"redirect_code": 302, "derive_port": "FROM_REQUEST_PORT", "port": None}),
        ({"scheme": "https"}, {"scheme": "https", "derive_port": "FROM_PROTOCOL_DEFAULT"}),
        ({"port": 8443, "scheme": "https"}, {"port": 8443, "derive_port": None}),
        ({"hostname": "a.b", "statusCode": 308}, {"authority": "a.b", "redirect_code": 308}),
        ({"path": {"type": "ReplaceFullPath", "replaceFullPath": "/a"}}, {"uri": "/a", "prefix_rewrite": ""}),
        ({"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/a/"}}, {"uri": "", "prefix_rewrite": "/a"}),
    ],
)
def test_redirects(fields: dict[str, Any], found: dict[str, Any]) -> None:
    redirect = filtered("RequestRedirect", "requestRedirect", fields, "/x").redirect
    assert isinstance(redirect, PathRedirect) and redirect.regex_rewrite is None
    assert {name: getattr(redirect, name) for name in found} == found


def test_a_redirect_that_removes_a_prefix() -> None:
    path = {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}
    redirect = filtered("RequestRedirect", "requestRedirect", {"path": path}, "/x").redirect
    assert isinstance(redirect, PathRedirect) and redirect.regex_rewrite is not None
    assert (redirect.prefix_rewrite, redirect.regex_rewrite.rewrite) == ("", r"/\2")


@pytest.mark.parametrize(
    ("origin", "found"),
    [
        ("https://a.b", {"exact": "https://a.b"}),
        ("http://*", {"prefix": "http://"}),
        ("https://*.a.b", {"regex": r"^https\:\/\/.*\.a\.b$"}),
        ("*", {"regex": r"^[a-zA-Z][a-zA-Z0-9+.-]*://[^/\s?#]+$"}),
    ],
)
def test_origins(origin: str, found: dict[str, str]) -> None:
    assert {name: value.replace(r"\/", "/") for name, value in origin_match(origin) if value is not None} == {
        name: value.replace(r"\/", "/") for name, value in found.items()
    }


def test_cors() -> None:
    cors = filtered("CORS", "cors", {"allowOrigins": ["https://a"], "allowMethods": ["GET"], "allowCredentials": False})
    policy = cors.cors_policy
    assert policy is not None
    assert (policy.allow_methods, policy.max_age, policy.allow_credentials) == (("GET",), 5.0, None)
    assert policy.unmatched_preflights == "IGNORE"


@pytest.mark.parametrize(
    ("rule", "timeout", "per_try"),
    [
        ({}, None, None),
        ({"timeouts": {"request": "10s"}}, 10.0, None),
        ({"timeouts": {"request": "0s"}}, None, None),
        ({"timeouts": {"request": "10s", "backendRequest": "2s"}}, 2.0, None),
        ({"timeouts": {"backendRequest": "2s"}, "retry": {}}, None, 2.0),
        ({"timeouts": {"request": "10s", "backendRequest": "2s"}, "retry": {"attempts": 3}}, 10.0, 2.0),
        ({"timeouts": {"request": "soon"}}, None, None),
    ],
)
def test_timeouts(rule: dict[str, Any], timeout: float | None, per_try: float | None) -> None:
    route = http(rule)
    assert route.timeout == timeout
    assert (route.retries.per_try_timeout if route.retries else None) == per_try


def test_retries() -> None:
    retries = http({"retry": {"codes": [500, 503], "backoff": "100ms"}}).retries
    assert retries is not None
    assert (retries.attempts, retries.backoff) == (2, 0.1)
    assert retries.retry_on == "connect-failure,refused-stream,unavailable,cancelled,500,503"


def test_rules_of_grpc() -> None:
    mirror = {"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "b", "port": 80}}}
    rule = GRPCRouteRule.model_validate({"name": "n", "backendRefs": BACKENDS, "filters": [mirror]})
    route = translate_rule(rule, resolve)
    assert (route.name, len(route.mirrors), route.timeout, route.redirect) == ("n", 1, None, None)
