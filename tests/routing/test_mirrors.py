from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mirror_addon.routing.clusters import Endpoint
from mirror_addon.routing.decision import Mirror
from mirror_addon.routing.decision import Request
from mirror_addon.routing.table import RouteTable

Build = Callable[..., RouteTable]
Ask = Callable[..., Request]
V1, V2 = {"host": "svc", "subset": "v1"}, {"host": "svc", "subset": "v2"}


def mirrors(build: Build, ask: Ask, http: dict[str, Any], draw: int, *documents: str, **request: Any) -> Any:
    table = build([{"route": [{"destination": V1}], **http}], *documents)
    return table.route(ask(**request), draw).mirrors


def threshold(build: Build, ask: Ask, http: dict[str, Any]) -> tuple[int, int] | None:
    """Numerator and denominator, found by their edge: the greatest draw taken and the one where it starts again."""
    for denominator in (100, 1_000_000):
        taken = [draw for draw in (0, denominator) if mirrors(build, ask, http, draw)[0].sampled]
        if taken != [0, denominator]:
            return None
    table = build([{"route": [{"destination": V1}], **http}])
    request = ask()

    def takes(draw: int) -> bool:
        return table.route(request, draw).mirrors[0].sampled

    if takes(999_999):
        return 1, 1
    denominator = 100 if takes(100) and takes(500_000) and not takes(99) else 1_000_000
    low, high = 0, denominator - 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if takes(middle) else (low, middle)
    return high, denominator


# percentage, percent, what Envoy gets (None: no mirroring; 1, 1: all)
PERCENT_TABLE = [
    ({}, (1, 1)),
    ({"mirrorPercentage": None, "mirrorPercent": None}, (1, 1)),
    ({"mirrorPercentage": {"value": 10}}, (100_000, 1_000_000)),
    ({"mirrorPercentage": {"value": 10}, "mirrorPercent": 90}, (100_000, 1_000_000)),
    ({"mirrorPercentage": {"value": 10}, "mirrorPercent": 0}, (100_000, 1_000_000)),
    ({"mirrorPercentage": {"value": 0}, "mirrorPercent": 100}, None),
    ({"mirrorPercentage": {}, "mirrorPercent": 100}, None),
    ({"mirrorPercent": 0}, None),
    ({"mirrorPercent": 30}, (30, 100)),
    ({"mirror_percent": 30}, (30, 100)),
    ({"mirrorPercent": 100}, (1, 1)),
    ({"mirrorPercentage": {"value": 0.1}}, (1000, 1_000_000)),
    ({"mirrorPercentage": {"value": 0.57}}, (5699, 1_000_000)),
    ({"mirrorPercentage": {"value": 0.0001}}, (1, 1_000_000)),
    ({"mirrorPercentage": {"value": 0.00005}}, None),
    ({"mirrorPercentage": {"value": 100}}, (1, 1)),
]


@pytest.mark.parametrize(("fields", "expected"), PERCENT_TABLE)
def test_percent_table(fields: dict[str, Any], expected: tuple[int, int] | None, build: Build, ask: Ask) -> None:
    found = threshold(build, ask, {"mirror": V2, **fields})
    if expected is not None and expected[0] == 1 and expected[1] == 1_000_000:
        http = {"mirror": V2, **fields}
        assert mirrors(build, ask, http, 0)[0].sampled
        assert not mirrors(build, ask, http, 1)[0].sampled
    else:
        assert found == expected


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ({"destination": V2}, (1, 1)),
        ({"destination": V2, "percentage": {"value": 25}}, (250_000, 1_000_000)),
        ({"destination": V2, "percentage": {}}, None),
        ({"destination": V2, "percentage": {"value": 0}}, None),
    ],
)
def test_mirrors_have_their_own_percentage(policy: Any, expected: Any, build: Build, ask: Ask) -> None:
    http = {"mirrors": [policy], "mirrorPercent": 50, "mirrorPercentage": {"value": 50}}
    assert threshold(build, ask, http) == expected


