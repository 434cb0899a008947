from __future__ import annotations

import pytest

from mirror_addon.local_endpoints.assignment import AssignmentError
from mirror_addon.local_endpoints.assignment import assign
from mirror_addon.local_endpoints.places import HostPlaces
from mirror_addon.local_endpoints.places import Place
from mirror_addon.routing.clusters import Endpoint
from mirror_addon.routing.services import Port

HOST = "cart.default.svc.cluster.local"


def host(*places: Place, ports: tuple[int, ...] = (80,), name: str = HOST) -> HostPlaces:
    declared = {number: Port(number, "http", "http") for number in ports}
    return HostPlaces(name, "default", ports=declared, places=list(places))


V1, V2 = Place("v1", {"version": "v1"}), Place("v2", {"version": "v2"})


def test_ports_are_counted_over_all_hosts() -> None:
    first, second = assign([host(V1, V2), host(Place("", {}), ports=(80, 81), name="api.test")], {}, [9002, 80])
    assert [(each.address, dict(each.ports)) for each in first.endpoints] == [
        ("127.0.0.1", {80: 9001}),
        ("127.0.0.1", {80: 9003}),
    ]
    assert [dict(each.ports) for each in second.endpoints] == [{80: 9004, 81: 9005}]


def test_given_endpoints_win_and_their_ports_are_not_counted_again() -> None:
    (found,) = assign([host(V1, V2)], {(HOST, "v2"): Endpoint("::1", 9001)}, [])
    assert [(each.address, dict(each.ports)) for each in found.endpoints] == [
        ("127.0.0.1", {80: 9002}),
        ("::1", {80: 9001}),
    ]
    (found,) = assign(
        [host(V1, V2)], {(HOST, ""): Endpoint("dev.test", 80), (HOST, "v1"): Endpoint("127.0.0.1", 1)}, []
    )
    assert [each.address for each in found.endpoints] == ["127.0.0.1", "dev.test"]


@pytest.mark.parametrize(
    ("places", "served"),
    [
        ([Place("", {}), V1, V2], [["v1", ""], ["v2", ""]]),
        ([Place("all", {"app": "x"}), Place("v1", {"app": "x", "version": "v1"})], [["v1", "all"]]),
        ([V1, Place("stable", {"version": "v1"}), V2], [["v1", "stable"], ["v2"]]),
        ([Place("", {})], [[""]]),
        ([Place("a", {}), Place("b", {})], [["a", "b"]]),
    ],
)
def test_an_endpoint_serves_all_subsets_whose_labels_it_has(places: list[Place], served: list[list[str]]) -> None:
    (found,) = assign([host(*places)], {}, [])
    assert [[place.subset for place in each.places] for each in found.endpoints] == served
    assert [each.labels for each in found.endpoints] == [each.places[0].labels for each in found.endpoints]


def test_a_given_endpoint_that_others_would_share_is_refused() -> None:
    places = [Place("all", {}), V1]
    with pytest.raises(AssignmentError, match=r"cart.*/all has no endpoint of its own: the labels of v1 include"):
        assign([host(*places)], {(HOST, "all"): Endpoint("127.0.0.1", 1)}, [])


def test_more_places_than_ports() -> None:
    with pytest.raises(AssignmentError, match="more destinations than ports"):
        assign([host(V1, V2)], {}, range(9001, 65535))


def test_endpoints_of_single_ports() -> None:
    given = {(f"{HOST}:81", ""): Endpoint("127.0.0.1", 7), (f"{HOST}:81", "v2"): Endpoint("127.0.0.1", 8)}
    (found,) = assign([host(V1, V2, ports=(80, 81))], given, [])
    assert [dict(each.ports) for each in found.endpoints] == [{80: 9001, 81: 7}, {80: 9002, 81: 8}]
    with pytest.raises(AssignmentError, match="v1 has several ports, and all of them need the same address"):
        assign([host(V1, ports=(80, 81))], {(f"{HOST}:81", ""): Endpoint("::1", 7)}, [])
    with pytest.raises(AssignmentError, match=r"default\.svc\.cluster\.local has several ports"):
        assign([host(Place("", {}), ports=(80, 81))], {(f"{HOST}:81", ""): Endpoint("::1", 7)}, [])
    with pytest.raises(AssignmentError, match="all has no endpoint of its own"):
        assign([host(Place("all", {}), V1)], {(f"{HOST}:80", "all"): Endpoint("127.0.0.1", 7)}, [])
