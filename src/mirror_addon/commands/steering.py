"""Pausing, resuming and the percentage of rules while the proxy runs, and the lines that report them.

Nothing of this is written to a file. It ends with the process, or when a reload removes the rule.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mirror_addon.istio.moments import say_moment
from mirror_addon.istio.resources.messages import Percent
from mirror_addon.options.values import share
from mirror_addon.routing.decision import Rule
from mirror_addon.routing.fractions import from_percent
from mirror_addon.routing.table import RouteTable
from mirror_addon.routing.trace import rules as describe_rules
from mirror_addon.rules.names import find_rules

if TYPE_CHECKING:
    from mirror_addon.mirroring.shadow_writer import ShadowWriter

logger = logging.getLogger(__name__)

RESET = "reset"


def pause(writer: ShadowWriter, table: RouteTable, name: str = "") -> str:
    """Stop sending new shadows, of the rules called `name` or of all rules. Raises UnknownRule."""
    if not name:
        writer.gate.paused = True
        return _log("paused: no new shadows are sent; routing continues")
    rules = _named(name, table)
    writer.gate.overrides.pause(rules)
    return _log(f"{_list(rules)}: paused: no new shadows are sent; routing continues")


def resume(writer: ShadowWriter, table: RouteTable, name: str = "") -> str:
    """Send shadows again. The rules' quotas (`max-requests`) start again at 0. Raises UnknownRule."""
    gate = writer.gate
    if not name:
        gate.paused = False
        paused = gate.overrides.paused()
        return _log("resumed" + (f"; still paused: {_list(paused)}" if paused else ""))
    rules = _named(name, table)
    gate.overrides.resume(rules)
    gate.limits.begin_anew(rules)
    return _log(f"{_list(rules)}: resumed" + (", but all mirroring is paused" if gate.paused else ""))


def percent(writer: ShadowWriter, table: RouteTable, name: str, text: str) -> str:
    """Mirror this percentage of the rules' requests; `reset`: that of the files. Raises UnknownRule, ValueError."""
    rules = _named(name, table)
    if text == RESET:
        writer.gate.overrides.percent(rules, None)
        return _log(f"{_list(rules)}: mirrored at the percentage of the files")
    try:
        fraction = from_percent(Percent(value=share(text) * 100))
    except ValueError:
        raise ValueError(f"{text!r} is not a percentage; write 0 to 100, such as 5 or 0.1, or {RESET}") from None
    writer.gate.overrides.percent(rules, fraction)
    undo = f"mirror.percent '{name}' {RESET}"
    return _log(f"{_list(rules)}: {fraction} of the requests are mirrored; undo with {undo}")


def expiry(expires: float, now: float) -> str:
    """Return when mirroring ends, and in how many seconds that is."""
    left = expires - now
    return f"{say_moment(expires)}, {f'in {left:.0f} s' if left > 0 else 'over'}"


def steering_lines(writer: ShadowWriter, table: RouteTable) -> Iterator[str]:
    """Return the lines of `mirror.status` about overrides, expiry, quotas, back-off and held requests."""
    gate = writer.gate
    for line in gate.overrides.lines():
        yield f"overridden: {line}"
    now = time.time()
    for rule in table.mirroring:
        annotations = rule.annotations
        if annotations is None:
            continue
        if annotations.expires is not None:
            yield f"expires: {rule}: {expiry(annotations.expires, now)}"
        if annotations.active is not None:
            start, end = annotations.active
            state = "not yet" if now < start else "now" if now < end else "over"
            yield f"active: {rule}: {say_moment(start)} to {say_moment(end)}, {state}"
    for line in gate.limits.lines():
        yield f"max_requests: {line}"
    for line in gate.limits.backoffs.lines():
        yield f"max_latency: {line}"
    if writer.holding:
        yield f"held: {len(writer.holding)} requests, {writer.holding.size} bytes, until the primary has responded"


def override_lines(writer: ShadowWriter, rule: Rule | None) -> list[str]:
    """Return a line for `mirror.explain` if a rule is overridden."""
    override = writer.gate.overrides.of(rule) if rule is not None else None
    return [f"overridden: {override.words()}"] if override is not None else []


def _named(name: str, table: RouteTable) -> list[Rule]:
    return find_rules(name, table.mirroring, lambda: describe_rules(table))


def _list(rules: Sequence[Rule]) -> str:
    return ", ".join(map(str, rules))


def _log(text: str) -> str:
    logger.info("mirror: %s", text)
    return text
