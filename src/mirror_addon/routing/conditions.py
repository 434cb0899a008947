"""The conditions of an HTTPMatchRequest, except its uri, compiled to functions.

Semantics are Envoy's HeaderMatcher and QueryParameterMatcher as Istio configures them (`route.go`,
`TranslateRouteMatch`). Since Envoy 1.40 the lines of a repeated header are matched one by one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from mirror_addon.istio.resources.virtual_service import HTTPMatchRequest
from mirror_addon.istio.resources.virtual_service import StringMatch
from mirror_addon.routing.lookup import RequestLookup
from mirror_addon.routing.regexes import Regex

CLAIMS = "@request.auth.claims"
"""Matches on JWT claims need an authentication filter. A local proxy has none, so no request has a claim."""


@dataclass(frozen=True, slots=True, eq=False)
class Condition:
    """One condition. `words` describe it; `actual` describes what a request has instead, for a trace."""

    words: str
    test: Callable[[RequestLookup], bool]
    actual: Callable[[RequestLookup], str]


def text(value: bytes) -> str:
    """Return bytes of a request as quoted text for a trace."""
    return repr(value.decode("utf-8", "backslashreplace"))


def _is_any(value: bytes) -> bool:
    return True


def _is(expected: bytes, value: bytes) -> bool:
    return value == expected


def _begins_with(prefix: bytes, value: bytes) -> bool:
    return value.startswith(prefix)


def string_test(match: StringMatch) -> tuple[Callable[[bytes], bool] | None, str]:
    """Return a test of one value and its description. The test is None where the match requires only presence.

    Where a document sets several members of the oneof, the last declared one wins, as in protobuf's JSON parser.
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
    """Return all conditions except the uri and those on the proxy (port, gateways, source labels), cheapest first."""
    conditions = [
        _attribute(name, string)
        for name, string in (("method", match.method), ("scheme", match.scheme), ("authority", match.authority))
        if string is not None
    ]
    conditions += [_header(name, string) for name, string in match.headers.items()]
    conditions += [_without_header(name, string) for name, string in match.without_headers.items()]
    conditions += [_param(name, string) for name, string in match.query_params.items()]
    return tuple(conditions)


def _test(match: StringMatch) -> tuple[Callable[[bytes], bool] | None, str]:
    """As `string_test`. The regex `*`, which RE2 refuses, means presence (`canBeConvertedToPresentMatch`)."""
    return (None, "is present") if match.regex == "*" else string_test(match)


def _attribute_holds(name: str, test: Callable[[bytes], bool], lookup: RequestLookup) -> bool:
    return test(getattr(lookup.request, name))


def _attribute_in_words(name: str, lookup: RequestLookup) -> str:
    return f"is {text(getattr(lookup.request, name))}"


def _attribute(name: str, match: StringMatch) -> Condition:
    test, words = _test(match)
    holds = partial(_attribute_holds, name, _is_any if test is None else test)
    return Condition(f"{name} {words}", holds, partial(_attribute_in_words, name))


def _any_line(key: bytes, test: Callable[[bytes], bool], lookup: RequestLookup) -> bool:
    return any(map(test, lookup.lines(key)))


def _no_line(key: bytes, test: Callable[[bytes], bool], lookup: RequestLookup) -> bool:
    """Whether no line passes. An absent header counts as an empty one (`treat_missing_header_as_empty`)."""
    return not any(map(test, lookup.lines(key) or (b"",)))


def _is_absent(key: bytes, lookup: RequestLookup) -> bool:
    return not lookup.lines(key)


def _lines_in_words(key: bytes, lookup: RequestLookup) -> str:
    lines = lookup.lines(key)
    return f"is {' and '.join(map(text, lines))}" if lines else "is absent"


def _always(lookup: RequestLookup) -> bool:
    return True


def _never(lookup: RequestLookup) -> bool:
    return False


def _claim_in_words(lookup: RequestLookup) -> str:
    return "is never known to a local proxy"


def _header(name: str, match: StringMatch) -> Condition:
    key = name.lower().encode()
    test, words = _test(match)
    if name.startswith(CLAIMS):
        return Condition(f"{name} {words}", _never, _claim_in_words)
    holds = partial(_any_line, key, _is_any if test is None else test)
    return Condition(f"header {name} {words}", holds, partial(_lines_in_words, key))


def _without_header(name: str, match: StringMatch) -> Condition:
    key = name.lower().encode()
    test, words = _test(match)
    words = f"without header {name}" + ("" if test is None else f" that {words}")
    if name.startswith(CLAIMS):
        return Condition(words, _always, _claim_in_words)
    if test is None:
        return Condition(words, partial(_is_absent, key), partial(_lines_in_words, key))
    return Condition(words, partial(_no_line, key, test), partial(_lines_in_words, key))


def _param_holds(key: bytes, test: Callable[[bytes], bool], lookup: RequestLookup) -> bool:
    value = lookup.param(key)
    return value is not None and test(value)


def _param_in_words(key: bytes, lookup: RequestLookup) -> str:
    value = lookup.param(key)
    return "is absent" if value is None else f"is {text(value)}"


def _param(name: str, match: StringMatch) -> Condition:
    key = name.encode()
    test, words = _test(match)
    holds = partial(_param_holds, key, _is_any if test is None else test)
    return Condition(f"query parameter {name} {words}", holds, partial(_param_in_words, key))
