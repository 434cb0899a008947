"""Reads the YAML text of Istio's resources into typed resources and diagnostics.

Theory of operation. This room is pure: it computes resources and diagnostics from bytes, without files, clock, sockets
or mitmproxy, so it runs in any process: the proxy, its rules compiler, `mirror-addon check`. The steps are these:

1. `parse_sources`, here, takes the bytes of each file. `composing` splits them into YAML documents, within the
   `limits`, and continues after a syntax error. `document_builder` turns a document's events into plain values, typed
   as kubectl types them (`scalars`), and a `documents.Document`, which knows the position of each value.
2. `_Reader`, here, makes a `documents.Resource` of each Kubernetes object: `metadata`, and the spec as one of the types
   in `resources`, which pydantic builds. Where pydantic refuses a value, `fields` reports why, and removes that part.
3. `validation` checks each object by itself, by the rules of Istio's webhook, with a `..._validation` module for each
   kind or message. `annotations` checks annotations, which `mirror_annotations` reads.
4. `analysis.analyze` checks the resources of all files together, as `istioctl analyze` does.

Every check adds to a `findings.Findings`, which locates field paths in the document. The result are
`diagnostics.Diagnostic`s: file, line, column, code, severity and a message that says what to change. An error does not
end reading, so one run reports everything. Whether resources with errors may be used is decided in `rules`.
"""

from __future__ import annotations

import contextlib
import gc
from collections import Counter
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from mirror_addon.istio.annotations import AnnotationChecks
from mirror_addon.istio.composing import compose
from mirror_addon.istio.diagnostics import Diagnostic
from mirror_addon.istio.diagnostics import Severity
from mirror_addon.istio.documents import Document
from mirror_addon.istio.documents import Resource
from mirror_addon.istio.extension import Extension
from mirror_addon.istio.fields import KEPT_SNAKE_CASE
from mirror_addon.istio.fields import conform
from mirror_addon.istio.fields import describe
from mirror_addon.istio.fields import nearest
from mirror_addon.istio.findings import Findings
from mirror_addon.istio.metadata import Metadata
from mirror_addon.istio.metadata import read_metadata
from mirror_addon.istio.resources.kinds import CONTEXT_SPECS
from mirror_addon.istio.resources.kinds import GATEWAY_API_GROUP
from mirror_addon.istio.resources.kinds import ISTIO_GROUP
from mirror_addon.istio.resources.kinds import ISTIO_KINDS
from mirror_addon.istio.resources.kinds import ISTIO_VERSIONS
from mirror_addon.istio.resources.kinds import KUBERNETES_KINDS
from mirror_addon.istio.resources.kinds import SKIPPED_ISTIO_KINDS
from mirror_addon.istio.resources.kinds import UNREAD_KINDS
from mirror_addon.istio.resources.kinds import WITHOUT_SPEC
from mirror_addon.istio.resources.kubernetes_config_map import AuthoritiesSpec
from mirror_addon.istio.resources.kubernetes_config_map import authorities_spec
from mirror_addon.istio.resources.kubernetes_workloads import EndpointSliceSpec
from mirror_addon.istio.resources.mesh_config import MESH_CONFIG_MAP
from mirror_addon.istio.resources.mesh_config import ConfigMapSpec
from mirror_addon.istio.resources.messages import Message
from mirror_addon.istio.validation import validate

_ISTIO_LISTS = frozenset(f"{kind}List" for kind in ISTIO_KINDS)
_FIELDS = ("apiVersion", "kind", "metadata", "spec", "status")
_SLICE_FIELDS = ("apiVersion", "kind", "metadata", "addressType", "endpoints", "ports")
_NO_CHECKS: AnnotationChecks = {}


@dataclass(frozen=True)
class Source:
    """A file's content. `name` is what diagnostics print as its file."""

    name: str
    text: bytes
    changed: float | None = None
    """When the file was last changed, in seconds since the epoch. None where unknown: durations from then never end."""


@dataclass(frozen=True)
class ParsedRules:
    """The resources, in the order of the text, and diagnostics. `skipped` counts objects of other kinds, by kind.

    `refused` names the objects that a cluster would not have, because of their YAML or an error of validation:
    `VirtualService default/shop (rules.yaml:7)`. Those that can be read are among the resources.
    """

    resources: tuple[Resource[Any], ...]
    diagnostics: tuple[Diagnostic, ...]
    skipped: Mapping[str, int]
    refused: tuple[str, ...] = ()
    broken: bool = False
    """There is text that is not YAML, so that some resources may be missing."""


