from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Routes = Callable[..., list[dict[str, Any]]]
V1 = "outbound|0||v1.default.svc.cluster.local"
V2 = "outbound|0||v2.default.svc.cluster.local"
M1 = "outbound|0||m1.default.svc.cluster.local"
TO_V1 = "route: [{destination: {host: v1}}]"


@pytest.mark.parametrize(
    ("percentage", "fraction"),
    [
        ("", {"numerator": 100, "denominator": "HUNDRED"}),
        ("mirrorPercent: 5", {"numerator": 5, "denominator": "HUNDRED"}),
        ("mirrorPercentage: {value: 0.57}", {"numerator": 5699, "denominator": "MILLION"}),
        ("mirrorPercentage: {}", None),
        ("mirrorPercentage: {value: 0.00001}", None),
    ],
)
@pytest.mark.parametrize("suffix", ["-shadow", ""])
def test_mirrors(percentage: str, fraction: dict[str, Any] | None, suffix: str, routes: Routes) -> None:
    more = f", {percentage}" if percentage else ""
    (route,) = routes(f"[{{{TO_V1}, mirror: {{host: m1}}{more}}}]", host_suffix=suffix)
    if fraction is None:
        assert "request_mirror_policies" not in route["route"]
        return
    (policy,) = route["route"]["request_mirror_policies"]
    assert policy.get("disable_shadow_host_suffix_append", False) is (suffix == "")
    assert policy["runtime_fraction"]["default_value"] == fraction
    assert (policy["cluster"], policy["trace_sampled"]) == (M1, False)


def test_a_mirror_without_endpoints_is_left_out_and_named(export: Callable[..., Any]) -> None:
    made = export(f"[{{{TO_V1}, mirror: {{host: nowhere}}}}]")
    assert "request_mirror_policies" not in made.routes["virtual_hosts"][0]["routes"][0]["route"]
    assert any("nowhere" in note and "mirror is left out" in note for note in made.notes)


def test_a_destination_without_endpoints_has_an_empty_cluster(export: Callable[..., Any]) -> None:
    made = export("[{route: [{destination: {host: nowhere}}]}]")
    name = made.routes["virtual_hosts"][0]["routes"][0]["route"]["cluster"]
    (cluster,) = [cluster for cluster in made.clusters if cluster["name"] == name]
    assert cluster["load_assignment"]["endpoints"] == [{"lb_endpoints": []}]
    assert any("nowhere" in note and "503" in note for note in made.notes)


def test_weights(routes: Routes) -> None:
    destinations = "{destination: {host: v1}, weight: 1, headers: {request: {set: {host: d.test}}}}"
    (route,) = routes(
        f"[{{route: [{destinations}, {{destination: {{host: m1}}}}, {{destination: {{host: v2}}, weight: 2}}]}}]"
    )
    assert route["route"]["weighted_clusters"]["clusters"] == [
        {"name": V1, "weight": 1, "host_rewrite_literal": "d.test"},
        {"name": V2, "weight": 2},
    ]


@pytest.mark.parametrize(
    ("rewrite", "expected"),
    [
        ("{uri: /x}", {"prefix_rewrite": "/x"}),
        ("{authority: r.test}", {"host_rewrite_literal": "r.test"}),
        (
            "{uriRegexRewrite: {match: a, rewrite: b}}",
            {"regex_rewrite": {"pattern": {"regex": "a"}, "substitution": "b"}},
        ),
        ("{uriRegexRewrite: {match: '(', rewrite: b}}", {}),
    ],
)
def test_rewrites(rewrite: str, expected: dict[str, Any], routes: Routes) -> None:
    (route,) = routes(f"[{{{TO_V1}, rewrite: {rewrite}, timeout: 250ms}}]")
    assert route["route"] == {
        "timeout": "0.25s",
        "cluster": V1,
        "retry_policy": route["route"]["retry_policy"],
        **expected,
    }


@pytest.mark.parametrize(
    ("redirect", "expected"),
    [
        ("{uri: /x}", {"path_redirect": "/x"}),
        ("{prefixRewrite: /x, redirectCode: 307}", {"prefix_rewrite": "/x", "response_code": "TEMPORARY_REDIRECT"}),
        ("{scheme: https, port: 443, authority: b}", {"scheme_redirect": "https", "host_redirect": "b"}),
        ("{scheme: https, port: 80}", {"scheme_redirect": "https", "port_redirect": 80}),
        ("{port: 80, uri: /x}", {"path_redirect": "/x"}),
        ("{derivePort: FROM_REQUEST_PORT, authority: b}", {"host_redirect": "b"}),
    ],
)
def test_redirects(redirect: str, expected: dict[str, Any], routes: Routes) -> None:
    (route,) = routes(f"[{{redirect: {redirect}}}]")
    assert route["redirect"] == {"response_code": "MOVED_PERMANENTLY", **expected}


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        ("{status: 204}", {"status": 204}),
        ("{status: 200, body: {string: é}}", {"status": 200, "body": {"inline_string": "é"}}),
        ("{status: 200, body: {bytes: /wA=}}", {"status": 200, "body": {"inline_bytes": "/wA="}}),
        ("{status: 700}", {"status": 404}),
    ],
)
def test_direct_responses(response: str, expected: dict[str, Any], routes: Routes) -> None:
    (route,) = routes(f"[{{directResponse: {response}}}]")
    assert route["direct_response"] == expected


