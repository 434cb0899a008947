from __future__ import annotations

import pytest

from mirror_addon.istio.names import covers
from mirror_addon.istio.names import domain_problem
from mirror_addon.istio.names import is_dns_label
from mirror_addon.istio.names import is_ip
from mirror_addon.istio.names import is_subnet
from mirror_addon.istio.names import resolve_short_name
from mirror_addon.istio.names import sni_domain_problem


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


@pytest.mark.parametrize(
    "name", ["a", "a.b", "UPPER.b", "a-b.c", "a.b.", "1a.b", f"{'a' * 63}.b", "1.b", "1.", "a.9223372036854775808"]
)
def test_domains(name: str) -> None:
    assert domain_problem(name) is None


@pytest.mark.parametrize(
    "name", ["", "a_b", "-a.b", "a-.b", "a..b", ".a", "1.2.3.4", "a.1", f"{'a' * 64}.b", "a" * 256, "*.b", "a b", "."]
)
def test_no_domains(name: str) -> None:
    assert domain_problem(name) is not None


@pytest.mark.parametrize("name", ["*", "*.b", "*-x.b", "*x.b", "a.b", "a", "1", "a.", "A.b"])
def test_wildcards(name: str) -> None:
    assert domain_problem(name, True) is None


@pytest.mark.parametrize("name", ["a.*", "a*.b", "**.b", "*.*.b", "*_.b", "*.1", "a_b.c", f"*{'a' * 63}.b", "."])
def test_no_wildcards(name: str) -> None:
    assert domain_problem(name, True) is not None


def test_ips() -> None:
    assert is_ip("1.2.3.4")
    assert is_ip("::1")
    assert is_ip("fe80::1%eth0")
    assert not is_ip("1.2.3")


@pytest.mark.parametrize("name", ["a", "A", "V1", "a-B", "1", "A" * 63])
def test_labels_of_dns(name: str) -> None:
    assert is_dns_label(name)


@pytest.mark.parametrize("name", ["", "a.b", "a_b", "-a", "a-", "ä", "a" * 64])
def test_no_labels_of_dns(name: str) -> None:
    assert not is_dns_label(name)


@pytest.mark.parametrize("text", ["10.0.0.0/8", "10.0.0.1", "2001:1::1/64", "::1", "10.0.0.1/0"])
def test_subnets(text: str) -> None:
    assert is_subnet(text)


@pytest.mark.parametrize(
    "text", ["", "x", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/08", "10.0.0.0/255.0.0.0", "fe80::%a/64", "10.0.0.0/8/8"]
)
def test_no_subnets(text: str) -> None:
    assert not is_subnet(text)


@pytest.mark.parametrize(
    "host",
    [
        "outbound_.443_._.shop.team.svc.cluster.local",
        "outbound_.80_.v1_.shop.example",
        "outbound_.80_.v1_.shop.example_more",
        "shop.example",
        "*.shop.example",
    ],
)
def test_names_that_gateways_make_of_tls(host: str) -> None:
    assert sni_domain_problem(host) is None


@pytest.mark.parametrize(
    "host",
    [
        "outbound_.x_._.shop.example",
        "outbound_.80_._.1.2",
        "outbound_.80_._.",
        "outbound_.80_._",
        "outbound_.80",
        "outbound_",
        "outbound_.80_._." + "a" * 255,
        "inbound_.80_._.shop.example",
        "a_b",
        "",
    ],
)
def test_other_names(host: str) -> None:
    assert sni_domain_problem(host) is not None


@pytest.mark.parametrize(
    ("pattern", "host", "is_covered"),
    [
        ("a.b", "a.b", True),
        ("a.b", "c.b", False),
        ("*.b", "a.b", True),
        ("*.b", "b", False),
        ("*.b", "*.a.b", True),
        ("*.a.b", "*.b", False),
        ("*", "a.b", True),
        ("a.b", "*.b", False),
    ],
)
def test_coverage(pattern: str, host: str, is_covered: bool) -> None:
    assert covers(pattern, host) is is_covered
