"""The parts of Kubernetes workloads that are read: which labels the pods have, and where the pods of a Service listen.

Pods and the templates of Deployments and the like tell which subsets exist. EndpointSlices give addresses.
"""

from __future__ import annotations

from mirror_addon.istio.resources.messages import EMPTY_MAP
from mirror_addon.istio.resources.messages import Int32
from mirror_addon.istio.resources.messages import Items
from mirror_addon.istio.resources.messages import Map
from mirror_addon.istio.resources.messages import PartialMessage

SERVICE_NAME = "kubernetes.io/service-name"
"""The label of an EndpointSlice that names its Service, which is in the same namespace."""


class NamespaceSpec(PartialMessage):
    """A core/v1 Namespace, of which only the metadata is of use."""


class NodeSpec(PartialMessage):
    """A core/v1 Node, of which only the labels are of use."""


class PodSpec(PartialMessage):
    """A core/v1 Pod. Its labels are in the metadata."""

    hostname: str = ""
    node_name: str = ""
    subdomain: str = ""


class PodTemplateMetadata(PartialMessage):
    labels: Map[str] = EMPTY_MAP


class PodTemplate(PartialMessage):
    metadata: PodTemplateMetadata = PodTemplateMetadata()


class PodControllerSpec(PartialMessage):
    """What makes pods from a template: a Deployment, ReplicaSet, StatefulSet, DaemonSet or ReplicationController.

    `service_name` is a StatefulSet's headless Service.
    """

    replicas: Int32 | None = None
    service_name: str = ""
    template: PodTemplate = PodTemplate()


class EndpointConditions(PartialMessage):
    ready: bool | None = None
    serving: bool | None = None
    terminating: bool | None = None


class ObjectReference(PartialMessage):
    kind: str = ""
    name: str = ""
    namespace: str = ""


class SliceEndpoint(PartialMessage):
    """One endpoint of a slice; of several addresses the first is used, as kube-proxy does."""

    addresses: Items[str] = ()
    conditions: EndpointConditions = EndpointConditions()
    hostname: str = ""
    target_ref: ObjectReference | None = None
    zone: str = ""

    @property
    def ready(self) -> bool:
        """Whether it gets requests: an absent condition means yes (discovery/v1, `EndpointConditions`)."""
        return self.conditions.ready is not False


class SlicePort(PartialMessage):
    """A port of a slice: `name` is that of the Service's port, `port` the number on which the endpoints listen."""

    name: str = ""
    port: Int32 | None = None
    protocol: str = "TCP"
    app_protocol: str = ""


class EndpointSliceSpec(PartialMessage):
    """A discovery.k8s.io/v1 EndpointSlice. Its fields stand beside `metadata`, not below `spec`."""

    address_type: str = ""
    endpoints: Items[SliceEndpoint] = ()
    ports: Items[SlicePort] = ()
