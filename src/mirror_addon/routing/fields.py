"""Header fields as the routing rooms pass them on."""

from __future__ import annotations

Fields = tuple[tuple[bytes, bytes], ...]
"""Header fields in order, names as sent, without Host, `:authority` and other pseudo headers."""
