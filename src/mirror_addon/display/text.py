"""The function that makes text safe to show. Pure."""

from __future__ import annotations


def printable(text: str) -> str:
    """Return `text` on one line, with escapes for characters that are not printable.

    These are control and format characters (C0, C1, line ends, those that change the direction of text), lone
    surrogates, private and unassigned code points, and spaces other than U+0020: `str.isprintable`. A backslash stays
    as it is, so that doing this twice changes nothing.
    """
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def printable_lines(text: str) -> str:
    """Return `text` with its lines kept, which must be this program's, and everything else in them printable."""
    return "\n".join(map(printable, text.split("\n")))


def encodable(text: str, encoding: str | None) -> str:
    """Return `text` with escapes for what `encoding` (None: UTF-8) has no character for. Writing it raises nothing."""
    encoding = encoding or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)
