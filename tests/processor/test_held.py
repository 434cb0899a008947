from __future__ import annotations

from mirror_addon.processor.held import HeldBody


class Room:
    """So many bytes."""

    def __init__(self, most: int = 10) -> None:
        self.most = most
        self.used = 0

    def reserve(self, size: int) -> bool:
        if self.used + size > self.most:
            return False
        self.used += size
        return True

    def release(self, size: int) -> None:
        self.used -= size


def test_what_is_taken_is_not_counted_any_more() -> None:
    room = Room()
    held = HeldBody(room, 10)
    assert held.add(b"abc") and held.add(b"de")
    assert (held.look(), room.used, held.size) == (b"abcde", 5, 5)
    assert held.take() == b"abcde"
    assert (room.used, held.take()) == (0, b"")


def test_one_piece_is_not_copied() -> None:
    data = bytes(5)
    held = HeldBody(Room(), 10)
    held.add(data)
    assert held.take() is data


def test_a_long_body_is_cut_and_its_length_is_not() -> None:
    room = Room()
    held = HeldBody(room, 4)
    for _ in range(3):
        assert held.add(b"abc")
    assert (held.size, room.used, held.take()) == (9, 4, b"abca")


def test_without_room_nothing_is_kept() -> None:
    room = Room()
    held = HeldBody(room, 100)
    assert held.add(b"abcdef")
    assert not held.add(b"abcdef")
    assert not held.add(b"a")
    assert (held.full, held.size, room.used, held.take()) == (True, 13, 0, b"")


def test_what_is_dropped_stays_dropped() -> None:
    room = Room()
    held = HeldBody(room, 100)
    held.add(b"abc")
    held.drop()
    held.drop()
    assert room.used == 0
    assert not held.add(b"a")
