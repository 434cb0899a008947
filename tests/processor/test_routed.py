from __future__ import annotations

from mirror_addon.processor.routed import Routed
from mirror_addon.processor.routed import Waits
from mirror_addon.routing.decision import Action
from mirror_addon.routing.decision import Decision
from mirror_addon.routing.decision import Request


def test_what_is_sent_is_the_decisions_request() -> None:
    asked, leaves = (Request(b"GET", b"http", b"a.test", path, (), 80) for path in (b"/a", b"/b"))
    routed = Routed(asked, Decision(Action.ROUTE, request=leaves), 1, "", False)
    assert routed.sent is leaves
    assert routed.request is asked


def test_the_head_of_the_response_tells_cluster_and_endpoint() -> None:
    assert (Waits.CLUSTER | Waits.ENDPOINT | Waits.FILTER) & ~Waits.HEAD is Waits.FILTER
    assert not Waits.NOTHING
