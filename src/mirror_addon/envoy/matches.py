"""A rule's match as Envoy's RouteMatch, as Istio translates it (`route.go`, `TranslateRouteMatch`)."""

from __future__ import annotations

from mirror_addon.envoy.values import Message
from mirror_addon.envoy.values import safe_regex
from mirror_addon.envoy.values import string_matcher
from mirror_addon.istio.resources.virtual_service import HTTPMatchRequest
from mirror_addon.istio.resources.virtual_service import StringMatch
from mirror_addon.routing.conditions import CLAIMS
from mirror_addon.routing.regexes import Regex
from mirror_addon.routing.uris import Uri
from mirror_addon.routing.uris import UriKind
from mirror_addon.routing.virtual_services import RouteEntry

_SPECIFIERS = {UriKind.EXACT: "path", UriKind.PREFIX: "prefix", UriKind.ELEMENTS: "path_separated_prefix"}


class NeverMatches(Exception):
    """No request meets the match, and Envoy rejects it or cannot express it. The text is the reason."""


def route_match(entry: RouteEntry, port: int) -> Message:
    """Return the RouteMatch of an entry for requests to `port` only (0: to any port). Raises NeverMatches."""
    match = _path(entry.uri)
    headers, params = [], []
    if port:
        headers.append(port_matcher(port))
    if entry.source is not None:
        headers += _headers(entry.source)
        params = [_present(name, string) for name, string in entry.source.query_params.items()]
    if headers:
        match["headers"] = headers
    if params:
        match["query_parameters"] = params
    return match


def port_matcher(port: int) -> Message:
    """Return the HeaderMatcher for this port in Host. No port means 80, because the listener has no TLS."""
    named = f".*:{port}"
    pattern = rf"[^:]*|\[[^\]]*\]|{named}" if port == 80 else named
    return {"name": ":authority", "string_match": {"safe_regex": safe_regex(pattern)}}


def _path(uri: Uri) -> Message:
    if uri.regex is not None:
        _check(uri.regex)
        if not uri.regex.pattern:
            raise NeverMatches("no path is empty")
        return {"safe_regex": safe_regex(uri.regex.pattern.decode())}
    if uri.kind is UriKind.EXACT and not uri.value:
        raise NeverMatches("no path is empty")
    match: Message = {_SPECIFIERS[uri.kind]: uri.value.decode()}
    if uri.ignore_case:
        match["case_sensitive"] = False
    return match


def _headers(match: HTTPMatchRequest) -> list[Message]:
    found: list[Message] = []
    for name, string in ((":method", match.method), (":scheme", match.scheme), (":authority", match.authority)):
        # Pseudo-header fields are always present: `{}`, `*` and an empty prefix are met by every request.
        if string is None or string.regex == "*":
            continue
        if (matcher := string_matcher(_valid(string))) is not None:
            found.append({"name": name, "string_match": matcher})
    for name, string in match.headers.items():
        if name.startswith(CLAIMS):
            raise NeverMatches(f"{name} needs an authentication filter")
        found.append(_present(name.lower(), string))
    for name, string in match.without_headers.items():
        if not name.startswith(CLAIMS) and (matcher := _without(name.lower(), string)) is not None:
            found.append(matcher)
    return found


def _present(name: str, match: StringMatch) -> Message:
    """Return the matcher of a header or parameter; `*`, which is no regex, tests its presence, as in Istio."""
    if match.regex == "*":
        return {"name": name, "present_match": True}
    matcher = string_matcher(_valid(match))
    return {"name": name, "present_match": True} if matcher is None else {"name": name, "string_match": matcher}


def _without(name: str, match: StringMatch) -> Message | None:
    """Return the inverted matcher. An absent header counts as an empty one, unless only presence is tested."""
    presence = match.regex is None and match.prefix is None and match.exact is None
    if presence or match.regex == "*":
        return {"name": name, "present_match": True, "invert_match": True}
    if match.regex is not None and Regex(match.regex).error:
        return None  # no value meets it, so every request is without it
    matcher = string_matcher(match)
    if matcher is None:
        raise NeverMatches(f"every {name} begins with the empty prefix, also an absent one")
    return {"name": name, "string_match": matcher, "invert_match": True, "treat_missing_header_as_empty": True}


def _valid(match: StringMatch) -> StringMatch:
    if match.regex is not None:
        _check(Regex(match.regex))
    return match


def _check(regex: Regex) -> None:
    if regex.error:
        raise NeverMatches(f"{regex.pattern.decode()!r} is not a regular expression: {regex.error}")
