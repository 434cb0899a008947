"""What this proxy is: Istio resolves gateways, labels and namespaces before Envoy sees a rule (semantics 2.7)."""

from __future__ import annotations

from dataclasses import dataclass

from mirror_addon.routing import names


@dataclass(frozen=True, slots=True)
class Identity:
    """This proxy. The default is one gateway that accepts every document.

    `gateways` are written as in a VirtualService (`mesh`, `name`, `namespace/name`); none means all of them, and then
    `exportTo` hides nothing either. `labels` are this workload's, for `sourceLabels`. `local_address` is the text of
    the proxy's own address, for the shadow's X-Forwarded-For. `path_normalization` is one of Istio's four names.
    `sample_seed` decides which users `mirror-addon/sample-by` chooses.
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

    @property
    def is_sidecar(self) -> bool:
        """Whether virtual services of one host exclude each other (mesh) instead of being merged (gateway)."""
        return bool(self.gateways) and all(gateway == names.MESH for gateway in self.gateways)

    def serves(self, gateways: tuple[str, ...], namespace: str) -> bool:
        """Whether one of `gateways`, as a document of `namespace` writes them, is this proxy; none is the mesh."""
        if not self.gateways:
            return True
        own = {names.gateway(gateway, self.namespace) for gateway in self.gateways}
        return not own.isdisjoint(names.gateway(gateway, namespace) for gateway in gateways or (names.MESH,))

    def sees(self, export_to: tuple[str, ...], namespace: str) -> bool:
        """Whether an object of `namespace` with this `exportTo` is visible here."""
        return not self.gateways or names.exported(export_to, namespace, self.namespace)

    def has_labels(self, labels: dict[str, str]) -> bool:
        """Whether this workload carries all of `labels`."""
        return labels.items() <= dict(self.labels).items()