def parse_sources(
    sources: Iterable[Source],
    *,
    default_namespace: str = "default",
    annotation_checks: AnnotationChecks = _NO_CHECKS,
    extension: Extension | None = None,
) -> ParsedRules:
    """Read and validate each object of each document by itself.

    An object that an API server would not store, because of its YAML, its metadata or the type of a field, is left out
    of the resources; with other errors it stays. Objects without a namespace get `default_namespace`.
    `annotation_checks` check the annotations whose syntax only other rooms know, `extension` reads the kinds that only
    another room knows. No source raises an exception.
    """
    reader = _Reader(default_namespace, annotation_checks, extension)
    broken = False
    with collector_paused():
        for source in sources:
            documents, diagnostics = compose(source.name, source.text)
            reader.diagnostics += diagnostics
            broken = broken or bool(diagnostics)
            reader.refused += [f"{found.file}:{found.line}" for found in diagnostics]
            for document, value in documents:
                document.changed = source.changed
                reader.read(document, value)
    refused = tuple(dict.fromkeys(reader.refused))
    return ParsedRules(tuple(reader.resources), tuple(reader.diagnostics), dict(reader.skipped), refused, broken)


@contextlib.contextmanager
def collector_paused() -> Iterator[None]:
    """Pause Python's cyclic garbage collector, which would scan the growing tree repeatedly without finding garbage."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


class _Reader:
    def __init__(
        self, default_namespace: str, annotation_checks: AnnotationChecks, extension: Extension | None
    ) -> None:
        self.default_namespace = default_namespace
        self.extension = extension
        self.annotation_checks = annotation_checks
        self.resources: list[Resource[Any]] = []
        self.diagnostics: list[Diagnostic] = []
        self.skipped: Counter[str] = Counter()
        self.refused: list[str] = []

    def read(self, document: Document, value: Any) -> None:
        findings = Findings(document)
        resource = self._object(document, value, findings)
        if findings.refuses:
            self.refused.append(_label(document, value, self.default_namespace))
            resource = None if resource is None else replace(resource, refused=True)
        if resource is not None:
            self.resources.append(resource)
        self.diagnostics += findings.diagnostics

    def _object(self, document: Document, value: Any, findings: Findings) -> Resource[Any] | None:
        if not isinstance(value, dict):
            findings.error(
                (), f"must be a Kubernetes object (apiVersion, kind, metadata, spec); it is {describe(value)}"
            )
            return None
        kind, api_version = value.get("kind"), value.get("apiVersion")
        if kind is None and api_version is None:
            findings.warning((), "is not a Kubernetes object (it has neither apiVersion nor kind); skipped")
            return None
        for name, given in (("kind", kind), ("apiVersion", api_version)):
            if not isinstance(given, str):
                what = "is missing" if given is None else f"must be text; it is {describe(given)}"
                findings.error((name,), f"{name} {what}; write it as in '{_EXAMPLE[name]}'")
        if not isinstance(kind, str) or not isinstance(api_version, str):
            return None
        group, _, version = api_version.rpartition("/")
        if kind == "List" or (kind.endswith("List") and self._has_kind(group, kind.removesuffix("List"))):
            self._list(document, value, findings)
            return None
        extension = self._extension(group, kind)
        reads = extension.spec_type if extension is not None else self._spec_type
        spec_type = reads(group, kind, version, findings)
        if spec_type is None:
            return None
        if spec_type is ConfigMapSpec and not _has_mesh_config(value):
            if (authorities := authorities_spec(value)) is None:
                self.skipped[kind] += 1
                return None
            spec_type, value = AuthoritiesSpec, {**value, "spec": authorities}
        if spec_type in CONTEXT_SPECS:
            return self._context(spec_type, kind, api_version, document, value, findings)
        _check_fields(value, _SLICE_FIELDS if spec_type is EndpointSliceSpec else _FIELDS, findings)
        metadata = read_metadata(kind, value.get("metadata"), self.default_namespace, findings)
        spec, well_typed = _read_spec(spec_type, document, value, findings)
        if spec is None:
            return None
        known = metadata or Metadata.unknown(self.default_namespace, value.get("metadata"))
        resource = _resource(kind, api_version, known, spec, document, value.get("status"))
        (extension.validate if extension is not None else validate)(resource, findings, self.annotation_checks)
        return resource if well_typed and metadata is not None else None

    def _context(
        self,
        spec_type: type[Message],
        kind: str,
        api_version: str,
        document: Document,
        value: dict[str, Any],
        findings: Findings,
    ) -> Resource[Any] | None:
        """Read an object that says what there is on the cluster. What is wrong in it is no error of the rules."""
        own = Findings(document)
        metadata = read_metadata(kind, value.get("metadata"), self.default_namespace, own)
        spec, well_typed = _read_spec(spec_type, document, value, own)
        if metadata is not None and spec is not None and well_typed:
            return _resource(kind, api_version, metadata, spec, document, None)
        self.skipped[kind] += 1
        (first, *_) = (found for found in own.diagnostics if found.severity is Severity.ERROR)
        reason = f"{first.path}: {first.message}" if first.path else first.message
        findings.warning((), f"this {kind} is left out, an API server refuses it: {reason}")
        return None

    def _list(self, document: Document, value: dict[str, Any], findings: Findings) -> None:
        items = value.get("items")
        if not isinstance(items, list):
            if items is not None:
                findings.error(("items",), f"must be a list; it is {describe(items)}")
            return
        for index, item in enumerate(items):
            self.read(document.item(("items", index)), item)

    def _has_kind(self, group: str, kind: str) -> bool:
        if group == ISTIO_GROUP:
            return kind in ISTIO_KINDS
        return self._extension(group, kind) is not None

    def _extension(self, group: str, kind: str) -> Extension | None:
        return self.extension if self.extension is not None and self.extension.covers(group, kind) else None

    def _spec_type(self, group: str, kind: str, version: str, findings: Findings) -> type[Message] | None:
        """Return the type of an object's spec; None where the object is skipped or refused."""
        versions = ("v1", "v1beta1") if group == GATEWAY_API_GROUP else ("v1",)
        if (group, kind) in KUBERNETES_KINDS and version in versions:
            return KUBERNETES_KINDS[group, kind]
        if group == ISTIO_GROUP:
            if kind not in ISTIO_KINDS and kind not in SKIPPED_ISTIO_KINDS:
                findings.error(
                    ("kind",),
                    f"{kind!r} is not a kind of {ISTIO_GROUP}; {nearest(kind, (*ISTIO_KINDS, *SKIPPED_ISTIO_KINDS))}",
                )
                return None
            if kind in ISTIO_KINDS:
                if version in ISTIO_VERSIONS:
                    return ISTIO_KINDS[kind]
                findings.error(("apiVersion",), f"unknown version {version!r}; write '{ISTIO_GROUP}/v1'")
                return None
        elif kind in ISTIO_KINDS and not group:
            findings.error(("apiVersion",), f"a {kind} is of the group {ISTIO_GROUP}; write '{ISTIO_GROUP}/v1'")
            return None
        self.skipped[kind] += 1
        if (group, kind) in UNREAD_KINDS:
            findings.info(("kind",), f"not emulated: {kind}: {UNREAD_KINDS[group, kind]}")
        return None


