from __future__ import annotations

from mirror_addon.envoy.in_cluster import InCluster
from mirror_addon.envoy.workload import autoscaler
from mirror_addon.envoy.workload import deployment
from mirror_addon.envoy.workload import kubernetes_service

SERVICE = InCluster("processor", "mirror", 9090, "cluster.local")


def test_the_deployment_runs_a_processor() -> None:
    made = deployment(SERVICE, "registry.test/x:1", ["a:80/v2=b:80"], 1)
    pod = made["spec"]["template"]
    (container,) = pod["spec"]["containers"]
    arguments = container["args"]
    assert arguments[:3] == ["processor", "--listen", "0.0.0.0:9090"]
    assert arguments[-2:] == ["--set", "mirror_endpoints=a:80/v2=b:80"]
    mounted = {each["name"] for each in container["volumeMounts"]}
    assert mounted == {each["name"] for each in pod["spec"]["volumes"]}
    assert container["readinessProbe"]["grpc"] == {"port": 9090}
    assert made["spec"]["replicas"] == 1
    assert made["spec"]["selector"]["matchLabels"] == pod["metadata"]["labels"]


def test_the_service_and_the_autoscaler_lead_to_it() -> None:
    made = deployment(SERVICE, "x", [], None)
    assert "replicas" not in made["spec"]
    service = kubernetes_service(SERVICE)["spec"]
    assert service["selector"] == made["spec"]["template"]["metadata"]["labels"]
    named = {each["name"] for each in made["spec"]["template"]["spec"]["containers"][0]["ports"]}
    assert {each["targetPort"] for each in service["ports"]} <= named
    assert service["ports"][0]["name"].startswith("grpc")
    scaled = autoscaler(SERVICE, 2, 5)["spec"]
    assert scaled["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": "processor"}
    assert (scaled["minReplicas"], scaled["maxReplicas"]) == (2, 5)
