"""ServiceEntry and WorkloadEntry: the messages of `service_entry.proto` and `workload_entry.proto` of istio/api."""

from __future__ import annotations

from typing import Literal

from mirror_addon.istio.resources.messages import EMPTY_MAP
from mirror_addon.istio.resources.messages import Items
from mirror_addon.istio.resources.messages import Map
from mirror_addon.istio.resources.messages import Message
from mirror_addon.istio.resources.messages import UInt32


class ServicePort(Message):
    """A port of a ServiceEntry."""

    number: UInt32 = 0
    name: str = ""
    protocol: str = ""
    target_port: UInt32 = 0


class WorkloadEntrySpec(Message):
    address: str = ""
    ports: Map[UInt32] = EMPTY_MAP
    labels: Map[str] = EMPTY_MAP
    network: str = ""
    locality: str = ""
    weight: UInt32 = 0
    service_account: str = ""


class WorkloadSelector(Message):
    """A DestinationRule's selector is another message, with `matchLabels`."""

    labels: Map[str] = EMPTY_MAP


class ServiceEntrySpec(Message):
    hosts: Items[str] = ()
    addresses: Items[str] = ()
    ports: Items[ServicePort] = ()
    location: Literal["MESH_EXTERNAL", "MESH_INTERNAL"] = "MESH_EXTERNAL"
    resolution: Literal["NONE", "STATIC", "DNS", "DNS_ROUND_ROBIN", "DYNAMIC_DNS"] = "NONE"
    endpoints: Items[WorkloadEntrySpec] = ()
    workload_selector: WorkloadSelector | None = None
    export_to: Items[str] = ()
    subject_alt_names: Items[str] = ()