def _label(document: Document, value: Any, default_namespace: str) -> str:
    """Return an object's kind, namespace, name and place, as far as it has them."""
    place = f"{document.file}:{document.locate(())[0]}"
    metadata = value.get("metadata") if isinstance(value, dict) else None
    kind = value.get("kind") if isinstance(value, dict) else None
    if not isinstance(kind, str):
        return place
    name, namespace = (metadata.get(key) if isinstance(metadata, dict) else None for key in ("name", "namespace"))
    named = f" {namespace if isinstance(namespace, str) else default_namespace}/{name}" if isinstance(name, str) else ""
    return f"{kind[:80]}{named[:400]} ({place})"


_EXAMPLE = {"kind": "kind: VirtualService", "apiVersion": f"apiVersion: {ISTIO_GROUP}/v1"}


def _check_fields(value: dict[str, Any], known: tuple[str, ...], findings: Findings) -> None:
    for key in value:
        if key not in known:
            findings.error((key,), f"unknown field; {nearest(key, known)}", at_key=True)


def _has_mesh_config(value: dict[str, Any]) -> bool:
    """Return whether a ConfigMap is that of the mesh's configuration."""
    metadata = value.get("metadata")
    return isinstance(metadata, dict) and metadata.get("name") == MESH_CONFIG_MAP


def _read_spec(
    spec_type: type[Message], document: Document, given: dict[str, Any], findings: Findings
) -> tuple[Message | None, bool]:
    """Return the typed spec of an object, without the parts that it cannot have, and whether all types were right."""
    well_typed, path = True, ("spec",) if spec_type not in WITHOUT_SPEC else ()
    value = given if not path else given.get("spec")
    value = {} if value is None else value
    if document.snake_case_names() - KEPT_SNAKE_CASE:
        value, well_typed = conform(spec_type, value, path, findings)
    try:
        return spec_type.model_validate(value), well_typed
    except ValidationError:
        value, now_well_typed = conform(spec_type, value, path, findings)
    try:
        return spec_type.model_validate(value), well_typed and now_well_typed
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        findings.error((*path, *first["loc"]), str(first["msg"]))
        return None, False


def _resource(
    kind: str, api_version: str, metadata: Metadata, spec: Message, document: Document, status: Any
) -> Resource[Any]:
    return Resource(
        kind=kind,
        api_version=api_version,
        name=metadata.name,
        namespace=metadata.namespace,
        labels=metadata.labels,
        annotations=metadata.annotations,
        creation_timestamp=metadata.creation_timestamp,
        spec=spec,
        document=document,
        status=status if isinstance(status, dict) else {},
    )
