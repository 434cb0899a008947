from __future__ import annotations

from mirror_addon.routing.clusters import ORIGINAL_DESTINATION
from mirror_addon.routing.clusters import Cluster
from mirror_addon.routing.clusters import Endpoint
from mirror_addon.routing.decision import Action
from mirror_addon.routing.decision import Decision
from mirror_addon.routing.decision import Mirror
from mirror_addon.routing.decision import Request
from mirror_addon.routing.fields import Fields
from mirror_addon.shadow.control import asked_again
from mirror_addon.shadow.control import control_request
from mirror_addon.shadow.control import is_control

HOST = "b.default.svc.cluster.local"
ONE, TWO = Endpoint("127.0.0.1", 9001), Endpoint("127.0.0.1", 9002)


def cluster(subset: str, *endpoints: Endpoint, port: int = 80) -> Cluster:
    return Cluster(HOST, subset, port, endpoints, label=f"b/{subset}")


def decision(primary: Cluster | None, endpoint: Endpoint | None) -> Decision:
    return Decision(Action.ROUTE, cluster=primary, endpoint=endpoint)


def mirror(to: Cluster, endpoint: Endpoint | None, prefix: bytes = b"") -> Mirror:
    return Mirror(to, endpoint, 100, True, None, None, prefix)


def test_the_same_destination_is_the_control() -> None:
    v1 = cluster("v1", ONE, TWO)
    assert is_control(decision(v1, ONE), mirror(cluster("v1", ONE, TWO), TWO))
    assert is_control(decision(v1, ONE), mirror(cluster("v2", ONE), ONE))
    assert not is_control(decision(v1, ONE), mirror(cluster("v2", TWO), TWO))
    assert not is_control(decision(v1, ONE), mirror(cluster("v1", TWO, port=81), TWO))
    assert not is_control(decision(v1, ONE), mirror(cluster("v2", ONE), ONE, b"/base"))
    assert not is_control(decision(v1, ONE), mirror(cluster("v2"), None))
    assert not is_control(decision(None, None), mirror(v1, ONE))


def test_whom_to_ask_again() -> None:
    v1 = cluster("v1", ONE)
    again = asked_again(decision(v1, ONE), 3.0)
    assert again is not None
    assert (again.cluster, again.endpoint, again.timeout, again.sampled) == (v1, ONE, 3.0, True)
    assert asked_again(decision(None, None), None) is None
    assert asked_again(decision(v1, ORIGINAL_DESTINATION), None) is None


def again(headers: Fields) -> Fields:
    request = Request(b"GET", b"http", b"shop.test:80", b"/a?b", headers, 80)
    shadow = control_request(request, mirror(cluster("v1", ONE), ONE), timeout=5)
    assert (shadow.authority, shadow.path, shadow.method) == (b"shop.test:80", b"/a?b", b"GET")
    assert (shadow.target.label, shadow.target.port) == ("control:b/v1", 9001)
    return shadow.headers


def test_the_request_is_as_the_primary_left() -> None:
    fields = ((b"A", b"1"), (b"x-forwarded-FOR", b"192.0.2.1, 192.0.2.2"), (b"a", b"2"))
    assert again(fields) == fields
    assert again(()) == ()
    assert again(((b"Accept", b"*/*"),)) == ((b"Accept", b"*/*"),)
    assert again(((b"X-Forwarded-For", b"1.2.3.4"), (b"X-Forwarded-For", b"5.6.7.8"))) == (
        (b"X-Forwarded-For", b"1.2.3.4,5.6.7.8"),
    )
