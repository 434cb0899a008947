from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from mirror_addon.envoy.matches import port_matcher

Routes = Callable[..., list[dict[str, Any]]]


def matches(routes: Routes, match: str) -> list[dict[str, Any]]:
    return [route["match"] for route in routes(f"[{{match: [{match}], route: [{{destination: {{host: v1}}}}]}}]")]


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("{}", {"prefix": "/"}),
        ("{uri: {}}", {"prefix": "/"}),
        ("{uri: {exact: /A}}", {"path": "/A"}),
        ("{uri: {exact: /A}, ignoreUriCase: true}", {"path": "/a", "case_sensitive": False}),
        ("{uri: {prefix: ''}}", {"prefix": ""}),
        ("{uri: {regex: /a.*}, ignoreUriCase: true}", {"safe_regex": {"regex": "/a.*"}}),
    ],
)
def test_paths(uri: str, expected: dict[str, Any], routes: Routes) -> None:
    assert matches(routes, uri) == [expected]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("headers: {H: {exact: ''}}", {"name": "h", "string_match": {"exact": ""}}),
        ("headers: {h: {}}", {"name": "h", "present_match": True}),
        ("headers: {h: {regex: '*'}}", {"name": "h", "present_match": True}),
        ("headers: {h: {regex: 'x|'}}", {"name": "h", "string_match": {"safe_regex": {"regex": "x|"}}}),
        ("withoutHeaders: {h: {}}", {"name": "h", "present_match": True, "invert_match": True}),
        ("withoutHeaders: {h: {regex: '*'}}", {"name": "h", "present_match": True, "invert_match": True}),
        (
            "withoutHeaders: {h: {prefix: x}}",
            {
                "name": "h",
                "string_match": {"prefix": "x"},
                "invert_match": True,
                "treat_missing_header_as_empty": True,
            },
        ),
        ("method: {exact: GET}", {"name": ":method", "string_match": {"exact": "GET"}}),
        ("authority: {prefix: a}", {"name": ":authority", "string_match": {"prefix": "a"}}),
    ],
)
def test_headers(condition: str, expected: dict[str, Any], routes: Routes) -> None:
    assert matches(routes, f"{{{condition}}}") == [{"prefix": "/", "headers": [expected]}]


@pytest.mark.parametrize(
    "condition", ["method: {}", "method: {regex: '*'}", "scheme: {prefix: ''}", "withoutHeaders: {h: {regex: '('}}"]
)
def test_conditions_that_always_hold_are_left_out(condition: str, routes: Routes) -> None:
    assert matches(routes, f"{{{condition}}}") == [{"prefix": "/"}]


@pytest.mark.parametrize(
    "match",
    [
        "{uri: {regex: '('}}",
        "{uri: {exact: ''}}",
        "{headers: {h: {regex: '?'}}}",
        "{withoutHeaders: {h: {prefix: ''}}}",
        "{headers: {'@request.auth.claims.sub': {exact: x}}}",
    ],
)
def test_matches_that_never_hold_are_left_out_and_named(match: str, export: Callable[..., Any]) -> None:
    made = export(f"[{{match: [{match}], route: [{{destination: {{host: v1}}}}]}}]")
    assert made.routes["virtual_hosts"][0]["routes"] == []
    assert any(note.startswith("default/x http[0] match[0] matches no request") for note in made.notes)


def test_query_parameters(routes: Routes) -> None:
    (match,) = matches(routes, "{queryParams: {a: {}, b: {regex: '*'}, c: {exact: ''}}}")
    assert match["query_parameters"] == [
        {"name": "a", "present_match": True},
        {"name": "b", "present_match": True},
        {"name": "c", "string_match": {"exact": ""}},
    ]


@pytest.mark.parametrize(
    ("port", "authority", "expected"),
    [
        (80, "a", True),
        (80, "a:80", True),
        (80, "a:8080", False),
        (80, "[::1]", True),
        (80, "[::1]:80", True),
        (80, "[::1]:8080", False),
        (8080, "a:8080", True),
        (8080, "a", False),
        (8080, "a:18080", False),
    ],
)
def test_ports(port: int, authority: str, expected: bool) -> None:
    pattern = port_matcher(port)["string_match"]["safe_regex"]["regex"]
    assert bool(re.fullmatch(pattern, authority)) is expected
