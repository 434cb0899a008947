"""Who sees a resource: `exportTo`, and the annotation of Kubernetes Services with the same meaning."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from mirror_addon.istio.documents import Resource

EVERYONE = "*"
EXPORT_TO = "networking.istio.io/exportTo"
"""The annotation of a Kubernetes Service: names separated by commas."""


_PUBLIC = frozenset((EVERYONE,))


def scopes(resource: Resource[Any]) -> frozenset[str]:
    """Return the namespaces to which a resource is exported; `*` stands for all, `~` for none."""
    export_to: Sequence[str] = getattr(resource.spec, "export_to", ())
    if resource.kind == "Service":
        text = resource.annotations.get(EXPORT_TO, "")
        export_to = [name.strip() for name in text.split(",")] if text else ()
    if not export_to or EVERYONE in export_to:
        return _PUBLIC
    return frozenset(resource.namespace if name == "." else name for name in export_to)


@functools.lru_cache(maxsize=4096)
def asking_scopes(namespace: str, export_to: tuple[str, ...]) -> frozenset[str]:
    """Return the scopes in which the hosts that a resource names are looked for.

    They are those of its own `exportTo`, else its namespace, and always `*`. Source: istio
    `pkg/config/analysis/analyzers/util/service_lookup.go`, `GetDestinationHost`.
    """
    own = (namespace if name == "." else name for name in export_to) if export_to else (namespace,)
    return frozenset((EVERYONE, *own))
