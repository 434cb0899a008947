"""Host names with wildcards."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror_addon.gateway_api.hostnames import covers
from mirror_addon.gateway_api.hostnames import intersection
from mirror_addon.gateway_api.hostnames import is_isolated


@pytest.mark.parametrize(
    ("one", "other", "common"),
    [
        ("", "", "*"),
        ("", "a.b", "a.b"),
        ("*", "*.b", "*.b"),
        ("a.b", "A.B", "a.b"),
        ("a.b", "*.b", "a.b"),
        ("x.a.b", "*.b", "x.a.b"),
        ("b", "*.b", None),
        ("*.a.b", "*.b", "*.a.b"),
        ("*.b", "*.b", "*.b"),
        ("*.a", "*.b", None),
        ("a.b", "c.b", None),
        ("xb", "*.b", None),
    ],
)
def test_intersections(one: str, other: str, common: str | None) -> None:
    assert intersection(one, other) == intersection(other, one) == common


names = st.lists(st.sampled_from("ab"), min_size=1, max_size=4).map(".".join)
hosts = st.one_of(names, names.map("*.{}".format), st.just("*"))


@given(hosts, hosts, names)
def test_a_host_is_in_the_intersection_if_it_is_in_both(one: str, other: str, host: str) -> None:
    common = intersection(one, other)
    assert (common is not None and covers(common, host)) == (covers(one, host) and covers(other, host))


@pytest.mark.parametrize(
    ("hostname", "own", "others", "isolated"),
    [
        ("a.b", "", {"a.b"}, True),
        ("a.b", "", {"*.b"}, True),
        ("a.b", "", {"c.b"}, False),
        ("a.b", "*.b", {"a.b"}, True),
        ("a.b", "*.b", {"*"}, False),
        ("a.b", "a.b", {"*.b"}, False),
        ("*", "", {"*.b"}, False),
        ("*.a.b", "*.b", {"*.a.b"}, True),
        ("*.b", "*.b", {"*.a.b"}, False),
        ("a.c", "*.b", set(), True),
        ("a.b", "*.b", {"*.b"}, False),
    ],
)
def test_isolation(hostname: str, own: str, others: set[str], isolated: bool) -> None:
    assert is_isolated(hostname, own, frozenset(others)) is isolated