def test_percent_without_a_mirror_is_nothing(build: Build, ask: Ask) -> None:
    assert mirrors(build, ask, {"mirrorPercent": 50}, 0) == ()


def test_percent_is_the_number_as_written(build: Build, ask: Ask) -> None:
    assert mirrors(build, ask, {"mirror": V2}, 0)[0].percent == 100
    assert mirrors(build, ask, {"mirror": V2, "mirrorPercent": 7}, 0)[0].percent == 7
    assert mirrors(build, ask, {"mirror": V2, "mirrorPercentage": {"value": 0.57}}, 0)[0].percent == 0.57
    assert mirrors(build, ask, {"mirror": V2, "mirrorPercentage": {}}, 0)[0].percent == 0


def test_drawn_out_is_no_reason(build: Build, ask: Ask) -> None:
    (mirror,) = mirrors(build, ask, {"mirror": V2, "mirrorPercent": 10}, 50)
    assert (mirror.sampled, mirror.skipped) == (False, None)


def test_all_mirrors_share_the_draw(build: Build, ask: Ask) -> None:
    http = {
        "mirrors": [
            {"destination": V1, "percentage": {"value": 20}},
            {"destination": V2, "percentage": {"value": 60}},
            {"destination": V2, "percentage": {"value": 60}},
        ]
    }
    for draw in range(0, 1_000_000, 9_973):
        first, second, third = (mirror.sampled for mirror in mirrors(build, ask, http, draw))
        assert second is third
        assert second or not first


def test_whole_percentages_follow_the_weights(build: Build, ask: Ask) -> None:
    """With the denominator 100 mirror and destination are drawn by the same number."""
    route = [{"destination": V1, "weight": 50}, {"destination": V2, "weight": 50}]
    table = build([{"route": route, "mirror": V2, "mirrorPercent": 50}])
    for draw in range(200):
        decision = table.route(ask(), draw)
        assert decision.cluster is not None
        assert decision.mirrors[0].sampled is (decision.cluster.subset == "v1")


def test_mirror_comes_before_mirrors(build: Build, ask: Ask) -> None:
    http = {"mirrors": [{"destination": V1}, {"destination": V1}], "mirror": V2}
    labels = [mirror.cluster.label for mirror in mirrors(build, ask, http, 0)]
    assert labels == ["svc/v2", "svc/v1", "svc/v1"]


def test_an_item_without_destination_is_no_mirror(build: Build, ask: Ask) -> None:
    assert mirrors(build, ask, {"mirrors": [{"percentage": {"value": 1}}]}, 0) == ()


TWO_PORTS = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: two}
spec:
  hosts: [two.com]
  ports: [{number: 8080, name: http}, {number: 9090, name: grpc, protocol: GRPC}]
  resolution: STATIC
  endpoints: [{address: 10.0.0.1}]
