"""Bodies that wait in this process, counted in `mirror_queue`."""

from __future__ import annotations

from typing import Protocol


class Room(Protocol):
    """What limits the bytes that wait: the dispatcher."""

    def reserve(self, size: int) -> bool: ...

    def release(self, size: int) -> None: ...


class HeldBody:
    """The pieces of a body, up to `most` bytes. Longer ones are cut; `size` is the length of all that came."""

    __slots__ = ("_most", "_pieces", "_reserved", "_room", "full", "size")

    def __init__(self, room: Room, most: int) -> None:
        self._room = room
        self._most = most
        self._pieces: list[bytes] = []
        self._reserved = 0
        self.size = 0
        self.full = False
        """There was no room for all of it, and none of it is kept."""

    def add(self, data: bytes) -> bool:
        """Keep a piece. False: there is no room, now or before."""
        self.size += len(data)
        if self.full:
            return False
        kept = data if self._reserved + len(data) <= self._most else data[: self._most - self._reserved]
        if kept:
            if not self._room.reserve(len(kept)):
                self.drop()
                return False
            self._reserved += len(kept)
            self._pieces.append(kept)
        return True

    def take(self) -> bytes:
        """Return what was kept, which is not counted here any more."""
        body = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._give_back()
        return body

    def look(self) -> bytes:
        """Return what was kept, which stays here."""
        return b"".join(self._pieces)

    def drop(self) -> None:
        """Forget it, and all that will come."""
        self.full = True
        self._give_back()

    def _give_back(self) -> None:
        if self._reserved:
            self._room.release(self._reserved)
        self._reserved, self._pieces = 0, []
