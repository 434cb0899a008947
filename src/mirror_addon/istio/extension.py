"""What another room has to say to read the kinds of further API groups with the reader of this one."""

from __future__ import annotations

from typing import Any
from typing import Protocol

from mirror_addon.istio.annotations import AnnotationChecks
from mirror_addon.istio.documents import Resource
from mirror_addon.istio.findings import Findings
from mirror_addon.istio.resources.messages import Message


class Extension(Protocol):
    """Reads the objects of some API groups: their types, and their validation."""

    def covers(self, group: str, kind: str) -> bool:
        """Whether objects of this group and kind are read, or named, by this extension."""

    def spec_type(self, group: str, kind: str, version: str, findings: Findings) -> type[Message] | None:
        """Return the type of an object's spec; None where the object is not read. Adds the reason to `findings`."""

    def validate(self, resource: Resource[Any], findings: Findings, checks: AnnotationChecks) -> None:
        """Add to `findings` what is wrong in one object by itself."""
