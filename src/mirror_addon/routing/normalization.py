"""Path normalisation before matching: Istio's four levels (MeshConfig `pathNormalization`), as Envoy 1.40 does them.

The query is not changed. Bytes for which Envoy responds with 400 (`#`, raw non-ASCII, `%00`) are kept.
"""

from __future__ import annotations

import re
from collections.abc import Callable

Normalizer = Callable[[bytes], bytes]

_UNRESERVED = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
_DOTS_WITH_PARAMETERS = re.compile(rb"(?<=/)(\.{1,2});[^/]*")
_PERCENT = re.compile(rb"%([0-9A-Fa-f]{2})?")
_STRAY_BEFORE_HEX = re.compile(rb"\x00(?=[0-9A-Fa-f]{2})")
_ENCODED = re.compile(rb'[\x01-\x20\x7f"<>^{|}`]')
_ESCAPED_SLASH = re.compile(rb"%2[Ff]|%5[Cc]")
_SLASHES = re.compile(rb"/{2,}")

# A target without any of these is normal already. It is searched with its query, which seldom contains them.
_ABNORMAL = re.compile(rb'[%\\\x00-\x20\x7f"<>^{|}`]|/\.')
_ABNORMAL_OR_SLASHES = re.compile(rb'[%\\\x00-\x20\x7f"<>^{|}`]|/[./]')


def _unescape(match: re.Match[bytes]) -> bytes:
    if match[1] is None:
        return b"\x00"  # a mark for a percent sign that begins no escape; no request can contain this byte
    byte = bytes((int(match[1], 16),))
    return byte if byte in _UNRESERVED else match[0]


def _without_dots(path: bytes) -> bytes:
    """Remove dot segments (RFC 3986 5.2.4) as Envoy's URL library does: empty segments count as segments."""
    out: list[bytes] = []
    segments = path[1:].split(b"/")
    last = len(segments) - 1
    for index, segment in enumerate(segments):
        if segment == b".." and out:
            out.pop()
        if segment not in (b".", b".."):
            out.append(segment)
        elif index == last:
            out.append(b"")
    return b"/" + b"/".join(out)


def _base(path: bytes) -> bytes:
    path = _DOTS_WITH_PARAMETERS.sub(rb"\1", path)
    if b"%" in path:
        # A percent sign that began no escape must not begin one after its neighbours are unescaped.
        path = _STRAY_BEFORE_HEX.sub(b"%25", _PERCENT.sub(_unescape, path)).replace(b"\x00", b"%")
    path = _ENCODED.sub(lambda match: b"%%%02X" % match[0][0], path.replace(b"\\", b"/"))
    return _without_dots(path) if b"/." in path else path


def _normalizer(abnormal: re.Pattern[bytes], *steps: Normalizer) -> Normalizer:
    search = abnormal.search

    def normalize(target: bytes) -> bytes:
        if search(target) is None or not target.startswith(b"/"):
            return target
        path, question, query = target.partition(b"?")
        for step in steps:
            path = step(path)
        return path + question + query

    return normalize


def _merge(path: bytes) -> bytes:
    merged = _SLASHES.sub(b"/", path)
    return b"//" if merged == b"/" != path else merged  # Envoy keeps a first and a last slash


def _decode_slashes(path: bytes) -> bytes:
    return _ESCAPED_SLASH.sub(lambda match: b"/" if match[0][1:2] == b"2" else b"\\", path)


LEVELS: dict[str, Normalizer] = {
    "NONE": lambda target: target,
    "BASE": _normalizer(_ABNORMAL, _base),
    "MERGE_SLASHES": _normalizer(_ABNORMAL_OR_SLASHES, _base, _merge),
    "DECODE_AND_MERGE_SLASHES": _normalizer(_ABNORMAL_OR_SLASHES, _decode_slashes, _base, _merge),
}
"""For each of Istio's names a function from a target to the normalised target; only origin-form targets change."""
