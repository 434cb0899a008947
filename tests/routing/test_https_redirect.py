from __future__ import annotations

import pytest

from mirror_addon.routing.decision import Action
from mirror_addon.routing.decision import Request
from mirror_addon.routing.https_redirect import HttpsRedirect
from mirror_addon.routing.lookup import RequestLookup


def lookup(scheme: bytes) -> RequestLookup:
    return RequestLookup(Request(b"GET", scheme, b"a.test:80", b"/x?y", (), 80), b"/x")


@pytest.mark.parametrize(("scheme", "redirected"), [(b"http", True), (b"https", False)])
def test_the_scheme(scheme: bytes, redirected: bool) -> None:
    redirect = HttpsRedirect(None)
    assert redirect.find(lookup(scheme)) is (redirect if redirected else None)
    assert redirect.entries == ()


def test_the_response() -> None:
    request = lookup(b"http").request
    decision = HttpsRedirect(None).route.decide(None, request, b"/n?y", 2, None, 0)
    assert (decision.action, decision.rule, decision.mirrors) == (Action.REDIRECT, None, ())
    assert decision.response is not None
    assert decision.response.headers == ((b"location", b"https://a.test:80/n?y"),)
    assert (decision.response.status, decision.response.body) == (301, b"")
