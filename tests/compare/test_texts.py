"""Texts by line, other bodies by byte."""

from __future__ import annotations

import hashlib

import pytest

from mirror_addon.compare.differences import Differences
from mirror_addon.compare.shapes import Shapes
from mirror_addon.compare.shapes import Sides
from mirror_addon.compare.texts import compare_bytes
from mirror_addon.compare.texts import compare_texts

Found = list[tuple[str, object, object, str, str]]


def compared(one: str, other: str, cut: bool = False) -> Found:
    differences = Differences((), Shapes(Sides()), None)
    compare_texts(differences, one, other, cut)
    assert all(each.path == "body" for each in differences.listed(9)[0])
    return [(each.kind, each.primary, each.shadow, each.noise, each.where) for each in differences.listed(9)[0]]


@pytest.mark.parametrize(
    ("one", "other", "found"),
    [
        ("a\nb\nc", "a\nx\nc", [("value", "b", "x", "", "line 2")]),
        ("a\nb\nc", "a\nc", [("missing", "b", None, "", "line 2")]),
        ("a\nc", "a\nb\nc", [("extra", None, "b", "", "line 2")]),
        ("a\nb\nc", "c\na\nb", [("order", "a", "c", "", "line 1")]),
        ("a\r\nb", "a\nb", [("value", "a\\r", "a", "", "line 1")]),
        (
            "at 2026-11-22T12:00:00Z ok\nx",
            "at 2026-11-22T12:00:01Z ok\nx",
            [("value", "at 2026-11-22T12:00:00Z ok", "at 2026-11-22T12:00:01Z ok", "time", "line 1")],
        ),
    ],
)
def test_lines(one: str, other: str, found: Found) -> None:
    assert [
        (kind, str(a).replace("\r", "\\r") if a else a, b, n, w) for kind, a, b, n, w in compared(one, other)
    ] == found


def test_an_inserted_line_does_not_shift_the_others() -> None:
    lines = [f"line {i}" for i in range(1000)]
    changed = ["new", *lines]
    changed[501] = "changed"
    assert {(kind, where) for kind, *_, where in compared("\n".join(lines), "\n".join(changed))} == {
        ("extra", "line 1"),
        ("value", "line 501"),
    }


def test_one_long_line() -> None:
    one = ",".join(f"field{i}=1" for i in range(2000))
    ((kind, there, here, _, where),) = compared(one, one.replace("field1500=1", "field1500=2"))
    assert (kind, there, here, where) == ("value", "field1500=1,", "field1500=2,", "piece 1501")


def test_too_many_lines_are_compared_up_to_the_first_difference() -> None:
    one = "2026-11-22T12:00:00Z\n" * 60_000
    ((kind, _, _, noise, where),) = compared(one, one.replace("12:00:00", "12:00:01"))
    assert (kind, noise, where) == ("value", "", "character 19")


def test_cut() -> None:
    assert compared("a,b,cde", "a,b,cd", True) == []
    assert compared("a,b,cde", "a,b", True) == []
    assert compared("a,x,cde", "a,y", True) == [("value", "x,", "y", "", "piece 2")]


def told_bytes(one: bytes, other: bytes, cut: bool = False) -> Found:
    differences = Differences((), None, None)
    compare_bytes(differences, one, other, cut)
    return [(each.kind, each.primary, each.shadow, each.noise, each.where) for each in differences.listed(9)[0]]


def test_bytes() -> None:
    one, other = bytes(9000), bytes(8999) + b"\1"
    digests = [f"9000 bytes, sha256 {hashlib.sha256(each).hexdigest()[:16]}" for each in (one, other)]
    assert told_bytes(one, other) == [("value", *digests, "", "byte 8999")]
    assert [(kind, where) for kind, *_, where in told_bytes(one, one[:-1])] == [("length", "byte 8999")]
    assert told_bytes(one, one[:-1], True) == []


def test_very_long_texts_are_compared_up_to_the_first_difference() -> None:
    lines = "".join(f"{number}\n" for number in range(50_001))
    assert [(kind, where) for kind, *_, where in compared(lines, lines + "x")] == [
        ("value", f"character {len(lines) + 1}")
    ]
    assert compared(lines, lines + "x", True) == []


def test_many_lines_are_aligned_without_masking() -> None:
    lines = [f"line {number}" for number in range(6000)]
    other = ["new", *lines[1:-1], "last", "end"]
    found = {(kind, where) for kind, *_, where in compared("\n".join(lines), "\n".join(other))}
    assert found == {("value", "line 1"), ("extra", "line 6001")}
