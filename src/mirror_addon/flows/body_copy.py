"""A body that is passed on as it flows, and a copy of its beginning."""

from __future__ import annotations

COPIED_BYTES = 16 * 1024 * 1024
"""Bytes of one body that are kept for views, files and comparison, as of the shadow's response."""


class BodyCopy:
    """A function for `request.stream` or `response.stream` of mitmproxy, which returns each chunk unchanged."""

    __slots__ = ("_kept", "_limit", "size")

    def __init__(self, limit: int = COPIED_BYTES) -> None:
        self._kept = bytearray()
        self._limit = limit
        self.size = 0
        """Bytes that have passed."""

    def __call__(self, chunk: bytes) -> bytes:
        room = self._limit - len(self._kept)
        if room > 0:
            self._kept += chunk[:room]
        self.size += len(chunk)
        return chunk

    @property
    def content(self) -> bytes:
        """The first bytes of what has passed, up to the limit."""
        return bytes(self._kept)
