"""The uri condition of a match, and the path rewrites that depend on it.

Matching is that of Envoy's RouteMatch `path`, `prefix` and `safe_regex`: the path without query and fragment, and a
prefix is a plain string prefix, `/a` matches `/ab`.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from mirror_addon.istio.resources.virtual_service import HTTPMatchRequest
from mirror_addon.istio.resources.virtual_service import HTTPRewrite
from mirror_addon.istio.resources.virtual_service import RegexRewrite
from mirror_addon.routing.regexes import Regex
from mirror_addon.routing.regexes import substitution

Rewrite = Callable[[bytes, int], bytes]
"""A function of a target and the length of its path (the rest is the query) that returns the new target."""


class UriKind(enum.Enum):
    """How a path is compared. A match without a uri is Envoy's prefix `/`."""

    EXACT = "exact"
    PREFIX = "prefix"
    ELEMENTS = "elements"
    """Envoy's `path_separated_prefix`: the path is `value`, which has no slash at its end, or is below it."""
    REGEX = "regex"


@dataclass(frozen=True, slots=True, eq=False)
class Uri:
    """A uri condition. `value` is in lower case where `ignore_case`; `regex` is set for UriKind.REGEX only."""

    kind: UriKind
    value: bytes
    ignore_case: bool
    words: str
    regex: Regex | None = None

    def matches(self, path: bytes) -> bool:
        """Whether a path, without its query, meets the condition."""
        if self.regex is not None:
            return self.regex.matches(path)
        if self.ignore_case:
            path = path.lower()
        if self.kind is UriKind.PREFIX:
            return path.startswith(self.value)
        if self.kind is UriKind.EXACT:
            return path == self.value
        return path.startswith(self.value) and path[len(self.value) : len(self.value) + 1] in (b"", b"/")


def compile_uri(match: HTTPMatchRequest | None, *, elements: bool = False) -> Uri:
    """Return the uri condition of a match; prefix `/` where it has none.

    `elements`: prefixes are those of the Gateway API, of whole path elements, and a slash at their end is ignored.
    """
    uri = match.uri if match else None
    ignore_case = match.ignore_uri_case if match else False
    if uri is None or (uri.exact is None and uri.prefix is None and uri.regex is None):
        return Uri(UriKind.PREFIX, b"/", False, "any path")
    suffix = ", in any case" if ignore_case else ""
    if uri.regex is not None:
        regex = Regex(uri.regex)
        note = f" (not a regular expression: {regex.error})" if regex.error else ""
        return Uri(UriKind.REGEX, uri.regex.encode(), False, f"path matches regex {uri.regex!r}{note}", regex)
    if uri.prefix is not None and elements:
        value = uri.prefix.removesuffix("/").encode()
        if not value:
            return Uri(UriKind.PREFIX, b"/", False, "any path")
        return Uri(UriKind.ELEMENTS, value, False, f"path is {value.decode()!r} or below it")
    if uri.prefix is not None:
        value = uri.prefix.encode()
        words = f"path begins with {uri.prefix!r}{suffix}"
        return Uri(UriKind.PREFIX, value.lower() if ignore_case else value, ignore_case, words)
    exact = uri.exact or ""
    value = exact.encode()
    return Uri(UriKind.EXACT, value.lower() if ignore_case else value, ignore_case, f"path is {exact!r}{suffix}")


def is_catch_all(uri: Uri, match: HTTPMatchRequest | None) -> bool:
    """Whether every request meets the match in Istio's view (`route.go`): no route follows it."""
    anywhere = uri.value == (b".*" if uri.kind is UriKind.REGEX else b"/") and uri.kind is not UriKind.EXACT
    if match is None or not anywhere:
        return anywhere
    attributes = (match.method, match.scheme, match.authority)
    conditions = (match.headers, match.without_headers, match.query_params)
    return not any(conditions) and all(attribute is None for attribute in attributes)


def _replace_start(value: bytes, length: int, target: bytes, end: int) -> bytes:
    return value + target[length:]


def _replace_path(value: bytes, target: bytes, end: int) -> bytes:
    return value + target[end:]


def _replace_matches(replace: Callable[[bytes], bytes], target: bytes, end: int) -> bytes:
    path = target[:end]
    return (replace(path) or path) + target[end:]  # since Envoy 1.40 a path that would become empty is kept


def replaced(uri: Uri, new: str) -> Rewrite:
    """Return Envoy's `prefix_rewrite`: it replaces the matched part of the path; the rest and the query stay.

    The matched part is the prefix, or the whole path for exact and regex.
    """
    value = new.encode()
    if uri.kind in (UriKind.PREFIX, UriKind.ELEMENTS):
        return partial(_replace_start, value, len(uri.value))
    return partial(_replace_path, value)


def substituted(regex: RegexRewrite) -> Rewrite | None:
    """Return Envoy's `regex_rewrite` of the path without the query; None where it is invalid."""
    replace = substitution(regex.match, regex.rewrite)
    return None if replace is None else partial(_replace_matches, replace)


def compile_rewrite(uri: Uri, rewrite: HTTPRewrite | None) -> Rewrite | None:
    """Return the path rewrite of a route for one of its matches; None where the path stays."""
    if rewrite is None:
        return None
    if rewrite.uri_regex_rewrite is not None:
        return substituted(rewrite.uri_regex_rewrite)
    return replaced(uri, rewrite.uri) if rewrite.uri else None
