from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mirror_addon.routing.clusters import TLS
from mirror_addon.routing.decision import Action
from mirror_addon.routing.decision import Request
from mirror_addon.routing.table import MirrorTo
from mirror_addon.routing.table import RouteTable
from mirror_addon.routing.trace import explain
from mirror_addon.routing.trace import rules

Build = Callable[..., RouteTable]
Ask = Callable[..., Request]
URLS = [MirrorTo("http", "localhost", 9002, ""), MirrorTo("https", "::1", 443, "/copy/")]


def test_what_no_rule_claims_passes_through_and_is_mirrored(build: Build, ask: Ask) -> None:
    table = build(mirror_to=URLS)
    request = ask("/a/../b", "anything.com:99", client=b"9.9.9.9")
    decision = table.route(request, 0)
    assert decision.action is Action.PASSTHROUGH
    assert decision.request == ask("/a/../b", "anything.com:99", client=b"9.9.9.9")
    assert (decision.cluster, decision.endpoint, decision.response) == (None, None, None)
    assert decision.rule is not None
    plain, tls = decision.mirrors
    assert (str(plain.endpoint), plain.path_prefix, plain.cluster.tls) == ("localhost:9002", b"", None)
    assert (str(tls.endpoint), tls.path_prefix, tls.cluster.tls) == ("[::1]:443", b"/copy", TLS())
    assert [(mirror.sampled, mirror.skipped, mirror.percent) for mirror in decision.mirrors] == [(True, None, 100)] * 2


def test_what_a_rule_claims_is_not(build: Build, ask: Ask, to_v1: Any) -> None:
    table = build([{"match": [{"uri": {"exact": "/a"}}], "route": to_v1}], mirror_to=URLS)
    assert table.route(ask("/a"), 0).mirrors == ()
    decision = table.route(ask("/b"), 0)
    assert (decision.action, decision.mirrors) == (Action.NOT_FOUND, ())


def test_connect_is_skipped(build: Build, ask: Ask) -> None:
    mirrors = build(mirror_to=URLS).route(ask(method="CONNECT"), 0).mirrors
    assert {mirror.skipped for mirror in mirrors} == {"method"}


def test_it_is_listed_and_explained(build: Build, ask: Ask) -> None:
    table = build(mirror_to=URLS)
    assert str(rules(table)[-1].mirrors[0]) == "localhost:9002 100 % -> localhost:9002"
    said = explain(table, ask(), 3)
    assert said[0].endswith("no rule claims it; the request passes through")
    assert "localhost:9002: drawn" in said[1]


def only(host: bytes) -> Callable[[Request], bool]:
    return lambda request: request.authority == host


def test_filters(build: Build, ask: Ask) -> None:
    """Each URL has its own; what matches none is named by no rule."""
    table = build(
        mirror_to=[
            MirrorTo("http", "a", 1, filter="~d x", matches=only(b"x.com")),
            MirrorTo("http", "b", 2, filter="~d y", matches=only(b"y.com")),
            MirrorTo("http", "c", 3, filter="~d x", matches=only(b"x.com")),
        ]
    )
    found = {host: table.route(ask("/", host), 0) for host in ("x.com", "y.com", "z.com")}
    targets = {host: [str(mirror.endpoint) for mirror in each.mirrors] for host, each in found.items()}
    assert targets == {"x.com": ["a:1", "c:3"], "y.com": ["b:2"], "z.com": []}
    assert found["y.com"].rule == table.passthrough.rule
    assert found["z.com"].rule is None and found["z.com"].action is Action.PASSTHROUGH
    assert explain(table, ask("/", "y.com"), 0)[1:5] == [
        "mirror a:1: the request does not match the filter ~d x",
        "mirror b:2: the request matches the filter ~d y",
        "mirror b:2: drawn: draw % 100 = 0 < 100 (100 %), to b:2",
        "mirror c:3: the request does not match the filter ~d x",
    ]
    assert str(rules(table)[-1].mirrors[0]) == "a:1 100 % -> a:1 where ~d x"
