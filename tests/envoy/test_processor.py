from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mirror_addon.envoy.bootstrap import Export
from mirror_addon.envoy.bootstrap import ExportOptions
from mirror_addon.envoy.bootstrap import translate
from mirror_addon.envoy.processor import FILTER
from mirror_addon.envoy.processor import Processors
from mirror_addon.envoy.processor import processor_clusters
from mirror_addon.envoy.processor import processor_filter
from mirror_addon.envoy.yaml_text import to_yaml
from mirror_addon.istio.parsing import Source
from mirror_addon.istio.parsing import parse_sources
from mirror_addon.routing.identity import Identity
from mirror_addon.routing.table import RouteTable

ONE = (("127.0.0.1", 9090),)
TWO = (*ONE, ("::1", 9091))


def actions(message: dict[str, Any]) -> list[dict[str, Any]]:
    """The actions of a filter's matcher, in the order in which they are tried."""
    matcher = message["typed_config"]["xds_matcher"]
    tried = [each["on_match"] for each in matcher.get("matcher_list", {}).get("matchers", [])]
    return [each["action"]["typed_config"] for each in (*tried, matcher["on_no_match"])]


def test_the_filter_has_all_that_keeps_clients_from_noticing() -> None:
    made = processor_filter(Processors(ONE))
    assert (made["name"], made["disabled"]) == (FILTER, True)
    (action,) = actions(made)
    assert action["sample_percent"] == {
        "default_value": {"numerator": 1_000_000, "denominator": "MILLION"},
        "runtime_key": "mirror_addon.share",
    }
    config = action["typed_config"]["typed_config"]
    assert config["@type"].endswith("ext_proc.v3.ExternalProcessor")
    assert config["observability_mode"] is config["failure_mode_allow"] is True
    assert config["deferred_close_timeout"] == "1s"
    assert config["grpc_service"]["initial_metadata"] == [{"key": "x-mirror-share", "value": "100"}]
    assert set(config["processing_mode"].values()) == {"SEND", "STREAMED"}
    asked = ["request.protocol", "source.address", "xds.route_name", "xds.cluster_name"]
    assert config["request_attributes"] == asked
    assert config["response_attributes"] == [
        "response.code_details",
        "response.flags",
        "xds.cluster_name",
        "upstream.address",
    ]


def test_the_share_is_told_to_the_processor() -> None:
    (action,) = actions(processor_filter(Processors(ONE, 0.25)))
    assert action["sample_percent"]["default_value"]["numerator"] == 2500
    metadata = action["typed_config"]["typed_config"]["grpc_service"]["initial_metadata"]
    assert metadata == [{"key": "x-mirror-share", "value": "0.25"}]


def test_the_cluster_of_one() -> None:
    (cluster,) = processor_clusters(Processors(ONE))
    assert cluster["connect_timeout"] == "1s"
    assert cluster["circuit_breakers"] == {"thresholds": [{"max_requests": 4096}]}
    (options,) = cluster["typed_extension_protocol_options"].values()
    keepalive = options["explicit_http_config"]["http2_protocol_options"]["connection_keepalive"]
    assert keepalive == {"interval": "1s", "timeout": "1s"}
    assert "health_checks" not in cluster  # without another one there is nothing to change to


@pytest.mark.parametrize("by_client", ["", "address", "authorization"])
def test_several(by_client: str) -> None:
    processors = Processors(TWO, by_client=by_client)
    clusters, tried = processor_clusters(processors), actions(processor_filter(processors))
    names = [each["typed_config"]["typed_config"]["grpc_service"]["envoy_grpc"]["cluster_name"] for each in tried]
    assert names == [each["name"] for each in clusters]
    endpoints = [len(each["load_assignment"]["endpoints"][0]["lb_endpoints"]) for each in clusters]
    assert endpoints == ([1, 1] if by_client else [2])
    assert all("health_checks" in each for each in clusters) is not bool(by_client)


def test_parts_of_clients_are_equal() -> None:
    processors = Processors(tuple(("127.0.0.1", port) for port in (1, 2, 3)), by_client="address")
    matchers = processor_filter(processors)["typed_config"]["xds_matcher"]["matcher_list"]["matchers"]
    tests = [each["predicate"]["single_predicate"]["custom_match"]["typed_config"] for each in matchers]
    assert [each["runtime_fraction"]["default_value"]["numerator"] for each in tests] == [333_333, 666_666]
    assert {each["seed"] for each in tests} == {0}


@pytest.mark.parametrize(
    "processors",
    [
        Processors(ONE),
        Processors((("processor.test", 9090),), 12.5),
        Processors(TWO, by_client="address"),
        Processors(TWO, by_client="x-user"),
    ],
)
def test_envoy_takes_everything(processors: Processors, validate: Callable[[Export], None]) -> None:
    text = (Path(__file__).parent / "everything.yaml").read_text()
    table = RouteTable.build(parse_sources([Source("x.yaml", text.encode())]).resources, Identity())
    made = translate(table, ExportOptions(processors=processors))
    assert "request_mirror_policies" not in to_yaml(made.bootstrap())
    filters = [each["name"] for each in made.listener["http_filters"]]
    assert filters[-2:] == [FILTER, "envoy.filters.http.router"]
    assert made.bootstrap()["layered_runtime"] == {"layers": [{"name": "admin", "admin_layer": {}}]}
    validate(made)
