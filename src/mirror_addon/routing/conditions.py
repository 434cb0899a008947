"""The conditions of an HTTPMatchRequest other than its uri, compiled (semantics 1.3, 2.6)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mirror_addon.istio.resources import HTTPMatchRequest
from mirror_addon.istio.resources import StringMatch
from mirror_addon.routing.regexes import Regex
from mirror_addon.routing.subject import Subject

_CLAIMS = "@request.auth.claims"
"""Matches on JWT claims need an authentication filter, which a local proxy has not: no claim is ever there."""


@dataclass(frozen=True, slots=True, eq=False)
class Condition:
    """One condition. `words` say it, `actual` says what a request has in its place."""

    words: str
    test: Callable[[Subject], bool]
    actual: Callable[[Subject], str]


def text(value: bytes) -> str:
    """Bytes of a request for people."""
    return repr(value.decode("utf-8", "backslashreplace"))


def string_test(match: StringMatch) -> tuple[Callable[[bytes], bool] | None, str]:
    """A test of one value, and its words; None where only presence is asked.

    Of several members the last declared one wins, as in the proto layer.
    """
    if match.regex is not None:
        regex = Regex(match.regex)
        note = f" (not a regular expression: {regex.error})" if regex.error else ""
        return regex.matches, f"matches regex {match.regex!r}{note}"
    if match.prefix is not None:
        prefix = match.prefix.encode()
        return lambda value: value.startswith(prefix), f"begins with {match.prefix!r}"
    if match.exact is not None:
        exact = match.exact.encode()
        return lambda value: value == exact, f"is {match.exact!r}"
    return None, "is present"


def compile_conditions(match: HTTPMatchRequest) -> tuple[Condition, ...]:
    """All conditions but uri and those on the proxy itself (port, gateways, source labels), cheapest first."""
    conditions = [
        _attribute(name, string)
        for name, string in (("method", match.method), ("scheme", match.scheme), ("authority", match.authority))
        if string is not None
    ]
    conditions += [_header(name, string) for name, string in match.headers.items()]
    conditions += [_without_header(name, string) for name, string in match.without_headers.items()]
    conditions += [_param(name, string) for name, string in match.query_params.items()]
    return tuple(conditions)


def _attribute(name: str, match: StringMatch) -> Condition:
    test, words = string_test(match)

    def value(subject: Subject) -> bytes:
        found: bytes = getattr(subject.request, name)
        return found

    return Condition(
        f"{name} {words}",
        (lambda subject: True) if test is None else (lambda subject: test(value(subject))),
        lambda subject: f"is {text(value(subject))}",
    )


def _lines(name: bytes) -> Callable[[Subject], str]:
    def actual(subject: Subject) -> str:
        lines = subject.lines(name)
        return f"is {' and '.join(map(text, lines))}" if lines else "is absent"

    return actual


def _header(name: str, match: StringMatch) -> Condition:
    key = name.lower().encode()
    test, words = string_test(match)
    if name.startswith(_CLAIMS):
        return Condition(f"{name} {words}", lambda subject: False, lambda subject: "is never known to a local proxy")
    if test is None:
        return Condition(f"header {name} {words}", lambda subject: bool(subject.lines(key)), _lines(key))
    return Condition(f"header {name} {words}", lambda subject: any(map(test, subject.lines(key))), _lines(key))


def _without_header(name: str, match: StringMatch) -> Condition:
    """A header that is absent counts as an empty one, except where only presence is asked."""
    key = name.lower().encode()
    test, words = string_test(match)
    words = f"without header {name}" + ("" if test is None else f" that {words}")
    if name.startswith(_CLAIMS):
        return Condition(words, lambda subject: True, lambda subject: "is never known to a local proxy")
    if test is None or match.regex == "*":
        return Condition(words, lambda subject: not subject.lines(key), _lines(key))
    return Condition(words, lambda subject: not any(map(test, subject.lines(key) or (b"",))), _lines(key))


def _param(name: str, match: StringMatch) -> Condition:
    key = name.encode()
    test, words = string_test(match)
    if match.regex == "*":
        test, words = None, "is present"

    def holds(subject: Subject) -> bool:
        value = subject.param(key)
        return value is not None and (test is None or test(value))

    def actual(subject: Subject) -> str:
        value = subject.param(key)
        return "is absent" if value is None else f"is {text(value)}"

    return Condition(f"query parameter {name} {words}", holds, actual)
