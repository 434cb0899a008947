"""Options of mitmproxy: two that routing by Host depends on, and the columns of mitmweb's flow list."""

from __future__ import annotations

import logging
from typing import Any

from mitmproxy import ctx

logger = logging.getLogger(__name__)

NEEDED = {"keep_host_header": True, "connection_strategy": "lazy"}
"""`keep_host_header`: in reverse mode mitmproxy otherwise replaces the Host header field before rules can match on it.
`lazy`: otherwise mitmproxy connects to the destination of a CONNECT first, and where that fails no rule is asked."""
COLUMNS = "web_columns"
"""Only mitmweb has it."""


class ProxyOptions:
    """Sets these options while they have their default values, and restores the defaults."""

    def __init__(self) -> None:
        self._applied = False
        self._set: dict[str, Any] = {}

    def apply(self) -> None:
        """Only the first call does anything: later on, the user may have changed an option back."""
        if self._applied:
            return
        self._applied = True
        for name, value in NEEDED.items():
            self._replace(name, value, "which routing by Host needs")
        if COLUMNS in ctx.options and "comment" not in (columns := list(ctx.options.default(COLUMNS))):
            at = columns.index("path") + 1 if "path" in columns else len(columns)
            self._replace(COLUMNS, [*columns[:at], "comment", *columns[at:]], "which shows the verdicts of shadows")

    def _replace(self, name: str, value: Any, why: str) -> None:
        if ctx.options.has_changed(name):
            return
        text = ",".join(value) if isinstance(value, list) else str(value).lower()
        logger.info("mirror: set %s=%s, %s", name, text, why)
        self._set[name] = value
        ctx.options.update(**{name: value})

    def take_back(self) -> None:
        """Leaves an option alone that has another value by now."""
        for name, value in self._set.items():
            if getattr(ctx.options, name) == value:
                ctx.options.update(**{name: ctx.options.default(name)})
        self._set.clear()
