from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from mirror_addon.envoy.bootstrap import Export
from mirror_addon.envoy.in_cluster import InCluster
from mirror_addon.envoy.istio_filter import Place
from mirror_addon.envoy.istio_filter import destination_rule
from mirror_addon.envoy.istio_filter import envoy_filter

SERVICE = InCluster("processor", "mirror", 9090, "cluster.local")


@pytest.mark.parametrize(
    ("place", "context", "cluster_context"),
    [
        (Place.GATEWAY, "GATEWAY", "GATEWAY"),
        (Place.OUTBOUND, "SIDECAR_OUTBOUND", "SIDECAR_OUTBOUND"),
        (Place.INBOUND, "SIDECAR_INBOUND", "SIDECAR_OUTBOUND"),
    ],
)
def test_contexts(place: Place, context: str, cluster_context: str) -> None:
    made = envoy_filter(SERVICE, place, "n", {"app": "a"}, ["a.test"], 100)
    cluster, http = made["spec"]["configPatches"]
    assert made["metadata"] == {"name": "processor", "namespace": "n"}
    assert made["spec"]["workloadSelector"] == {"labels": {"app": "a"}}
    assert (cluster["match"]["context"], http["match"]["context"]) == (cluster_context, context)
    assert cluster["match"]["cluster"] == {"service": SERVICE.host, "portNumber": 9090}
    assert http["patch"]["operation"] == "INSERT_BEFORE"
    filters = http["match"]["listener"]["filterChain"]["filter"]
    assert filters["subFilter"] == {"name": "envoy.filters.http.router"}
    assert "workloadSelector" not in envoy_filter(SERVICE, place, "n", {}, ["a.test"], 100)["spec"]


@pytest.mark.parametrize("domains", [["a.test", "*.b.test"], ["*"]])
def test_envoy_takes_the_filter(
    domains: list[str], export: Callable[..., Export], validate: Callable[[Export], None]
) -> None:
    made = export("[{route: [{destination: {host: v1}}]}]")
    patch = envoy_filter(SERVICE, Place.GATEWAY, "n", {}, domains, 1.5)["spec"]["configPatches"][1]["patch"]
    *others, router = made.listener["http_filters"]
    validate(replace(made, listener={**made.listener, "http_filters": [*others, patch["value"], router]}))


def test_limits() -> None:
    pool = destination_rule(SERVICE)["spec"]["trafficPolicy"]["connectionPool"]
    assert pool == {"tcp": {"connectTimeout": "1s"}, "http": {"http2MaxRequests": 4096}}
