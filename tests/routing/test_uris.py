from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mirror_addon.istio.resources.virtual_service import HTTPMatchRequest
from mirror_addon.routing.decision import Action
from mirror_addon.routing.decision import Request
from mirror_addon.routing.table import RouteTable
from mirror_addon.routing.uris import compile_uri
from mirror_addon.routing.uris import is_catch_all

Build = Callable[..., RouteTable]
Ask = Callable[..., Request]


def matches(match: dict[str, Any], path: str) -> bool:
    return compile_uri(HTTPMatchRequest.model_validate(match)).matches(path.encode())


@pytest.mark.parametrize(
    ("match", "path", "expected"),
    [
        ({}, "/x", True),
        ({"uri": {}}, "/x", True),
        ({"uri": {}}, "*", False),
        ({"uri": {"exact": "/foo"}}, "/foo", True),
        ({"uri": {"exact": "/foo"}}, "/foo/", False),
        ({"uri": {"prefix": "/serviceB"}}, "/serviceBx", True),
        ({"uri": {"prefix": "/serviceB"}}, "/serviceB-old", True),
        ({"uri": {"prefix": "/serviceB"}}, "/serviceb", False),
        ({"uri": {"prefix": ""}}, "*", True),
        ({"uri": {"regex": "/a.*"}}, "/ab", True),
        ({"uri": {"regex": "/a"}}, "/ab", False),
        ({"uri": {"exact": "/Foo"}, "ignoreUriCase": True}, "/fOO", True),
        ({"uri": {"prefix": "/Foo"}, "ignoreUriCase": True}, "/fOO/Bar", True),
        ({"uri": {"regex": "/Foo"}, "ignoreUriCase": True}, "/foo", False),
        ({"uri": {"regex": "(?i)/Foo"}}, "/foo", True),
        ({"uri": {"exact": "/a%20b"}}, "/a b", False),
    ],
)
def test_uri(match: dict[str, Any], path: str, expected: bool) -> None:
    assert matches(match, path) is expected


@pytest.mark.parametrize("target", ["/foo?x=1", "/foo#f", "/foo?x#f", "/foo#f?x"])
def test_query_and_fragment_do_not_count(target: str, build: Build, ask: Ask, to_v1: Any) -> None:
    for uri in ({"exact": "/foo"}, {"regex": "/foo"}):
        table = build([{"match": [{"uri": uri}], "route": to_v1}])
        assert table.route(ask(target), 0).action is Action.ROUTE


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        ({}, True),
        ({"uri": {"prefix": "/"}}, True),
        ({"uri": {"regex": ".*"}}, True),
        ({"uri": {}}, True),
        ({"uri": {"prefix": ""}}, False),
        ({"uri": {"regex": "/.*"}}, False),
        ({"uri": {"exact": "/"}}, False),
        ({"uri": {"exact": ""}}, False),
        ({"headers": {"a": {}}}, False),
        ({"withoutHeaders": {"a": {}}}, False),
        ({"queryParams": {"a": {}}}, False),
        ({"method": {}}, False),
        ({"scheme": {"exact": "http"}}, False),
        ({"authority": {"exact": "a"}}, False),
        ({"port": 80}, True),
        ({"sourceLabels": {"a": "b"}}, True),
        ({"gateways": ["g"]}, True),
    ],
)
def test_catch_all(match: dict[str, Any], expected: bool) -> None:
    parsed = HTTPMatchRequest.model_validate(match)
    assert is_catch_all(compile_uri(parsed), parsed) is expected


def test_no_match_is_a_catch_all() -> None:
    assert is_catch_all(compile_uri(None), None)


