"""Whether the Service of a backend is there, and has an endpoint on this machine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mirror_addon.gateway_api.service_index import ServiceIndex

HOST = "oven.demo.svc.cluster.local"
SERVICE = "{ports: [{name: http, port: 80}]}"


def endpoint_slice(make: Callable[..., str], conditions: dict[str, bool]) -> str:
    spec = {
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": 9001}],
        "endpoints": [{"addresses": ["127.0.0.1"], "conditions": conditions}],
    }
    return make("EndpointSlice", spec, name="oven-x", labels={"kubernetes.io/service-name": "oven"})


@pytest.mark.parametrize(
    ("texts", "port", "unknown", "said"),
    [
        ([], 80, True, "no Service oven.demo is among the documents"),
        (["service"], 80, False, "the Service oven.demo has no endpoint on this machine"),
        (["service"], 81, True, "the Service oven.demo has no port 81, it has: 80"),
        (["service", "slice"], 80, None, ""),
        (["service", "unready"], 80, False, "has no endpoint"),
        (["entry"], 80, None, ""),
        (["slice"], 80, None, ""),
        (["unready"], 80, True, "no Service oven.demo is among the documents"),
        (["bare"], 80, True, "has no port 80, it has: none"),
    ],
)
def test_services(
    texts: list[str], port: int, unknown: bool | None, said: str, make: Callable[..., str], resources: Any
) -> None:
    known = {
        "service": make("Service", SERVICE, name="oven"),
        "bare": make("Service", "{}", name="oven"),
        "slice": endpoint_slice(make, {}),
        "unready": endpoint_slice(make, {"ready": False}),
        "entry": make(
            "ServiceEntry",
            f"{{hosts: [{HOST}], resolution: STATIC, ports: [{{number: 80, name: http, protocol: HTTP}}], "
            "endpoints: [{address: 127.0.0.1}]}",
        ),
    }
    found = ServiceIndex(resources(*(known[text] for text in texts)), ()).problem(HOST, port, "demo")
    assert (found.unknown if found else None) == unknown
    assert said in (found.message if found else "")


@pytest.mark.parametrize(("override", "known"), [(HOST, True), (f"{HOST}:80", True), (f"{HOST}:81", False)])
def test_overrides(override: str, known: bool) -> None:
    assert (ServiceIndex([], [override]).problem(HOST, 80, "demo") is None) is known
