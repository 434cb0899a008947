from __future__ import annotations

from mirror_addon.istio.resources.kubernetes_gateway import KubernetesGatewaySpec


def test_a_listener_without_hostname() -> None:
    listeners = [{"name": "a", "port": 80, "protocol": "HTTP"}, {"name": "b", "hostname": "*.shop.example"}]
    spec = KubernetesGatewaySpec.model_validate({"gatewayClassName": "istio", "listeners": listeners})
    assert [listener.hostname for listener in spec.listeners] == ["", "*.shop.example"]
