"""Compares mirrors' calls with the primary's, by the rules of comparison in force.

A small call takes less than a millisecond and is compared at once. Others are compared in a thread, one at a time, and
the mirror waits; bodies have a limit (`sandbox.comparison`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from mirror_addon.compare.calls import ANSWERED
from mirror_addon.compare.calls import DIFFERENT
from mirror_addon.compare.calls import Call
from mirror_addon.compare.difference import Difference
from mirror_addon.compare.redaction import Redaction
from mirror_addon.compare.rules import DEFAULT_RULES
from mirror_addon.compare.rules import Rules
from mirror_addon.compare.rules import RulesError
from mirror_addon.compare.twin_values import Translation
from mirror_addon.mirroring.engine_settings import redaction_of
from mirror_addon.sandbox.call import CallRequest
from mirror_addon.sandbox.comparison import compare_calls
from mirror_addon.sandbox.comparison import is_quick

if TYPE_CHECKING:
    from mirror_addon.mirroring.shadow_writer import ShadowWriter


class CallComparison:
    """By the rules and the redaction of `writer`."""

    def __init__(self, writer: ShadowWriter) -> None:
        self._writer = writer
        self._parsed: tuple[str, bytes, Rules] | None = None
        self._thread = asyncio.Lock()

    def url(self, call: CallRequest) -> str:
        """The URL of a call without what `mirror_redact` leaves out."""
        return redaction_of(self._writer.settings.redact).url(call.url)

    async def compare(self, primary: CallRequest, mirror: CallRequest, twin: Sequence[Translation] = ()) -> Call:
        """Return the mirror's call, `answered` or `different`, without redacted values. Never raises for what a call
        holds. `twin`: what was translated in it; differences have what the mirror really sent."""
        rules, now = self._rules(), time.time()
        if is_quick(primary, mirror):
            call = compare_calls(primary, mirror, rules, now)
        else:
            async with self._thread:
                call = await asyncio.to_thread(compare_calls, primary, mirror, rules, now)
        redaction = redaction_of(self._writer.settings.redact)
        found = [each for each in call.differences if not _is_type_alone(each, twin)]
        state = DIFFERENT if any(not each.noise for each in found) else ANSWERED
        differences = tuple(_redacted(_as_sent(each, twin), redaction) for each in found)
        return call._replace(url=redaction.url(call.url), state=state, differences=differences)

    def translations(self, twin: Sequence[Translation]) -> tuple[Translation, ...]:
        """What was translated in a call, without redacted values."""
        redaction = redaction_of(self._writer.settings.redact)
        return tuple(map(redaction.translation, twin))

    def _rules(self) -> Rules:
        text, descriptors = self._writer.comparison_rules, self._writer.descriptors
        if self._parsed is None or self._parsed[:2] != (text, descriptors):
            try:
                rules = Rules.parse(text, self._writer.settings.compare) if text else DEFAULT_RULES
            except RulesError:  # it was parsed when it was loaded
                rules = DEFAULT_RULES
            self._parsed = text, descriptors, replace(rules, descriptors=descriptors)
        return self._parsed[2]


def _is_type_alone(difference: Difference, twin: Sequence[Translation]) -> bool:
    """Whether a value was translated rightly, and only whether it is a number differs. The mirror's own is none, so
    that cannot be told from it."""
    return difference.kind == "type" and any(
        each.where == difference.path
        and str(difference.primary) == str(difference.shadow) == each.primary
        and not each.shadow.isdigit()
        for each in twin
    )


def _as_sent(difference: Difference, twin: Sequence[Translation]) -> Difference:
    """A difference with the mirror's own value, if that was translated."""
    shadow = difference.shadow
    for each in twin:
        if each.where == difference.path and str(shadow) == each.primary and not isinstance(shadow, bool):
            own = int(each.shadow) if isinstance(shadow, int) and each.shadow.isdigit() else each.shadow
            return replace(difference, shadow=own)
    return difference


def _redacted(difference: Difference, redaction: Redaction) -> Difference:
    name = difference.path.removeprefix("query:")
    if name == difference.path:
        return redaction.difference(difference)

    def value(of: object) -> object:
        return redaction.url(f"/?{name}={of}").partition("=")[2] if isinstance(of, str) else of

    return replace(difference, primary=value(difference.primary), shadow=value(difference.shadow))
