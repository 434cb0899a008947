from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror_addon.istio.host_index import HostIndex


def host_matches(pattern: str, host: str) -> bool:
    """Compare two hosts as istio `pkg/config/host/name.go`, `Matches`, does: the reference for the index."""
    if pattern.startswith("*"):
        if host.startswith("*"):
            longer, shorter = (pattern, host) if len(pattern) > len(host) else (host, pattern)
            return longer[1:].endswith(shorter[1:])
        return host.endswith(pattern[1:])
    if host.startswith("*"):
        return pattern.endswith(host[1:])
    return pattern == host


@pytest.mark.parametrize(
    ("one", "other", "match"),
    [
        ("a.b", "a.b", True),
        ("*.b", "a.b", True),
        ("*.b", "b", False),
        ("*", "a", True),
        ("*.b", "*.a.b", True),
        ("*.b", "*.c", False),
    ],
)
def test_host_matches_both_ways(one: str, other: str, match: bool) -> None:
    assert host_matches(one, other) is match
    assert host_matches(other, one) is match


hosts = st.text(alphabet="ab.", min_size=1, max_size=5).flatmap(lambda text: st.sampled_from([text, "*" + text, "*"]))


@given(st.lists(hosts, max_size=8), hosts)
def test_the_index_agrees_with_comparing_each(known: list[str], host: str) -> None:
    assert HostIndex(known).overlaps(host) is any(host_matches(one, host) for one in known)


def test_wildcards_that_cover_known_hosts() -> None:
    index = HostIndex(["a.b.c", "*.d"])
    assert [index.overlaps(host) for host in ("*.b.c", "*.c", "*.x", "*", "*.d")] == [True, True, False, True, True]
