"""Rules as lines of text, for the log at the start, `mirror.rules` and `mirror.status`."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Set

from mirror_addon.istio.mirror_annotations import SAFE_METHODS
from mirror_addon.routing.table import RouteTable
from mirror_addon.routing.trace import RuleView
from mirror_addon.routing.trace import rules


def describe(view: RuleView) -> str:
    """`default/serviceB http[0]: HOSTS, MATCHES -> DESTINATIONS; mirrored to MIRRORS (FILE:LINE)`."""
    name = " ".join(part for part in (view.rule.owner, view.rule.rule, view.rule.name) if part)
    line = f"{name}: {', '.join(view.hosts)}, {' or '.join(view.matches)}: {', '.join(view.destinations)}"
    if view.mirrors:
        line += f"; mirrored to {', '.join(map(str, view.mirrors))}"
    if view.mirrors and view.rule.annotations is not None:
        line += f"; {view.rule.annotations}"
    return f"{line} ({view.rule.location})" if view.rule.location else line


def rule_lines(table: RouteTable, *, mirrored_only: bool = False) -> Iterator[str]:
    """One line for each rule of `table`, in the order of `trace.rules`."""
    return (describe(view) for view in rules(table) if view.mirrors or not mirrored_only)


def unsafe_targets(table: RouteTable, methods: Set[bytes] | None) -> list[str]:
    """Labels of the mirrors that get requests which may change something, if `methods` (None: all) are mirrored."""
    targets: dict[str, None] = {}
    for host in table.virtual_hosts:
        for service in host.services:
            for entry in service.entries:
                if entry.route.mirrors and _may_be_unsafe(methods, entry.route.methods, entry.methods):
                    targets |= {mirror.label: None for mirror in entry.route.mirrors if mirror.fraction.numerator}
    if _may_be_unsafe(methods):
        targets |= {mirror.label: None for mirror in table.passthrough.mirrors}
    return list(targets)


def _may_be_unsafe(*allowed: Set[bytes] | None) -> bool:
    """Whether a method that is in all of these sets (None: all methods) may change something."""
    given = [methods for methods in allowed if methods is not None]
    return not given or not set.intersection(*map(set, given)) <= SAFE_METHODS
