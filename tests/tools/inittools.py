"""Rules of a team without endpoints, for the tests of `mirror-addon init`."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mirror_addon.istio.documents import Resource
from mirror_addon.istio.parsing import Source
from mirror_addon.istio.resources.kinds import Spec
from mirror_addon.routing.identity import Identity
from mirror_addon.routing.table import RouteTable
from mirror_addon.rules.files import load_rules


def virtual_service(http: str, name: str = "shop", namespace: str = "default", host: str = "shop.test") -> str:
    """A VirtualService with these HTTP routes, indented by four."""
    return (
        "apiVersion: networking.istio.io/v1\nkind: VirtualService\n"
        f"metadata: {{name: {name}, namespace: {namespace}}}\n"
        f"spec:\n  hosts: [{host}]\n  gateways: [istio-system/gateway]\n  http:\n{http.rstrip()}\n---\n"
    )


def destination_rule(host: str, namespace: str = "default", **subsets: str) -> str:
    """A DestinationRule; each subset has labels as a YAML mapping."""
    lines = "".join(f"  - {{name: {name}, labels: {labels}}}\n" for name, labels in subsets.items())
    name = re.sub("[^a-z0-9]+", "-", host.lower())
    return (
        "apiVersion: networking.istio.io/v1\nkind: DestinationRule\n"
        f"metadata: {{name: {name}, namespace: {namespace}}}\nspec:\n  host: {host}\n  subsets:\n{lines}---\n"
    )


def service(name: str, ports: str, namespace: str = "default") -> str:
    """A Service of Kubernetes; `ports` is a YAML list."""
    return (
        "apiVersion: v1\nkind: Service\n"
        f"metadata: {{name: {name}, namespace: {namespace}}}\nspec: {{selector: {{app: x}}, ports: {ports}}}\n---\n"
    )


def loaded(text: str, namespace: str = "default") -> tuple[Sequence[Resource[Spec]], RouteTable]:
    """The resources of a text, and their table."""
    rules = load_rules([], default_namespace=namespace, given=[Source("team.yaml", text.encode())])
    assert not rules.broken, rules.diagnostics
    return rules.resources, RouteTable.build(rules.resources, Identity(namespace=namespace))


V1_AND_V2 = virtual_service(
    """
    - route: [{destination: {host: cart, subset: v1}}]
      mirrors: [{destination: {host: cart, subset: v2}}]
"""
) + destination_rule("cart", v1="{version: v1}", v2="{version: v2}")


def http_route(rules: str, name: str = "shop", namespace: str = "default") -> str:
    """An HTTPRoute for shop.test; `rules` is a YAML list."""
    return (
        "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\n"
        f"metadata: {{name: {name}, namespace: {namespace}}}\n"
        f"spec: {{parentRefs: [{{name: gateway}}], hostnames: [shop.test], rules: {rules}}}\n---\n"
    )
