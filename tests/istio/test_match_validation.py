"""Validation: what a match may ask for."""

from __future__ import annotations

from collections.abc import Callable

import pytest

BASE = "spec.http[0].match[0]."


@pytest.fixture
def match(make: Callable[..., str], briefs: Callable[..., list[tuple[str, str, str]]]) -> Callable[..., list[str]]:
    def find(text: str, gateways: str = "[n/g]") -> list[str]:
        route = f"- match: [{{{text}}}]\n  route: [{{destination: {{host: a.b}}}}]"
        spec = f"hosts: [a.b]\ngateways: {gateways}\nhttp:\n{route}"
        found = briefs(make("VirtualService", spec))
        assert all(item[:2] == ("error", "IST0106") for item in found)
        return [path.removeprefix(BASE) for _, _, path in found]

    return find


@pytest.mark.parametrize(
    "text",
    [
        "uri: {prefix: ''}",
        "uri: {}",
        "uri: {exact: ''}",
        "uri: {exact: no-slash}",
        "headers: {X-Upper: {}, ':method': {exact: GET}, ':authority': {prefix: a}}",
        "headers: {x: null}",
        "headers: {'@request.auth.claims.group': {exact: a}}",
        "withoutHeaders: {x: {regex: '*'}}",
        "queryParams: {'any thing': {regex: '.*'}}",
        "headers: {'@request.auth.claims[group][sub]': {exact: a}}",
        "headers: {'@Request.Auth.Claims.group': {exact: a}}",
        "sourceLabels: {Example.COM/App: A}",
        "sourceNamespace: Team-A",
        "gateways: [N/G]",
        "headers: {x: {exact: ''}}",
        "port: 65535",
        "sourceLabels: {app: a, 'example.com/x': ''}",
        "sourceNamespace: ns",
        "gateways: [mesh]",
        f"uri: {{regex: '{'a' * 1024}'}}",
    ],
)
def test_right(match: Callable[..., list[str]], text: str) -> None:
    assert match(text) == []


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("headers: {'': {}}", "headers."),
        ("headers: {'a b': {}}", "headers.a b"),
        ("headers: {':other': {}}", "headers.:other"),
        ("withoutHeaders: {'a b': {}}", "withoutHeaders.a b"),
        ("headers: {x: {prefix: ''}}", "headers.x.prefix"),
        ("scheme: {prefix: ''}", "scheme.prefix"),
        ("method: {prefix: ''}", "method.prefix"),
        ("authority: {prefix: ''}", "authority.prefix"),
        ("queryParams: {x: {prefix: ''}}", "queryParams.x.prefix"),
        ("queryParams: {x: {regex: '*'}}", "queryParams.x.regex"),
        ("scheme: {regex: '*'}", "scheme.regex"),
        ("headers: {':protocol': {exact: x}}", "headers.:protocol"),
        ("headers: {':Method': {exact: x}}", "headers.:Method"),
        ("headers: {'@request.auth.claims': {exact: a}}", "headers.@request.auth.claims"),
        ("headers: {'@request.auth.claims.': {exact: a}}", "headers.@request.auth.claims."),
        ("headers: {'@request.auth.claimsx': {exact: a}}", "headers.@request.auth.claimsx"),
        ("withoutHeaders: {x: {prefix: ''}}", "withoutHeaders.x.prefix"),
        ("uri: {regex: ''}", "uri.regex"),
        ("headers: {x: {regex: ''}}", "headers.x.regex"),
        ("headers: {x: {regex: '*'}}", "headers.x.regex"),
        ("uri: {regex: '(?=a)'}", "uri.regex"),
        (f"uri: {{regex: '{'a' * 1025}'}}", "uri.regex"),
        ("uri: {exact: /a, prefix: /b}", "uri"),
        ("uri: {exact: /a, regex: /b}", "uri"),
        ("port: 65536", "port"),
        ("sourceLabels: {'a b': c}", "sourceLabels.a b"),
        ("sourceLabels: {a: 'b c'}", "sourceLabels.a"),
        ("gateways: [a_b]", "gateways[0]"),
        ("sourceNamespace: a.b", "sourceNamespace"),
    ],
    ids=lambda value: value[:40],
)
def test_errors(match: Callable[..., list[str]], text: str, path: str) -> None:
    assert match(text) == [path]


def test_jwt_claims_are_for_gateways(match: Callable[..., list[str]]) -> None:
    text = "headers: {'@request.auth.claims.group': {exact: a}}"
    assert match(text, "[mesh, n/g]") == ["headers.@request.auth.claims.group"]
