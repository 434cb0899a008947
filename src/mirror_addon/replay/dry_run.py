"""`mirror-addon replay --dry-run`: which shadows would be sent, when and where."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from mirror_addon.captures.urls import to_text
from mirror_addon.dispatch.counters import Counters
from mirror_addon.display.text import printable
from mirror_addon.replay.order import turns
from mirror_addon.replay.setup import Setup
from mirror_addon.replay.source import Source
from mirror_addon.shadow.request import ShadowRequest
from mirror_addon.shadow.subject import url_of


def dry_run(setup: Setup, sources: list[Source]) -> Iterator[dict[str, Any]]:
    """One document a request: its shadows, and by reason the number of its mirrors that get none.

    An endless loop is shown as one pass. Raises CaptureError where a capture cannot be read further.
    """
    counters = Counters()
    planner = setup.planner(counters)
    repeats = replace(setup.repeats, loops=1) if math.isinf(setup.repeats.loops) else setup.repeats
    for turn in turns(sources, [source.size for source in sources], repeats):
        before = counters.totals().skipped
        planned = planner.plan(turn)
        decision = planned.exchange.decision
        yield {
            "at": round(setup.pace.due(turn.number, turn), 3),
            "client": turn.recorded.client,
            "method": turn.recorded.request.method.decode("latin-1"),
            "url": url_of(turn.recorded.request),
            "draw": planned.exchange.draw,
            "action": str(decision.action),
            "rule": str(decision.rule or "") or None,
            "shadows": [_shadow(shadow, control) for shadow, control in planned.shadows],
            "skipped": dict(counters.totals().skipped - before),
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
    """A document as lines for the terminal."""
    skipped = ", ".join(f"{word} {number}" if number > 1 else word for word, number in found["skipped"].items())
    head = f"+{found['at']:.3f}s  {found['method']} {printable(found['url'])}"
    if not found["shadows"]:
        yield f"{head}  not mirrored: {skipped or found['action']}"
        return
    yield head + (f"  (skipped: {skipped})" if skipped else "")
    for shadow in found["shadows"]:
        sent = f"{shadow['path']}  Host: {shadow['authority']}".encode("utf-8", "surrogateescape")
        yield f"    -> {shadow['target']} at {shadow['address']}  {sent.decode('utf-8', 'backslashreplace')}"
