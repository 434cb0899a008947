"""Validation: faults, CORS, redirects, direct responses."""

from __future__ import annotations

from collections.abc import Callable

import pytest

E = ("error", "IST0106")
W = ("warning", "IST0133")
R = "route: [{destination: {host: a.b}}]"
MIB = 1024 * 1024


@pytest.fixture
def route(make: Callable[..., str], briefs: Callable[..., list[tuple[str, str, str]]]) -> Callable[..., list[object]]:
    def find(text: str) -> list[object]:
        found = briefs(make("VirtualService", f"hosts: [a.b]\ngateways: [n/g]\nhttp:\n- {{{text}}}"))
        return [(severity, code, path.removeprefix("spec.http[0]").lstrip(".")) for severity, code, path in found]

    return find


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{R}, fault: {{}}", [(*E, "fault")]),
        (f"{R}, fault: {{abort: {{}}}}", []),
        (f"{R}, fault: {{abort: {{httpStatus: 199}}}}", [(*E, "fault.abort.httpStatus")]),
        (f"{R}, fault: {{abort: {{httpStatus: 600}}}}", []),
        (f"{R}, fault: {{abort: {{httpStatus: 601}}}}", [(*E, "fault.abort.httpStatus")]),
        (f"{R}, fault: {{abort: {{grpcStatus: UNAVAILABLE}}}}", []),
        (f"{R}, fault: {{abort: {{grpcStatus: unavailable}}}}", [(*E, "fault.abort.grpcStatus")]),
        (f"{R}, fault: {{abort: {{http2Error: X}}}}", [(*E, "fault.abort.http2Error")]),
        (f"{R}, fault: {{abort: {{httpStatus: 500, grpcStatus: OK}}}}", [(*E, "fault.abort")]),
        (
            f"{R}, fault: {{abort: {{httpStatus: 500, percentage: {{value: 0.00001}}}}}}",
            [(*E, "fault.abort.percentage.value")],
        ),
        (f"{R}, fault: {{abort: {{httpStatus: 500, percentage: {{value: 0}}}}}}", []),
        (f"{R}, fault: {{delay: {{fixedDelay: 0s}}}}", [(*E, "fault.delay.fixedDelay")]),
        (f"{R}, fault: {{delay: {{exponentialDelay: 1s}}}}", [(*E, "fault.delay.exponentialDelay")]),
        (
            f"{R}, fault: {{delay: {{fixedDelay: 1s, percentage: {{value: 101}}}}}}",
            [(*E, "fault.delay.percentage.value")],
        ),
        (f"{R}, fault: {{delay: {{fixedDelay: 1s, percent: 5}}}}", [("warning", "IST0002", "fault.delay.percent")]),
        (f"{R}, corsPolicy: {{allowOrigins: [{{}}]}}", [(*E, "corsPolicy.allowOrigins[0]")]),
        (f"{R}, corsPolicy: {{allowOrigins: [{{regex: '('}}]}}", [(*E, "corsPolicy.allowOrigins[0].regex")]),
        (f"{R}, corsPolicy: {{allowOrigins: [{{exact: a}}], allowMethods: [GET, '*']}}", []),
        (f"{R}, corsPolicy: {{allowMethods: [get]}}", [(*E, "corsPolicy.allowMethods[0]")]),
        (f"{R}, corsPolicy: {{allowHeaders: ['a b']}}", [(*E, "corsPolicy.allowHeaders[0]")]),
        (f"{R}, corsPolicy: {{allowHeaders: [X-A], exposeHeaders: [X-B]}}", []),
        (f"{R}, corsPolicy: {{exposeHeaders: ['']}}", [(*E, "corsPolicy.exposeHeaders[0]")]),
        (f"{R}, corsPolicy: {{maxAge: 24h}}", []),
        (f"{R}, corsPolicy: {{maxAge: 1500ms}}", [(*E, "corsPolicy.maxAge")]),
        (f"{R}, corsPolicy: {{allowOrigin: [a]}}", [("warning", "IST0002", "corsPolicy.allowOrigin")]),
        (f"{R}, corsPolicy: {{unmatchedPreflights: NEVER}}", [(*E, "corsPolicy.unmatchedPreflights")]),
        (f"{R}, fault: {{delay: {{fixedDelay: 1s, percent: 101}}}}", [("warning", "IST0002", "fault.delay.percent")]),
        ("redirect: {uri: /a, prefixRewrite: /b}", [(*E, "redirect")]),
        ("match: [{uri: {exact: /a}}], redirect: {prefixRewrite: /b}", [(*E, "redirect.prefixRewrite")]),
        ("match: [{uri: {prefix: /a}}], redirect: {prefixRewrite: /b}", []),
        ("redirect: {}", [(*E, "redirect")]),
        ("redirect: {uri: /a, redirectCode: 200}", [(*E, "redirect.redirectCode")]),
        ("redirect: {uri: /a, redirectCode: 304}", [(*W, "redirect.redirectCode")]),
        ("redirect: {uri: /a, redirectCode: 308}", []),
        ("redirect: {scheme: ftp}", [(*E, "redirect.scheme")]),
        ("redirect: {port: 65536}", [(*E, "redirect.port")]),
        ("redirect: {uri: /a, port: 1, derivePort: FROM_REQUEST_PORT}", [(*E, "redirect")]),
        ("directResponse: {}", [(*E, "directResponse.status")]),
        ("directResponse: {status: 199}", [(*E, "directResponse.status")]),
        ("directResponse: {status: 601}", [(*E, "directResponse.status")]),
        ("directResponse: {status: 200, body: {string: a, bytes: YQ==}}", [(*E, "directResponse.body")]),
        ("directResponse: {status: 200, body: {bytes: '*'}}", [(*E, "directResponse.body.bytes")]),
        (f"directResponse: {{status: 200, body: {{string: {'a' * 200_000}}}}}", [(*W, "directResponse.body")]),
        (f"directResponse: {{status: 200, body: {{string: {'a' * (MIB + 1)}}}}}", [(*E, "directResponse.body")]),
    ],
    ids=lambda value: value[:60] if isinstance(value, str) else "",
)
def test_local_replies(route: Callable[..., list[object]], text: str, expected: list[object]) -> None:
    assert route(text) == expected
