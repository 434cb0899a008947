"""Mirrors and what shadows look like (semantics 1.4, 1.5), X-Forwarded-For, path normalisation."""

from __future__ import annotations

from textwrap import indent

from envoytools.curated.cases import Case
from envoytools.curated.cases import fielded
from envoytools.curated.cases import get
from envoytools.curated.cases import to_v1
from envoytools.curated.cases import virtual_service
from envoytools.outcome import Sent

SHADOW_HOSTS = Case(
    "shadow's Host",
    virtual_service("- route: [{destination: {host: v1}}]\n  mirror: {host: m1}", hosts="['*']"),
    tuple(
        Sent(host=host)
        for host in (
            "svc",
            "svc.example.com:8080",
            "127.0.0.1:9",
            "[::1]:8080",
            "[::1]",
            "SVC.Example.COM",
            "x:",
            "h-shadow",
            "a-b.test.",
            "h-shadow:80",
        )
    ),
)
MIRRORS = [
    *(
        Case(
            f"mirror {fields}",
            virtual_service(f"- route: [{{destination: {{host: v1}}}}]\n{indent(fields, '  ')}"),
            get("/"),
        )
        for fields in (
            "mirror: {host: m1}",
            "mirror: {host: m1}\nmirrorPercentage: {}",
            "mirror: {host: m1}\nmirrorPercentage: {value: 0}\nmirrorPercent: 100",
            "mirror: {host: m1}\nmirrorPercentage: {value: 100}\nmirrorPercent: 0",
            "mirror: {host: m1}\nmirrorPercent: 0",
            "mirror: {host: m1}\nmirror_percent: 100",
            "mirror: {host: m1}\nmirrorPercentage: {value: 0.00005}",
            "mirrorPercent: 100",
            "mirrors: [{destination: {host: m1}}, {destination: {host: m2}, percentage: {}}]\nmirrorPercent: 0",
            "mirrors: [{destination: {host: m1}}, {destination: {host: m1}, percentage: {value: 100}}]",
            "mirror: {host: unknown}",
            "mirrors: [{destination: {host: unknown}}, {destination: {host: m2}}]",
        )
    ),
    Case(
        "methods and bodies",
        to_v1("rewrite: {uri: /new}", "{uri: {prefix: /old}}"),
        (
            *(Sent(method, "/old/x?y=[1]") for method in ("GET", "HEAD", "DELETE", "PATCH", "PURGE", "PROPFIND")),
            Sent("POST", "/old", body=b"x" * 70_000),
            Sent("GET", "/old", body=b"body of a GET"),
            Sent("PUT", "/old", headers=(("content-type", "text/plain"),), body=b"\0\xff\r\n"),
        ),
    ),
    Case(
        "fields",
        to_v1("timeout: 5s"),
        fielded(
            (("x-dup", "1"), ("x-other", "a"), ("X-Dup", "2"), ("x-dup", "1")),
            (("x-empty", ""), ("x-bytes", b"\xe9\xff\x80"), ("x-tab", "a\tb")),
            (("cookie", "a=1; b=2"), ("authorization", "Basic eDp5")),
            (("accept", "text/html, */*;q=0.1"), ("user-agent", "none"), ("range", "bytes=0-1")),
            (("x-request-id", "1"), ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")),
            (("via", "1.1 other"), ("x-forwarded-proto", "https")),
        ),
    ),
    SHADOW_HOSTS,
    Case("shadow's Host without suffix", SHADOW_HOSTS.rules, SHADOW_HOSTS.requests, suffix=""),
    Case(
        "a mirror goes with the weights' own draw",
        virtual_service("""
- route:
  - {destination: {host: v1}, weight: 50}
  - {destination: {host: v2}, weight: 50}
  mirrors: [{destination: {host: m1}}]
"""),
        get("/") * 6,
        draws=tuple(range(100)),
    ),
]
FORWARDED = [
    Case(
        "X-Forwarded-For",
        virtual_service("""
- match: [{headers: {x-forwarded-for: {regex: '.*10\\.1\\.2\\.3.*'}}}]
  route: [{destination: {host: v1}}]
  mirror: {host: m1}
- match: [{headers: {x-forwarded-for: {}}}]
  route: [{destination: {host: v2}}]
  mirror: {host: m1}
- match: [{withoutHeaders: {x-forwarded-for: {}}}]
  route: [{destination: {host: v3}}]
  mirror: {host: m1}
"""),
        fielded(
            (),
            (("x-forwarded-for", "203.0.113.7"),),
            (("x-forwarded-for", "x, y"),),
            (("X-Forwarded-For", "10.1.2.3"),),
            (("x-forwarded-for", "10.1.2.3"), ("x-between", "1"), ("x-forwarded-for", "10.1.2.4")),
            (("x-forwarded-for", ""),),
        ),
    ),
]
TARGETS = tuple(
    Sent(path=path)
    for path in (
        "/a/../b", "/a/./b", "/../x", "/a/..", "/a/.", "/.", "/a//b", "//a", "/a///b//", "/a%2fb", "/a%2Fb//c",
        "/a%5Cb", "/%7Eme", "/%61%2e%2E/x", "/a\\b", "/a\\..\\b", "/a/%2e%2e/b", "/a/%2e/b", "/a/..;x/b", "/a;b=c/d",
        "/%zz", "/%", "/a{b}|<c>^`\"d", "/a?b=/../c//d", "/a/b?x=%7E%2f", "/a/b/", "/%20x", "/a/../../b", "/a+b",
        "/a,b;c:d@e!$&'()*",
        "/%41%5a%30", "/a/b/../../../c", "/a/.b/..c/", "/x%25y", "/%2525", "/a/%2E%2E%2fb", "/~a", "/_-.x",
    )
)  # fmt: skip
NORMALIZATION = Case(
    "targets",
    virtual_service("- route: [{destination: {host: v1}}]\n  mirror: {host: m1}"),
    TARGETS,
)


MESH_HEADERS = [
    Case(
        "fields of the mesh",
        virtual_service(
            "- match: [{uri: {prefix: /old}}]\n  route: [{destination: {host: v1}}]\n  mirror: {host: m1}\n"
            "  rewrite: {uri: /new, authority: n.test}\n  timeout: 2.5s\n"
            "- match: [{uri: {prefix: /tries}}]\n  route: [{destination: {host: v1}}]\n  mirror: {host: m1}\n"
            "  timeout: 2s\n  retries: {attempts: 2, perTryTimeout: 500ms}\n"
            "- match: [{uri: {prefix: /bare}}]\n  route: [{destination: {host: v1}}]\n  mirror: {host: m1}\n"
            "  timeout: 2s\n  headers: {request: {remove: [x-envoy-attempt-count], add: {x-attempts: a}}}\n"
            "- match: [{headers: {x-forwarded-proto: {exact: https}}}]\n  directResponse: {status: 201}\n"
            "- match: [{headers: {x-envoy-external-address: {}}}]\n  route: [{destination: {host: v2}}]\n"
            "  headers: {request: {set: {x-forwarded-proto: own}}}\n"
            "- route: [{destination: {host: v3}}]\n  mirror: {host: m1}"
        ),
        (
            *get("/old/x?y=1", "/", "/other", "/tries", "/bare"),
            *fielded(
                (("x-forwarded-proto", "https"),),
                (("X-Envoy-Internal", "true"), ("x-envoy-external-address", "9.9.9.9")),
                (("x-forwarded-for", "1.2.3.4"),),
                (("x-envoy-original-path", "/from"), ("x-envoy-attempt-count", "5")),
                (("x-envoy-decorator-operation", "o"), ("x-envoy-downstream-service-cluster", "c")),
                (("x-envoy-upstream-rq-timeout-ms", "700"), ("x-envoy-max-retries", "1")),
                (("x-envoy-retry-on", "5xx"), ("x-envoy-upstream-rq-per-try-timeout-ms", "90")),
                (("x-envoy-upstream-alt-stat-name", "s"), ("x-envoy-hedge-on-per-try-timeout", "true")),
                (("x-forwarded-for", "10.1.2.3"), ("x-envoy-retry-on", "5xx"), ("x-envoy-force-trace", "1")),
                (("x-envoy-expected-rq-timeout-ms", "9"), ("x-envoy-ip-tags", "a"), ("x-envoy-retry-grpc-on", "c")),
                (("x-envoy-retriable-status-codes", "500"), ("x-envoy-retriable-header-names", "a")),
                (("x-envoy-upstream-rq-timeout-alt-response", "1"), ("x-envoy-original-url", "/u")),
                (("x-envoy-unknown", "kept"), ("x-envoy-peer-metadata", "kept")),
            ),
            Sent(path="/old", host="n.test"),
            Sent(path="/old/a/../b", headers=(("x-envoy-original-path", "/from"), ("x-envoy-original-host", "h"))),
        ),
    )
]
