"""Tells in the log when a mirror stops answering, and when it answers again: a line each, not one for every shadow."""

from __future__ import annotations

import logging

from mirror_addon.shadow.result import ShadowResult

logger = logging.getLogger(__name__)


class FailureLog:
    """Remembers, for each target, why its last shadow failed."""

    def __init__(self) -> None:
        self._failing: dict[str, str] = {}

    def note(self, result: ShadowResult) -> None:
        """Take the end of a shadow. Drops are this side's doing; they are counted, and say nothing of the mirror."""
        label = result.label
        if result.outcome == "sent":
            if self._failing.pop(label, ""):
                logger.info("mirror: %s answers again", label)
        elif result.outcome == "failed" and self._failing.get(label) != result.reason:
            self._failing[label] = result.reason
            why = f"{result.reason}: {result.detail}" if result.detail else result.reason
            logger.warning("mirror: shadows to %s fail (%s); clients do not notice", label, why)
