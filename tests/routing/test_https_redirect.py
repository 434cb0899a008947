from __future__ import annotations

import pytest

from mirror_addon.routing.decision import Action
from mirror_addon.routing.decision import Request
from mirror_addon.routing.https_redirect import HttpsRedirect
from mirror_addon.routing.lookup import RequestLookup


def lookup(scheme: bytes, *proto: bytes) -> RequestLookup:
    fields = tuple((b"X-Forwarded-Proto", value) for value in proto)
    return RequestLookup(Request(b"GET", scheme, b"a.test:80", b"/x?y", fields, 80), b"/x")


@pytest.mark.parametrize(
    ("edge", "scheme", "proto", "redirected"),
    [
        (True, b"http", (), True),
        (True, b"https", (), False),
        (True, b"http", (b"https",), True),  # an edge sets the field itself
        (False, b"http", (b"https",), False),
        (False, b"https", (b"http",), True),
        (False, b"http", (), True),
    ],
)
def test_the_scheme(edge: bool, scheme: bytes, proto: tuple[bytes, ...], redirected: bool) -> None:
    redirect = HttpsRedirect(None, edge)
    assert redirect.redirects(lookup(scheme, *proto)) is redirected
    assert redirect.find(lookup(scheme, *proto)) is (redirect if redirected else None)
    assert redirect.entries == ()


def test_the_response() -> None:
    request = lookup(b"http").request
    decision = HttpsRedirect(None, True).route.decide(None, request, b"/n?y", 2, None, 0)
    assert (decision.action, decision.rule, decision.mirrors) == (Action.REDIRECT, None, ())
    assert decision.response is not None
    assert decision.response.headers == ((b"location", b"https://a.test:80/n?y"),)
    assert (decision.response.status, decision.response.body) == (301, b"")
