"""Routes that an API server refuses, or that do something else than meant."""

# ruff: noqa: E501 - a row of a table is a line
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Errors = Callable[[str, Any], list[str]]
BACKENDS = "backendRefs: [{name: a, port: 80}]"
MIRROR = "{type: RequestMirror, requestMirror: {backendRef: {name: b, port: 80}}}"


def spec(rules: str, parents: str = "[{name: g}]") -> str:
    return f"{{parentRefs: {parents}, rules: {rules}}}"


def replacing(filter_type: str, prefix: str, matches: str = "[{path: {value: /a}}]") -> str:
    name = filter_type[0].lower() + filter_type[1:] if filter_type != "URLRewrite" else "urlRewrite"
    path = f"{{type: ReplacePrefixMatch, replacePrefixMatch: {prefix}}}"
    backends = f", {BACKENDS}" if filter_type == "URLRewrite" else ""
    return spec(f"[{{matches: {matches}, filters: [{{type: {filter_type}, {name}: {{path: {path}}}}}]{backends}}}]")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (spec(f"[{{{BACKENDS}}}]"), []),
        (
            spec(f"[{{{BACKENDS}}}]", "[]"),
            ["spec: has no parentRefs, so it applies nowhere; name a Gateway, or a Service of the mesh"],
        ),
        (
            spec(f"[{{{BACKENDS}}}]", "[{name: g}, {name: g}]"),
            ["spec.parentRefs[1]: Gateway g is repeated; remove one"],
        ),
        (
            spec(f"[{{{BACKENDS}}}]", "[{name: g}, {name: g, sectionName: a}]"),
            ["spec.parentRefs[1]: Gateway g is a parent more than once: give each a sectionName of its own"],
        ),
        (spec(f"[{{{BACKENDS}}}]", "[{name: g, sectionName: a}, {name: g, sectionName: b}]"), []),
        (spec(f"[{{{BACKENDS}}}]", "[{name: g, port: 80}, {name: g, port: 81}]"), []),
        (
            spec(f"[{{{BACKENDS}}}]", "[{name: g}, {name: g, namespace: other}, {kind: Service, group: '', name: g}]"),
            [],
        ),
        (
            spec(f"[{{{BACKENDS}}}]", "[{namespace: A, name: g}]"),
            ["spec.parentRefs[0].namespace: 'A' is not a namespace (lower-case letters, digits and '-')"],
        ),
        (spec("[]"), ["spec.rules: has at least 1 items; it has 0"]),
        (spec("[" + ",".join([f"{{{BACKENDS}}}"] * 17) + "]"), ["spec.rules: has at most 16 items; it has 17"]),
        (
            spec(
                "["
                + ",".join([f"{{matches: [{','.join(['{method: GET}'] * 64)}], {BACKENDS}}}"] * 2)
                + f", {{{BACKENDS}}}]"
            ),
            ["spec.rules: all rules together have at most 128 matches; they have 129"],
        ),
        (
            spec(f"[{{name: a, {BACKENDS}}}, {{name: a, {BACKENDS}}}]"),
            ["spec.rules[1].name: rules[0] has the name 'a' too; give each its own"],
        ),
        (
            spec("[{backendRefs: [{name: a}]}]"),
            ["spec.rules[0].backendRefs[0]: port is missing; write the port of the Service, as in port: 80"],
        ),
        (
            spec("[{backendRefs: [{name: a, port: 80, weight: '1'}]}]"),
            ["spec.rules[0].backendRefs[0].weight: must be a whole number; it is the text '1': remove the quotes"],
        ),
        (
            spec("[{backendRefs: [{name: a, port: 80, subset: v1}]}]"),
            [
                "spec.rules[0].backendRefs[0].subset: unknown field; there are no subsets: name the Service of that version, as in name: reviews-v2"
            ],
        ),
        (
            spec(f"[{{{BACKENDS}, timeouts: {{request: 1s, backendRequest: 2s}}}}]"),
            ["spec.rules[0].timeouts.backendRequest: cannot be longer than timeouts.request, unless that is 0s"],
        ),
        (spec(f"[{{{BACKENDS}, timeouts: {{request: 0s, backendRequest: 2s}}}}]"), []),
        (
            spec(f"[{{{BACKENDS}, timeouts: {{request: 1.5s}}}}]"),
            ["spec.rules[0].timeouts.request: '1.5s' is not a duration such as 30s, 1m30s or 500ms"],
        ),
        (
            spec(f"[{{{BACKENDS}, timeouts: {{request: soon}}}}]"),
            ["spec.rules[0].timeouts.request: 'soon' is not a duration such as 30s, 1m30s or 500ms"],
        ),
        (spec(f"[{{{BACKENDS}, timeouts: {{backendRequest: 1m30s}}}}]"), []),
        (replacing("URLRewrite", "/b"), []),
        (replacing("RequestRedirect", "/b"), []),
        (
            replacing("URLRewrite", "/b", "[{path: {type: Exact, value: /a}}]"),
            [
                "spec.rules[0].filters[0].urlRewrite.path.replacePrefixMatch: needs a rule with exactly one match, of type PathPrefix; split the rule"
            ],
        ),
        (
            replacing("RequestRedirect", "/b", "[{path: {value: /a}}, {path: {value: /b}}]"),
            [
                "spec.rules[0].filters[0].requestRedirect.path.replacePrefixMatch: needs a rule with exactly one match, of type PathPrefix; split the rule"
            ],
        ),
        (
            replacing("URLRewrite", "/b", "[{path: {value: /}}]"),
            [
                "spec.rules[0].filters[0].urlRewrite.path.replacePrefixMatch: the path /a becomes /b/a here, as the API says, but /ba in Istio; match another prefix than '/'"
            ],
        ),
        (replacing("URLRewrite", "/", "[{path: {value: /}}]"), []),
        (spec("[{}]"), ["spec.rules[0]: has no backendRefs and no redirect: requests get 500"]),
        (
            spec("[{backendRefs: [{name: a, port: 80, weight: 0}]}]"),
            ["spec.rules[0].backendRefs: all weights are 0: requests get 500; give one a weight"],
        ),
        (
            spec(f"[{{filters: [{MIRROR}, {{type: RequestRedirect, requestRedirect: {{scheme: https}}}}]}}]"),
            [
                "spec.rules[0].filters[0]: mirrors nothing, because the rule redirects its requests; move the mirror to a rule with backendRefs"
            ],
        ),
        (
            spec(f"[{{filters: [{MIRROR}], backendRefs: [{{name: a, port: 80, weight: 0}}]}}]"),
            [
                "spec.rules[0].filters[0]: mirrors nothing, because the rule has no backend with a weight; move the mirror to a rule with backendRefs",
                "spec.rules[0].backendRefs: all weights are 0: requests get 500; give one a weight",
            ],
        ),
        (
            spec(f"[{{mirror: {{}}, {BACKENDS}}}]"),
            [
                "spec.rules[0].mirror: unknown field; a mirror is a filter: write filters: [{type: RequestMirror, requestMirror: {backendRef: ...}}]"
            ],
        ),
        (
            spec(f"[{{matches: [{{uri: {{}}}}], {BACKENDS}}}]"),
            ["spec.rules[0].matches[0].uri: unknown field; write path: {type: PathPrefix, value: ...}"],
        ),
        (
            f"{{hosts: [a], parentRefs: [{{name: g}}], rules: [{{{BACKENDS}}}]}}",
            ["spec.hosts: unknown field; did you mean 'hostnames'?"],
        ),
        (
            f"{{hostnames: ['a.b:80'], parentRefs: [{{name: g}}], rules: [{{{BACKENDS}}}]}}",
            [
                "spec.hostnames[0]: 'a.b:80' is not a host name without port (lower-case letters, digits, '-' and '.'; '*.' may stand before it)"
            ],
        ),
        (f"{{hostnames: ['*.a.b', c], parentRefs: [{{name: g}}], rules: [{{{BACKENDS}}}]}}", []),
        (
            f"{{parent_refs: [], parentRefs: [{{name: g}}], rules: [{{{BACKENDS}}}]}}",
            ["spec.parent_refs: unknown field; did you mean 'parentRefs'?"],
        ),
    ],
)
def test_http_routes(text: str, found: list[str], errors: Errors) -> None:
    assert errors("HTTPRoute", text) == found


def test_grpc_routes(errors: Errors) -> None:
    assert errors("GRPCRoute", spec(f"[{{{BACKENDS}, timeouts: {{}}}}]")) == [
        "spec.rules[0].timeouts: unknown field; known are: backendRefs, filters, matches, name, sessionPersistence"
    ]
    assert errors("GRPCRoute", spec(f"[{{matches: [{{method: {{service: a}}}}], {BACKENDS}}}]")) == []
