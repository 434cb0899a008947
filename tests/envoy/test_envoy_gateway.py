from __future__ import annotations

from mirror_addon.envoy.envoy_gateway import extension_policy
from mirror_addon.envoy.envoy_gateway import reference_grant
from mirror_addon.envoy.in_cluster import InCluster

SERVICE = InCluster("processor", "mirror", 9090, "cluster.local")


def test_a_policy_is_for_routes() -> None:
    made = extension_policy(SERVICE, "shop", [("HTTPRoute", "a"), ("GRPCRoute", "b")])
    assert made["metadata"]["namespace"] == "shop"
    group = "gateway.networking.k8s.io"
    assert made["spec"]["targetRefs"] == [
        {"group": group, "kind": "HTTPRoute", "name": "a"},
        {"group": group, "kind": "GRPCRoute", "name": "b"},
    ]
    (processor,) = made["spec"]["extProc"]
    assert processor["backendRefs"] == [{"name": "processor", "namespace": "mirror", "port": 9090}]
    assert processor["shadowMode"] is processor["failOpen"] is True
    assert processor["processingMode"] == {"request": {"body": "Streamed"}, "response": {"body": "Streamed"}}


def test_the_grant_is_in_the_namespace_of_the_service() -> None:
    made = reference_grant(SERVICE, ["a", "b"])
    assert made["metadata"]["namespace"] == "mirror"
    assert [each["namespace"] for each in made["spec"]["from"]] == ["a", "b"]
    assert made["spec"]["to"] == [{"group": "", "kind": "Service", "name": "processor"}]
