"""YAML to a route table, and requests to send through it."""

from __future__ import annotations

import json
from collections.abc import Callable
from collections.abc import Sequence
from typing import Any

import pytest

from mirror_addon.istio.documents import Resource
from mirror_addon.istio.parsing import Source
from mirror_addon.istio.parsing import parse_sources
from mirror_addon.routing.decision import Request
from mirror_addon.routing.identity import Identity
from mirror_addon.routing.table import RouteTable


def read(text: str) -> Sequence[Resource[Any]]:
    return parse_sources([Source("rules.yaml", text.encode())]).resources


SERVICES = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: svc, namespace: default}
spec:
  hosts: [svc.default.svc.cluster.local]
  ports: [{number: 80, name: http, protocol: HTTP}]
  resolution: STATIC
  endpoints:
  - {address: 127.0.0.1, ports: {http: 9001}, labels: {version: v1}}
  - {address: 127.0.0.1, ports: {http: 9002}, labels: {version: v2}}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: svc, namespace: default}
spec:
  host: svc
  subsets:
  - {name: v1, labels: {version: v1}}
  - {name: v2, labels: {version: v2}}
  - {name: v3, labels: {version: v3}}
"""


def virtual_service(http: Sequence[Any], **spec: Any) -> str:
    metadata = {"name": spec.pop("name", "test"), "namespace": spec.pop("namespace", "default")}
    if created := spec.pop("created", None):
        metadata["creationTimestamp"] = created
    body = {"hosts": ["example.com"], "http": http, **spec}
    document = {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": metadata,
        "spec": {name: value for name, value in body.items() if value is not None},
    }
    return json.dumps(document)


@pytest.fixture(name="virtual_service")
def _virtual_service() -> Callable[..., str]:
    """`virtual_service(http, hosts=..., name=..., created=...)`: the text of one, of host example.com."""
    return virtual_service


@pytest.fixture(scope="session")
def build() -> Callable[..., RouteTable]:
    """`build(yaml, ..., identity=, **options)`: a table of these documents and the service `svc` (v1, v2; v3 empty).

    A list instead of a text is the `http` of one virtual service. Without an identity X-Forwarded-For is left alone.
    """
    sidecar = Identity(use_remote_address=False)

    def make(*documents: str | Sequence[Any], identity: Identity = sidecar, **options: Any) -> RouteTable:
        texts = [document if isinstance(document, str) else virtual_service(document) for document in documents]
        return RouteTable.build(read("\n---\n".join([SERVICES, *texts])), identity, **options)

    return make


@pytest.fixture(scope="session")
def ask() -> Callable[..., Request]:
    """`ask("/path", "host", ...)`: a request."""

    def make(
        path: str | bytes = "/",
        host: str | bytes = "example.com",
        *headers: tuple[str | bytes, str | bytes],
        method: str = "GET",
        scheme: str = "http",
        port: int = 80,
        client: bytes = b"",
    ) -> Request:
        def raw(value: str | bytes) -> bytes:
            return value if isinstance(value, bytes) else value.encode()

        fields = tuple((raw(name), raw(value)) for name, value in headers)
        return Request(method.encode(), scheme.encode(), raw(host), raw(path), fields, port, client)

    return make


@pytest.fixture(scope="session")
def to_v1() -> list[dict[str, Any]]:
    """A `route` to subset v1."""
    return [{"destination": {"host": "svc", "subset": "v1"}}]
