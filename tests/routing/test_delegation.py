"""Delegates: merging of a root route with the routes of the virtual service that it names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mirror_addon.routing.decision import Action
from mirror_addon.routing.decision import Request
from mirror_addon.routing.identity import Identity
from mirror_addon.routing.table import RouteTable

Build = Callable[..., RouteTable]
Ask = Callable[..., Request]
Text = Callable[..., str]

V1, V2 = {"host": "svc", "subset": "v1"}, {"host": "svc", "subset": "v2"}


@pytest.fixture
def merged(build: Build, virtual_service: Text) -> Callable[..., RouteTable]:
    """`merged(root_fields, *delegate_routes)`: a table of one root route and the delegate it names."""

    def make(root: dict[str, Any], *routes: dict[str, Any], **delegate: Any) -> RouteTable:
        http = [{"delegate": {"name": "inner"}, **root}, {"name": "after", "route": [{"destination": V1}]}]
        inner = [{"route": [{"destination": V1}], **route} for route in routes]
        return build(virtual_service(http, name="outer"), virtual_service(inner, name="inner", hosts=None, **delegate))

    return make


def prefix(path: str) -> dict[str, Any]:
    return {"uri": {"prefix": path}}


def test_the_delegates_rule_is_counted_in_its_own_document(merged: Callable[..., RouteTable], ask: Ask) -> None:
    table = merged(
        {"name": "root", "match": [prefix("/a")]},
        {"name": "one", "match": [prefix("/a/no")]},
        {"name": "two", "match": [prefix("/a/x"), prefix("/a/b")]},
    )
    decision = table.route(ask("/a/b"), 0)
    assert decision.rule is not None
    assert (decision.rule.virtual_service, decision.rule.rule, decision.rule.name) == (
        "default/inner",
        "http[1]",
        "root-two",
    )
    assert decision.match == 1
    rule = table.route(ask("/a/other"), 0).rule
    assert rule is not None
    assert rule.name == "after"


# root's uri, delegate's uri, a path that both would take, and whether they go together
URIS = [
    ({"prefix": "/a"}, {"prefix": "/a/b"}, "/a/bc", True),
    ({"prefix": "/a/b"}, {"prefix": "/a"}, "/a/b", False),
    ({"prefix": "/a"}, {"exact": "/a/b"}, "/a/b", True),
    ({"prefix": "/a"}, {"exact": "/b"}, "/b", False),
    ({"exact": "/a"}, {"exact": "/a"}, "/a", True),
    ({"exact": "/a"}, {"exact": "/b"}, "/a", False),
    ({"exact": "/a"}, {"prefix": "/a"}, "/a", False),
    ({"regex": "/a.*"}, {"prefix": "/a"}, "/a", False),
    ({"prefix": "/a"}, {"regex": "/a.*"}, "/a", False),
    ({"regex": "/a"}, {"regex": "/a"}, "/a", False),
    ({"prefix": "/a"}, None, "/abc", True),
    (None, {"prefix": "/a"}, "/abc", True),
    ({"regex": "/a."}, None, "/ab", True),
]


@pytest.mark.parametrize(("outer", "inner", "path", "together"), URIS)
def test_uris(outer: Any, inner: Any, path: str, together: bool, merged: Callable[..., RouteTable], ask: Ask) -> None:
    root = {"match": [{"uri": outer}]} if outer else {}
    delegate = {"match": [{"uri": inner}]} if inner else {}
    rule = merged(root, {"name": "in", **delegate}).route(ask(path), 0).rule
    assert rule is not None
    assert rule.name == ("in" if together else "after")


@pytest.mark.parametrize(
    ("outer", "inner", "kept"),
    [
        ({"headers": {"a": {"exact": "1"}}}, {"headers": {"b": {"exact": "2"}}}, True),
        ({"headers": {"a": {"exact": "1"}}}, {"headers": {"a": {"exact": "2"}}}, False),
        ({"method": {"exact": "GET"}}, {"method": {"exact": "PUT"}}, False),
        ({"method": {"exact": "GET"}}, {"scheme": {"exact": "http"}}, True),
        ({"ignoreUriCase": True}, {}, False),
        ({"ignoreUriCase": True}, {"ignoreUriCase": True}, True),
        ({"port": 80}, {"port": 81}, False),
        ({"port": 80}, {}, True),
        ({"gateways": ["a", "b"]}, {"gateways": ["a"]}, True),
        ({"gateways": ["a"]}, {"gateways": ["b"]}, False),
        ({"queryParams": {"q": {"exact": "1"}}}, {"queryParams": {"q": {"exact": "2"}}}, False),
        ({"withoutHeaders": {"w": {"exact": "1"}}}, {"withoutHeaders": {"w": {"exact": "2"}}}, False),
    ],
)
def test_other_conditions(
    outer: dict[str, Any], inner: dict[str, Any], kept: bool, merged: Callable[..., RouteTable], ask: Ask
) -> None:
    table = merged({"match": [{**prefix("/"), **outer}]}, {"name": "in", "match": [inner]})
    rule = table.route(ask("/?q=1", "example.com", ("a", "1"), ("b", "2"), port=80), 0).rule
    assert rule is not None
    assert (rule.name == "in") is kept


def test_both_sides_conditions_hold_and_matches_pair_up(merged: Callable[..., RouteTable], ask: Ask) -> None:
    root = {"match": [{**prefix("/a"), "headers": {"h": {}}}, prefix("/b")]}
    table = merged(root, {"name": "in", "match": [{"method": {"exact": "GET"}}]})
    for path, headers, method, name in (
        ("/a", (("h", ""),), "GET", "in"),
        ("/a", (), "GET", "after"),
        ("/b", (), "GET", "in"),
        ("/b", (), "PUT", "after"),
    ):
        rule = table.route(ask(path, "example.com", *headers, method=method), 0).rule
        assert rule is not None
        assert rule.name == name


def test_unset_fields_are_inherited_one_by_one(merged: Callable[..., RouteTable], ask: Ask) -> None:
    root = {
        "rewrite": {"uri": "/root"},
        "timeout": "2s",
        "mirrorPercentage": {"value": 0},
        "headers": {"request": {"set": {"x-root": "1"}}},
    }
    decision = merged(root, {"mirror": V2}).route(ask("/a"), 0)
    assert decision.request is not None
    assert decision.request.path == b"/roota"
    assert decision.request.headers == ((b"x-root", b"1"),)
    (mirror,) = decision.mirrors
    assert (mirror.cluster.label, mirror.sampled, mirror.timeout) == ("svc/v2", False, 2.0)


def test_the_delegates_own_fields_win(merged: Callable[..., RouteTable], ask: Ask) -> None:
    decision = merged({"rewrite": {"uri": "/root"}}, {"rewrite": {"uri": "/in/"}}).route(ask("/a"), 0)
    assert decision.request is not None
    assert decision.request.path == b"/in/a"


def test_mirror_and_mirrors_are_inherited_separately(merged: Callable[..., RouteTable], ask: Ask) -> None:
    decision = merged({"mirror": V2}, {"mirrors": [{"destination": V1}]}).route(ask("/a"), 0)
    assert [mirror.cluster.label.rpartition("/")[2] for mirror in decision.mirrors] == ["v2", "v1"]
    assert all(mirror.endpoint for mirror in decision.mirrors)


def test_a_missing_delegate_drops_the_root_route(build: Build, ask: Ask, virtual_service: Text) -> None:
    http = [{"delegate": {"name": "gone"}}, {"name": "after", "route": [{"destination": V1}]}]
    rule = build(virtual_service(http)).route(ask(), 0).rule
    assert rule is not None
    assert rule.name == "after"


@pytest.mark.parametrize(
    ("export_to", "found"), [(None, True), (["*"], True), (["default"], True), (["."], False), (["other"], False)]
)
def test_a_delegate_elsewhere_must_be_exported(
    export_to: Any, found: bool, build: Build, ask: Ask, virtual_service: Text
) -> None:
    http = [{"delegate": {"name": "inner", "namespace": "team"}}, {"name": "after", "route": [{"destination": V1}]}]
    inner = virtual_service(
        [{"name": "in", "directResponse": {"status": 200}}],
        name="inner",
        namespace="team",
        hosts=None,
        exportTo=export_to,
    )
    rule = build(virtual_service(http), inner).route(ask(), 0).rule
    assert rule is not None
    assert (rule.name == "in") is found


def test_names_are_of_the_document_that_wrote_them(build: Build, ask: Ask, virtual_service: Text) -> None:
    http = [{"delegate": {"name": "inner", "namespace": "team"}, "mirror": V2}]
    inner = virtual_service([{"route": [{"destination": V1}]}], name="inner", namespace="team", hosts=None)
    decision = build(virtual_service(http), inner).route(ask(), 0)
    assert decision.action is Action.UNAVAILABLE
    assert decision.cluster is not None
    assert decision.cluster.host == "svc.team.svc.cluster.local"
    assert decision.mirrors[0].cluster.host == "svc.default.svc.cluster.local"


def test_one_level_only(build: Build, ask: Ask, virtual_service: Text) -> None:
    table = build(
        virtual_service([{"delegate": {"name": "b"}}, {"name": "after", "route": [{"destination": V1}]}], name="a"),
        virtual_service([{"delegate": {"name": "c"}}], name="b", hosts=None),
        virtual_service([{"name": "in", "route": [{"destination": V1}]}], name="c", hosts=None),
    )
    rule = table.route(ask(), 0).rule
    assert rule is not None
    assert rule.name == "after"


# Conditions on header x: root's, delegate's. A delegate's condition that is not narrower excludes its route.
@pytest.mark.parametrize(
    ("outer", "inner", "kept"),
    [
        ({}, {"exact": "1"}, False),
        ({"prefix": "1"}, {}, False),
        ({"regex": "1"}, {}, False),
        ({"exact": ""}, {"exact": ""}, False),
        ({"exact": "1"}, {"prefix": "1"}, False),
        ({"prefix": "1"}, {"prefix": "1"}, True),
    ],
)
def test_conditions_on_a_header(
    outer: Any, inner: Any, kept: bool, merged: Callable[..., RouteTable], ask: Ask
) -> None:
    table = merged({"match": [{"headers": {"x": outer}}]}, {"match": [{"headers": {"x": inner}}]})
    rule = table.route(ask("/", "example.com", ("x", "1")), 0).rule
    assert (rule and rule.virtual_service) == ("default/inner" if kept else "default/outer")


class TestSource:
    """What a match says of the client: matches of root and delegate, and whether the delegate's route is kept."""

    @pytest.mark.parametrize(
        ("outer", "inner", "kept"),
        [
            ({"sourceNamespace": "default"}, {"sourceNamespace": "default"}, True),
            ({"sourceNamespace": "default"}, {}, False),
            ({}, {"sourceNamespace": "default"}, True),
            ({"sourceNamespace": "default"}, {"sourceNamespace": "other"}, False),
            ({"sourceLabels": {"a": "b"}}, {}, True),
            ({"sourceLabels": {"a": "b"}}, {"sourceLabels": {"a": "c"}}, False),
            ({"gateways": ["mesh"]}, {"gateways": ["mesh"]}, True),
            ({"gateways": ["mesh"]}, {}, True),
            ({"gateways": ["mesh"]}, {"gateways": ["mesh", "mesh"]}, False),
            ({"gateways": ["mesh"]}, {"gateways": ["edge"]}, False),
            ({"gateways": ["mesh", "edge"]}, {"gateways": ["default/edge", "mesh"]}, True),
        ],
    )
    def test_conflicts(self, outer: Any, inner: Any, kept: bool, build: Build, ask: Ask, virtual_service: Text) -> None:
        match = {"uri": {"prefix": "/a"}}
        table = build(
            virtual_service([{"match": [{**match, **outer}], "delegate": {"name": "inner"}}], name="outer"),
            virtual_service(
                [{"match": [{**match, **inner}], "route": [{"destination": V1}]}], name="inner", hosts=None
            ),
            identity=Identity(gateways=("mesh",), labels=(("a", "b"),)),
        )
        assert (table.route(ask("/a"), 0).rule is not None) is kept

    def test_gateways_are_named_in_their_own_namespace(self, build: Build, ask: Ask, virtual_service: Text) -> None:
        root = [{"match": [{"gateways": ["edge"]}], "delegate": {"name": "inner", "namespace": "team"}}]
        inner = [{"match": [{"uri": {"prefix": "/a"}}], "route": [{"destination": V1}]}]
        documents = (
            virtual_service(root, name="outer", gateways=["edge"]),
            virtual_service(inner, name="inner", namespace="team", hosts=None),
        )
        found = [
            build(*documents, identity=Identity(gateways=(gateway,))).route(ask("/a"), 0).rule is not None
            for gateway in ("edge", "default/edge", "team/edge")
        ]
        assert found == [True, True, False]
