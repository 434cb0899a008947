"""Messages that are looked at rarely, and travel as bytes."""

from __future__ import annotations

import pickle
from typing import Any
from typing import Generic
from typing import TypeVar

from mirror_addon.istio.resources.messages import Message

M = TypeVar("M", bound=Message)


class Kept(Generic[M]):
    """A message that, once pickled, stays in bytes until somebody asks for it.

    Messages are most of what a table weighs, and only an export reads them again: to unfold those of 1,000 rules
    takes longer than all else of their table.
    """

    __slots__ = ("_bytes", "_message")

    def __init__(self, message: M | None, packed: bytes = b"") -> None:
        self._message = message
        self._bytes = packed

    def __reduce__(self) -> tuple[Any, ...]:
        return Kept, (None, self._bytes or pickle.dumps(self._message, pickle.HIGHEST_PROTOCOL))

    def get(self) -> M:
        """The message."""
        message: M = pickle.loads(self._bytes) if self._message is None else self._message
        return message
