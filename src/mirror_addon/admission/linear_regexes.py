"""Regular expressions of mitmproxy's filters, matched by RE2 in place of Python's `re`.

A client chooses the text that they are matched with, in the proxy's event loop. Python's engine tries all ways to
match: `~u "(a+)+!"` takes 20 s for 28 letters. RE2 takes time that grows with the text only. It has neither
backreferences nor lookarounds; an expression with those stays with Python's engine, and `mirror-addon check` warns.

What differs: `\\d`, `\\w` and `\\s` are ASCII in RE2, and for Python those of Unicode in a text, such as a URL.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import re2
from mitmproxy import flowfilter

_MAX_MEMORY = 16 << 20


class LinearRegex:
    """Takes the place of an `re.Pattern` of a filter. Raises re2.error for what RE2 does not have."""

    def __init__(self, pattern: re.Pattern[Any]) -> None:
        self.pattern = pattern.pattern
        self.flags = pattern.flags
        is_text = isinstance(pattern.pattern, str)
        options = re2.Options()
        options.encoding = re2.Options.Encoding.UTF8 if is_text else re2.Options.Encoding.LATIN1
        options.case_sensitive = not pattern.flags & re.IGNORECASE
        options.dot_nl = bool(pattern.flags & re.DOTALL)
        options.max_mem = _MAX_MEMORY
        options.log_errors = False
        options.never_capture = True
        source: Any = pattern.pattern.encode() if is_text else pattern.pattern
        if pattern.flags & re.MULTILINE:
            source = b"(?m:" + source + b")"
        self._compiled = re2.compile(source, options)
        self._has_end = b"$" in source

    def search(self, text: str | bytes) -> bool:
        """Whether the expression matches anywhere. `$` matches before a last line end too, as in Python."""
        data = text.encode("utf-8", "replace") if isinstance(text, str) else text
        if self._compiled.search(data) is not None:
            return True
        return self._has_end and data.endswith(b"\n") and self._compiled.search(data[:-1]) is not None


def terms(expression: Any) -> Iterator[Any]:
    """Yield the terms of a filter that are not made of others."""
    match expression:
        case flowfilter.FNot():
            yield from terms(expression.itm)
        case flowfilter.FAnd() | flowfilter.FOr():
            for part in expression.lst:
                yield from terms(part)
        case _:
            yield expression


def make_linear(expression: Any) -> list[str]:
    """Let RE2 match the regular expressions of a filter. Return those that it cannot match."""
    left = []
    for term in terms(expression):
        pattern = getattr(term, "re", None)
        if isinstance(pattern, re.Pattern):
            try:
                term.re = LinearRegex(pattern)
            except (re2.error, UnicodeEncodeError):
                left.append(str(term.expr))
    return left
