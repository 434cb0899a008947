from __future__ import annotations

import pytest

from mirror_addon.istio.names import domain_problem
from mirror_addon.istio.names import is_ip
from mirror_addon.istio.names import resolve_short_name


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("reviews", "reviews.ns.svc.cluster.local"),
        ("localhost", "localhost.ns.svc.cluster.local"),
        ("reviews.prod", "reviews.prod"),
        ("*", "*"),
        ("::1", "::1"),
        ("1.2.3.4", "1.2.3.4"),
        ("", ""),
    ],
)
def test_short_names(name: str, full: str) -> None:
    assert resolve_short_name(name, "ns") == full


@pytest.mark.parametrize("name", ["a", "a.b", "UPPER.b", "a-b.c", "a.b.", "1a.b", f"{'a' * 63}.b", "1.b"])
def test_domains(name: str) -> None:
    assert domain_problem(name) is None


@pytest.mark.parametrize(
    "name", ["", "a_b", "-a.b", "a-.b", "a..b", ".a", "1.2.3.4", "a.1", f"{'a' * 64}.b", "a" * 256, "*.b", "a b", "."]
)
def test_no_domains(name: str) -> None:
    assert domain_problem(name) is not None


@pytest.mark.parametrize("name", ["*", "*.b", "*-x.b", "*x.b", "a.b"])
def test_wildcards(name: str) -> None:
    assert domain_problem(name, True) is None


@pytest.mark.parametrize("name", ["a.*", "a*.b", "**.b", "*.*.b", "*_.b", "*.1"])
def test_no_wildcards(name: str) -> None:
    assert domain_problem(name, True) is not None


def test_ips() -> None:
    assert is_ip("1.2.3.4")
    assert is_ip("::1")
    assert not is_ip("fe80::1%eth0")
    assert not is_ip("1.2.3")
