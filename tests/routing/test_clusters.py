from __future__ import annotations

from collections import Counter

import pytest

from mirror_addon.routing.clusters import ORIGINAL_DESTINATION
from mirror_addon.routing.clusters import Cluster
from mirror_addon.routing.clusters import Endpoint

A, B = Endpoint("10.0.0.1", 80), Endpoint("10.0.0.2", 80, weight=3)


@pytest.mark.parametrize(
    ("endpoint", "text"),
    [
        (Endpoint("127.0.0.1", 9001), "127.0.0.1:9001"),
        (Endpoint("::1", 9001), "[::1]:9001"),
        (Endpoint("foo.com", 80), "foo.com:80"),
        (Endpoint("unix:///tmp/s", 0), "unix:///tmp/s"),
        (ORIGINAL_DESTINATION, "original destination"),
    ],
)
def test_endpoints_in_words(endpoint: Endpoint, text: str) -> None:
    assert str(endpoint) == text


@pytest.mark.parametrize("balancer", ["RANDOM", "LEAST_REQUEST"])
def test_random_picks_by_weight_and_by_the_draw_alone(balancer: str) -> None:
    cluster = Cluster("h", "", 80, (A, B), balancer=balancer)
    picked = Counter(cluster.pick(draw) for draw in range(8000))
    assert picked[B] / picked[A] == pytest.approx(3, rel=0.15)
    assert all(cluster.pick(draw) is cluster.pick(draw) for draw in range(50))


def test_the_pick_does_not_follow_weights_or_mirrors() -> None:
    """Both look at the draw's remainder, and endpoints must be independent of it."""
    cluster = Cluster("h", "", 80, (A, Endpoint("10.0.0.3", 80)))
    low = Counter(cluster.pick(draw) for draw in range(0, 100_000, 100))
    assert 400 < low[A] < 600


def test_round_robin_takes_turns_by_weight() -> None:
    cluster = Cluster("h", "", 80, (A, B), balancer="ROUND_ROBIN")
    assert Counter(cluster.pick(0) for _ in range(8)) == {A: 2, B: 6}


def test_no_endpoint() -> None:
    cluster = Cluster("h", "", 80, ())
    assert cluster.pick(0) is None
    assert cluster.pick_by_hash(b"k") is None


def test_a_hash_keeps_its_endpoint_when_others_go() -> None:
    endpoints = tuple(Endpoint(f"10.0.0.{number}", 80) for number in range(1, 6))
    before = Cluster("h", "", 80, endpoints)
    after = Cluster("h", "", 80, endpoints[:-1])
    keys = [b"%d" % number for number in range(500)]
    moved = [key for key in keys if before.pick_by_hash(key) != after.pick_by_hash(key)]
    assert {before.pick_by_hash(key) for key in moved} == {endpoints[-1]}
    assert {before.pick_by_hash(key) for key in keys} == set(endpoints)


def test_a_hash_follows_weights() -> None:
    cluster = Cluster("h", "", 80, (A, B))
    picked = Counter(cluster.pick_by_hash(b"%d" % number) for number in range(4000))
    assert picked[B] / picked[A] == pytest.approx(3, rel=0.2)


@pytest.mark.parametrize(("protocol", "http2"), [("http", False), ("https", False), ("http2", True), ("grpc", True)])
def test_the_protocols_of_http2(protocol: str, http2: bool) -> None:
    assert Cluster("h", "", 80, (), protocol).is_http2 is http2


@pytest.mark.parametrize(
    ("protocol", "detects", "grpc", "http2"),
    [
        ("http", False, True, False),
        ("http", True, True, True),
        ("http", True, False, False),
        ("grpc-web", False, False, True),
    ],
)
def test_what_is_sent_over_http2(protocol: str, detects: bool, grpc: bool, http2: bool) -> None:
    assert Cluster("h", "", 80, (), protocol, detects_protocol=detects).speaks_http2(grpc=grpc) is http2
