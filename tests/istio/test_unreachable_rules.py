from __future__ import annotations

import time
from collections.abc import Callable

import pytest

R = "route: [{destination: {host: a.b}}]"
UNREACHABLE = ("warning", "IST0130")
INEFFECTIVE = ("info", "IST0131")


@pytest.fixture
def rules(make: Callable[..., str], briefs: Callable[..., list[tuple[str, str, str]]]) -> Callable[..., list[object]]:
    def find(*matches: str) -> list[object]:
        routes = "\n".join(f"- {{{match}{R}}}" for match in matches)
        found = briefs(make("VirtualService", f"hosts: [a.b]\ngateways: [n/g]\nhttp:\n{routes}"), infos=True)
        return [(severity, code, path.removeprefix("spec.")) for severity, code, path in found]

    return find


def m(*conditions: str) -> str:
    return f"match: [{', '.join('{' + condition + '}' for condition in conditions)}], "


def test_order_that_reaches_everything(rules: Callable[..., list[object]]) -> None:
    assert rules(m("uri: {prefix: /a/b}"), m("uri: {prefix: /a}"), "") == []


def test_rules_behind_one_without_match(rules: Callable[..., list[object]]) -> None:
    assert rules("", m("uri: {prefix: /a}"), "") == [(*UNREACHABLE, "http[1]"), (*UNREACHABLE, "http[2]")]


def test_all_matches_used(rules: Callable[..., list[object]]) -> None:
    same = m("uri: {prefix: /a}, name: one")
    assert rules(same, m("uri: {prefix: /a}, name: two")) == [
        (*INEFFECTIVE, "http[1].match[0]"),
        (*UNREACHABLE, "http[1]"),
    ]


def test_some_matches_used(rules: Callable[..., list[object]]) -> None:
    found = rules(m("uri: {exact: /a}"), m("uri: {exact: /a}", "uri: {exact: /b}"))
    assert found == [(*INEFFECTIVE, "http[1].match[0]")]


def test_match_used_in_its_own_rule(rules: Callable[..., list[object]]) -> None:
    assert rules(m("uri: {exact: /a}", "uri: {exact: /a}")) == [(*INEFFECTIVE, "http[0].match[1]")]


@pytest.mark.parametrize(
    ("first", "second", "covered"),
    [
        ("uri: {prefix: /a}", "uri: {prefix: /a/b}", True),
        ("uri: {prefix: /a}", "uri: {exact: /a/b}", False),
        ("uri: {prefix: /a}", "uri: {prefix: /b}", False),
        ("uri: {prefix: /a}, port: 80", "uri: {prefix: /ab}", False),
        ("uri: {prefix: /a}, port: 80", "uri: {prefix: /ab}, port: 80", True),
        ("uri: {prefix: /a}, headers: {x: {}}", "uri: {prefix: /ab}", False),
        ("uri: {prefix: /a}, headers: {x: {}}", "uri: {prefix: /ab}, headers: {x: {}, y: {exact: z}}", True),
        ("uri: {prefix: /a}, headers: {x: {exact: z}}", "uri: {prefix: /ab}, headers: {x: {}}", False),
        ("uri: {prefix: /a}, queryParams: {x: {}}", "uri: {prefix: /ab}, withoutHeaders: {x: {}}", False),
        ("uri: {prefix: /a}, authority: {exact: a}", "uri: {prefix: /ab}, authority: {exact: b}", False),
        ("uri: {prefix: /a}, method: {exact: GET}", "uri: {prefix: /ab}", True),
        ("uri: {prefix: /a}, method: {exact: POST}", "uri: {prefix: /ab}", False),
        ("uri: {prefix: /a}, gateways: [n/x]", "uri: {prefix: /ab}, gateways: [n/y]", False),
        ("uri: {prefix: /a}, sourceLabels: {a: b}", "uri: {prefix: /ab}", False),
        ("uri: {prefix: /a}, ignoreUriCase: true", "uri: {prefix: /ab}", False),
    ],
)
def test_covered_prefixes(rules: Callable[..., list[object]], first: str, second: str, covered: bool) -> None:
    assert rules(m(first), m(second)) == ([(*INEFFECTIVE, "http[1].match[0]")] if covered else [])


def test_many_rules_of_one_prefix_are_compared_quickly(rules: Callable[..., list[object]]) -> None:
    routes = [m(f"uri: {{prefix: /a}}, headers: {{x: {{exact: v{number}}}, y: {{}}}}") for number in range(4000)]
    started = time.process_time()
    found = rules(*routes, m("uri: {prefix: /a/b}, headers: {x: {exact: v7}, y: {}, z: {}}"))
    assert time.process_time() - started < 10
    assert found == [(*INEFFECTIVE, "http[4000].match[0]")]


def test_another_method_is_another_match(rules: Callable[..., list[object]]) -> None:
    assert rules(m("uri: {prefix: /a}, method: {exact: GET}"), m("uri: {prefix: /a}")) == []
    assert rules(m("uri: {prefix: /a}"), m("uri: {prefix: /a}, headers: {x: {}}")) == []


@pytest.mark.parametrize(
    ("section", "routes", "expected"),
    [
        ("tcp", ["match: [{port: 1}], ", "match: [{port: 2}], ", ""], []),
        ("tcp", ["", "match: [{port: 1}], ", ""], [(*UNREACHABLE, "tcp[1]"), (*UNREACHABLE, "tcp[2]")]),
        (
            "tcp",
            ["match: [{port: 1, sourceLabels: {a: b, c: d}}], ", "match: [{sourceLabels: {c: d, a: b}, port: 1}], "],
            [(*INEFFECTIVE, "tcp[1].match[0]"), (*UNREACHABLE, "tcp[1]")],
        ),
        ("tcp", ["match: [{port: 1}], ", "match: [{port: 1}, {port: 2}], "], [(*INEFFECTIVE, "tcp[1].match[0]")]),
        (
            "tls",
            ["match: [{sniHosts: [a.b]}], ", "match: [{sniHosts: [a.b]}], "],
            [(*INEFFECTIVE, "tls[1].match[0]"), (*UNREACHABLE, "tls[1]")],
        ),
        ("tls", ["match: [{sniHosts: [a.b], port: 1}], ", "match: [{sniHosts: [a.b], port: 2}], "], []),
    ],
)
def test_connections(
    make: Callable[..., str],
    briefs: Callable[..., list[tuple[str, str, str]]],
    section: str,
    routes: list[str],
    expected: list[object],
) -> None:
    text = "\n".join(f"- {{{match}{R}}}" for match in routes)
    found = briefs(make("VirtualService", f"hosts: [a.b]\n{section}:\n{text}"), infos=True)
    assert [
        (severity, code, path.removeprefix("spec.")) for severity, code, path in found if path != f"spec.{section}"
    ] == expected
