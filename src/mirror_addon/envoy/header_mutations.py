"""Header operations as the fields `{request,response}_headers_to_{add,remove}` of Envoy's routes."""

from __future__ import annotations

from collections.abc import Iterable

from mirror_addon.envoy.notes import Notes
from mirror_addon.envoy.values import Message
from mirror_addon.istio.header_values import FILLED
from mirror_addon.istio.header_values import Operator
from mirror_addon.istio.header_values import parse_value
from mirror_addon.istio.resources.virtual_service import HeaderOperations
from mirror_addon.istio.resources.virtual_service import Headers
from mirror_addon.routing.header_edits import is_editable


def header_mutations(levels: Iterable[Headers | None], notes: Notes) -> Message:
    """Return the operations of several levels as one pass. Envoy does removes first, then the rest in this order."""
    levels = [level for level in levels if level is not None]
    fields: Message = {}
    for kind in ("request", "response"):
        operations = [found for level in levels if (found := getattr(level, kind)) is not None]
        sets = [_option(pair, "OVERWRITE_IF_EXISTS_OR_ADD", notes) for each in operations for pair in _pairs(each.set)]
        adds = [_option(pair, "APPEND_IF_EXISTS_OR_ADD", notes) for each in operations for pair in _pairs(each.add)]
        removed = [name for each in operations for name in each.remove if is_editable(name)]
        if sets or adds:
            fields[f"{kind}_headers_to_add"] = sets + adds
        if removed:
            fields[f"{kind}_headers_to_remove"] = list(dict.fromkeys(removed))
    return fields


def response_mutations(operations: HeaderOperations | None, notes: Notes) -> Message:
    """Return the mutations of a route to which the proxy itself responds."""
    return header_mutations([Headers(response=operations)], notes)


def _pairs(table: dict[str, str]) -> list[tuple[str, str]]:
    return [(name, value) for name, value in sorted(table.items()) if is_editable(name) and value]


def _option(pair: tuple[str, str], action: str, notes: Notes) -> Message:
    name, value = pair
    try:
        operators = [part.name for part in parse_value(value) if isinstance(part, Operator)]
    except ValueError:
        notes.add(f"header {name}: {value!r} is not valid in Envoy's format; it is exported as literal text")
        value = value.replace("%%", "%").replace("%", "%%")
    else:
        for operator in sorted(set(operators) - FILLED):
            notes.add(f"header {name}: Envoy fills in %{operator}%, which mirror_addon leaves empty")
    return {"header": {"key": name, "value": value}, "append_action": action}
