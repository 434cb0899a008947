from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from mirror_addon.envoy.bootstrap import Address
from mirror_addon.envoy.bootstrap import Export
from mirror_addon.envoy.bootstrap import ExportOptions
from mirror_addon.envoy.bootstrap import discovery_response
from mirror_addon.envoy.bootstrap import translate
from mirror_addon.envoy.yaml_text import to_yaml
from mirror_addon.istio.parsing import Source
from mirror_addon.istio.parsing import parse_sources
from mirror_addon.routing.clusters import Endpoint
from mirror_addon.routing.identity import Identity
from mirror_addon.routing.table import MirrorTo
from mirror_addon.routing.table import RouteTable

RULES = Path(__file__).parents[2] / "rules"
EVERYTHING = (Path(__file__).parent / "everything.yaml").read_text()


def read(text: str, identity: Identity | None = None, **options: Any) -> RouteTable:
    return RouteTable.build(
        parse_sources([Source("x.yaml", text.encode())]).resources, identity or Identity(), **options
    )


def manager(export: Export) -> dict[str, Any]:
    listener = export.bootstrap()["static_resources"]["listeners"][0]
    found: dict[str, Any] = listener["filter_chains"][0]["filters"][0]["typed_config"]
    return found


def test_the_worked_example(validate: Callable[[Export], None]) -> None:
    text = "\n---\n".join(file.read_text() for file in sorted(RULES.iterdir()))
    export = translate(read(text), ExportOptions())
    route = export.routes["virtual_hosts"][0]["routes"][0]
    assert route["match"] == {"prefix": "/serviceB"}
    assert route["route"]["prefix_rewrite"] == "/"
    assert route["route"]["cluster"] == "outbound|80|v1|serviceB.default.svc.cluster.local"
    assert [mirror["cluster"] for mirror in route["route"]["request_mirror_policies"]] == [
        "outbound|80|v2|serviceB.default.svc.cluster.local"
    ]
    validate(export)


def test_envoy_takes_everything_that_rules_can_say(validate: Callable[[Export], None]) -> None:
    overrides = {("override.default.svc.cluster.local", ""): Endpoint("unix:///run/x.sock", 0)}
    mirrors = [
        MirrorTo("http", "127.0.0.1", 9, "/base"),
        MirrorTo("https", "mirror.test", 443),
        MirrorTo("http", "narrowed.test", 80, filter="~d a", matches=lambda _: True),
    ]
    made = translate(
        read(EVERYTHING, endpoint_overrides=overrides, mirror_to=mirrors),
        ExportOptions(Address("::1", 8080), Address("127.0.0.1", 0), request_id=True, host_suffix=""),
    )
    validate(made)
    assert any("/base" in note for note in made.notes)
    assert any("the filter of mirror_to ~d a has no counterpart in Envoy" in note for note in made.notes)
    assert "narrowed.test" not in to_yaml(made.bootstrap())


@pytest.mark.parametrize("level", ["NONE", "BASE", "MERGE_SLASHES", "DECODE_AND_MERGE_SLASHES"])
@pytest.mark.parametrize("edge", [True, False])
def test_connection_settings(level: str, edge: bool, validate: Callable[[Export], None]) -> None:
    export = translate(read("", Identity(path_normalization=level, use_remote_address=edge)), ExportOptions())
    found = manager(export)
    assert found["use_remote_address"] is edge
    assert found["normalize_path"] is (level != "NONE")
    assert found.get("merge_slashes", False) is level.endswith("MERGE_SLASHES")
    validate(export)


def test_equal_rules_give_equal_text() -> None:
    first, second = (to_yaml(translate(read(EVERYTHING), ExportOptions()).bootstrap()) for _ in range(2))
    assert first == second
    assert yaml.safe_load(first) == translate(read(EVERYTHING), ExportOptions()).bootstrap()
    assert "&" not in first.replace("&'", "")


def test_without_mirroring_there_are_no_mirrors() -> None:
    text = to_yaml(translate(read(EVERYTHING), ExportOptions(mirroring=False)).bootstrap())
    assert "request_mirror_policies" in to_yaml(translate(read(EVERYTHING), ExportOptions()).bootstrap())
    assert "request_mirror_policies" not in text


def test_dynamic_resources_are_those_of_the_static_export() -> None:
    export = translate(read(EVERYTHING), ExportOptions())
    dynamic = export.dynamic_bootstrap("/f/routes.json", "/f/clusters.json")
    assert dynamic["dynamic_resources"]["cds_config"]["path_config_source"] == {"path": "/f/clusters.json"}
    assert "clusters" not in dynamic["static_resources"]
    response = discovery_response("7", "RouteConfiguration", [export.routes])
    assert response["version_info"] == "7"
    (resource,) = response["resources"]
    kind = resource.pop("@type")
    assert kind == "type.googleapis.com/envoy.config.route.v3.RouteConfiguration"
    assert (
        resource
        == export.bootstrap()["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"][
            "route_config"
        ]
    )


@pytest.mark.parametrize(
    ("address", "names"),
    [
        (Address("127.0.0.1", 8080), ["127.0.0.1:8080", "localhost:8080", "[::1]:8080"]),
        (Address("10.0.0.1", 80), ["10.0.0.1:80", "10.0.0.1", "localhost:80", "localhost"]),
        (Address("::", 81), ["[::]:81", "localhost:81"]),
        (Address("127.0.0.1", 0), []),
    ],
)
def test_names_of_a_listener(address: Address, names: list[str]) -> None:
    assert address.names()[: len(names)] == names
    assert bool(address.names()) == bool(names)


def test_a_listener_of_redirects_only_needs_no_clusters() -> None:
    text = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: x}
spec: {hosts: ['*'], http: [{redirect: {uri: /x}}]}
"""
    assert list(translate(read(text), ExportOptions()).bootstrap()["static_resources"]) == ["listeners"]
