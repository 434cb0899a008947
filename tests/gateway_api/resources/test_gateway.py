"""Gateway and ListenerSet: defaults, and what Istio's virtual services read of a Gateway."""

from __future__ import annotations

import pytest

from mirror_addon.gateway_api.resources.gateway import GatewaySpec
from mirror_addon.gateway_api.resources.gateway import Listener
from mirror_addon.istio.resources.kubernetes_gateway import KubernetesGatewaySpec


def test_defaults() -> None:
    listener = Listener.model_validate({"name": "a", "port": 80, "protocol": "HTTP", "allowedRoutes": {"kinds": []}})
    assert listener.allowed_routes.namespaces.from_ == "Same"
    assert listener.hostname == ""
    assert GatewaySpec().allowed_listeners.namespaces.from_ == "None"


def test_it_is_the_gateway_that_virtual_services_name() -> None:
    listeners = [{"name": "a", "port": 80, "protocol": "HTTP", "hostname": "a.b"}]
    spec = GatewaySpec.model_validate({"gatewayClassName": "x", "listeners": listeners})
    assert isinstance(spec, KubernetesGatewaySpec)
    assert [each.hostname for each in spec.listeners] == ["a.b"]


@pytest.mark.parametrize("fields", [{"gateway_class_name": "x"}, {"other": 1}, {"listeners": [{"certificates": 1}]}])
def test_nothing_else_is_accepted(fields: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="not permitted"):
        GatewaySpec.model_validate(fields)
