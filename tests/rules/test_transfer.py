from __future__ import annotations

import dataclasses
import gc
import itertools
import pickle
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from envoytools.generated import DRAWS
from envoytools.generated import requests
from envoytools.generated import rule_sets
from envoytools.outcome import Sent
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from mirror_addon.envoy.bootstrap import ExportOptions
from mirror_addon.envoy.bootstrap import translate
from mirror_addon.options.settings import OPTIONS
from mirror_addon.options.settings import parse_settings
from mirror_addon.routing.clusters import ORIGINAL_DESTINATION
from mirror_addon.routing.clusters import Endpoint
from mirror_addon.routing.decision import Action
from mirror_addon.routing.decision import Request
from mirror_addon.routing.normalization import LEVELS
from mirror_addon.routing.table import RouteTable
from mirror_addon.routing.trace import explain
from mirror_addon.rules import transfer
from mirror_addon.rules.listing import rule_lines
from mirror_addon.rules.rule_set import RuleSet
from mirror_addon.rules.rule_set import load_rule_set
from mirror_addon.rules.transfer import NotReadable
from mirror_addon.rules.transfer import pack
from mirror_addon.rules.transfer import unpack

HERE = Path(__file__).parents[1]
KINDS = (HERE / "envoy" / "everything.yaml", HERE / "rules_of_all_kinds.yaml")
OPTIONS_OF_ALL_KINDS = {
    "mirror_gateways": ["gate", "mesh"],
    "mirror_endpoints": ["override=[::1]:7", "serviceB=127.0.0.1:9"],
    "mirror_to": ["http://127.0.0.1:9/base", "https://mirror.test"],
}
OWN = b"192.0.2.1"
NOON = 1_900_000_000.0


def load(*files: Path, **options: Any) -> RuleSet:
    values = {option.name: option.default for option in OPTIONS} | options
    return load_rule_set(parse_settings(values | {"mirror_rules": [str(file) for file in files]}), OWN)


