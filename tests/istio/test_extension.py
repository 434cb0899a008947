"""An extension reads kinds that this room does not know."""

from __future__ import annotations

from typing import Any

from mirror_addon.istio.annotations import AnnotationChecks
from mirror_addon.istio.documents import Resource
from mirror_addon.istio.extension import Extension
from mirror_addon.istio.findings import Findings
from mirror_addon.istio.parsing import Source
from mirror_addon.istio.parsing import parse_sources
from mirror_addon.istio.resources.messages import Items
from mirror_addon.istio.resources.messages import Message


class Bakery(Message):
    ovens: Items[str] = ()


class Bakeries:
    """Reads the kind Bakery of bread.test, and names all others of the group."""

    def covers(self, group: str, kind: str) -> bool:
        return group == "bread.test"

    def spec_type(self, group: str, kind: str, version: str, findings: Findings) -> type[Message] | None:
        if kind == "Bakery" and version == "v1":
            return Bakery
        findings.info(("kind",), f"{kind} {version}")
        return None

    def validate(self, resource: Resource[Any], findings: Findings, checks: AnnotationChecks) -> None:
        if not resource.spec.ovens:
            findings.error(("spec", "ovens"), "no oven")


def found(kind: str, rest: str) -> tuple[int, list[str]]:
    extension: Extension = Bakeries()
    text = f"{{apiVersion: bread.test/v1, kind: {kind}, {rest}}}"
    parsed = parse_sources([Source("f", text.encode())], extension=extension)
    return len(parsed.resources), [item.message for item in parsed.diagnostics]


def test_objects() -> None:
    assert found("Bakery", "metadata: {name: a}, spec: {ovens: [x]}") == (1, [])
    assert found("Bakery", "metadata: {name: a}") == (1, ["no oven"])
    assert found("Mill", "metadata: {name: a}") == (0, ["Mill v1"])


def test_lists_of_its_kinds() -> None:
    item = "{apiVersion: bread.test/v1, kind: Bakery, metadata: {name: a}}"
    assert found("BakeryList", f"items: [{item}, {item}]") == (2, ["no oven", "no oven"])
