"""The processor's Service in a cluster, by its name."""

from __future__ import annotations

import re
from dataclasses import dataclass

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
"""RFC 1123, as Kubernetes asks for names of Services and namespaces."""


@dataclass(frozen=True, slots=True)
class InCluster:
    """A Service that processors are behind."""

    name: str
    namespace: str
    port: int
    domain: str

    @property
    def host(self) -> str:
        return f"{self.name}.{self.namespace}.svc.{self.domain}"

    @property
    def cluster(self) -> str:
        """The name that Istio gives the cluster."""
        return f"outbound|{self.port}||{self.host}"

    def metadata(self) -> dict[str, str]:
        return {"name": self.name, "namespace": self.namespace}


def in_cluster(host: str, port: int, namespace: str, domain: str) -> InCluster:
    """Parse `NAME`, `NAME.NAMESPACE` or the full name of a Service. `namespace` is that of a name alone.

    Raises ValueError, whose message says what to write.
    """
    parts = host.removesuffix(f".svc.{domain}").removesuffix(".svc").split(".")
    if len(parts) > 2 or not all(_LABEL.fullmatch(part) for part in parts):
        raise ValueError(f"{host!r}: name a Service, as in mirror-processor.mirror:9090 (NAME.NAMESPACE:PORT)")
    return InCluster(parts[0], parts[1] if len(parts) > 1 else namespace, port, domain)
