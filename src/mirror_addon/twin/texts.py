"""The texts that a twin knows anything about, each with the number of reasons to know it.

Most values of most requests are not among them, so this one look-up is all that such a value costs. Pure.
"""

from __future__ import annotations

from collections.abc import Callable


class Texts:
    """A multiset. `has` is a method of the dict itself, because it is called for every value of every request."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self.has: Callable[[str], bool] = self._counts.__contains__

    def __len__(self) -> int:
        return len(self._counts)

    def add(self, text: str) -> None:
        """There is one more reason to know this text."""
        self._counts[text] = self._counts.get(text, 0) + 1

    def remove(self, text: str) -> None:
        """There is one less."""
        left = self._counts[text] - 1
        if left:
            self._counts[text] = left
        else:
            del self._counts[text]