@pytest.mark.parametrize(
    ("consistent_hash", "expected"),
    [
        ("{httpHeaderName: x-user}", {"header": {"header_name": "x-user"}}),
        ("{httpQueryParameterName: user}", {"query_parameter": {"name": "user"}}),
        ("{useSourceIp: true}", {"connection_properties": {"source_ip": True}}),
        ("{httpCookie: {name: user}}", {"cookie": {"name": "user"}}),
        (
            "{httpCookie: {name: user, ttl: 60s, path: /p, attributes: [{name: SameSite, value: Lax}]}}",
            {
                "cookie": {
                    "name": "user",
                    "ttl": "60s",
                    "path": "/p",
                    "attributes": [{"name": "SameSite", "value": "Lax"}],
                }
            },
        ),
    ],
)
def test_a_consistent_hash_of_the_destinations_is_the_routes(
    consistent_hash: str, expected: dict[str, Any], routes: Routes
) -> None:
    rule = f"""
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: x}}
spec: {{host: v1, trafficPolicy: {{loadBalancer: {{consistentHash: {consistent_hash}}}}}}}
"""
    twice = (
        "[{route: [{destination: {host: v1}, weight: 1}, {destination: {host: v1, port: {number: 80}}, weight: 1}]}]"
    )
    (route,) = routes(twice, more=rule)
    assert route["route"]["hash_policy"] == [expected]
    assert "retry_host_predicate" in route["route"]["retry_policy"]
    (route,) = routes(f"[{{{TO_V1}}}]", more=rule)
    assert route["route"]["hash_policy"] == [expected]
    assert "retry_host_predicate" not in route["route"]["retry_policy"]


@pytest.mark.parametrize(
    ("suffix", "mirroring", "noted"), [("-x", True, True), ("-x", False, False), ("", True, False)]
)
def test_a_suffix_that_envoy_does_not_support_is_noted(
    suffix: str, mirroring: bool, noted: bool, export: Callable[..., Any]
) -> None:
    notes = export(f"[{{{TO_V1}}}]", host_suffix=suffix, mirroring=mirroring).notes
    assert any(note.startswith(f"mirror_host_suffix={suffix}:") for note in notes) is noted


def test_routes_of_the_gateway_api(gateway_routes: Routes) -> None:
    mirror = "{type: RequestMirror, requestMirror: {backendRef: {name: m1, port: 80}, percent: 7}}"
    rewrite = "{type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /}}}"
    matches, backends = "matches: [{path: {value: /a}}]", "backendRefs: [{name: v1, port: 80}]"
    (route,) = gateway_routes(f"[{{{matches}, filters: [{mirror}, {rewrite}], {backends}}}]")
    assert route["name"] == "default/r rules[0] match[0]"
    assert route["match"] == {"path_separated_prefix": "/a"}
    action = route["route"]
    assert action["cluster"] == "outbound|80||v1.default.svc.cluster.local"
    assert action["cluster_not_found_response_code"] == "INTERNAL_SERVER_ERROR"
    assert action["regex_rewrite"] == {"pattern": {"regex": "^/a(/?)(.*)"}, "substitution": "/\\2"}
    (policy,) = action["request_mirror_policies"]
    assert policy["runtime_fraction"] == {"default_value": {"numerator": 70000, "denominator": "MILLION"}}


@pytest.mark.parametrize(
    ("new", "found"),
    [
        ("/b", {"prefix_rewrite": "/b"}),
        ("/", {"regex_rewrite": {"pattern": {"regex": "^/a(/?)(.*)"}, "substitution": "/\\2"}}),
    ],
)
def test_redirects_that_replace_a_prefix(new: str, found: dict[str, Any], gateway_routes: Routes) -> None:
    path = f"{{type: ReplacePrefixMatch, replacePrefixMatch: {new}}}"
    filters = f"[{{type: RequestRedirect, requestRedirect: {{scheme: https, path: {path}}}}}]"
    (route,) = gateway_routes(f"[{{matches: [{{path: {{value: /a}}}}], filters: {filters}}}]")
    assert route["redirect"] == {"response_code": "FOUND", "scheme_redirect": "https", **found}
