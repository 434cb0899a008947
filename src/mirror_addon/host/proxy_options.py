"""Options of mitmproxy that routing by Host depends on."""

from __future__ import annotations

import logging

from mitmproxy import ctx

logger = logging.getLogger(__name__)

NEEDED = {"keep_host_header": True, "connection_strategy": "lazy"}
"""`keep_host_header`: in reverse mode mitmproxy otherwise replaces the Host header field before rules can match on it.
`lazy`: otherwise mitmproxy connects to the destination of a CONNECT first, and where that fails no rule is asked."""


class ProxyOptions:
    """Sets these options while they have their default values, and restores the defaults."""

    def __init__(self) -> None:
        self._applied = False
        self._set: list[str] = []

    def apply(self) -> None:
        """Only the first call does anything: later on, the user may have changed an option back."""
        if self._applied:
            return
        self._applied = True
        for name, value in NEEDED.items():
            if not ctx.options.has_changed(name):
                logger.info("mirror: set %s=%s, which routing by Host needs", name, str(value).lower())
                self._set.append(name)
                ctx.options.update(**{name: value})

    def take_back(self) -> None:
        """Leaves an option alone that has another value by now."""
        for name in self._set:
            if getattr(ctx.options, name) == NEEDED[name]:
                ctx.options.update(**{name: ctx.options.default(name)})
        self._set.clear()
