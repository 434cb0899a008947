from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mirror_addon.routing.decision import Action
from mirror_addon.routing.decision import Request
from mirror_addon.routing.fields import Fields
from mirror_addon.routing.forwarded import forwarded_address
from mirror_addon.routing.forwarded import forwarded_scheme
from mirror_addon.routing.forwarded import with_client
from mirror_addon.routing.identity import Identity
from mirror_addon.routing.table import RouteTable

Build = Callable[..., RouteTable]
Ask = Callable[..., Request]
XFF = b"X-Forwarded-For"
OWN = b"192.0.2.1"


@pytest.mark.parametrize(
    ("before", "client", "after"),
    [
        ((), b"9.9.9.9", ((b"x-forwarded-for", b"9.9.9.9"),)),
        ((), b"", ()),
        (((XFF, b"1"),), b"", ((XFF, b"1"),)),
        (((XFF, b"1"),), b"9", ((XFF, b"1,9"),)),
        (((XFF, b"1, 2"),), b"9", ((XFF, b"1, 2,9"),)),
        (((XFF, b""),), b"9", ((XFF, b"9"),)),
        (((b"a", b"1"), (XFF, b"1"), (b"b", b"2"), (b"x-forwarded-for", b"2"), (b"c", b"3")), b"9",
         ((b"a", b"1"), (XFF, b"1,2,9"), (b"b", b"2"), (b"c", b"3"))),
        (((XFF, b"1"), (XFF, b"1")), b"", ((XFF, b"1,1"),)),
    ],
)  # fmt: skip
def test_x_forwarded_for(before: Any, client: bytes, after: Any) -> None:
    assert with_client(before, client) == after


@pytest.mark.parametrize(("edge", "expected"), [(True, b"10.0.0.1,9.9.9.9"), (False, b"10.0.0.1")])
def test_an_edge_appends_the_client_and_a_sidecar_does_not(
    edge: bool, expected: bytes, build: Build, ask: Ask, to_v1: Any
) -> None:
    table = build([{"route": to_v1}], identity=Identity(use_remote_address=edge))
    decision = table.route(ask("/", "example.com", ("x-forwarded-for", "10.0.0.1"), client=b"9.9.9.9"), 0)
    assert decision.request is not None
    assert decision.request.headers == ((b"x-forwarded-for", expected),)


def test_rules_see_the_client(build: Build, ask: Ask, to_v1: Any) -> None:
    match = [{"headers": {"x-forwarded-for": {"regex": ".*,9.9.9.9"}}}]
    table = build([{"match": match, "route": to_v1}], identity=Identity())
    request = ask("/", "example.com", ("X-Forwarded-For", "1"), ("X-Forwarded-For", "2"), client=b"9.9.9.9")
    assert table.route(request, 0).action is Action.ROUTE


@pytest.mark.parametrize(
    ("fields", "scheme"),
    [
        ((), b"http"),
        (((b"X-Forwarded-Proto", b"HTTPS"),), b"https"),
        (((b"x-forwarded-other", b"https"), (b"x-forwarded-proto", b"ftp")), b"http"),
    ],
)
def test_the_scheme_of_a_proxy_that_is_no_edge(fields: Fields, scheme: bytes) -> None:
    assert forwarded_scheme(fields, b"http") == scheme


@pytest.mark.parametrize(
    ("peer", "text"),
    [
        ("198.51.100.7", b"198.51.100.7"),
        ("127.0.0.1", OWN),
        ("127.8.8.8", OWN),
        ("::1", OWN),
        ("::ffff:127.0.0.1", OWN),
        ("::ffff:198.51.100.7", b"198.51.100.7"),
        ("2001:DB8::1", b"2001:db8::1"),
        ("fe80::1%eth0", b"fe80::1"),
        ("/run/socket", b""),
    ],
)
def test_forwarded_address(peer: str, text: bytes) -> None:
    assert forwarded_address(peer, OWN) == text
