"""A row for each rule of validation: a route in flow style, and what is found under spec.http[0]."""

from __future__ import annotations

from collections.abc import Callable

import pytest

E = ("error", "IST0106")
W = ("warning", "IST0133")
R = "route: [{destination: {host: a.b}}]"


@pytest.fixture
def route(make: Callable[..., str], briefs: Callable[..., list[tuple[str, str, str]]]) -> Callable[..., list[object]]:
    def find(text: str, infos: bool = False) -> list[object]:
        spec = f"hosts: [a.b]\ngateways: [n/g]\nhttp:\n- {{{text}}}"
        found = briefs(make("VirtualService", spec), infos=infos)
        return [(severity, code, path.removeprefix("spec.http[0]").lstrip(".")) for severity, code, path in found]

    return find


@pytest.mark.parametrize(
    "text",
    [
        R,
        "redirect: {uri: /x}",
        "directResponse: {status: 200}, mirror: {host: a.b}, headers: {request: {set: {a: b}}}",
        "redirect: {uri: /x}, mirror: {host: a.b}, retries: {attempts: 2}, corsPolicy: {}",
        "delegate: {name: d}",
        f"{R}, mirror: {{host: a.b}}, mirrorPercentage: {{value: 0.1}}",
        f"{R}, mirrors: [{{destination: {{host: a.b}}, percentage: {{}}}}]",
        "route: [{destination: {host: a.b}, weight: 0}]",
        "route: [{destination: {host: a.b}, weight: 1}, {destination: {host: '*.b', subset: v1, port: {number: 1}}}]",
        f"{R}, retries: {{attempts: 3, perTryTimeout: 1ms, retryOn: 'reset,503,5xx'}}",
        f"{R}, rewrite: {{authority: x}}",
        f"{R}, rewrite: {{uriRegexRewrite: {{match: '^/a/(.*)$', rewrite: '/\\1'}}}}",
        f"{R}, headers: {{request: {{set: {{Host: x, ok: '100%% %REQ(:path)% %START_TIME%'}}}}}}",
        f"{R}, headers: {{request: {{remove: [x]}}, response: {{add: {{x: v}}}}}}",
        f"{R}, timeout: 1.5s",
    ],
)
def test_right(route: Callable[..., list[object]], text: str) -> None:
    assert route(text) == []


