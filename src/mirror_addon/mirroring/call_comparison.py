"""Compares mirrors' calls with the primary's, by the rules of comparison in force.

A small call takes less than a millisecond and is compared at once. Others are compared in a thread, one at a time, and
the mirror waits; bodies have a limit (`sandbox.comparison`).
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from mirror_addon.compare.calls import Call
from mirror_addon.compare.difference import Difference
from mirror_addon.compare.redaction import Redaction
from mirror_addon.compare.rules import DEFAULT_RULES
from mirror_addon.compare.rules import Rules
from mirror_addon.compare.rules import RulesError
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

    async def compare(self, primary: CallRequest, mirror: CallRequest) -> Call:
        """Return the mirror's call, `answered` or `different`, without redacted values. Never raises for what a call
        holds."""
        rules, now = self._rules(), time.time()
        if is_quick(primary, mirror):
            call = compare_calls(primary, mirror, rules, now)
        else:
            async with self._thread:
                call = await asyncio.to_thread(compare_calls, primary, mirror, rules, now)
        redaction = redaction_of(self._writer.settings.redact)
        differences = tuple(_redacted(each, redaction) for each in call.differences)
        return call._replace(url=redaction.url(call.url), differences=differences)

    def _rules(self) -> Rules:
        text, descriptors = self._writer.comparison_rules, self._writer.descriptors
        if self._parsed is None or self._parsed[:2] != (text, descriptors):
            try:
                rules = Rules.parse(text, self._writer.settings.compare) if text else DEFAULT_RULES
            except RulesError:  # it was parsed when it was loaded
                rules = DEFAULT_RULES
            self._parsed = text, descriptors, replace(rules, descriptors=descriptors)
        return self._parsed[2]


def _redacted(difference: Difference, redaction: Redaction) -> Difference:
    name = difference.path.removeprefix("query:")
    if name == difference.path:
        return redaction.difference(difference)

    def value(of: object) -> object:
        return redaction.url(f"/?{name}={of}").partition("=")[2] if isinstance(of, str) else of

    return replace(difference, primary=value(difference.primary), shadow=value(difference.shadow))
