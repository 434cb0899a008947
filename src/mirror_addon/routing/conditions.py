"""The conditions of an HTTPMatchRequest other than its uri, compiled (semantics 1.3, 2.6)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

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


def _is_any(value: bytes) -> bool:
    return True


def _is(expected: bytes, value: bytes) -> bool:
    return value == expected


def _begins_with(prefix: bytes, value: bytes) -> bool:
    return value.startswith(prefix)


def string_test(match: StringMatch) -> tuple[Callable[[bytes], bool] | None, str]:
    """A test of one value, and its words; None where only presence is asked.

    Of several members the last declared one wins, as in the proto layer.
    """
    if match.regex is not None:
        regex = Regex(match.regex)
        note = f" (not a regular expression: {regex.error})" if regex.error else ""
        return regex.matches, f"matches regex {match.regex!r}{note}"
    if match.prefix is not None:
        return partial(_begins_with, match.prefix.encode()), f"begins with {match.prefix!r}"
    if match.exact is not None:
        return partial(_is, match.exact.encode()), f"is {match.exact!r}"
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


def _attribute_holds(name: str, test: Callable[[bytes], bool], subject: Subject) -> bool:
    return test(getattr(subject.request, name))


def _attribute_in_words(name: str, subject: Subject) -> str:
    return f"is {text(getattr(subject.request, name))}"


def _attribute(name: str, match: StringMatch) -> Condition:
    test, words = string_test(match)
    holds = partial(_attribute_holds, name, _is_any if test is None else test)
    return Condition(f"{name} {words}", holds, partial(_attribute_in_words, name))


def _any_line(key: bytes, test: Callable[[bytes], bool], subject: Subject) -> bool:
    return any(map(test, subject.lines(key)))


def _no_line(key: bytes, test: Callable[[bytes], bool], subject: Subject) -> bool:
    """A header that is absent counts as an empty one."""
    return not any(map(test, subject.lines(key) or (b"",)))


def _is_absent(key: bytes, subject: Subject) -> bool:
    return not subject.lines(key)


def _lines_in_words(key: bytes, subject: Subject) -> str:
    lines = subject.lines(key)
    return f"is {' and '.join(map(text, lines))}" if lines else "is absent"


def _always(subject: Subject) -> bool:
    return True


def _never(subject: Subject) -> bool:
    return False


def _claim_in_words(subject: Subject) -> str:
    return "is never known to a local proxy"


def _header(name: str, match: StringMatch) -> Condition:
    key = name.lower().encode()
    test, words = string_test(match)
    if name.startswith(_CLAIMS):
        return Condition(f"{name} {words}", _never, _claim_in_words)
    holds = partial(_any_line, key, _is_any if test is None else test)
    return Condition(f"header {name} {words}", holds, partial(_lines_in_words, key))


def _without_header(name: str, match: StringMatch) -> Condition:
    key = name.lower().encode()
    test, words = string_test(match)
    words = f"without header {name}" + ("" if test is None else f" that {words}")
    if name.startswith(_CLAIMS):
        return Condition(words, _always, _claim_in_words)
    if test is None or match.regex == "*":
        return Condition(words, partial(_is_absent, key), partial(_lines_in_words, key))
    return Condition(words, partial(_no_line, key, test), partial(_lines_in_words, key))


def _param_holds(key: bytes, test: Callable[[bytes], bool], subject: Subject) -> bool:
    value = subject.param(key)
    return value is not None and test(value)


def _param_in_words(key: bytes, subject: Subject) -> str:
    value = subject.param(key)
    return "is absent" if value is None else f"is {text(value)}"


def _param(name: str, match: StringMatch) -> Condition:
    key = name.encode()
    test, words = string_test(match)
    if match.regex == "*":
        test, words = None, "is present"
    holds = partial(_param_holds, key, _is_any if test is None else test)
    return Condition(f"query parameter {name} {words}", holds, partial(_param_in_words, key))
