"""An index finds the entry that a scan in document order finds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from mirror_addon.routing.decision import Request
from mirror_addon.routing.index import Index
from mirror_addon.routing.index import Scan
from mirror_addon.routing.index import build_index
from mirror_addon.routing.lookup import RequestLookup
from mirror_addon.routing.table import RouteTable

Build = Callable[..., RouteTable]
Ask = Callable[..., Request]

SEGMENTS = st.lists(st.sampled_from(["a", "b", "A", "ab", "", "a0"]), max_size=3)
PATHS = SEGMENTS.map(lambda segments: "/" + "/".join(segments))
REGEXES = st.sampled_from(["/a/.*", "/[^/]+/b", ".*", "/a|/b", "/a(/b)?", "(?i)/a", "/ab.*", "/a", "/.+0", "", "(bad"])
URIS = st.one_of(
    st.none(),
    PATHS.map(lambda path: {"exact": path}),
    PATHS.map(lambda path: {"prefix": path}),
    st.just({"prefix": ""}),
    REGEXES.map(lambda regex: {"regex": regex}),
)


@st.composite
def a_match(draw: st.DrawFn) -> dict[str, Any]:
    match: dict[str, Any] = {"ignoreUriCase": draw(st.booleans())}
    if (uri := draw(URIS)) is not None:
        match["uri"] = uri
    if draw(st.booleans()):
        match["headers"] = {"h": draw(st.sampled_from([{}, {"exact": "1"}]))}
    if draw(st.booleans()):
        match["method"] = {"exact": draw(st.sampled_from(["GET", "PUT"]))}
    if draw(st.integers(0, 5)) == 0:
        match["queryParams"] = {"q": {"exact": "1"}}
    if draw(st.integers(0, 5)) == 0:
        match["port"] = 8080
    return match


RULES = st.lists(st.lists(a_match(), min_size=1, max_size=3), min_size=1, max_size=14)
REQUESTS = st.lists(
    st.tuples(
        PATHS | st.just("*"),
        st.sampled_from(["", "?q=1", "?q=2"]),
        st.sampled_from([(), (("h", "1"),), (("h", "2"),)]),
        st.sampled_from(["GET", "PUT"]),
        st.sampled_from([80, 8080]),
    ),
    min_size=1,
    max_size=8,
)


def table_of(build: Build, rules: list[list[dict[str, Any]]]) -> RouteTable:
    route = [{"destination": {"host": "svc", "subset": "v1"}}]
    return build([{"match": matches, "route": route} for matches in rules])


@settings(max_examples=200, deadline=None)
@given(rules=RULES, requests=REQUESTS)
def test_index_and_scan_agree(build: Build, ask: Ask, rules: Any, requests: Any) -> None:
    table = table_of(build, rules)
    for path, query, headers, method, port in requests:
        request = ask(path + query, "example.com", *headers, method=method, port=port)
        host = table.virtual_host(request)
        entries = host.at(port) if host else None
        if entries is None:
            continue
        lookup = RequestLookup(request, path.encode())
        found = Index(entries.entries).find(lookup)
        assert found is Scan(entries.entries).find(lookup)
        rule = table.route(request, 0).rule
        assert (rule and rule.rule) == (found and found.route.rule.rule)


@settings(max_examples=50, deadline=None)
@given(rules=st.lists(st.lists(a_match(), min_size=1, max_size=2), min_size=1, max_size=6), requests=REQUESTS)
def test_the_table_takes_the_first_rule_that_holds(build: Build, ask: Ask, rules: Any, requests: Any) -> None:
    """A table of a single rule shows whether that rule matches; a table of all rules chooses the first that does."""
    table = table_of(build, rules)
    alone = [table_of(build, [matches]) for matches in rules]
    for path, query, headers, method, port in requests:
        if path == "*":
            continue  # a catch-all does not take it, and yet ends the rules
        request = ask(path + query, "example.com", *headers, method=method, port=port)
        holding = [f"http[{index}]" for index, single in enumerate(alone) if single.route(request, 0).rule]
        rule = table.route(request, 0).rule
        assert (rule.rule if rule else None) == (holding[0] if holding else None)


def test_few_entries_are_scanned_and_many_are_not(build: Build, ask: Ask) -> None:
    def entries(number: int) -> Any:
        table = table_of(build, [[{"uri": {"prefix": f"/{index}"}}] for index in range(number)])
        host = table.virtual_host(ask())
        assert host is not None
        return host.at(80)

    assert isinstance(entries(2), Scan)
    assert isinstance(entries(100), Index)
    assert isinstance(build_index(entries(2).entries), Scan)


def test_many_regexes_under_one_prefix(build: Build, ask: Ask) -> None:
    rules = [[{"uri": {"regex": f"/api/[^/]+/r{number}"}}] for number in range(300)]
    table = table_of(build, [*rules, [{"uri": {"prefix": "/api"}}]])
    for path, expected in (("/api/x/r0", 0), ("/api/x/r299", 299), ("/api/x/none", 300)):
        rule = table.route(ask(path), 0).rule
        assert rule is not None
        assert rule.rule == f"http[{expected}]"


def test_many_conditional_entries_of_one_prefix(build: Build, ask: Ask) -> None:
    rules = [[{"uri": {"prefix": "/a"}, "headers": {"n": {"exact": str(number)}}}] for number in range(200)]
    rules += [[{"uri": {"prefix": "/a/b"}}], [{"uri": {"exact": "/a/b/c"}}]]
    table = table_of(build, rules)
    for header, expected in (("199", 199), ("7", 7), ("none", 200)):
        rule = table.route(ask("/a/b/c", "example.com", ("n", header)), 0).rule
        assert rule is not None
        assert rule.rule == f"http[{expected}]"
