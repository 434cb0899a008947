"""A table travels to another process: pickled, and in pieces."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

from mirror_addon.routing.clusters import ORIGINAL_DESTINATION
from mirror_addon.routing.decision import Request
from mirror_addon.routing.identity import Identity
from mirror_addon.routing.table import RouteTable

Build = Callable[..., RouteTable]
Ask = Callable[..., Request]
PASS = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: pass}
spec: {hosts: [pass.com], ports: [{number: 80, name: http}], resolution: NONE}
"""


def table_of(build: Build, to_v1: Any) -> RouteTable:
    regexes = [{"match": [{"uri": {"regex": f"/r/.*{number}"}}], "route": to_v1} for number in range(9)]
    rewrite = {"uriRegexRewrite": {"match": "/p/(.)", "rewrite": "/\\1"}}
    passed = {
        "match": [{"uri": {"prefix": "/p"}}],
        "route": [{"destination": {"host": "pass.com"}}],
        "rewrite": rewrite,
    }
    cased = {"match": [{"uri": {"exact": "/C"}, "ignoreUriCase": True, "method": {"exact": "GET"}}], "route": to_v1}
    return build([*regexes, passed, cased, {"match": [{"port": 81}], "route": to_v1}], PASS, identity=Identity())


def test_a_pickled_table_decides_the_same(build: Build, ask: Ask, to_v1: Any) -> None:
    table = table_of(build, to_v1)
    twice = pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(table))))
    for path, port in (("/r/x3", 80), ("/a/../p/q", 80), ("/c", 80), ("/none", 80), ("/", 81)):
        request = ask(path, port=port, client=b"10.0.0.1")
        one, other = table.route(request, 7), twice.route(request, 7)
        assert (one.action, one.rule, one.request) == (other.action, other.rule, other.request)
        assert str(one.endpoint) == str(other.endpoint)
    assert twice.route(ask("/p"), 0).endpoint is ORIGINAL_DESTINATION


def test_messages_survive(build: Build, ask: Ask, to_v1: Any) -> None:
    table = table_of(build, to_v1)
    host, copied = table.virtual_host(ask()), pickle.loads(pickle.dumps(table)).virtual_host(ask())
    assert host is not None
    entries, copies = (each.services[0].entries for each in (host, copied))
    assert [entry.source for entry in entries] == [entry.source for entry in copies]
    assert [entry.route.http for entry in entries] == [entry.route.http for entry in copies]


def test_pieces_come_after_what_they_consist_of(build: Build, ask: Ask, to_v1: Any) -> None:
    table = table_of(build, to_v1)
    pieces = table.pieces()
    kinds = [type(piece).__name__ for piece in pieces]
    assert kinds.index("Instance") < kinds.index("MeshService")
    assert kinds.index("Subset") < kinds.index("DestinationRule") < kinds.index("Cluster") < kinds.index("RouteEntry")
    assert kinds.index("RouteEntry") < kinds.index("_Node")
    assert len({id(piece) for piece in pieces}) == len(pieces)
    assert "_Node" not in [type(piece).__name__ for piece in build([{"route": to_v1}]).pieces()]
