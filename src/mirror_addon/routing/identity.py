"""The identity of this proxy, with which gateways, labels and namespaces are resolved.

Pilot resolves them when it makes a proxy's configuration; Envoy knows nothing of them.
"""

from __future__ import annotations

from dataclasses import dataclass

from mirror_addon.routing import names


@dataclass(frozen=True, slots=True)
class Identity:
    """This proxy. The default is a gateway to which every document applies.

    `gateways` are written as in a VirtualService (`mesh`, `name`, `namespace/name`). None means all of them, and then
    `exportTo` is ignored. `labels` are this workload's, for `sourceLabels`. `local_address` is the proxy's own IP
    address as text, for the shadow's X-Forwarded-For. `path_normalization` is one of Istio's four names. `sample_seed`
    decides which users `mirror-addon/sample-by` selects.
    """

    namespace: str = "default"
    gateways: tuple[str, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    use_remote_address: bool = True
    local_address: bytes = b"127.0.0.1"
    path_normalization: str = "BASE"
    domain: str = "cluster.local"
    root_namespace: str = "istio-system"
    sample_seed: bytes = b"mirror-addon"
    mesh_headers: bool = False
    """Whether requests get the fields that Envoy adds in a mesh (`mesh_headers`)."""

    @property
    def is_sidecar(self) -> bool:
        """Whether only the first virtual service of a host applies (mesh); on a gateway they are merged."""
        return bool(self.gateways) and all(gateway == names.MESH for gateway in self.gateways)

    @property
    def is_gateway(self) -> bool:
        """Whether this proxy is gateways alone, and no sidecar of the mesh."""
        return bool(self.gateways) and names.MESH not in self.gateways

    def serves(self, gateways: tuple[str, ...], namespace: str) -> bool:
        """Whether one of `gateways`, in a document of `namespace`, is this proxy; an empty list means the mesh."""
        return not self.gateways or bool(self.shared(gateways, namespace))

    def shared(self, gateways: tuple[str, ...], namespace: str) -> tuple[str, ...]:
        """Return those of `gateways`, in a document of `namespace`, that are this proxy, by their full names."""
        own = {names.gateway(gateway, self.namespace) for gateway in self.gateways}
        named = dict.fromkeys(names.gateway(gateway, namespace) for gateway in gateways or (names.MESH,))
        return tuple(name for name in named if name in own)

    def sees(self, export_to: tuple[str, ...], namespace: str) -> bool:
        """Whether an object of `namespace` with this `exportTo` is visible to this proxy."""
        return not self.gateways or names.exported(export_to, namespace, self.namespace)

    def has_labels(self, labels: dict[str, str]) -> bool:
        """Whether this workload has all of `labels`."""
        return labels.items() <= dict(self.labels).items()
