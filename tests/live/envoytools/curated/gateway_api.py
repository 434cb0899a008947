"""HTTPRoutes and GRPCRoutes, with the routes of Envoy that a person made of them, without `export envoy`.

What each case means is in kubernetes-sigs/gateway-api `apis/v1/httproute_types.go`, and how Istio translates it in
istio `pilot/pkg/config/kube/gateway/conversion.go`.
"""

# ruff: noqa: E501 - a case is a few long lines
from __future__ import annotations

from dataclasses import dataclass
from textwrap import indent

from envoytools.curated.cases import get
from envoytools.outcome import Sent

TO_V1 = "{route: {cluster: v1, cluster_not_found_response_code: INTERNAL_SERVER_ERROR}}"
MIRROR = "{type: RequestMirror, requestMirror: {backendRef: {name: m1, port: 80}}}"
GONE = 'cluster: "gone", cluster_not_found_response_code: INTERNAL_SERVER_ERROR'


@dataclass(frozen=True)
class HandCase:
    """Routes, the virtual hosts of Envoy that do the same, and requests."""

    name: str
    rules: str
    envoy: str
    requests: tuple[Sent, ...]
    draws: tuple[int, ...] = (0,)


def route(rules: str, name: str = "x", kind: str = "HTTPRoute", hostnames: str = "[a.test]") -> str:
    body = indent(f"{rules.strip()}\n", "  ")
    return (
        f"apiVersion: gateway.networking.k8s.io/v1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec:\n"
        f"  parentRefs: [{{name: gate}}]\n  hostnames: {hostnames}\n  rules:\n{body}---\n"
    )


def host(routes: str, domains: str = "[a.test]") -> str:
    return (
        f"- name: {domains.strip('[]').split(',')[0].replace('*', 'any')}\n  domains: {domains}\n  routes:\n"
        + indent(f"{routes.strip()}\n", "  ")
    )


def ruled(fields: str, match: str = "{path: {value: /}}", backends: str = "[{name: v1, port: 80}]") -> str:
    return route(f"- {{matches: [{match}], backendRefs: {backends}, {fields}}}")


def acted(action: str, match: str = "{prefix: /}", more: str = "") -> str:
    return host(f"- {{match: {match}, {action}{', ' if more else ''}{more}}}")


def to(cluster: str, more: str = "", match: str = "{prefix: /}") -> str:
    return acted(f"route: {{cluster: {cluster}{', ' if more else ''}{more}}}", match)


def filtered(kind: str, name: str, fields: str) -> str:
    return f"filters: [{{type: {kind}, {name}: {fields}}}, {MIRROR}]"


def mirrored(share: str = "") -> str:
    fraction = f", runtime_fraction: {{default_value: {share}}}" if share else ""
    return f"request_mirror_policies: [{{cluster: m1, trace_sampled: false{fraction}}}]"


CONDITIONS = "- {matches: [%s], backendRefs: [{name: v1, port: 80}]}"
PATHS = get("/", "/a", "/a/", "/a/b", "/a?b", "/ab", "/A", "/a%2Fb", "/a//b", "/b")
MATCHING = [
    HandCase(
        f"match {match}", route(CONDITIONS % match), host(f"- {{match: {envoy}, route: {{cluster: v1}}}}"), requests
    )
    for match, envoy, requests in (
        ("{path: {value: /a}}", "{path_separated_prefix: /a}", PATHS),
        ("{path: {value: /a/}}", "{path_separated_prefix: /a}", PATHS),
        ("{path: {value: /}}", "{prefix: /}", PATHS),
        ("{path: {type: Exact, value: /a}}", "{path: /a}", PATHS),
        ("{path: {type: Exact, value: /a/}}", "{path: /a/}", PATHS),
        ("{path: {type: RegularExpression, value: '/a.*'}}", "{safe_regex: {regex: '/a.*'}}", PATHS),
        ("{path: {type: RegularExpression, value: a}}", "{safe_regex: {regex: a}}", PATHS),
        (
            "{method: POST}",
            "{prefix: /, headers: [{name: ':method', string_match: {exact: POST}}]}",
            (Sent(), Sent("POST", body=b"x")),
        ),
        (
            "{headers: [{name: X-A, value: '1'}]}",
            "{prefix: /, headers: [{name: x-a, string_match: {exact: '1'}}]}",
            (*get("/", x_a="1"), *get("/", x_a="2"), Sent(headers=(("X-a", "2"), ("x-A", "1")))),
        ),
        (
            "{headers: [{name: x, type: RegularExpression, value: 'a.*'}]}",
            "{prefix: /, headers: [{name: x, string_match: {safe_regex: {regex: 'a.*'}}}]}",
            (*get("/", x="abc"), *get("/", x="bac"), *get("/")),
        ),
        (
            "{queryParams: [{name: q, value: '1'}]}",
            "{prefix: /, query_parameters: [{name: q, string_match: {exact: '1'}}]}",
            get("/?q=1", "/?q=2", "/?q=1&q=2", "/?Q=1", "/?q=%31"),
        ),
        (
            "{queryParams: [{name: q, type: RegularExpression, value: '1.'}]}",
            "{prefix: /, query_parameters: [{name: q, string_match: {safe_regex: {regex: '1.'}}}]}",
            get("/?q=12", "/?q=1", "/?q=123"),
        ),
    )
]

