"""Reads an object's metadata: name, namespace, labels and annotations."""

from __future__ import annotations

import re
from dataclasses import dataclass
from dataclasses import field
from typing import Any

from mirror_addon.istio.annotations import validate_annotations
from mirror_addon.istio.fields import describe
from mirror_addon.istio.fields import nearest
from mirror_addon.istio.fields import text_problem
from mirror_addon.istio.findings import Findings
from mirror_addon.istio.names import validate_labels

_FIELDS = (
    "annotations",
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "finalizers",
    "generateName",
    "generation",
    "labels",
    "managedFields",
    "name",
    "namespace",
    "ownerReferences",
    "resourceVersion",
    "selfLink",
    "uid",
)
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LONGEST_NAME = 253


@dataclass(frozen=True, slots=True)
class Metadata:
    name: str
    namespace: str
    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)
    creation_timestamp: str = ""

    @classmethod
    def unknown(cls, namespace: str, value: Any) -> Metadata:
        """Return a replacement for unusable metadata, so that the rest of the object can be validated."""
        given = value.get("annotations") if isinstance(value, dict) else None
        texts = given.items() if isinstance(given, dict) else ()
        return cls("", namespace, annotations={name: text for name, text in texts if isinstance(text, str)})


def read_metadata(kind: str, value: Any, default_namespace: str, findings: Findings) -> Metadata | None:
    """Return the metadata of an object of `kind`, or None where an API server would not store the object."""
    if not isinstance(value, dict):
        what = "is missing" if value is None else f"must be a mapping; it is {describe(value)}"
        findings.error(("metadata",), f"metadata {what}; give the object at least metadata.name")
        return None
    usable = True
    for key in value:
        if key not in _FIELDS:
            findings.error(("metadata", key), f"unknown field; {nearest(key, _FIELDS)}", at_key=True)
    texts = {}
    for key in ("name", "namespace", "creationTimestamp"):
        given = value.get(key)
        if given is not None and not isinstance(given, str):
            findings.error(("metadata", key), text_problem(given))
            usable = False
        texts[key] = given if isinstance(given, str) else ""
    if value.get("name") in (None, ""):
        findings.error(("metadata", "name"), "metadata.name is missing; give the object a name")
        usable = False
    for key in ("name", "namespace"):
        if texts[key] and not (_NAME.fullmatch(texts[key]) and len(texts[key]) <= _LONGEST_NAME):
            findings.warning(
                ("metadata", key),
                f"{texts[key]!r:.80} is not a Kubernetes name, an API server refuses it; "
                "use lower-case letters, digits, '-' and '.'",
            )
    labels, labels_usable = _texts(value, "labels", findings)
    validate_labels(labels, ("metadata", "labels"), findings, kubernetes=True)
    annotations, annotations_usable = _texts(value, "annotations", findings)
    validate_annotations(kind, annotations, findings)
    if not (usable and labels_usable and annotations_usable):
        return None
    namespace = texts["namespace"] or default_namespace
    return Metadata(texts["name"], namespace, labels, annotations, texts["creationTimestamp"])


def _texts(value: dict[str, Any], key: str, findings: Findings) -> tuple[dict[str, str], bool]:
    """Return a mapping's values that are text, and whether all were."""
    given = value.get(key)
    if given is None:
        return {}, True
    if not isinstance(given, dict):
        findings.error(("metadata", key), f"must be a mapping of names to texts; it is {describe(given)}")
        return {}, False
    for name, text in given.items():
        if not isinstance(text, str):
            findings.error(("metadata", key, name), text_problem(text))
    texts = {name: text for name, text in given.items() if isinstance(text, str)}
    return texts, len(texts) == len(given)
