"""Entries of virtual services, and the effect of their annotations on the decisions of a table."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from mirror_addon.routing.decision import Mirror
from mirror_addon.routing.decision import Request
from mirror_addon.routing.identity import Identity
from mirror_addon.routing.lookup import RequestLookup
from mirror_addon.routing.table import MirrorTo
from mirror_addon.routing.table import RouteTable
from mirror_addon.routing.trace import explain

Ask = Callable[..., Request]
Table = Callable[..., RouteTable]
V1 = [{"destination": {"host": "svc", "subset": "v1"}}]
V2 = {"host": "svc", "subset": "v2"}


def annotated(text: str, **annotations: str) -> str:
    """The text of a virtual service with `mirror-addon/...` annotations."""
    document: dict[str, Any] = json.loads(text)
    named = {f"mirror-addon/{name.replace('_', '-')}": value for name, value in annotations.items()}
    document["metadata"]["annotations"] = named
    return json.dumps(document)


@pytest.fixture
def table(build: Table, virtual_service: Callable[..., str]) -> Table:
    """A table with one mirrored rule and these annotations."""

    def make(rule: dict[str, Any] | None = None, *, identity: Identity | None = None, **annotations: str) -> RouteTable:
        http = [{"route": V1, "mirror": V2, **(rule or {})}]
        given = annotated(virtual_service(http), **annotations)
        return build(given, identity=identity or Identity(use_remote_address=False))

    return make


def only(table: RouteTable, request: Request, draw: int = 0) -> Mirror:
    (mirror,) = table.route(request, draw).mirrors
    return mirror


def test_without_any_nothing_is_carried(table: Table, ask: Ask) -> None:
    decision = table().route(ask("/"), 0)
    assert decision.rule is not None and decision.rule.annotations is None and decision.rule.ignore == ""
    assert (decision.mirrors[0].annotations, decision.mirrors[0].edit, decision.mirrors[0].number) == (None, None, None)


def test_they_hang_on_rule_and_mirror(table: Table, ask: Ask) -> None:
    decision = table(max_rps="5", ignore="$.id").route(ask("/"), 0)
    assert decision.rule is not None and decision.rule.annotations is decision.mirrors[0].annotations
    assert decision.rule.ignore == "$.id"
    assert decision.mirrors[0].annotations is not None and decision.mirrors[0].annotations.max_rps == 5


@pytest.mark.parametrize(
    ("method", "skipped"), [("GET", None), ("get", None), ("POST", "method"), ("CONNECT", "method")]
)
def test_methods(method: str, skipped: str | None, table: Table, ask: Ask) -> None:
    assert only(table(methods="GET, HEAD"), ask("/", method=method)).skipped == skipped


def test_a_local_reply_comes_before_the_method(table: Table, ask: Ask) -> None:
    rule = {"route": [{"destination": {"host": "svc", "subset": "v3"}}]}
    assert only(table(rule, methods="GET"), ask("/", method="POST")).skipped == "local_reply"


def test_sampling_by_user_replaces_the_draw(table: Table, ask: Ask) -> None:
    sticky = table({"mirrorPercentage": {"value": 50}}, sample_by="header:x-user")
    drawn = {
        user: {only(sticky, ask(path, "example.com", ("x-user", str(user))), draw).sampled for draw, path in DRAWS}
        for user in range(20)
    }
    assert all(len(found) == 1 for found in drawn.values())
    assert {next(iter(found)) for found in drawn.values()} == {True, False}
    anonymous = {only(sticky, ask(path), draw).sampled for draw, path in DRAWS}
    assert anonymous == {True, False}, "without a user it is drawn"


DRAWS = [(number * 0x9E3779B97F4A7C15 % 2**64, f"/{number}") for number in range(16)]


def test_the_seed_is_the_proxys(table: Table, ask: Ask) -> None:
    rule = {"mirrorPercentage": {"value": 50}}
    other = replace(Identity(use_remote_address=False), sample_seed=b"other")
    tables = table(rule, sample_by="query:id"), table(rule, sample_by="query:id", identity=other)
    chosen = [{user for user in range(40) if only(each, ask(f"/?id={user}")).sampled} for each in tables]
    assert chosen[0] != chosen[1]


def test_all_mirrors_of_all_rules_agree_on_a_user(build: Table, virtual_service: Callable[..., str], ask: Ask) -> None:
    def policy(value: float) -> dict[str, Any]:
        return {"destination": V2, "percentage": {"value": value}}

    http = [
        {"match": [{"uri": {"prefix": "/a"}}], "route": V1, "mirrors": [policy(20), policy(60)]},
        {"route": V1, "mirror": V2, "mirror_percent": 20},
    ]
    table = build(annotated(virtual_service(http), sample_by="cookie:sid"))
    for user in range(50):
        cookie = ("cookie", f"sid={user}")
        fifth, most = table.route(ask("/a", "example.com", cookie), 1).mirrors
        (whole,) = table.route(ask("/b", "example.com", cookie), 2).mirrors
        assert fifth.sampled == whole.sampled
        assert most.sampled or not fifth.sampled


def test_edits_of_the_shadows_header(table: Table, ask: Ask) -> None:
    edit = only(table(remove_headers="Cookie", set_headers='{"X-Mark": "é%"}'), ask("/")).edit
    assert edit is not None
    assert edit.apply(((b"COOKIE", b"a"), (b"x-mark", b"0"), (b"b", b"c"))) == (
        (b"b", b"c"),
        (b"X-Mark", "é%".encode()),
    )
    assert only(table(max_rps="1"), ask("/")).edit is None


def test_a_delegate_gets_the_roots(build: Table, virtual_service: Callable[..., str], ask: Ask) -> None:
    root = virtual_service([{"match": [{"uri": {"prefix": "/"}}], "delegate": {"name": "inner"}}], name="root")
    inner = virtual_service([{"route": V1, "mirror": V2}], name="inner", hosts=None)
    both = build(annotated(root, methods="safe", max_rps="1"), annotated(inner, max_rps="7"))
    decision = both.route(ask("/", method="POST"), 0)
    assert decision.mirrors[0].skipped == "method"
    assert decision.rule is not None and decision.rule.annotations is not None
    assert decision.rule.annotations.max_rps == 7
    alone = build(annotated(root, methods="safe"), inner).route(ask("/", method="POST"), 0)
    assert alone.mirrors[0].skipped == "method"


def test_the_table_names_the_rules_that_mirror(build: Table, virtual_service: Callable[..., str]) -> None:
    http = [{"match": [{"uri": {"prefix": "/a"}}], "route": V1}, {"route": V1, "mirror": V2}]
    table = build(virtual_service(http), mirror_to=[MirrorTo("http", "127.0.0.1", 9)])
    assert [str(rule) for rule in table.mirroring] == ["default/test http[1]", "mirror_to"]


def test_explain_has_words_for_all_of_them(table: Table, ask: Ask) -> None:
    annotations = {
        "sample_by": "header:x-user",
        "methods": "GET",
        "expires": "1970-01-02T00:00:00Z",
        "set_headers": '{"X-Mark": "1"}',
        "when": "~c 500",
    }
    made = table(**annotations)
    told = explain(made, ask("/", "example.com", ("x-user", "alice")), 0, 0.0)
    assert any(line.startswith("mirror svc/v2: drawn: by header:x-user: ") for line in told)
    assert "mirror svc/v2: header of the shadow: set X-Mark: 1" in told
    assert "mirror-addon/when: ~c 500" in told
    told = explain(made, ask("/"), 0, 1e9)
    assert any("no header:x-user, so draw % 100 = 0 < 100" in line and "skipped: expired" in line for line in told)
    told = explain(made, ask("/", method="POST"), 0)
    assert any("skipped: method: 'POST' is not among mirror-addon/methods" in line for line in told)
    assert not any("mirror-addon" in line for line in explain(table(), ask("/"), 0))


def test_explain_agrees_with_the_decision(table: Table, ask: Ask) -> None:
    made = table({"mirrorPercentage": {"value": 30}}, sample_by="query:id")
    for user in range(40):
        request = ask(f"/?id={user}")
        (line,) = [line for line in explain(made, request, 0) if line.startswith("mirror svc")]
        assert ("not drawn" in line) is not only(made, request).sampled


def test_entries_describe_themselves(build: Table, ask: Ask) -> None:
    matches = [{"uri": {"prefix": "/a"}, "method": {"exact": "PUT"}, "port": 80}, {"method": {"regex": "P.*"}}]
    table = build([{"match": matches, "route": V1}, {"route": V1}])
    host = table.virtual_host(ask())
    assert host is not None
    first, second, last = [entry for service in host.services for entry in service.entries]
    assert [str(entry) for entry in (first, second, last)] == [
        "default/test http[0] match[0]",
        "default/test http[0] match[1]",
        "default/test http[1]",
    ]
    assert first.words() == "path begins with '/a' and method is 'PUT' and port is 80"
    assert [entry.methods for entry in (first, second, last)] == [frozenset({b"PUT"}), None, None]
    assert (first.source and first.source.port, last.source) == (80, None)
    assert [rule.weight for rule in first.route.http.route] == [0]


def test_an_entry_holds_where_all_its_conditions_do(build: Table, ask: Ask) -> None:
    match = {"uri": {"prefix": "/a"}, "method": {"exact": "PUT"}, "headers": {"x": {}}}
    host = build([{"match": [match], "route": V1}]).virtual_host(ask())
    assert host is not None
    ((entry,),) = (service.entries for service in host.services)
    asked = [
        ask("/b", "example.com", ("x", "1"), method="PUT"),
        ask("/a", method="PUT"),
        ask("/a", "example.com", ("x", "")),
    ]
    assert [entry.holds(RequestLookup(request, request.path)) for request in asked] == [True, False, False]
