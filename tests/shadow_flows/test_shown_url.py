from __future__ import annotations

import pytest
from pairtools import primary_flow

from mirror_addon.flows.exchange import Exchange
from mirror_addon.flows.exchange import Exchanges
from mirror_addon.host.shown_urls import ShownUrl
from mirror_addon.routing.decision import Action
from mirror_addon.routing.decision import Decision
from mirror_addon.routing.decision import Request
from mirror_addon.routing.identity import Identity
from mirror_addon.routing.table import RouteTable
from mirror_addon.shadow_flows import metadata as meta
from mirror_addon.shadow_flows.shown_url import shown_urls

TABLE = RouteTable.build([], Identity())


def asked(authority: bytes, path: bytes = b"/asked", scheme: bytes = b"http") -> Request:
    return Request(b"GET", scheme, authority, path, (), 80)


@pytest.mark.parametrize(
    ("request_", "shown"),
    [
        (asked(b"shop.test"), ShownUrl("http", "shop.test", 80, "/asked")),
        (asked(b"shop.test:8080"), ShownUrl("http", "shop.test", 8080, "/asked")),
        (asked(b"shop.test", b"/a?b=%20", b"https"), ShownUrl("https", "shop.test", 443, "/a?b=%20")),
        (asked(b"[::1]:9"), ShownUrl("http", "::1", 9, "/asked")),
        (asked(b""), None),
        (asked(b"shop.test:" + b"9" * 5000), None),
        (asked(b"a b"), None),
    ],
)
def test_a_primary_has_the_url_that_was_asked_for(request_: Request, shown: ShownUrl | None) -> None:
    exchanges, flow = Exchanges(), primary_flow()
    exchanges[flow] = Exchange(TABLE, request_, 7, Decision(Action.PASSTHROUGH))
    assert shown_urls(exchanges)(flow) == shown


def test_a_flow_of_a_file() -> None:
    flow = primary_flow()
    assert shown_urls(Exchanges())(flow) is None, "it was not routed"
    flow.metadata[meta.ASKED_KEY] = ["GET", "http", "shop.test", "/asked"]
    assert shown_urls(Exchanges())(flow) == ShownUrl("http", "shop.test", 80, "/asked")
    flow.metadata[meta.ASKED_KEY] = ["GET", 7]
    assert shown_urls(Exchanges())(flow) is None


def test_a_shadow_has_its_host_without_the_port_of_its_mirror() -> None:
    flow = primary_flow(path=b"//sent")
    flow.metadata[meta.PRIMARY_KEY] = "x"
    flow.request.headers["host"] = "shop.test-shadow"
    assert flow.request.port == 9001
    assert shown_urls(Exchanges())(flow) == ShownUrl("http", "shop.test-shadow", 80, "//sent")
