"""The EnvoyFilter of `export istio`, its patches applied to a proxy's configuration as Istio applies them."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from envoytools.bench import Envoy
from envoytools.observer import Observer
from livetools.client import Client
from livetools.proxy import ROOT
from livetools.recorder import PATIENCE
from livetools.recorder import Recorder
from livetools.wire import lines
from livetools.worked_example import HOST

from mirror_addon.envoy.bootstrap import Address
from mirror_addon.envoy.bootstrap import Export
from mirror_addon.envoy.bootstrap import ExportOptions
from mirror_addon.envoy.bootstrap import translate
from mirror_addon.istio.parsing import Source
from mirror_addon.istio.parsing import parse_sources
from mirror_addon.routing.clusters import Endpoint
from mirror_addon.routing.identity import Identity
from mirror_addon.routing.table import RouteTable

SERVICE = "mirror-processor.mirror.svc.cluster.local"


def merged(base: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    """MERGE of an EnvoyFilter: messages are merged field by field, entries of maps of `Any` replaced."""
    whole = dict(base)
    for name, value in patch.items():
        whole[name] = merged(whole[name], value) if isinstance(whole.get(name), dict) else value
    return whole


def applied(export: Export, envoy_filter: dict[str, Any], processor: Observer) -> Export:
    """An export with the cluster that Istio makes for the processor's Service, and the patches."""
    endpoint = {"address": {"socket_address": {"address": "127.0.0.1", "port_value": processor.port}}}
    clusters = [
        *export.clusters,
        {
            "name": f"outbound|9090||{SERVICE}",
            "type": "STATIC",
            "connect_timeout": "10s",
            "load_assignment": {
                "cluster_name": f"outbound|9090||{SERVICE}",
                "endpoints": [{"lb_endpoints": [{"endpoint": endpoint}]}],
            },
        },
    ]
    filters = list(export.listener["http_filters"])
    for each in envoy_filter["spec"]["configPatches"]:
        match, value = each["match"], each["patch"]["value"]
        if (each["applyTo"], each["patch"]["operation"]) == ("CLUSTER", "MERGE"):
            name = f"outbound|{match['cluster']['portNumber']}||{match['cluster']['service']}"
            assert [cluster["name"] for cluster in clusters].count(name) == 1
            clusters = [merged(cluster, value) if cluster["name"] == name else cluster for cluster in clusters]
        else:
            assert (each["applyTo"], each["patch"]["operation"]) == ("HTTP_FILTER", "INSERT_BEFORE")
            before = match["listener"]["filterChain"]["filter"]["subFilter"]["name"]
            filters.insert([item["name"] for item in filters].index(before), value)
    return replace(export, listener={**export.listener, "http_filters": filters}, clusters=tuple(clusters))


@pytest.fixture
def gateway(tmp_path: Path, v1: Recorder) -> Iterator[tuple[Envoy, Observer]]:
    """Envoy with the worked example as it is applied in the cluster, which has lost its mirror, and another host."""
    printed = subprocess.run(
        [sys.executable, "-m", "mirror_addon", "export", "istio", "--processor", "mirror-processor.mirror:9090"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        timeout=60,
    )
    (envoy_filter,) = (each for each in yaml.safe_load_all(printed.stdout) if each["kind"] == "EnvoyFilter")
    rules = f"""
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: x}}
spec:
  hosts: [{HOST.decode()}, other.test]
  gateways: [g]
  http: [{{name: theirs, route: [{{destination: {{host: v1}}}}]}}]
"""
    table = RouteTable.build(
        parse_sources([Source("x.yaml", rules.encode())]).resources,
        Identity(),
        endpoint_overrides={("v1.default.svc.cluster.local", ""): Endpoint(*v1.address)},
    )
    anywhere = Address("127.0.0.1", 0)
    with Observer() as processor, Envoy(tmp_path) as envoy:
        envoy.apply(applied(translate(table, ExportOptions(anywhere, anywhere)), envoy_filter, processor))
        yield envoy, processor


def test_a_gateway_shows_the_hosts_that_rules_mirror(gateway: tuple[Envoy, Observer]) -> None:
    envoy, processor = gateway
    with Client(envoy.address) as client:
        for host in (b"other.test", HOST + b"-shadow", HOST, HOST.upper() + b":80"):
            request = lines(b"POST /serviceB/x HTTP/1.1", b"Host: " + host, b"Content-Length: 2") + b"hi"
            assert client.exchange(request).status in (200, 404, 503)
    deadline = time.monotonic() + PATIENCE
    while len(processor.exchanges) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    seen = processor.exchanges
    assert sorted(each.request[":authority"].lower() for each in seen) == [HOST.decode(), f"{HOST.decode()}:80"]
    for each in seen:
        assert each.observed
        assert (each.request_body, each.response_body) == (b"hi", b"ok")
        assert each.attributes["xds.route_name"]
        assert each.attributes["response.code_details"] == "via_upstream"
