from __future__ import annotations

from mirror_addon.istio.resources.kubernetes_service import KubernetesServiceSpec


def test_ports_by_number_or_name_among_other_fields() -> None:
    ports = [{"port": 80, "targetPort": "web", "nodePort": 30080}, {"port": 81, "targetPort": 8081}, {"port": 82}]
    spec = KubernetesServiceSpec.model_validate({"ports": ports, "clusterIP": "None", "selector": {"app": "a"}})
    assert [port.target_port for port in spec.ports] == ["web", 8081, None]
    assert (spec.ports[0].protocol, spec.selector) == ("TCP", {"app": "a"})
