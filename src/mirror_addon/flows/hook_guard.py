"""The one guard around what mitmproxy calls of this addon.

An exception there would be a fault of this program. mitmproxy logs one that comes out of a hook, each time with its
traceback, and closes the connection on one that comes out of its layers; in both cases the rest of the function is
missing, and nothing is counted. With the guard

- a request goes on: as routed if it was routed before the fault, else to where it would have gone without this addon,
- its mirrors that have no shadow yet are counted as `skipped.internal_error`, and open shadows are given up,
- each kind of fault is logged once, with its traceback.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from mitmproxy import exceptions
from mitmproxy import http

from mirror_addon.dispatch.counters import Counters
from mirror_addon.flows.exchange import Exchanges

logger = logging.getLogger(__name__)

REASON = "internal_error"
MOST_KINDS = 100
"""Kinds of faults that are remembered, and so logged."""


class HookGuard:
    """Catches what comes out of hooks. `counters` returns the counters, None before the addon has started."""

    def __init__(self, exchanges: Exchanges, counters: Callable[[], Counters | None]) -> None:
        self._exchanges = exchanges
        self._counters = counters
        self._logged: set[tuple[str, ...]] = set()

    def around(self, function: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """Return `function`, which takes a flow or what has no exchange, so that it raises nothing but mitmproxy's
        AddonHalt."""

        def guarded(subject: Any) -> Any:
            try:
                return function(subject)
            except exceptions.AddonHalt:
                raise
            except Exception as error:
                self.caught(function.__name__, error, subject)
                return None

        return guarded

    def caught(self, where: str, error: Exception, subject: object) -> None:
        """`error` came out of the function `where`, called for `subject`."""
        if isinstance(subject, http.HTTPFlow):
            self._settle(subject)
        place = error.__traceback__
        while place is not None and place.tb_next is not None:
            place = place.tb_next
        line = "" if place is None else f"{place.tb_frame.f_code.co_filename}:{place.tb_lineno}"
        kind = where, type(error).__name__, line
        if kind in self._logged or len(self._logged) >= MOST_KINDS:
            return
        self._logged.add(kind)
        # No error: while mitmproxy starts, one that is logged makes it exit.
        logger.warning(
            "mirror: fault in %s: %s: %s; the request goes on, its shadows are skipped.%s; please report this",
            where, type(error).__name__, error, REASON, exc_info=error,
        )  # fmt: skip

    def _settle(self, flow: http.HTTPFlow) -> None:
        """Whatever state the flow's exchange is in, it gets no more shadows."""
        counters = self._counters()
        exchange = self._exchanges.get(flow)
        if exchange is None:
            if counters is not None:
                counters.skip("", REASON)
            return
        for upload in exchange.uploads or ():
            upload.abort("aborted")
        if not exchange.settled and counters is not None:
            for mirror in exchange.decision.mirrors:
                counters.skip(mirror.cluster.label, REASON)
        exchange.settled = True