# uri condition, rewrite, what is asked, what leaves (None: no match)
REWRITES = [
    ({"prefix": "/serviceB"}, {"uri": "/"}, "/serviceB/request/info", "//request/info"),
    ({"prefix": "/serviceB"}, {"uri": "/"}, "/serviceB", "/"),
    ({"prefix": "/serviceB"}, {"uri": "/"}, "/serviceB?x=1", "/?x=1"),
    ({"prefix": "/serviceB"}, {"uri": "/"}, "/serviceB/", "//"),
    ({"prefix": "/serviceB"}, {"uri": "/"}, "/serviceBx", "/x"),
    ({"prefix": "/serviceB"}, {"uri": "/"}, "/serviceB/?x=1", "//?x=1"),
    ({"prefix": "/serviceB/"}, {"uri": "/"}, "/serviceB/request/info", "/request/info"),
    ({"prefix": "/serviceB/"}, {"uri": "/"}, "/serviceB", None),
    ({"prefix": "/old"}, {"uri": "/new"}, "/old/x?y=1", "/new/x?y=1"),
    ({"prefix": "/old"}, {"uri": "/new"}, "/older", "/newer"),
    ({"prefix": "/ratings"}, {"uri": "/v1/bookRatings"}, "/ratings/3", "/v1/bookRatings/3"),
    ({"exact": "/foo"}, {"uri": "/new/path"}, "/foo?key=value", "/new/path?key=value"),
    ({"regex": "/a/.*"}, {"uri": "/b"}, "/a/x/y?q=1", "/b?q=1"),
    (None, {"uri": "/path"}, "/headers", "/pathheaders"),
    ({"prefix": ""}, {"uri": "/path"}, "/headers", "/path/headers"),
    ({"prefix": "/"}, {"uri": "/path"}, "/headers", "/pathheaders"),
    (
        {"prefix": "/"},
        {"uriRegexRewrite": {"match": "^/service/([^/]+)(/.*)$", "rewrite": r"/customprefix/\2/\1"}},
        "/service/update/v1/api?a=one",
        "/customprefix//v1/api/update?a=one",
    ),
    ({"prefix": "/"}, {"uriRegexRewrite": {"match": "one", "rewrite": "two"}}, "/one/one?one", "/two/two?one"),
    ({"prefix": "/"}, {"uriRegexRewrite": {"match": "/gone", "rewrite": ""}}, "/gone?x", "/gone?x"),
    ({"prefix": "/"}, {"uriRegexRewrite": {"match": "(bad", "rewrite": "x"}}, "/a", "/a"),
    ({"prefix": "/p"}, {"uri": ""}, "/p/x", "/p/x"),
]


@pytest.mark.parametrize(("uri", "rewrite", "target", "leaves"), REWRITES)
def test_rewrites(
    uri: Any, rewrite: dict[str, Any], target: str, leaves: str | None, build: Build, ask: Ask, to_v1: Any
) -> None:
    match = [{"uri": uri}] if uri is not None else []
    decision = build([{"match": match, "rewrite": rewrite, "route": to_v1}]).route(ask(target), 0)
    if leaves is None:
        assert decision.action is Action.NOT_FOUND
    else:
        assert decision.request is not None
        assert decision.request.path.decode() == leaves


def test_a_prefix_in_any_case_is_replaced_by_its_length(build: Build, ask: Ask, to_v1: Any) -> None:
    match = {"uri": {"prefix": "/Old"}, "ignoreUriCase": True}
    decision = build([{"match": [match], "rewrite": {"uri": "/new"}, "route": to_v1}]).route(ask("/oLD/X"), 0)
    assert decision.request is not None
    assert decision.request.path == b"/new/X"


def test_each_match_of_a_rule_rewrites_its_own_prefix(build: Build, ask: Ask, to_v1: Any) -> None:
    matches = [{"uri": {"prefix": "/serviceB/"}}, {"uri": {"prefix": "/serviceB"}}]
    table = build([{"match": matches, "rewrite": {"uri": "/"}, "route": to_v1}])
    for target, leaves, index in (("/serviceB/x", b"/x", 0), ("/serviceB", b"/", 1)):
        decision = table.route(ask(target), 0)
        assert decision.request is not None
        assert (decision.request.path, decision.match) == (leaves, index)


def test_the_normalised_path_is_matched_and_sent(build: Build, ask: Ask, to_v1: Any) -> None:
    table = build([{"match": [{"uri": {"prefix": "/b"}}], "route": to_v1}])
    decision = table.route(ask("/a/../b%2F%7e"), 0)
    assert decision.request is not None
    assert decision.request.path == b"/b%2F~"
