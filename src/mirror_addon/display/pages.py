"""HTML pages: what Jinja calls for the value of each expression, before it escapes the value for HTML."""

from __future__ import annotations

from typing import Any

from mirror_addon.display.text import printable

THIN_SPACE = "\u202f"
"""Between thousands: a space that `printable` would escape, and that is the same as another to nobody."""


def shown(value: Any) -> Any:
    """Return a text printable, and anything else (numbers, markup of our own) as it is. Jinja's `finalize`."""
    if not isinstance(value, str) or hasattr(value, "__html__"):
        return value
    return THIN_SPACE.join(map(printable, value.split(THIN_SPACE)))
