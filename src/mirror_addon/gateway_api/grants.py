"""ReferenceGrants: which objects of another namespace a route may refer to.

Source: istio `pilot/pkg/config/kube/gatewaycommon/references.go`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mirror_addon.gateway_api.resources.reference_grant import ReferenceGrantSpec
from mirror_addon.gateway_api.resources.references import GROUP
from mirror_addon.istio.documents import Resource


class Grants:
    """All ReferenceGrants. A grant is in the namespace of the objects that it opens."""

    def __init__(self, resources: Iterable[Resource[Any]]) -> None:
        self._granted: set[tuple[str, str, str, str, str, str | None]] = set()
        for resource in resources:
            if isinstance(resource.spec, ReferenceGrantSpec):
                for source in resource.spec.from_:
                    for target in resource.spec.to:
                        if source.group == GROUP:
                            self._granted.add(
                                (
                                    source.kind,
                                    source.namespace,
                                    _group(target.group),
                                    target.kind,
                                    resource.namespace,
                                    target.name or None,
                                )
                            )

    def permits(self, route_kind: str, route_namespace: str, group: str, kind: str, namespace: str, name: str) -> bool:
        """Whether a route of a kind and namespace may refer to the object. Kinds do not stand in for one another."""
        if route_namespace == namespace:
            return True
        key = (route_kind, route_namespace, group, kind, namespace)
        return (*key, None) in self._granted or (*key, name) in self._granted


def _group(group: str) -> str:
    return "" if group == "core" else group
