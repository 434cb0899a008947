"""What references to backends mean."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mirror_addon.gateway_api.backends import Resolver
from mirror_addon.gateway_api.backends import backend_hosts
from mirror_addon.gateway_api.grants import Grants
from mirror_addon.gateway_api.resources.references import BackendObjectReference


def resolve(enforced: bool = True, grants: Grants | None = None, **fields: Any) -> Any:
    reference = BackendObjectReference.model_validate(fields)
    return Resolver(grants or Grants(()), "HTTPRoute", "shop", "cluster.local", enforced).resolve(reference)


@pytest.mark.parametrize(
    ("fields", "label", "host"),
    [
        ({"name": "oven", "port": 80}, "oven", "oven.shop.svc.cluster.local"),
        ({"name": "oven", "port": 80, "namespace": "shop"}, "oven", "oven.shop.svc.cluster.local"),
        ({"name": "oven", "port": 80, "group": "core"}, "oven", "oven.shop.svc.cluster.local"),
        (
            {"name": "oven", "port": 80, "group": "multicluster.x-k8s.io", "kind": "ServiceImport"},
            "oven",
            "oven.shop.svc.cluster.local",
        ),
        ({"name": "Ext.test", "port": 80, "group": "networking.istio.io", "kind": "Hostname"}, "ext.test", "ext.test"),
    ],
)
def test_backends(fields: dict[str, Any], label: str, host: str) -> None:
    found = resolve(**fields)
    assert (found.label, found.host, found.port, found.problem) == (label, host, 80, None)
    assert not found.is_fatal


@pytest.mark.parametrize(
    ("fields", "code", "said"),
    [
        (
            {"name": "oven", "port": 80, "namespace": "bakery"},
            "RefNotPermitted",
            "no ReferenceGrant in namespace bakery",
        ),
        ({"name": "x", "kind": "Bucket", "group": "x.io"}, "InvalidKind", "Bucket of the group 'x.io' is no backend"),
        ({"name": "x", "kind": "Pod"}, "InvalidKind", "Pod is no backend here"),
        ({"name": "oven.shop", "port": 80}, "InvalidDestination", "'oven.shop' is a host name"),
        ({"name": "oven"}, "InvalidDestination", "port is missing"),
        (
            {"name": "a.b", "port": 80, "group": "networking.istio.io", "kind": "Hostname", "namespace": "shop"},
            "InvalidDestination",
            "a backend of kind Hostname has no namespace",
        ),
        ({"name": "a.b", "group": "networking.istio.io", "kind": "Hostname"}, "InvalidDestination", "port is missing"),
    ],
)
def test_problems(fields: dict[str, Any], code: str, said: str) -> None:
    found = resolve(**fields)
    assert found.problem.code == code and found.problem.message.startswith(said)
    assert found.is_fatal is (code == "InvalidDestination")


def test_other_namespaces(make: Callable[..., str], resources: Any) -> None:
    """With a grant, and without one where the mesh is the parent."""
    spec = {
        "from": [{"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "namespace": "shop"}],
        "to": [{"group": "", "kind": "Service"}],
    }
    grants = Grants(resources(make("ReferenceGrant", spec, namespace="bakery")))
    for found in (
        resolve(name="oven", port=80, namespace="bakery", grants=grants),
        resolve(name="oven", port=80, namespace="bakery", enforced=False),
    ):
        assert (found.label, found.host, found.problem) == ("oven.bakery", "oven.bakery.svc.cluster.local", None)


def test_hosts_of_a_route(make: Callable[..., str], resources: Any) -> None:
    mirrors = (
        "[{type: RequestMirror, requestMirror: {backendRef: {name: b, namespace: other, port: 80}}}, "
        "{type: RequestHeaderModifier, requestHeaderModifier: {}}]"
    )
    (route,) = resources(
        make(
            "HTTPRoute",
            f"{{parentRefs: [{{name: g}}], rules: [{{backendRefs: [{{name: a, port: 80}}], filters: {mirrors}}}]}}",
        )
    )
    assert backend_hosts(route) == {"a.demo.svc.cluster.local", "b.other.svc.cluster.local"}
