"""Rules in a line each, for the log at the start, `mirror.rules` and `mirror.status`."""

from __future__ import annotations

from collections.abc import Iterator

from mirror_addon.routing.table import RouteTable
from mirror_addon.routing.trace import RuleView
from mirror_addon.routing.trace import rules


def describe(view: RuleView) -> str:
    """`default/serviceB http[0]: HOSTS, MATCHES -> DESTINATIONS; mirrored to MIRRORS (FILE:LINE)`."""
    name = " ".join(part for part in (view.rule.virtual_service, view.rule.rule, view.rule.name) if part)
    line = f"{name}: {', '.join(view.hosts)}, {' or '.join(view.matches)}: {', '.join(view.destinations)}"
    if view.mirrors:
        line += f"; mirrored to {', '.join(map(str, view.mirrors))}"
    return f"{line} ({view.rule.location})" if view.rule.location else line


def rule_lines(table: RouteTable, *, mirrored_only: bool = False) -> Iterator[str]:
    """The rules of `table` in the order in which they are listed."""
    return (describe(view) for view in rules(table) if view.mirrors or not mirrored_only)
