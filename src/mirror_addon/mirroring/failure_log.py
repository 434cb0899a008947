"""Logs when a mirror stops to respond, and when it responds again: one line each, not one for every shadow."""

from __future__ import annotations

import logging

from mirror_addon.dispatch.in_flight import Shadow

logger = logging.getLogger(__name__)


class FailureLog:
    """A ShadowObserver. Keeps for each target why its newest shadow failed, and the faults of this side it logged."""

    def __init__(self) -> None:
        self._failing: dict[str, str] = {}
        self._dropped: set[tuple[str, str]] = set()

    def outcome(self, shadow: Shadow) -> None:
        """Take the outcome of a shadow.

        One that was dropped on this side says nothing about the mirror: where there is a detail, such as that no file
        descriptor was left, it is logged once for each target and reason.
        """
        label, result = shadow.label, shadow.result
        assert result is not None
        if result.outcome == "sent":
            if self._failing.pop(label, ""):
                logger.info("mirror: %s responds again", label)
        elif result.outcome == "failed" and self._failing.get(label) != result.reason:
            self._failing[label] = result.reason
            why = f"{result.reason}: {result.detail}" if result.detail else result.reason
            logger.warning("mirror: shadows to %s fail (%s); clients are not affected", label, why)
        elif result.outcome == "dropped" and result.detail and (label, result.reason) not in self._dropped:
            self._dropped.add((label, result.reason))
            why = f"{result.reason}: {result.detail}"
            logger.warning("mirror: a shadow to %s was dropped (%s); more of them are only counted", label, why)
