"""`mirror-addon schema`: JSON Schemas of the files that people write and programs read."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import click

from mirror_addon.cli.console import write
from mirror_addon.compare.record_schema import RECORD_SCHEMA
from mirror_addon.compare.rules_schema import RULES_SCHEMA
from mirror_addon.istio.annotations_schema import annotations_schema

SCHEMAS: dict[str, Callable[[], dict[str, Any]]] = {
    "compare": lambda: RULES_SCHEMA,
    "record": lambda: RECORD_SCHEMA,
    "annotations": annotations_schema,
}


@click.command()
@click.argument("name", type=click.Choice(list(SCHEMAS)))
def schema(name: str) -> None:
    """Print a JSON Schema: of compare.yaml, of a line of a record, or of the annotations of a VirtualService.

    \b
    For an editor with yaml-language-server:
    mirror-addon schema compare > compare.schema.json
    and as the first line of compare.yaml:
    # yaml-language-server: $schema=./compare.schema.json
    """
    write(json.dumps(SCHEMAS[name](), indent=2, ensure_ascii=False))