ORDER = [
    HandCase(
        "the most specific of two routes",
        route(
            "- {backendRefs: [{name: v1, port: 80}]}\n"
            "- {matches: [{path: {value: /a}}], backendRefs: [{name: v2, port: 80}]}",
            "one",
        )
        + route(
            "- {matches: [{path: {type: Exact, value: /a/b}}, {path: {value: /a}, method: POST}], "
            "backendRefs: [{name: v3, port: 80}]}",
            "two",
        ),
        host(
            "- {match: {path: /a/b}, route: {cluster: v3}}\n"
            "- {match: {path_separated_prefix: /a, headers: [{name: ':method', string_match: {exact: POST}}]}, "
            "route: {cluster: v3}}\n"
            "- {match: {path_separated_prefix: /a}, route: {cluster: v2}}\n"
            "- {match: {prefix: /}, route: {cluster: v1}}"
        ),
        (*get("/", "/a", "/a/b", "/a/b/c", "/ab"), Sent("POST", "/a/c", body=b"x"), Sent("POST", "/a/b", body=b"x")),
    ),
    HandCase(
        "a regex behind a catch-all",
        route(
            "- {matches: [{path: {type: RegularExpression, value: '/a.*'}}], backendRefs: [{name: v2, port: 80}]}\n"
            "- {backendRefs: [{name: v1, port: 80}]}"
        ),
        to("v1"),
        get("/", "/ab"),
    ),
    HandCase(
        "a regex behind a prefix",
        route(
            "- {matches: [{path: {type: RegularExpression, value: '/a.*'}}], backendRefs: [{name: v2, port: 80}]}\n"
            "- {matches: [{path: {value: /a}}], backendRefs: [{name: v1, port: 80}]}"
        ),
        host(
            "- {match: {path_separated_prefix: /a}, route: {cluster: v1}}\n"
            "- {match: {safe_regex: {regex: '/a.*'}}, route: {cluster: v2}}"
        ),
        get("/", "/a", "/a/b", "/ab"),
    ),
    HandCase(
        "hosts do not fall through",
        route("- {matches: [{path: {value: /x}}], backendRefs: [{name: v1, port: 80}]}", "exact")
        + route("- {backendRefs: [{name: v2, port: 80}]}", "wild", hostnames="['*.test']"),
        host("- {match: {path_separated_prefix: /x}, route: {cluster: v1}}")
        + host("- {match: {prefix: /}, route: {cluster: v2}}", "['*.test']"),
        (*get("/x", "/y"), Sent(host="b.test"), Sent(host="c.b.test:8080"), Sent(host="A.TEST", path="/x")),
    ),
    HandCase(
        "gRPC",
        route(
            "- {matches: [{method: {service: s.S, method: M}}], backendRefs: [{name: v1, port: 80}]}\n"
            "- {matches: [{method: {service: s.S}}], backendRefs: [{name: v2, port: 80}]}\n"
            "- {matches: [{method: {method: Get}}], backendRefs: [{name: v3, port: 80}]}",
            kind="GRPCRoute",
        ),
        host(
            "- {match: {path: /s.S/M}, route: {cluster: v1}}\n"
            "- {match: {path_separated_prefix: /s.S}, route: {cluster: v2}}\n"
            "- {match: {safe_regex: {regex: '/[^/]+/Get'}}, route: {cluster: v3}}"
        ),
        (*(Sent("POST", path, body=b"x") for path in ("/s.S/M", "/s.S/Get", "/t.T/Get", "/s.SX/M", "/t.T/Get/x")),),
    ),
]

