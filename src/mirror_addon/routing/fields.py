"""The type of header fields."""

from __future__ import annotations

Fields = tuple[tuple[bytes, bytes], ...]
"""Header fields in order, with names as sent, without Host and pseudo-header fields."""