@pytest.mark.parametrize(
    ("text", "path"),
    [
        (f"delegate: {{name: d}}, {R}", "delegate"),
        ("delegate: {name: d}, redirect: {uri: /x}", "delegate"),
        (f"redirect: {{uri: /x}}, {R}", "redirect"),
        ("redirect: {uri: /x}, fault: {abort: {httpStatus: 500}}", "redirect"),
        ("redirect: {uri: /x}, rewrite: {uri: /y}", "redirect"),
        ("redirect: {uri: /x}, directResponse: {status: 200}", "redirect"),
        (f"directResponse: {{status: 200}}, {R}", "directResponse"),
        ("directResponse: {status: 200}, fault: {abort: {httpStatus: 500}}", "directResponse"),
        ("directResponse: {status: 200}, rewrite: {uri: /y}", "directResponse"),
        ("name: nothing", ""),
        ("mirror: {host: a.b}", ""),
        (f"{R}, mirror: {{host: a.b}}, mirrors: [{{destination: {{host: a.b}}}}]", "mirror"),
        (f"{R}, mirror: {{host: a.b}}, mirrorPercentage: {{value: 100.1}}", "mirrorPercentage.value"),
        (f"{R}, mirror: {{host: a.b}}, mirrorPercentage: {{value: -1}}", "mirrorPercentage.value"),
        (f"{R}, mirror: {{host: a.b}}, mirrorPercentage: {{value: .nan}}", "mirrorPercentage.value"),
        (f"{R}, mirrors: [{{}}]", "mirrors[0]"),
        (f"{R}, mirrors: [null]", "mirrors[0]"),
        (f"{R}, mirrors: [{{destination: {{host: a.b}}, percentage: {{value: 101}}}}]", "mirrors[0].percentage.value"),
        ("route: [{destination: {host: '*'}}]", "route[0].destination.host"),
        ("route: [{destination: {}}]", "route[0].destination.host"),
        ("route: [{destination: {host: ''}}]", "route[0].destination.host"),
        ("route: [{destination: {host: 127.0.0.1}}]", "route[0].destination.host"),
        ("route: [{destination: {host: a_b.c}}]", "route[0].destination.host"),
        ("route: [{destination: {host: a.b, subset: v_1}}]", "route[0].destination.subset"),
        ("route: [{destination: {host: a.b, port: {}}}]", "route[0].destination.port.number"),
        ("route: [{destination: {host: a.b, port: {number: 65536}}}]", "route[0].destination.port.number"),
        (f"{R}, mirror: {{host: 10.0.0.1}}", "mirror.host"),
        (f"{R}, mirror: {{host: a.b, subset: v_2}}", "mirror.subset"),
        ("route: [{}]", "route[0]"),
        ("route: [null]", "route[0]"),
        ("route: [{destination: {host: a.b}, weight: -1}]", "route[0].weight"),
        ("route: [{destination: {host: a.b}}, {destination: {host: a.b}}]", "route"),
        (f"{R}, retries: {{attempts: -1}}", "retries.attempts"),
        (f"{R}, retries: {{retryOn: 5xx}}", "retries"),
        (f"{R}, retries: {{attempts: 0, perTryTimeout: 1s}}", "retries"),
        (f"{R}, retries: {{retryRemoteLocalities: false}}", "retries"),
        (f"{R}, retries: {{attempts: 1, perTryTimeout: 0s}}", "retries.perTryTimeout"),
        (f"{R}, retries: {{attempts: 1, backoff: 1us}}", "retries.backoff"),
        (f"{R}, retries: {{attempts: 1, retryOn: '503, reset'}}", "retries.retryOn"),
        (f"{R}, retries: {{attempts: 1, retryOn: '999'}}", "retries.retryOn"),
        (f"{R}, timeout: 0s", "timeout"),
        (f"{R}, timeout: 1500us", "timeout"),
        (f"{R}, timeout: 10", "timeout"),
        (f"{R}, timeout: 10 s", "timeout"),
        (f"{R}, rewrite: {{}}", "rewrite"),
        (f"{R}, rewrite: {{uri: /x, uriRegexRewrite: {{match: a, rewrite: b}}}}", "rewrite"),
        (f"{R}, rewrite: {{uriRegexRewrite: {{match: a}}}}", "rewrite.uriRegexRewrite"),
        (f"{R}, rewrite: {{uriRegexRewrite: {{rewrite: a}}}}", "rewrite.uriRegexRewrite"),
        (f"{R}, rewrite: {{uriRegexRewrite: {{match: '(', rewrite: b}}}}", "rewrite.uriRegexRewrite.match"),
        (f"{R}, rewrite: {{authority: x}}, headers: {{request: {{set: {{host: v}}}}}}", "headers.request"),
        (f"{R}, headers: {{request: {{set: {{Host: v}}, add: {{':authority': z}}}}}}", "headers.request"),
        (f"{R}, headers: {{request: {{set: {{':path': v}}}}}}", "headers.request.set.:path"),
        (f"{R}, headers: {{request: {{remove: [Host]}}}}", "headers.request.remove[0]"),
        (f"{R}, headers: {{request: {{remove: [':method']}}}}", "headers.request.remove[0]"),
        (f"{R}, headers: {{response: {{set: {{host: v}}}}}}", "headers.response.set.host"),
        (f"{R}, headers: {{response: {{remove: ['']}}}}", "headers.response.remove[0]"),
        (f"{R}, headers: {{request: {{set: {{'': v}}}}}}", "headers.request.set."),
        (f'{R}, headers: {{request: {{set: {{x: "a\\nb"}}}}}}', "headers.request.set.x"),
        (f'{R}, headers: {{request: {{set: {{"x\\ty": v}}}}}}', "headers.request.set.x\ty"),
        (f"{R}, headers: {{request: {{set: {{x: 100%}}}}}}", "headers.request.set.x"),
        (
            "route: [{destination: {host: a.b}, headers: {response: {add: {':status': '1'}}}}]",
            "route[0].headers.response.add.:status",
        ),
    ],
)
def test_errors(route: Callable[..., list[object]], text: str, path: str) -> None:
    assert route(text) == [(*E, path)]


def test_mirror_percent_is_deprecated_whatever_its_value(route: Callable[..., list[object]]) -> None:
    assert route(f"{R}, mirror: {{host: a.b}}, mirrorPercent: 5") == [(*W, "mirrorPercent")]
    assert route(f"{R}, mirror: {{host: a.b}}, mirror_percent: 0") == [(*W, "mirror_percent")]
    assert route(f"{R}, mirror: {{host: a.b}}, mirrorPercent: 101") == [(*E, "mirrorPercent"), (*W, "mirrorPercent")]


@pytest.mark.parametrize(
    ("text", "warned"),
    [
        ("match: [{uri: {prefix: /serviceB}}], rewrite: {uri: /}", True),
        ("match: [{uri: {prefix: /a}}], rewrite: {uri: /b/}", True),
        ("match: [{uri: {prefix: /a}}, {uri: {prefix: /b}}], rewrite: {uri: /}", True),
        ("match: [{uri: {prefix: /a/}}, {uri: {exact: /a}}], rewrite: {uri: /}", False),
        ("match: [{uri: {prefix: /a}}], rewrite: {uri: /b}", False),
        ("rewrite: {uri: /}", False),
    ],
)
def test_double_slash(route: Callable[..., list[object]], text: str, warned: bool) -> None:
    assert route(f"{text}, {R}") == ([(*W, "rewrite.uri")] if warned else [])


@pytest.mark.parametrize("value", ["%NOSUCH%", "%REQ%", "%PROTOCOL:3%"])
def test_header_values_that_istio_takes_and_envoy_refuses(route: Callable[..., list[object]], value: str) -> None:
    text = f"{R}, headers: {{response: {{add: {{x: '{value}'}}}}}}"
    assert route(text) == [(*W, "headers.response.add.x")]


def test_what_is_not_emulated(route: Callable[..., list[object]]) -> None:
    assert route(f"{R}, timeout: 1s, retries: {{attempts: 1}}", infos=True) == [("info", "IST0133", "retries")]


def test_a_value_that_istio_accepts_and_envoy_refuses(route: Callable[..., list[object]]) -> None:
    assert route(f"{R}, headers: {{request: {{set: {{x: '%UNKNOWN%'}}}}}}") == [(*W, "headers.request.set.x")]