ASKED = get("/foo/bar", "/foo", "/foo/", "/foo?q=/foo", "/foo//bar", "/foobar", "/", "/foo/foo")
SEPARATED = "{path_separated_prefix: /foo}"
PREFIX = "{path: {type: ReplacePrefixMatch, replacePrefixMatch: %s}}"
FULL = "{path: {type: ReplaceFullPath, replaceFullPath: %s}}"
STRIP = r"regex_rewrite: {pattern: {regex: '^/foo(/?)(.*)'}, substitution: '/\2'}"
REWRITES = [
    HandCase(
        f"rewrite {fields}",
        ruled(filtered("URLRewrite", "urlRewrite", fields), match),
        to("v1", f"{rewrite}, {mirrored()}", envoy),
        ASKED,
    )
    for match, fields, envoy, rewrite in (
        ("{path: {value: /foo}}", PREFIX % "/xyz", SEPARATED, "prefix_rewrite: /xyz"),
        ("{path: {value: /foo/}}", PREFIX % "/xyz/", SEPARATED, "prefix_rewrite: /xyz"),
        ("{path: {value: /foo}}", PREFIX % "/", SEPARATED, STRIP),
        ("{path: {value: /foo}}", PREFIX % "''", SEPARATED, STRIP),
        (
            "{path: {value: /}}",
            PREFIX % "/public",
            "{prefix: /}",
            "regex_rewrite: {pattern: {regex: '^/'}, substitution: /public/}",
        ),
        (
            "{path: {value: /foo}}",
            FULL % "/new",
            SEPARATED,
            "regex_rewrite: {pattern: {regex: '/.*'}, substitution: /new}",
        ),
        (
            "{path: {value: /foo}}",
            FULL % r"/a\1",
            SEPARATED,
            r"regex_rewrite: {pattern: {regex: '/.*'}, substitution: '/a\\1'}",
        ),
        ("{path: {value: /foo}}", "{hostname: new.test}", SEPARATED, "host_rewrite_literal: new.test"),
        (
            "{path: {value: /foo}}",
            "{hostname: new.test, path: {type: ReplacePrefixMatch, replacePrefixMatch: /xyz}}",
            SEPARATED,
            "host_rewrite_literal: new.test, prefix_rewrite: /xyz",
        ),
    )
]

HOSTS = (*ASKED[:4], Sent(path="/foo/x", host="a.test:8080"), Sent(path="/foo/x", host="a.test:80"))
REDIRECTS = [
    HandCase(
        f"redirect {fields}",
        ruled(filtered("RequestRedirect", "requestRedirect", fields), "{path: {value: /foo}}", "[]"),
        acted(f"redirect: {{response_code: {code}{redirect}}}", SEPARATED),
        requests,
    )
    for fields, code, redirect, requests in (
        ("{}", "FOUND", "", HOSTS[:4]),
        ("{scheme: https}", "FOUND", ", scheme_redirect: https", HOSTS),
        ("{scheme: https, port: 8443}", "FOUND", ", scheme_redirect: https, port_redirect: 8443", HOSTS),
        ("{scheme: https, port: 443}", "FOUND", ", scheme_redirect: https", HOSTS),
        ("{hostname: b.test, statusCode: 301}", "MOVED_PERMANENTLY", ", host_redirect: b.test", HOSTS[:4]),
        ("{port: 81, statusCode: 307}", "TEMPORARY_REDIRECT", ", port_redirect: 81", HOSTS),
        (FULL % "/new", "FOUND", ", path_redirect: /new", HOSTS[:4]),
        (PREFIX % "/xyz", "FOUND", ", prefix_rewrite: /xyz", HOSTS[:4]),
        (PREFIX % "/", "FOUND", f", {STRIP}", HOSTS[:4]),
    )
]

