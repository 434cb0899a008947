"""How deep a JSON document is nested, found before a parser sees it: for a limit, and to know whether it is cut off.

ijson keeps the path of each open array and object, so that its memory grows with the square of the nesting: 100,000
brackets, which are 100 KB, take all memory of a machine.
"""

from __future__ import annotations

from itertools import accumulate

from mirror_addon.captures.stream import CaptureError
from mirror_addon.captures.stream import CaptureStream

MOST_NESTED = 500
"""Levels. `json.loads` takes about a thousand."""
_STEPS = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}
_OTHERS = bytes(set(range(256)) - _STEPS.keys())


class Nesting:
    """Passes on the bytes of `stream`, a JSON document in UTF-8. Reading raises CaptureError where it is nested deeper
    than MOST_NESTED."""

    def __init__(self, stream: CaptureStream) -> None:
        self._stream = stream
        self._depth = 0
        self._in_string = False
        self._escaped = False

    @property
    def is_open(self) -> bool:
        """Whether an array, object or string has begun and not ended in what was read."""
        return self._depth > 0 or self._in_string

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        self._look(data)
        return data

    def _look(self, data: bytes) -> None:
        """Count the brackets outside strings."""
        if self._escaped:  # the part before ended in the middle of an escape
            data = b"\\" + data
        data = data.replace(b"\\\\", b"")
        self._escaped = data.endswith(b"\\")
        parts = data.removesuffix(b"\\").replace(b'\\"', b"").split(b'"')
        outside = b"".join(parts[self._in_string :: 2])
        self._in_string ^= len(parts) % 2 == 0
        depths = list(accumulate(map(_STEPS.__getitem__, outside.translate(None, _OTHERS)), initial=self._depth))
        self._depth = depths[-1]
        if max(depths) > MOST_NESTED:
            at = f"before byte {self._stream.position}"
            raise CaptureError(f"{self._stream.path}: JSON that is nested deeper than {MOST_NESTED} levels {at}")
