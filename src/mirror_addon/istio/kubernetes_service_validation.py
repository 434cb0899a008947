"""Kubernetes Service: what Istio makes of the names of its ports (istio `analyzers/service/portname.go`).

The protocol of a port is that of `appProtocol`, else the beginning of its name. What Istio does not know is sniffed.
"""

from __future__ import annotations

from mirror_addon.istio.documents import Resource
from mirror_addon.istio.findings import Findings
from mirror_addon.istio.resources.kubernetes_service import KubernetesServicePort
from mirror_addon.istio.resources.kubernetes_service import KubernetesServiceSpec
from mirror_addon.istio.service_entry_validation import PROTOCOLS

PORT_NAME = "IST0118"
EXTERNAL_NAME_PORT = "IST0150"
_MANAGED = "gateway.istio.io/managed"
_CONTROLLERS = ("istio.io-gateway-controller", "istio.io-mesh-controller", "istio.io-eastwest-controller")
_SYSTEM = frozenset({"kube-system", "kube-public", "kube-node-lease", "local-path-storage"})
"""Namespaces that istioctl leaves out."""
_OF_KUBERNETES = frozenset({"kubernetes.io/h2c", "kubernetes.io/ws", "kubernetes.io/wss"})
_WELL_KNOWN = frozenset({25, 53, 3306, 27017})
"""Ports of SMTP, DNS, MySQL and MongoDB: Istio takes them for TCP."""


def validate_kubernetes_service(resource: Resource[KubernetesServiceSpec], findings: Findings) -> None:
    labels = resource.labels
    of_istio = "istio" in labels or labels.get("release") == "istio"
    if of_istio or labels.get(_MANAGED) in _CONTROLLERS or resource.namespace in _SYSTEM:
        return
    external = resource.spec.type == "ExternalName"
    for index, port in enumerate(resource.spec.ports):
        path = ("spec", "ports", index)
        known = _is_known(port)
        if external and (not known or port.name == "tcp"):
            findings.warning(
                path,
                f"the port {port.port} of an ExternalName Service is taken for TCP, and may catch the traffic of other "
                "hosts; name it after its protocol, as in 'name: http'",
                code=EXTERNAL_NAME_PORT,
            )
        elif not known:
            what = f"appProtocol {port.app_protocol!r:.40}" if port.app_protocol else f"the name {port.name!r:.40}"
            findings.info(
                path,
                f"{what} of port {port.port} says no protocol, so Istio sniffs it; name the port PROTOCOL[-SUFFIX], "
                "as in 'name: http', or set appProtocol",
                code=PORT_NAME,
            )


def _is_known(port: KubernetesServicePort) -> bool:
    """Return whether Istio knows the port's protocol (istio `pkg/config/kube/conversion.go`, `ConvertProtocol`)."""
    name = port.app_protocol or port.name
    if port.protocol == "UDP" or name in _OF_KUBERNETES or name[:8].lower() == "grpc-web":
        return True
    return name.partition("-")[0].lower() in PROTOCOLS or port.port in _WELL_KNOWN
