"""Text that is safe to show."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror_addon.display.text import encodable
from mirror_addon.display.text import printable
from mirror_addon.display.text import printable_lines


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a é 漢 🦊 \\n", "a é 漢 🦊 \\n"),
        ("\x1b[2J", "\\x1b[2J"),
        ("a\r\nb", "a\\r\\nb"),
        ("\x9b31m\x85", "\\x9b31m\\x85"),
        ("\u202egpj.exe\u2066", "\\u202egpj.exe\\u2066"),
        ("\u2028\u2029\xa0\xad", "\\u2028\\u2029\\xa0\\xad"),
        ("\ud800\udcff", "\\ud800\\udcff"),
        ("\ue000\U000e0041\x7f", "\\ue000\\U000e0041\\x7f"),
    ],
)
def test_printable(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.text(st.characters()))
def test_what_is_shown_acts_on_nothing(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    assert printable(shown) == shown
    shown.encode()


def test_lines_stay_lines() -> None:
    assert printable_lines("a\x1b\nb\rc\u2028d\n") == "a\\x1b\nb\\rc\\u2028d\n"


@given(st.text(st.characters()), st.sampled_from(["ascii", "latin-1", "utf-8", None]))
def test_encodable(text: str, encoding: str | None) -> None:
    print(encodable(text, encoding), file=io.TextIOWrapper(io.BytesIO(), encoding or "utf-8"))
