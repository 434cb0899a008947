"""Mirroring steered while it runs: pause, resume and percent, of everything or of a rule, and what is to be said of it.

Nothing of this is written to a file: it is gone with the process, and with the rule.
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
from mirror_addon.rules.names import find_rules

if TYPE_CHECKING:
    from mirror_addon.mirroring.shadow_writer import ShadowWriter

logger = logging.getLogger(__name__)

RESET = "reset"


def pause(writer: ShadowWriter, table: RouteTable, name: str = "") -> str:
    """Send no new shadows, of the rule called `name` or of any. Raises UnknownRule."""
    if not name:
        writer.gate.paused = True
        return _said("paused: no new shadows; routing goes on")
    rules = find_rules(name, table.mirroring)
    writer.gate.overrides.pause(rules)
    return _said(f"{_list(rules)}: paused: no new shadows; routing goes on")


def resume(writer: ShadowWriter, table: RouteTable, name: str = "") -> str:
    """Send shadows again. A rule's quota (`max-requests`) begins anew. Raises UnknownRule."""
    gate = writer.gate
    if not name:
        gate.paused = False
        left = [line for line in gate.overrides.lines() if ": paused" in line]
        return _said("resumed" + (f"; still: {'; '.join(left)}" if left else ""))
    rules = find_rules(name, table.mirroring)
    gate.overrides.resume(rules)
    gate.limits.begin_anew(rules)
    return _said(f"{_list(rules)}: resumed" + (", but all mirroring is paused" if gate.paused else ""))


def percent(writer: ShadowWriter, table: RouteTable, name: str, text: str) -> str:
    """Mirror this share of a rule's requests, `reset`: as the files say. Raises UnknownRule and ValueError."""
    rules = find_rules(name, table.mirroring)
    if text == RESET:
        writer.gate.overrides.percent(rules, None)
        return _said(f"{_list(rules)}: mirrored as the rules say")
    try:
        fraction = from_percent(Percent(value=share(text) * 100))
    except ValueError:
        raise ValueError(f"{text!r} is no percentage; write 0 to 100, as in 5 or 0.1, or {RESET}") from None
    writer.gate.overrides.percent(rules, fraction)
    back = f"mirror.percent '{name}' {RESET}"
    return _said(f"{_list(rules)}: {fraction} of the requests mirrored; {back} takes that back")


def steering_lines(writer: ShadowWriter, table: RouteTable) -> Iterator[str]:
    """For `mirror.status`: what is overridden, what ends when, what is used up, what is held back."""
    gate = writer.gate
    for line in gate.overrides.lines():
        yield f"overridden: {line}"
    now = time.time()
    for rule in table.mirroring:
        annotations = rule.annotations
        if annotations is None:
            continue
        if annotations.expires is not None:
            left = annotations.expires - now
            yield f"expires: {rule}: {say_moment(annotations.expires)}, {f'in {left:.0f} s' if left > 0 else 'over'}"
        if annotations.active is not None:
            start, end = annotations.active
            state = "not yet" if now < start else "now" if now < end else "over"
            yield f"active: {rule}: {say_moment(start)} to {say_moment(end)}, {state}"
    for line in gate.limits.lines():
        yield f"max_requests: {line}"
    for line in gate.limits.backoffs.lines():
        yield f"max_latency: {line}"
    if writer.holding:
        yield f"held: {len(writer.holding)} requests, {writer.holding.size} bytes, until their answers are there"


def override_lines(writer: ShadowWriter, rule: Rule | None) -> list[str]:
    """For an explanation: what is said of the rule over the head of the files."""
    override = writer.gate.overrides.of(rule) if rule is not None else None
    return [f"overridden: {override.words()}"] if override is not None else []


def _list(rules: Sequence[Rule]) -> str:
    return ", ".join(map(str, rules))


def _said(text: str) -> str:
    logger.info("mirror: %s", text)
    return text