MODIFIER = (
    "{set: [{name: X-Set, value: '1'}], add: [{name: X-Add, value: '2'}, {name: x-add, value: '3'}], remove: [X-Gone]}"
)
SETS = "{header: {key: x-set, value: '1'}, append_action: OVERWRITE_IF_EXISTS_OR_ADD}"
ADDS = "{header: {key: x-add, value: '2'}, append_action: APPEND_IF_EXISTS_OR_ADD}"
REQUEST = f"request_headers_to_add: [{SETS}, {ADDS}], request_headers_to_remove: [X-Gone]"
RESPONSE = f"response_headers_to_add: [{SETS}, {ADDS}], response_headers_to_remove: [X-Gone]"
OWN = f"filters: [{{type: RequestHeaderModifier, requestHeaderModifier: {MODIFIER}}}]"
HEADED = (*get("/", x_set="0", x_add="1", x_gone="x"), *get("/"))
SHARES = "weighted_clusters: {clusters: [{name: v1, weight: 1, %s}, {name: v2, weight: 1}]}"
ORIGIN = "{safe_regex: {regex: '^https://.*\\\\.a\\\\.test$'}}"
OTHERS = [
    HandCase("request headers", ruled(filtered("RequestHeaderModifier", "requestHeaderModifier", MODIFIER)),
             acted(f"route: {{cluster: v1, {mirrored()}}}", more=REQUEST), HEADED),
    HandCase("response headers", ruled(filtered("ResponseHeaderModifier", "responseHeaderModifier", MODIFIER)),
             acted(f"route: {{cluster: v1, {mirrored()}}}", more=RESPONSE), HEADED),
    HandCase("headers of the only backend", ruled(f"filters: [{MIRROR}]", backends=f"[{{name: v1, port: 80, {OWN}}}]"),
             acted(f"route: {{cluster: v1, {mirrored()}}}", more=REQUEST), HEADED),
    HandCase("headers of one of two backends",
             ruled(f"filters: [{MIRROR}]", backends=f"[{{name: v1, port: 80, {OWN}}}, {{name: v2, port: 80}}]"),
             acted(f"route: {{{SHARES % REQUEST}, {mirrored()}}}"), HEADED * 4, (0, 1)),
    HandCase("no backend", ruled(f"filters: [{MIRROR}]", backends="[]"), acted("direct_response: {status: 500}"),
             (*get("/"), *get("/", content_type="application/grpc"))),
    HandCase("all weights zero", ruled("filters: []", backends="[{name: v1, port: 80, weight: 0}]"),
             acted("direct_response: {status: 500}"), get("/")),
    HandCase("one weight above zero", ruled("filters: []", backends="[{name: v1, port: 80, weight: 0}, {name: v2, port: 80, weight: 9}]"),
             to("v2"), get("/")),
    HandCase("a backend that is not there", ruled(f"filters: [{MIRROR}]", backends="[{name: gone, port: 80}]"),
             acted(f"route: {{{GONE}, {mirrored()}}}"), (*get("/"), *get("/", content_type="application/grpc"))),
    HandCase("a share that is not there", ruled("filters: []", backends="[{name: v1, port: 80}, {name: gone, port: 80}]"),
             acted("route: {weighted_clusters: {clusters: [{name: v1, weight: 1}, {name: gone, weight: 1}]}, "
                   "cluster_not_found_response_code: INTERNAL_SERVER_ERROR}"), get("/") * 6, (0, 1)),
    HandCase("a backend without endpoints", "apiVersion: v1\nkind: Service\nmetadata: {name: empty}\nspec: {ports: [{port: 80}]}\n---\n"
             + ruled("filters: []", backends="[{name: empty, port: 80}]"), to("empty"), get("/")),
    HandCase("a mirror that is not there", ruled("filters: [{type: RequestMirror, requestMirror: {backendRef: {name: gone, port: 80}}}]"),
             to("v1"), get("/")),
    HandCase("percent 0", ruled("filters: [{type: RequestMirror, requestMirror: {percent: 0, backendRef: {name: m1, port: 80}}}]"),
             to("v1"), get("/")),
    HandCase("percent 100", ruled("filters: [{type: RequestMirror, requestMirror: {percent: 100, backendRef: {name: m1, port: 80}}}]"),
             to("v1", mirrored("{numerator: 100}")), get("/")),
    HandCase("a third", ruled("filters: [{type: RequestMirror, requestMirror: {fraction: {numerator: 1, denominator: 3}, "
                              "backendRef: {name: m1, port: 80}}}]"),
             to("v1", mirrored("{numerator: 333333, denominator: MILLION}")), get("/") * 6, (0, 333_333)),
    HandCase("two mirrors", ruled(f"filters: [{MIRROR}, {{type: RequestMirror, requestMirror: {{backendRef: {{name: m2, port: 80}}}}}}]"),
             to("v1", "request_mirror_policies: [{cluster: m1}, {cluster: m2}]"), (*get("/"), Sent("POST", body=b"abc"))),
    HandCase("CORS", ruled("filters: [{type: CORS, cors: {allowOrigins: ['https://*.a.test'], allowMethods: [GET, PUT], "
                           "allowHeaders: [x], exposeHeaders: [z], allowCredentials: true}}]"),
             acted("route: {cluster: v1}", more="typed_per_filter_config: {envoy.filters.http.cors: {"
                   "'@type': type.googleapis.com/envoy.extensions.filters.http.cors.v3.CorsPolicy, "
                   f"allow_origin_string_match: [{ORIGIN}], allow_methods: 'GET,PUT', allow_headers: x, expose_headers: z, "
                   "max_age: '5', allow_credentials: true, forward_not_matching_preflights: false}}".replace("'^", '"^').replace("$'", '$"')),
             (*get("/", origin="https://x.a.test"), *get("/", origin="https://a.test"),
              *(Sent("OPTIONS", headers=(("origin", origin), ("access-control-request-method", "PUT")))
                for origin in ("https://x.a.test", "http://evil")))),
]  # fmt: skip
GATEWAY_API = [*MATCHING, *ORDER, *REWRITES, *REDIRECTS, *OTHERS]
