"""Every field of the Gateway API's newest schemas is read, and none other.

`data/fields.json` lists the property paths below `spec` of each CRD's newest version, by channel; tests/istio has the
same for Istio and says how to refresh the lists. Then run this file: it names each field that is new or gone.
"""

from __future__ import annotations

import json
import typing
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mirror_addon.gateway_api.resources.kinds import READ
from mirror_addon.istio.parsing import ParsedRules
from mirror_addon.istio.resources.messages import Message

CHANNELS: dict[str, dict[str, list[str]]] = json.loads((Path(__file__).parent / "data" / "fields.json").read_text())
EXPERIMENTAL, STANDARD = CHANNELS["experimental"], CHANNELS["standard"]


def message_in(annotation: Any) -> tuple[type[Message] | None, str]:
    """Return the message type in a field's annotation, and how the path continues below the field."""
    if isinstance(annotation, type) and issubclass(annotation, Message):
        return annotation, ""
    below = {tuple: "[]"}.get(typing.get_origin(annotation), "")
    for argument in typing.get_args(annotation):
        message, inner = message_in(argument)
        if message is not None:
            return message, below + inner
    return None, ""


def paths(message: type[Message], prefix: str) -> Iterator[str]:
    for info in message.model_fields.values():
        path = f"{prefix}.{info.alias}"
        yield path
        inner, below = message_in(info.annotation)
        if inner is not None:
            yield from paths(inner, path + below)


def document(kind: str, path: str) -> str:
    """Return an object that sets the field at `path` to null."""
    value: Any = None
    for part in reversed(path.replace("[]", ".[]").split(".")[1:]):
        value = [value] if part == "[]" else {part: value}
    return json.dumps(
        {"apiVersion": "gateway.networking.k8s.io/v1", "kind": kind, "metadata": {"name": "a"}, "spec": value}
    )


def test_the_kinds_are_those_that_are_read() -> None:
    assert sorted(EXPERIMENTAL) == sorted(STANDARD) == sorted(READ)


@pytest.mark.parametrize("kind", READ)
def test_the_fields_are_those_that_are_read(kind: str) -> None:
    assert sorted(set(paths(READ[kind][0], "spec"))) == sorted(EXPERIMENTAL[kind])


@pytest.mark.parametrize("kind", READ)
def test_the_loader_reports_none_as_unknown(kind: str, parse: Callable[..., ParsedRules]) -> None:
    found = parse(*(document(kind, path) for path in EXPERIMENTAL[kind])).diagnostics
    assert [str(item) for item in found if "unknown field" in item.message] == []


@pytest.mark.parametrize("kind", READ)
def test_the_loader_reports_others(kind: str, parse: Callable[..., ParsedRules]) -> None:
    found = parse(document(kind, "spec.fieldOfTheFuture")).diagnostics
    assert any(item.message.startswith("unknown field") for item in found)


@pytest.mark.parametrize("kind", READ)
def test_experimental_fields_are_named(kind: str, parse: Callable[..., ParsedRules]) -> None:
    """Each field that only the experimental channel has is named; of fields in one another the outermost."""
    values: dict[str, Any] = {"useDefaultGateways": "All", "defaultScope": "All"}
    added = set(EXPERIMENTAL[kind]) - set(STANDARD[kind])
    for path in sorted(path for path in added if path.rpartition(".")[0].removesuffix("[]") not in added):
        field = path.rpartition(".")[2]
        text = document(kind, path).replace("null", json.dumps(values.get(field, {})))
        found = [item for item in parse(text).diagnostics if "experimental channel" in item.message]
        assert [item.severity for item in found] == ["info"], path
        assert found[0].path.endswith(field)