def plain(value: Any) -> Any:
    """Clusters compare by identity, and equal addresses are not all the original destination."""
    if value is ORIGINAL_DESTINATION:
        return "original destination"
    if dataclasses.is_dataclass(value):
        parts = {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
        return {"": type(value).__name__, **parts}
    return tuple(map(plain, value)) if isinstance(value, (tuple, list)) else value


def same_answers(one: RouteTable, other: RouteTable, request: Request, draw: int) -> None:
    assert plain(other.route(request, draw)) == plain(one.route(request, draw)), (request, draw)


def same_sources(one: RouteTable, other: RouteTable) -> None:
    hosts = list(zip(one.virtual_hosts, other.virtual_hosts, strict=True))
    assert [mine.host for mine, _ in hosts] == [theirs.host for _, theirs in hosts]
    for mine, theirs in hosts:
        for before, after in zip(mine.services, theirs.services, strict=True):
            for entry, came in zip(before.entries, after.entries, strict=True):
                assert came.source == entry.source and came.methods == entry.methods
                assert came.route.http == entry.route.http
                assert (str(came), came.words(), came.port) == (str(entry), entry.words(), entry.port)
                assert (came.catch_all, came.excluded) == (entry.catch_all, entry.excluded)
    assert [plain(rule) for rule in other.mirroring] == [plain(rule) for rule in one.mirroring]
    assert other.identity == one.identity
    assert list(rule_lines(other)) == list(rule_lines(one))
    assert translate(other, ExportOptions()) == translate(one, ExportOptions())


PATHS = (
    *("/", "/a/x/1", "/A/Y", "/a/z", "/Case", "/case", "/secure", "/insecure", "/hash", "/grpc", "/many", "/original"),
    *("/dynamic", "/override", "/nobody", "/weightless", "/old/x?y=1", "/nothing", "/teapot", "/bytes", "/odd?q="),
    *("/sticky/1", "/team/a/1?q=x", "/team/a", "/team/b", "/none", "/x/12", "/x/abc", "/x/a/", "/x/yz", "/x/Q"),
    *("/X/q", "/x/exact", "/x/ANY", "/X/some", "/x/exact/more", "/x/(", "/r/1?x=1", "/r2/1", "//a//x/../x/y", "/%61"),
    *("/a%2fx%2F1", "/x\\12"),
)
HOSTS = (
    "a.test",
    "b.b.test",
    "x-c.test:8080",
    "[::1]",
    "10.0.0.7",
    "d.test",
    "d.e.test",
    "only.test",
    "only.test:9090",
)
HOSTS += ("any.dynamic.test", "unknown.test")
FIELDS: tuple[tuple[tuple[str, str], ...], ...] = (
    (),
    (("h", ""), ("i", "xy"), ("j", "abc"), ("k", "1"), ("o", "y"), ("cookie", "user=7; c=1")),
    (("h", "x"), ("origin", "http://o"), ("access-control-request-method", "GET"), ("x-secret", "s")),
)
BIG = 0x9E3779B97F4A7C15
"""A draw in the middle of all."""


def all_requests(sparse: int) -> Iterator[Request]:
    whole = itertools.product(PATHS, HOSTS, ("GET", "PUT", "OPTIONS"), FIELDS)
    for number, (path, host, method, fields) in enumerate(whole):
        if number % sparse == 0:
            yield Sent(method, path, host, fields).request(number, b"10.1.2.3")


def test_a_rule_set_of_every_kind_decides_as_before() -> None:
    rule_set = load(*KINDS, **OPTIONS_OF_ALL_KINDS)
    other = unpack(pack(rule_set))
    actions = set()
    turns = set()
    for request in all_requests(1):
        for draw in (0, BIG):
            same_answers(rule_set.table, other.table, request, draw)
        decision = other.table.route(request, 0)
        assert plain(decision.action) == rule_set.table.route(request, 0).action
        actions.add(decision.action)
        turns.add(decision.endpoint)
    assert actions == set(Action), "all was asked for"
    assert any(endpoint is ORIGINAL_DESTINATION for endpoint in turns)
    assert Endpoint("unix:///run/static.sock", 0) in {Endpoint(e.address, e.port) for e in turns if e}


def test_a_rule_set_of_every_kind_says_of_itself_what_it_said() -> None:
    rule_set = load(*KINDS, **OPTIONS_OF_ALL_KINDS)
    other = unpack(pack(rule_set))
    said = [field.name for field in dataclasses.fields(rule_set) if field.name != "table"]
    assert len(said) == 6 and len(other.diagnostics) > 10 and other.mirrors and other.unsafe
    assert [getattr(other, name) for name in said] == [getattr(rule_set, name) for name in said]
    same_sources(rule_set.table, other.table)
    for request in all_requests(41):
        assert explain(other.table, request, BIG, NOON) == explain(rule_set.table, request, BIG, NOON)


@pytest.mark.parametrize("level", LEVELS)
def test_every_path_normalization(level: str) -> None:
    rule_set = load(*KINDS, **OPTIONS_OF_ALL_KINDS, mirror_path_normalization=level)
    other = unpack(pack(rule_set)).table
    assert other.identity.path_normalization == level
    for request in all_requests(7):
        same_answers(rule_set.table, other, request, BIG)


def test_what_was_unpacked_can_travel_again() -> None:
    rule_set = load(*KINDS, **OPTIONS_OF_ALL_KINDS)
    other = unpack(pack(unpack(pack(rule_set))))
    same_sources(rule_set.table, other.table)
    for request in all_requests(13):
        same_answers(rule_set.table, other.table, request, BIG)


def test_equal_things_are_one_thing_afterwards_too() -> None:
    """A route's mirrors share its rule, and all routes share their clusters: turns are taken by all together."""
    table = unpack(pack(load(*KINDS, **OPTIONS_OF_ALL_KINDS))).table
    entries = [entry for host in table.virtual_hosts for service in host.services for entry in service.entries]
    assert {id(rule) for rule in table.mirroring} <= {id(e.route.rule) for e in entries} | {id(table.passthrough.rule)}
    targets = [mirror.any_cluster for entry in entries for mirror in entry.route.mirrors]
    by_name = {(cluster.host, cluster.subset, cluster.port): cluster for cluster in targets}
    assert all(by_name[cluster.host, cluster.subset, cluster.port] is cluster for cluster in targets)


@pytest.mark.parametrize("reading", ["refused", "only good"])
def test_a_refused_set(tmp_path: Path, reading: str) -> None:
    (tmp_path / "a.yaml").write_text("kind: [")
    values = {option.name: option.default for option in OPTIONS} | {"mirror_rules": [str(tmp_path)]}
    rule_set = load_rule_set(parse_settings(values), OWN, only_good=reading == "only good")
    other = unpack(pack(rule_set))
    assert other.refused and other.diagnostics == rule_set.diagnostics != ()


@given(
    rule_sets(), st.lists(requests, min_size=1, max_size=8), st.lists(st.sampled_from(DRAWS), min_size=1, max_size=3)
)
@settings(max_examples=60)
def test_any_rule_set(tmp_path_factory: pytest.TempPathFactory, text: str, sent: list[Sent], draws: list[int]) -> None:
    file = tmp_path_factory.getbasetemp() / "generated.json"
    file.write_text(text)
    rule_set = load(file, mirror_gateways=["gate"], mirror_endpoints=["v1=127.0.0.1:1", "v2=127.0.0.1:2", "m1=[::1]:3"])
    other = unpack(pack(rule_set))
    same_sources(rule_set.table, other.table)
    for number, each in enumerate(sent):
        for draw in draws:
            request = each.request(number, b"10.1.2.3")
            same_answers(rule_set.table, other.table, request, draw)
            assert explain(other.table, request, draw) == explain(rule_set.table, request, draw)


ROUTES = 400
HEAD = "---\napiVersion: networking.istio.io/v1\nkind: {}\nmetadata: {{name: {}}}\nspec:\n"


def one_service(uri: str) -> str:
    rule = "  - {{match: [{{uri: {}}}], route: [{{destination: {{host: b, subset: v1}}}}], mirror: {{host: c}}}}\n"
    rules = "".join(rule.format(uri % number) for number in range(ROUTES))
    return HEAD.format("VirtualService", "a") + f"  hosts: [a.test]\n  http:\n{rules}"


def many_services() -> str:
    return "".join(
        HEAD.format("VirtualService", f"v{n}")
        + f"  hosts: [v{n}.test]\n  http: [{{route: [{{destination: {{host: s{n}.test, subset: x}}}}]}}]\n"
        + HEAD.format("ServiceEntry", f"s{n}")
        + f"  hosts: [s{n}.test]\n  resolution: STATIC\n  ports: [{{number: 80, name: http, protocol: HTTP}}]\n"
        + "  endpoints: [{address: 127.0.0.1, labels: {a: b}}]\n"
        + HEAD.format("DestinationRule", f"s{n}")
        + f"  host: s{n}.test\n  trafficPolicy: {{tls: {{mode: SIMPLE}}}}\n  subsets: [{{name: x, labels: {{a: b}}}}]\n"
        for n in range(ROUTES // 4)
    )


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(one_service("{prefix: /service%d/}"), id="prefixes"),
        pytest.param(one_service("{prefix: /s" + "/s" * 60 + "%d}"), id="long prefixes"),
        pytest.param(one_service("{exact: /service%d}"), id="exact paths"),
        pytest.param(one_service("{regex: '/service%d/[0-9]+'}"), id="regexes"),
        pytest.param(one_service("{prefix: /Service%d}, ignoreUriCase: true"), id="any case"),
        pytest.param(many_services(), id="services"),
    ],
)
def test_no_step_is_a_large_part(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted in what is allocated, as time is no measure for a test."""
    (tmp_path / "a.yaml").write_text(text)
    rule_set = load(tmp_path, mirror_endpoints=["b=127.0.0.1:1", "c=127.0.0.1:2"])
    assert not rule_set.refused
    data = pack(rule_set)
    marks: list[int] = []
    monkeypatch.setattr(transfer, "breathe", lambda: marks.append(sys.getallocatedblocks()))
    gc.collect()
    gc.disable()
    try:
        marks.append(sys.getallocatedblocks())
        other = unpack(data)
        marks.append(sys.getallocatedblocks())
    finally:
        gc.enable()
    assert other.documents == rule_set.documents
    steps = [after - before for before, after in itertools.pairwise(marks)]
    assert len(steps) > ROUTES // 4
    assert max(steps) < sum(steps) / 20, (steps[0], max(steps), steps[-1], sum(steps))


@pytest.mark.parametrize(
    "data", [b"", b"\x80", b"Hello, world\n", pickle.dumps(3), pickle.dumps(0) + pickle.dumps("x")]
)
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(NotReadable, match=r"\w"):
        unpack(data)


def test_what_was_cut_off_is_refused() -> None:
    data = pack(load(HERE / "rules_of_all_kinds.yaml"))
    for length in range(0, len(data), 997):
        with pytest.raises(NotReadable):
            unpack(data[:length])
