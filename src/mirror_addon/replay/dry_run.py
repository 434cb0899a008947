"""`mirror-addon replay --dry-run`: what would be sent, when and where."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from mirror_addon.admission.gate import AdmissionGate
from mirror_addon.captures.urls import to_text
from mirror_addon.compare.report.wording import printable
from mirror_addon.dispatch.counters import Counters
from mirror_addon.flows.primary import url_of
from mirror_addon.options.settings import Settings
from mirror_addon.replay.order import Turn
from mirror_addon.replay.planner import Choices
from mirror_addon.replay.planner import Planner
from mirror_addon.replay.player import Pace
from mirror_addon.routing.table import RouteTable
from mirror_addon.shadow.request import ShadowRequest


class DryRun:
    """The turns as data: one object a request, with its shadows and the number of mirrors by reason without one."""

    def __init__(
        self, settings: Settings, table: RouteTable, local_address: bytes, choices: Choices, pace: Pace
    ) -> None:
        self._counters = Counters()
        self._planner = Planner(
            settings, table, AdmissionGate(settings, self._counters, local_address, time.time()), choices
        )
        self._pace = pace
        self._count = 0

    def document(self, turn: Turn) -> dict[str, Any]:
        before = self._counters.totals().skipped
        planned = self._planner.plan(turn)
        at = self._pace.due(self._count, turn)
        self._count += 1
        decision = planned.exchange.decision
        return {
            "at": round(at, 3),
            "client": turn.recorded.client,
            "method": turn.recorded.request.method.decode("latin-1"),
            "url": url_of(turn.recorded.request),
            "draw": planned.exchange.draw,
            "action": str(decision.action),
            "rule": str(decision.rule or "") or None,
            "shadows": [_shadow(shadow, control) for shadow, control in planned.shadows],
            "skipped": dict(self._counters.totals().skipped - before),
        }


def _shadow(shadow: ShadowRequest, control: bool) -> dict[str, Any]:
    target = shadow.target
    return {
        "target": target.label,
        "address": f"{target.address}:{target.port}",
        "authority": to_text(shadow.authority),
        "path": to_text(shadow.path),
        "headers": [[to_text(name), to_text(value)] for name, value in shadow.headers],
        "control": control,
    }


def lines(found: dict[str, Any]) -> Iterator[str]:
    """A document for people."""
    skipped = ", ".join(f"{word} {number}" if number > 1 else word for word, number in found["skipped"].items())
    head = f"+{found['at']:.3f}s  {found['method']} {printable(found['url'])}"
    if not found["shadows"]:
        yield f"{head}  not mirrored: {skipped or found['action']}"
        return
    yield head + (f"  (skipped: {skipped})" if skipped else "")
    for shadow in found["shadows"]:
        told = f"{shadow['path']}  Host: {shadow['authority']}".encode("utf-8", "surrogateescape")
        yield f"    -> {shadow['target']} at {shadow['address']}  {told.decode('utf-8', 'backslashreplace')}"
