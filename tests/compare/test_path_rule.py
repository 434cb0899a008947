"""One rule: the requests that it is for, and the values that it accepts."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest

from mirror_addon.compare.path_rule import PathRule
from mirror_addon.compare.path_rule import endpoint_parts
from mirror_addon.compare.paths import pattern

PATH = pattern("$.a")
URL = "http://h/users/7?x=1"


@pytest.mark.parametrize(
    ("rule", "method", "url", "applies"),
    [
        (PathRule(PATH), "GET", URL, True),
        (PathRule(PATH, methods=frozenset({"GET", "HEAD"})), "get", URL, True),
        (PathRule(PATH, methods=frozenset({"GET"})), "POST", URL, False),
        (PathRule(PATH, methods=frozenset({"GET"})), "", URL, True),
        (PathRule(PATH, endpoint="/users/{id}"), "POST", URL, True),
        (PathRule(PATH, endpoint="get /users/{id}"), "GET", URL, True),
        (PathRule(PATH, endpoint="GET /users/{id}"), "POST", URL, False),
        (PathRule(PATH, endpoint="GET /users/{id}"), "", URL, True),
        (PathRule(PATH, endpoint="/users/*"), "GET", URL, True),
        (PathRule(PATH, endpoint="/u?ers/{id}"), "GET", URL, False),
        (PathRule(PATH, endpoint="/[u]sers/{id}"), "GET", URL, False),
        (PathRule(PATH, url=re.compile("x=1")), "GET", URL, True),
        (PathRule(PATH, url=re.compile("x=2")), "GET", URL, False),
    ],
)
def test_requests(rule: PathRule, method: str, url: str, applies: bool) -> None:
    assert rule.applies(method, url) is applies


@pytest.mark.parametrize(
    ("primary", "shadow", "match"),
    [
        ("12", "7", True),
        (12, Decimal("7"), True),
        ("12", "7a", False),
        ("a", "7", False),
        (True, "7", False),
        (None, "7", False),
    ],
)
def test_a_regex_for_both_values(primary: object, shadow: object, match: bool) -> None:
    assert PathRule(PATH, regex=re.compile(r"\d+|True|None")).both_match(primary, shadow) is match


@pytest.mark.parametrize(
    ("absolute", "relative", "primary", "shadow", "close"),
    [
        (0.0, 0.0, 1, 1, False),
        (0.5, 0.0, 1, 1.5, True),
        (0.5, 0.0, 1, 1.6, False),
        (0.0, 0.1, 100, 110, True),
        (0.0, 0.1, 100, 112, False),
        (0.5, 0.0, "1.0", Decimal("1.2"), True),
        (0.5, 0.0, 1, "about 1", False),
        (0.5, 0.0, 1, None, False),
        (1.0, 0.0, 1, True, False),
        (1.0, 0.0, "inf", "inf", False),
        (1.0, 0.0, 10**999, 10**999 + 1, False),
    ],
)
def test_tolerances(absolute: float, relative: float, primary: object, shadow: object, close: bool) -> None:
    assert PathRule(PATH, absolute=absolute, relative=relative).tolerates(primary, shadow) is close


@pytest.mark.parametrize(
    ("endpoint", "operation", "applies"),
    [
        ("POST /graphql GetUser", "GetUser", True),
        ("/graphql GetUser", "GetUser", True),
        ("POST /graphql Get*", "GetUser", True),
        ("POST * GetUser", "GetUser", True),
        ("POST /graphql", "GetUser", True),
        ("POST /graphql", "", True),
        ("POST /graphql GetUser", "GetUsers", False),
        ("POST /graphql GetUser", "", False),
        ("GET /graphql GetUser", "GetUser", False),
        ("POST /other GetUser", "GetUser", False),
    ],
)
def test_operations(endpoint: str, operation: str, applies: bool) -> None:
    rule = PathRule(pattern("$.a"), ignore=True, endpoint=endpoint)
    assert rule.applies("POST", "http://a/graphql", operation) is applies


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("GET /a", ("GET", "/a", "")),
        ("/a", ("", "/a", "")),
        ("POST /a B", ("POST", "/a", "B")),
        ("users", ("users", "", "")),
        ("POST a /b", ("POST", "", "")),
        ("POST /a B C", ("POST", "", "BC")),
        ("", ("", "", "")),
    ],
)
def test_endpoint_parts(text: str, parts: tuple[str, str, str]) -> None:
    assert endpoint_parts(text)[:2] == parts[:2]
