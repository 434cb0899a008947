"""EndpointSlices without their Service."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mirror_addon.gateway_api.slices_alone import addresses_of_slices_alone

HOST = "oven.demo.svc.cluster.local"


def endpoint_slice(make: Callable[..., str], *ports: int, name: str = "x") -> str:
    spec = {
        "addressType": "IPv4",
        "ports": [{"name": f"p{port}", "port": port} for port in ports],
        "endpoints": [{"addresses": ["127.0.0.1"]}, {"addresses": ["127.0.0.2"], "conditions": {"ready": False}}],
    }
    return make("EndpointSlice", spec, name=name, labels={"kubernetes.io/service-name": "oven"})


@pytest.mark.parametrize(
    ("ports", "found"),
    [((9001,), {HOST: (("127.0.0.1", 9001),)}), ((9001, 9002), {}), ((), {})],
)
def test_one_port(ports: tuple[int, ...], found: Any, make: Callable[..., str], resources: Any) -> None:
    assert addresses_of_slices_alone(resources(endpoint_slice(make, *ports))) == found


def test_slices_of_services_that_are_there_count_with_them(make: Callable[..., str], resources: Any) -> None:
    entry = f"{{hosts: [{HOST}], resolution: STATIC, ports: [{{number: 80, name: http, protocol: HTTP}}]}}"
    for text in (make("Service", "{ports: [{port: 80}]}", name="oven"), make("ServiceEntry", entry)):
        assert addresses_of_slices_alone(resources(endpoint_slice(make, 9001), text)) == {}
