"""Notes on what an export does not contain or Envoy does differently, for stderr."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Iterator
from typing import Any

from mirror_addon.istio.documents import Resource
from mirror_addon.istio.mirror_annotations import PREFIX
from mirror_addon.istio.resources.destination_rule import DestinationRuleSpec
from mirror_addon.istio.resources.destination_rule import TrafficPolicy
from mirror_addon.istio.resources.messages import Message

_EXPORTED = {
    "load_balancer": {"simple", "consistent_hash"},
    "connection_pool.tcp": {"connect_timeout"},
    "connection_pool.http": {"h2_upgrade_policy"},
}
"""The exported fields of each block of a traffic policy. Of other blocks none is exported, except `tls`."""


class Notes:
    """Distinct notes, in the order in which they were first added."""

    def __init__(self) -> None:
        self._notes: dict[str, None] = {}

    def add(self, note: str) -> None:
        self._notes.setdefault(note)

    def __iter__(self) -> Iterator[str]:
        return iter(self._notes)


_COUNTING = ("max-requests", "max-rps")
"""The annotations that limit a number of shadows."""


def unexported(resources: Iterable[Resource[Any]], processors: int = 0) -> Iterator[str]:
    """Yield a note for each annotation and each DestinationRule field that the export leaves out.

    `processors`: how many there are. Annotations have their effect there, and each of several counts by itself.
    """
    for resource in resources:
        whose = f"{resource.kind} {resource.namespace}/{resource.name}"
        for annotation in sorted(resource.annotations):
            if annotation.startswith(PREFIX) and not processors:
                yield f"{whose}: annotation {annotation} has no counterpart in Envoy"
            elif processors > 1 and annotation.removeprefix(PREFIX) in _COUNTING:
                yield f"{whose}: annotation {annotation} holds for each of the {processors} processors"
        if isinstance(resource.spec, DestinationRuleSpec):
            for field in dict.fromkeys(_unexported_policies(resource.spec)):
                yield f"{whose}: {field} is not exported"


def _unexported_policies(spec: DestinationRuleSpec) -> Iterator[str]:
    for policy in (spec.traffic_policy, *(subset.traffic_policy for subset in spec.subsets)):
        if policy is not None:
            yield from _unexported_fields(policy)


def _unexported_fields(policy: TrafficPolicy) -> Iterator[str]:
    for each in (policy, *policy.port_level_settings):
        blocks: dict[str, Message] = {}
        for name in sorted(each.model_fields_set - {"tls", "port_level_settings", "port"}):
            value = getattr(each, name)
            if name == "connection_pool" and value is not None:
                blocks |= {f"{name}.{part}": getattr(value, part) for part in ("tcp", "http")}
            elif name in _EXPORTED:
                blocks[name] = value
            elif value is not None:
                yield _camel(name)
        for block, value in blocks.items():
            if value is not None:
                for name in sorted(value.model_fields_set - _EXPORTED[block]):
                    yield _camel(f"{block}.{name}")


def _camel(path: str) -> str:
    first, *rest = path.split("_")
    return first + "".join(part[:1].upper() + part[1:] for part in rest)
