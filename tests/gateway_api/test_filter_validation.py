"""Filters that an API server or Istio refuses, each with a neighbour that is accepted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Errors = Callable[[str, Any], list[str]]
FILTERS = "spec.rules[0].filters"
MIRROR = "{type: RequestMirror, requestMirror: {backendRef: {name: b, port: 80}}}"
REDIRECT = "{type: RequestRedirect, requestRedirect: {scheme: https}}"
REWRITE = "{type: URLRewrite, urlRewrite: {hostname: a.b}}"


def rule(filters: str, backends: str = "[{name: a, port: 80}]") -> str:
    return f"{{parentRefs: [{{name: g}}], rules: [{{filters: {filters}, backendRefs: {backends}}}]}}"


def of(kind: str, name: str, fields: str) -> str:
    return f"[{{type: {kind}, {name}: {fields}}}]"


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        (f"[{MIRROR}, {MIRROR}, {MIRROR}]", []),
        (f"[{REWRITE}, {REWRITE}]", [": URLRewrite filter cannot be repeated; merge them into one"]),
        ("[{type: CORS, cors: {}}, {type: CORS, cors: {}}]", [": CORS filter cannot be repeated; merge them into one"]),
        (
            "[{type: RequestHeaderModifier, requestHeaderModifier: {}}, "
            "{type: RequestHeaderModifier, requestHeaderModifier: {}}]",
            [": RequestHeaderModifier filter cannot be repeated; merge them into one"],
        ),
        ("[{requestMirror: {backendRef: {name: b, port: 80}}}]", ["[0].type: type is missing; it is required"]),
        (
            "[{type: RequestMirror}]",
            ["[0].requestMirror: requestMirror is missing; a filter of type RequestMirror needs it"],
        ),
        (
            "[{type: URLRewrite, urlRewrite: {hostname: a.b}, cors: {}}]",
            ["[0].cors: a filter of type URLRewrite has no cors; write type: CORS"],
        ),
        (
            of("RequestMirror", "requestMirror", "{}"),
            ["[0].requestMirror.backendRef: backendRef is missing; it is required"],
        ),
        (
            of("RequestMirror", "requestMirror", "{backendRef: {name: b}}"),
            ["[0].requestMirror.backendRef: port is missing; write the port of the Service, as in port: 80"],
        ),
        (of("RequestMirror", "requestMirror", "{backendRef: {name: b, kind: X, group: x.y}}"), []),
        (
            of(
                "RequestMirror",
                "requestMirror",
                "{backendRef: {name: b, port: 80}, percent: 5, fraction: {numerator: 1}}",
            ),
            ["[0].requestMirror: only one of percent and fraction may be given; keep one"],
        ),
        (
            of("RequestMirror", "requestMirror", "{backendRef: {name: b, port: 80}, percent: 101}"),
            ["[0].requestMirror.percent: must be a whole number from 0 to 100; it is 101"],
        ),
        (
            of("RequestMirror", "requestMirror", "{backendRef: {name: b, port: 80}, percent: 12.5}"),
            ["[0].requestMirror.percent: must be a whole number; it is the number 12.5"],
        ),
        (
            of("RequestMirror", "requestMirror", "{backendRef: {name: b, port: 80}, fraction: {numerator: 101}}"),
            [
                "[0].requestMirror.fraction: numerator 101 is more than denominator 100 (100 where it is not given)",
            ],
        ),
        (
            of("RequestMirror", "requestMirror", "{backendRef: {name: b, port: 80}, fraction: {denominator: 10}}"),
            ["[0].requestMirror.fraction.numerator: numerator is missing; it is required"],
        ),
        (of("RequestMirror", "requestMirror", "{backendRef: {name: b, port: 80}, fraction: {numerator: 0}}"), []),
        (
            of("RequestMirror", "requestMirror", "{backendRef: {name: b, port: 80}, percentage: 5}"),
            [
                "[0].requestMirror.percentage: unknown field; write percent (a whole number from 0 to 100) or "
                "fraction: {numerator: ..., denominator: ...}"
            ],
        ),
        (
            of("URLRewrite", "urlRewrite", "{path: {type: ReplaceFullPath}}"),
            ["[0].urlRewrite.path.replaceFullPath: replaceFullPath is missing; type ReplaceFullPath needs it"],
        ),
        (
            of(
                "URLRewrite",
                "urlRewrite",
                "{path: {type: ReplaceFullPath, replaceFullPath: /a, replacePrefixMatch: /}}",
            ),
            [
                "[0].urlRewrite.path.replacePrefixMatch: type ReplaceFullPath has no replacePrefixMatch; "
                "write type: ReplacePrefixMatch",
            ],
        ),
        (
            of("URLRewrite", "urlRewrite", "{path: {replaceFullPath: /a}}"),
            ["[0].urlRewrite.path.type: type is missing; it is required"],
        ),
        (
            of("URLRewrite", "urlRewrite", "{hostname: '*.a.b'}"),
            [
                "[0].urlRewrite.hostname: '*.a.b' is not a host name without wildcard and port "
                "(lower-case letters, digits, '-' and '.')"
            ],
        ),
        (
            of(
                "CORS", "cors", "{allowOrigins: ['*', 'https://a.b'], allowMethods: ['*', GET], allowHeaders: ['*', x]}"
            ),
            [
                f"[0].cors.{name}: '*' includes all others; remove it or them"
                for name in ("allowOrigins", "allowMethods", "allowHeaders")
            ],
        ),
        (
            of("CORS", "cors", "{allowOrigins: ['ftp://a.b']}"),
            [
                "[0].cors.allowOrigins[0]: 'ftp://a.b' is not an origin such as https://shop.example.com, "
                "https://*.example.com"
            ],
        ),
        (of("CORS", "cors", "{allowOrigins: ['https://*.a.b:8443', 'http://*', 'https://a']}"), []),
        (
            of("CORS", "cors", "{maxAge: 0}"),
            [f"[0].cors.maxAge: must be a whole number from 1 to {2**31 - 1}; it is 0"],
        ),
        (
            of(
                "RequestHeaderModifier",
                "requestHeaderModifier",
                "{set: [{name: A, value: '1'}, {name: a, value: '2'}]}",
            ),
            ["[0].requestHeaderModifier.set[1].name: 'a' is the header 'A' of an entry above; only the first is used"],
        ),
        (
            of("ResponseHeaderModifier", "responseHeaderModifier", '{add: [{name: A, value: "x\\ny"}]}'),
            [
                "[0].responseHeaderModifier.add[0].value: has a control character: Istio drops the whole route; "
                "remove the character"
            ],
        ),
        (
            of("RequestHeaderModifier", "requestHeaderModifier", "{remove: [a, a]}"),
            ["[0].requestHeaderModifier.remove[1]: the 'a' is repeated; an API server refuses that, remove one"],
        ),
        (
            of("ExtensionRef", "extensionRef", "{group: a.b, kind: X, name: x}"),
            [
                "[0].type: ExtensionRef is not supported: Istio drops the whole route, and requests get 404; "
                "remove the filter from a copy of the route for this machine"
            ],
        ),
    ],
)
def test_filters(filters: str, found: list[str], errors: Errors) -> None:
    assert errors("HTTPRoute", rule(filters)) == [f"{FILTERS}{item}" for item in found]


@pytest.mark.parametrize(
    ("filters", "backends", "found"),
    [
        (
            f"[{REDIRECT}, {REWRITE}]",
            "[]",
            [f"{FILTERS}: RequestRedirect and URLRewrite exclude each other; remove one"],
        ),
        (f"[{REDIRECT}]", "[]", []),
        (
            "[{type: RequestRedirect, requestRedirect: {statusCode: 304}}]",
            "[]",
            [f"{FILTERS}[0].requestRedirect.statusCode: must be one of 301, 302, 303, 307, 308; it is 304"],
        ),
        (
            f"[{REDIRECT}]",
            "[{name: a, port: 80}]",
            [f"{FILTERS}[0].requestRedirect: a rule with RequestRedirect cannot have backendRefs; remove one of both"],
        ),
    ],
)
def test_redirects(filters: str, backends: str, found: list[str], errors: Errors) -> None:
    assert errors("HTTPRoute", rule(filters, backends)) == found


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ("{protocol: HTTP, backendRef: {name: a, port: 80}}", ["http: http is missing; protocol HTTP needs it"]),
        ("{protocol: GRPC, grpc: {}, http: {}, backendRef: {name: a, port: 80}}", ["http: protocol GRPC has no http"]),
        (
            "{protocol: HTTP, http: {path: '/a b'}, backendRef: {name: a, port: 80}}",
            ["http.path: '/a b' is not a path"],
        ),
        (
            "{http: {}}",
            ["protocol: protocol is missing; it is required", "backendRef: backendRef is missing; it is required"],
        ),
    ],
)
def test_external_auth(fields: str, found: list[str], errors: Errors) -> None:
    text = rule(of("ExternalAuth", "externalAuth", fields))
    known = errors("HTTPRoute", text)
    assert [item for item in known if "[0].type" not in item] == [f"{FILTERS}[0].externalAuth.{item}" for item in found]
    assert any("ExternalAuth is not supported" in item for item in known)


@pytest.mark.parametrize(
    ("filters", "said"),
    [
        (
            f"[{MIRROR}]",
            "a mirror on a backendRef is refused by Istio and Envoy Gateway; the rule is served here without it",
        ),
        (
            f"[{REWRITE}]",
            "URLRewrite on a backendRef is not supported: Istio drops the whole route, and requests get 404",
        ),
    ],
)
def test_filters_of_backends(filters: str, said: str, errors: Errors) -> None:
    (found,) = errors("HTTPRoute", rule("[]", f"[{{name: a, port: 80, filters: {filters}}}]"))
    assert found.startswith(f"spec.rules[0].backendRefs[0].filters[0].type: {said}")


def test_header_modifiers_of_backends_are_supported(errors: Errors) -> None:
    modifiers = "[{type: RequestHeaderModifier, requestHeaderModifier: {remove: [a]}}]"
    assert errors("HTTPRoute", rule("[]", f"[{{name: a, port: 80, filters: {modifiers}}}]")) == []


def test_a_filter_of_a_backend_without_type(errors: Errors) -> None:
    (found,) = errors("HTTPRoute", rule("[]", "[{name: a, port: 80, filters: [{cors: {}}]}]"))
    assert "type is missing" in found


def test_filters_of_grpc(errors: Errors) -> None:
    (found,) = errors("GRPCRoute", rule("[{type: URLRewrite}]"))
    assert found.startswith(f"{FILTERS}[0].type: must be one of")
    assert errors("GRPCRoute", rule(f"[{MIRROR}]")) == []
