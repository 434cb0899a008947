"""Compare the request of a mirror's call with that of the primary's: path, query and body, by the rules of comparison.

The rules of `compare.yaml` apply as to responses, with the method and URL of the call; what has a known shape (times,
generated ids) does not count. Header fields other than those that describe the body are not compared.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import unquote

from mirror_addon.compare.answer import Answer
from mirror_addon.compare.calls import ANSWERED
from mirror_addon.compare.calls import DIFFERENT
from mirror_addon.compare.calls import Call
from mirror_addon.compare.comparison import compare
from mirror_addon.compare.difference import Difference
from mirror_addon.compare.rules import Rules
from mirror_addon.compare.values import short
from mirror_addon.sandbox.call import CallRequest

AT_ONCE_BYTES = 8 * 1024
"""Both bodies together up to which a comparison takes no more than some milliseconds."""
MAX_COMPARED = 256 * 1024
"""Bytes of both bodies together above which they are not compared by structure."""
_FORM = b"application/x-www-form-urlencoded"
_ANY = b"mirror-addon=&"
"""A field that both sides have: an empty form would be compared as no body at all."""
_OK = 200


def is_quick(primary: CallRequest, mirror: CallRequest) -> bool:
    """Whether `compare_calls` returns within some milliseconds. Messages import much when they are first compared."""
    if primary.body == mirror.body:
        return len(primary.query) + len(mirror.query) <= AT_ONCE_BYTES
    size = len(primary.body or b"") + len(mirror.body or b"") + len(primary.query) + len(mirror.query)
    plain = not (primary.content_encoding or mirror.content_encoding)
    return plain and size <= AT_ONCE_BYTES and b"grpc" not in primary.content_type + mirror.content_type


def compare_calls(primary: CallRequest, mirror: CallRequest, rules: Rules, now: float) -> Call:
    """Return the mirror's call, `answered` or `different`. `now`: seconds since the epoch."""
    differences = list(_of_paths(primary.path, mirror.path)) if primary.path != mirror.path else []
    note = ""
    if primary.query != mirror.query:
        differences += [
            replace(each, path=_of_query(each.path), where=_of_query(each.where))
            for each in _compared(primary, mirror, _ANY + primary.query, _ANY + mirror.query, rules, now, form=True)
        ]
    if primary.body is None or mirror.body is None:
        note = "the body was not compared, because it was streamed"
    elif primary.body != mirror.body:
        if len(primary.body) + len(mirror.body) > MAX_COMPARED:
            one, other = (short(each.decode("utf-8", "replace")) for each in (primary.body, mirror.body))
            differences.append(Difference("body", "value", one, other, where="body"))
            note = f"the bodies were not compared by structure, because they have more than {MAX_COMPARED:,} bytes"
        else:
            differences += _compared(primary, mirror, primary.body, mirror.body, rules, now)
    state = DIFFERENT if any(not each.noise for each in differences) else ANSWERED
    return Call(mirror.verb, mirror.url, state, tuple(differences), note)


def _compared(
    primary: CallRequest, mirror: CallRequest, one: bytes, other: bytes, rules: Rules, now: float, *, form: bool = False
) -> tuple[Difference, ...]:
    sent = Answer(_OK, _fields(primary, form=form), one, len(one))
    also_sent = Answer(_OK, _fields(mirror, form=form), other, len(other))
    return compare(sent, also_sent, rules, method=mirror.verb, url=mirror.url, now=now).differences


def _fields(request: CallRequest, *, form: bool) -> tuple[tuple[bytes, bytes], ...]:
    if form:
        return ((b"content-type", _FORM),)
    fields = ((b"content-type", request.content_type), (b"content-encoding", request.content_encoding))
    return tuple(each for each in fields if each[1])


def _of_paths(primary: bytes, mirror: bytes) -> Iterator[Difference]:
    """The segments that differ, of two paths to one endpoint."""
    segments = (unquote(path.decode("latin-1")).removeprefix("/").split("/") for path in (primary, mirror))
    for number, (one, other) in enumerate(zip(*segments, strict=False)):
        if one != other:
            yield Difference(f"path[{number}]", "value", one, other, where=f"path[{number}]")


def _of_query(path: str) -> str:
    return f"query:{path.removeprefix('form:')}" if path.startswith("form:") else path
