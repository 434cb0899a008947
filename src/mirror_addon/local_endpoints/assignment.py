"""Addresses for places: as given, else 127.0.0.1 and ports that are counted."""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

from mirror_addon.local_endpoints.places import HostPlaces
from mirror_addon.local_endpoints.places import Place
from mirror_addon.routing.clusters import Endpoint

FIRST_PORT = 9001
LOCALHOST = "127.0.0.1"
_LAST_PORT = 65535


class AssignmentError(ValueError):
    """The endpoints that were given contradict each other or the rules. The message says what to change."""


@dataclass(frozen=True, slots=True)
class LocalEndpoint:
    """An endpoint on this machine. `ports` maps the service's port numbers to those on which it listens here."""

    address: str
    ports: Mapping[int, int]
    labels: Mapping[str, str]
    places: Sequence[Place]
    """What it serves: a subset, and those whose labels its labels have too."""


@dataclass(frozen=True, slots=True)
class LocalHost:
    """A host, and its endpoints on this machine."""

    places: HostPlaces
    endpoints: Sequence[LocalEndpoint]


def assign(
    missing: Sequence[HostPlaces], given: Mapping[tuple[str, str], Endpoint], taken: Collection[int]
) -> list[LocalHost]:
    """Give each place an endpoint: that of `given`, else the next free port from 9001.

    `given` is by full host, or `HOST:PORT`, and subset (empty: every subset without an own one), as in a route table.
    `taken` are ports that are in use. Raises AssignmentError.
    """
    used = set(taken) | {endpoint.port for endpoint in given.values()}
    free = (port for port in count(FIRST_PORT) if port not in used)
    return [LocalHost(host, tuple(_endpoints(host, given, free))) for host in missing]


def _endpoints(
    host: HostPlaces, given: Mapping[tuple[str, str], Endpoint], free: Iterator[int]
) -> Iterator[LocalEndpoint]:
    for place, others in _served(host, given):
        chosen = {number: _given(given, host.host, place.subset, number) for number in host.ports}
        addresses = {endpoint.address if endpoint else LOCALHOST for endpoint in chosen.values()}
        if len(addresses) > 1:
            named = f"{host.host}/{place.subset}" if place.subset else host.host
            raise AssignmentError(f"{named} has several ports, and all of them need the same address")
        ports = {number: endpoint.port if endpoint else next(free) for number, endpoint in chosen.items()}
        if max(ports.values()) > _LAST_PORT:
            raise AssignmentError("there are more destinations than ports; name some with --endpoint")
        yield LocalEndpoint(addresses.pop(), ports, place.labels, (place, *others))


def _given(given: Mapping[tuple[str, str], Endpoint], host: str, subset: str, number: int) -> Endpoint | None:
    keys = ((f"{host}:{number}", subset), (f"{host}:{number}", ""), (host, subset), (host, ""))
    return next((given[key] for key in keys if key in given), None)


def _served(host: HostPlaces, given: Mapping[tuple[str, str], Endpoint]) -> Iterator[tuple[Place, list[Place]]]:
    """The places that need an endpoint of their own, each with those that its labels serve too.

    On a cluster a Destination means all workloads that have its labels. An endpoint with exactly the labels of a
    subset that others refine would get the requests of that subset alone, as no workload there does.
    """
    own: list[Place] = []
    served: dict[int, list[Place]] = {}
    for index, place in enumerate(host.places):
        better = next((each for each in host.places if _refines(each, place)), None)
        equal = next((each for each in host.places[:index] if each.labels == place.labels), None)
        if other := better or equal:
            names = {host.host, *(f"{host.host}:{number}" for number in host.ports)}
            if place.subset and any((name, place.subset) in given for name in names):
                raise AssignmentError(
                    f"{host.host}/{place.subset} has no endpoint of its own: the labels of {other.subset} include its "
                    f"labels; give --endpoint {host.host}/{other.subset}=ADDRESS:PORT"
                )
        else:
            own.append(place)
            served[id(place)] = []
    for place in host.places:
        for each in own:
            if each is not place and id(place) not in served and place.labels.items() <= each.labels.items():
                served[id(each)].append(place)
    return ((place, served[id(place)]) for place in own)


def _refines(one: Place, other: Place) -> bool:
    """Whether one has all labels of the other, and more."""
    return one.labels != other.labels and other.labels.items() <= one.labels.items()
