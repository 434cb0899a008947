"""Port names of Services: what Istio takes for a protocol."""

from __future__ import annotations

from collections.abc import Callable

import pytest

Briefs = Callable[..., list[tuple[str, str, str]]]
INFO = ("info", "IST0118", "spec.ports[0]")
EXTERNAL = ("warning", "IST0150", "spec.ports[0]")


@pytest.mark.parametrize(
    ("port", "known"),
    [
        ("name: http", True),
        ("name: http-web", True),
        ("name: HTTP2-x", True),
        ("name: grpc-web", True),
        ("name: grpc-webby", True),
        ("name: mongo", True),
        ("name: foo-http", False),
        ("name: httpx", False),
        ("name: web", False),
        ("name: ''", False),
        ("name: web, protocol: UDP", True),
        ("name: web, appProtocol: http", True),
        ("name: web, appProtocol: kubernetes.io/h2c", True),
        ("name: http, appProtocol: example.com/own", False),
        ("name: web, appProtocol: null", False),
    ],
)
def test_names(make: Callable[..., str], briefs: Briefs, port: str, known: bool) -> None:
    assert briefs(make("Service", f"ports: [{{port: 8080, {port}}}]"), infos=True) == ([] if known else [INFO])


@pytest.mark.parametrize("number", [25, 53, 3306, 27017])
def test_well_known_ports_are_tcp(make: Callable[..., str], briefs: Briefs, number: int) -> None:
    assert briefs(make("Service", f"ports: [{{port: {number}, name: db}}]"), infos=True) == []


@pytest.mark.parametrize(("name", "good"), [("http", True), ("tcp", False), ("web", False), ("tcp-x", True)])
def test_external_names(make: Callable[..., str], briefs: Briefs, name: str, good: bool) -> None:
    text = make("Service", f"type: ExternalName\nexternalName: a.b\nports: [{{port: 80, name: {name}}}]")
    assert briefs(text, infos=True) == ([] if good else [EXTERNAL])


@pytest.mark.parametrize(
    "labels",
    ["{istio: ingressgateway}", "{release: istio}", "{gateway.istio.io/managed: istio.io-mesh-controller}"],
)
def test_services_of_istio_itself(make: Callable[..., str], briefs: Briefs, labels: str) -> None:
    text = make("Service", "ports: [{port: 8080, name: status-port}]")
    assert briefs(text.replace("  namespace:", f"  labels: {labels}\n  namespace:"), infos=True) == []
    assert briefs(text.replace("namespace: default", "namespace: kube-system"), infos=True) == []
    assert briefs(text.replace("  namespace:", "  labels: {release: other}\n  namespace:"), infos=True) == [INFO]
