"""Every field of Istio's newest schemas is read, or listed here with the reason why not.

`data/istio-fields.json` (and `tests/gateway_api/data/fields.json`) list the property paths below `spec` of each CRD's
newest version: `[]` stands for a list's items and `.{}` for a map's values. To refresh them, walk
`spec.versions[-1].schema.openAPIV3Schema.properties.spec` of each CRD (into `properties`, `items` and
`additionalProperties`), sort the paths, and write them by kind. The CRDs are in istio/istio
`manifests/charts/base/files/crd-all.gen.yaml`, and in `standard-install.yaml` and `experimental-install.yaml` of a
release of kubernetes-sigs/gateway-api. Then run this file: it names each field that is new or gone.
"""

from __future__ import annotations

import json
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mirror_addon.istio.fields import KEPT_SNAKE_CASE
from mirror_addon.istio.parsing import Source
from mirror_addon.istio.parsing import parse_sources
from mirror_addon.istio.resources.kinds import ISTIO_KINDS
from mirror_addon.istio.resources.messages import Message
from mirror_addon.istio.resources.messages import PartialMessage

DATA = Path(__file__).parent / "data"
ISTIO: dict[str, list[str]] = json.loads((DATA / "istio-fields.json").read_text())

NOT_READ: dict[str, dict[str, str]] = {}
"""By kind: the fields that are accepted and ignored. An entry covers the fields below it."""
NOT_READ_KINDS = {
    "BackendTLSPolicy": "not read yet",
    "GRPCRoute": "not read yet",
    "HTTPRoute": "not read yet",
    "ListenerSet": "not read yet",
    "ReferenceGrant": "not read yet",
}
"""Kinds of gateway.networking.k8s.io. Of its Gateway the hostnames are read, for `gateways` of virtual services."""


def message_in(annotation: Any) -> tuple[type[Message] | None, str]:
    """Return the message type in a field's annotation, and how the path continues below the field."""
    if isinstance(annotation, type) and issubclass(annotation, Message):
        return annotation, ""
    below = {tuple: "[]", dict: ".{}"}.get(typing.get_origin(annotation), "")
    for argument in typing.get_args(annotation):
        message, inner = message_in(argument)
        if message is not None:
            return message, below + inner
    return None, ""


def paths(message: type[Message], prefix: str) -> Iterator[str]:
    for name, info in message.model_fields.items():
        path = f"{prefix}.{info.alias}"
        yield path
        if name in KEPT_SNAKE_CASE:
            yield f"{prefix}.{name}"
        inner, below = message_in(info.annotation)
        if inner is not None:
            yield from paths(inner, path + below)


def covered(path: str, listed: dict[str, str]) -> bool:
    return any(path == entry or path.startswith((f"{entry}.", f"{entry}[")) for entry in listed)


def document(kind: str, path: str) -> dict[str, Any]:
    """Return an object that sets the field at `path` to null."""
    value: Any = None
    for part in reversed(path.replace("[]", ".[]").split(".")[1:]):
        value = [value] if part == "[]" else {"key" if part == "{}" else part: value}
    return {"apiVersion": "networking.istio.io/v1", "kind": kind, "metadata": {"name": "a"}, "spec": value}


def test_the_lists_have_the_kinds_that_are_read() -> None:
    assert ISTIO.keys() == ISTIO_KINDS.keys()


@pytest.mark.parametrize("kind", ISTIO)
def test_each_field_is_read_or_listed(kind: str) -> None:
    known, listed = set(paths(ISTIO_KINDS[kind], "spec")), NOT_READ.get(kind, {})
    unread = set(ISTIO[kind]) - known
    assert sorted(path for path in unread if not covered(path, listed)) == []
    assert [entry for entry in listed if entry not in unread] == [], "read, or gone from the schema"


@pytest.mark.parametrize("kind", ISTIO)
def test_no_other_field_is_read(kind: str) -> None:
    assert sorted(set(paths(ISTIO_KINDS[kind], "spec")) - set(ISTIO[kind])) == []


@pytest.mark.parametrize("kind", ISTIO)
def test_the_loader_reports_none_as_unknown(kind: str) -> None:
    text = "\n---\n".join(json.dumps(document(kind, path)) for path in ISTIO[kind])
    found = parse_sources([Source("f", text.encode())]).diagnostics
    assert [str(item) for item in found if "unknown field" in item.message] == []


@pytest.mark.parametrize("kind", [kind for kind, spec in ISTIO_KINDS.items() if not issubclass(spec, PartialMessage)])
def test_the_loader_reports_others(kind: str) -> None:
    text = json.dumps(document(kind, "spec.fieldOfTheFuture"))
    (first, *_) = parse_sources([Source("f", text.encode())]).diagnostics
    assert first.message.startswith("unknown field")