"""


class TestPort:
    def test_the_only_port_of_a_service(self, build: Build, ask: Ask) -> None:
        (mirror,) = mirrors(build, ask, {"mirror": V2}, 0, port=8888)
        assert (str(mirror.endpoint), mirror.cluster.port) == ("127.0.0.1:9002", 80)

    def test_of_several_the_one_the_request_arrived_on(self, build: Build, ask: Ask) -> None:
        http = {"mirror": {"host": "two.com"}}
        (mirror,) = mirrors(build, ask, http, 0, TWO_PORTS, port=9090)
        assert (str(mirror.endpoint), mirror.cluster.protocol) == ("10.0.0.1:9090", "grpc")
        (mirror,) = mirrors(build, ask, http, 0, TWO_PORTS, port=8080)
        assert str(mirror.endpoint) == "10.0.0.1:8080"

    def test_the_one_that_is_named(self, build: Build, ask: Ask) -> None:
        http = {"mirror": {"host": "two.com", "port": {"number": 9090}}}
        (mirror,) = mirrors(build, ask, http, 0, TWO_PORTS, port=8080)
        assert str(mirror.endpoint) == "10.0.0.1:9090"

    def test_one_that_the_service_has_not(self, build: Build, ask: Ask) -> None:
        (mirror,) = mirrors(build, ask, {"mirror": {"host": "two.com"}}, 0, TWO_PORTS, port=80)
        assert (mirror.endpoint, mirror.skipped) == (None, "no_endpoint")
        assert "two.com has no port 80; it has: 8080, 9090" in mirror.cluster.missing


@pytest.mark.parametrize(
    ("destination", "why"),
    [
        ({"host": "nowhere.com"}, "no ServiceEntry or Service declares nowhere.com"),
        ({"host": "svc", "subset": "v9"}, "no DestinationRule declares subset v9"),
        ({"host": "svc", "subset": "v3"}, "no endpoint of svc.default.svc.cluster.local has the labels version=v3"),
    ],
)
def test_a_mirror_without_endpoints_is_skipped_and_the_primary_goes_on(
    destination: dict[str, str], why: str, build: Build, ask: Ask
) -> None:
    decision = build([{"route": [{"destination": V1}], "mirror": destination}]).route(ask(), 0)
    assert str(decision.endpoint) == "127.0.0.1:9001"
    (mirror,) = decision.mirrors
    assert (mirror.endpoint, mirror.sampled, mirror.skipped) == (None, True, "no_endpoint")
    assert why in mirror.cluster.missing
    assert "mirror_endpoints=" in mirror.cluster.missing


def test_short_names_are_of_the_virtual_services_namespace(
    build: Build, ask: Ask, virtual_service: Callable[..., str]
) -> None:
    text = virtual_service([{"route": [{"destination": V1}], "mirror": V2}], namespace="prod")
    override = {("svc.prod.svc.cluster.local", "v2"): Endpoint("127.0.0.1", 7)}
    (mirror,) = build(text, endpoint_overrides=override).route(ask(), 0).mirrors
    assert (str(mirror.endpoint), mirror.skipped) == ("127.0.0.1:7", "local_reply")


def test_timeout_is_the_routes(build: Build, ask: Ask) -> None:
    assert mirrors(build, ask, {"mirror": V2, "timeout": "1.5s"}, 0)[0].timeout == 1.5
    assert mirrors(build, ask, {"mirror": V2}, 0)[0].timeout is None


def test_connect_is_not_mirrored(build: Build, ask: Ask) -> None:
    (mirror,) = mirrors(build, ask, {"mirror": V2}, 0, method="CONNECT")
    assert mirror.skipped == "method"


@pytest.mark.parametrize(
    "http",
    [
        {"redirect": {"uri": "/x"}, "route": None},
        {"directResponse": {"status": 200}, "route": None},
        {"fault": {"abort": {"httpStatus": 418, "percentage": {"value": 100}}}},
        {"route": [{"destination": {"host": "svc", "subset": "v3"}}]},
        {"route": [{"destination": {"host": "nowhere.com"}}]},
    ],
)
def test_local_replies_are_not_mirrored(http: dict[str, Any], build: Build, ask: Ask) -> None:
    found: tuple[Mirror, ...] = mirrors(build, ask, {"mirror": V2, **http}, 0)
    assert [(mirror.sampled, mirror.skipped) for mirror in found] == [(True, "local_reply")]
    found = mirrors(build, ask, {"mirror": V2, "mirrorPercent": 10, **http}, 50)
    assert [(mirror.sampled, mirror.skipped) for mirror in found] == [(False, None)]


def test_a_mirror_to_the_original_destination_has_no_endpoint(build: Build, ask: Ask) -> None:
    entry = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: none}
spec: {hosts: [none.com], ports: [{number: 80, name: http}], resolution: NONE}
"""
    (mirror,) = mirrors(build, ask, {"mirror": {"host": "none.com"}}, 0, entry)
    assert (mirror.endpoint, mirror.skipped) == (None, "no_endpoint")
