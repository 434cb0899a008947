from __future__ import annotations

import pytest

from mirror_addon.routing import names


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("reviews", "reviews.prod.svc.cluster.local"),
        ("localhost", "localhost.prod.svc.cluster.local"),
        ("reviews.prod", "reviews.prod"),
        ("reviews.prod.svc.cluster.local", "reviews.prod.svc.cluster.local"),
        ("*", "*"),
        ("*.foo.com", "*.foo.com"),
        ("10.0.0.1", "10.0.0.1"),
        ("::1", "::1"),
        ("v2", "v2.prod.svc.cluster.local"),
        ("", ""),
    ],
)
def test_short_names_get_namespace_and_domain(host: str, expected: str) -> None:
    assert names.qualified(host, "prod", "cluster.local") == expected


def test_a_service_is_reached_by_short_names_from_its_own_namespace() -> None:
    host = "reviews.prod.svc.cluster.local"
    assert names.aliases(host, "prod", "cluster.local") == [f"{host}.", "reviews.prod.svc", "reviews.prod", "reviews"]
    assert "reviews" not in names.aliases(host, "default", "cluster.local")
    assert names.aliases("example.com", "default", "cluster.local") == []


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mesh", "mesh"),
        ("edge", "default/edge"),
        ("prod/edge", "prod/edge"),
        ("./edge", "default/edge"),
        ("ingressgateway.istio-system.svc.cluster.local", "istio-system/ingressgateway"),
    ],
)
def test_gateway_names(name: str, expected: str) -> None:
    assert names.gateway(name, "default") == expected


@pytest.mark.parametrize(
    ("export_to", "seen"),
    [
        ((), True),
        (("*",), True),
        ((".",), False),
        (("viewer",), True),
        (("other",), False),
        (("other", "viewer"), True),
        (("~",), False),
        (("~", "viewer"), False),
        (("~", "*"), True),
    ],
)
def test_export_to(export_to: tuple[str, ...], seen: bool) -> None:
    assert names.exported(export_to, "owner", "viewer") is seen


def test_dot_exports_to_the_own_namespace() -> None:
    assert names.exported((".",), "owner", "owner")


@pytest.mark.parametrize(
    ("authority", "host"),
    [
        (b"a.com", b"a.com"),
        (b"a.com:80", b"a.com"),
        (b"a.com:", b"a.com"),
        (b"[::1]:80", b"[::1]"),
        (b"[::1]", b"[::1]"),
        (b"a:b", b"a"),
    ],
)
def test_port_is_cut_as_envoy_cuts_it(authority: bytes, host: bytes) -> None:
    assert names.without_port(authority) == host


def test_domains_are_lower_case_and_ipv6_stands_in_brackets() -> None:
    assert names.domain_of("Example.COM") == b"example.com"
    assert names.domain_of("::1") == b"[::1]"


@pytest.mark.parametrize(
    ("authority", "scheme", "port"),
    [
        (b"a.test", b"http", 80),
        (b"a.test", b"https", 443),
        (b"a.test:8080", b"https", 8080),
        (b"[::1]", b"http", 80),
        (b"[::1]:9", b"http", 9),
        (b"::1", b"http", 80),
        (b"a:b", b"http", 80),
        (b"a:", b"http", 80),
        (b"", b"http", 80),
        (b"a:" + b"9" * 5000, b"http", 80),
        (b"a:" + b"0" * 5000 + b"81", b"http", 81),
        (b"[::1]:" + b"9" * 5000, b"https", 443),
        (b"a:65535", b"http", 65535),
        (b"a:65536", b"http", 80),
        (b"a:0", b"http", 80),
        (b"a:00", b"http", 80),
        (b"a:+81", b"http", 80),
        (b"a:-1", b"http", 80),
        (b"a:8_1", b"http", 80),
        (b"a: 81", b"http", 80),
        ("a:\u0668\u0661".encode(), b"http", 80),
        ("a:\u00b2".encode("latin-1"), b"http", 80),
        (b"[::1]-shadow:81", b"http", 81),
        (b"[::1", b"http", 80),
        (b"a:1:2", b"http", 80),
    ],
)
def test_authority_port(authority: bytes, scheme: bytes, port: int) -> None:
    assert names.authority_port(authority, scheme) == port
