"""Reads the annotations `mirror-addon/...` of a VirtualService into typed values."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mirror_addon.istio.durations import parse_duration
from mirror_addon.istio.fields import describe
from mirror_addon.istio.fields import nearest
from mirror_addon.istio.moments import parse_end
from mirror_addon.istio.moments import parse_interval
from mirror_addon.istio.moments import say_moment
from mirror_addon.istio.values import is_token

PREFIX = "mirror-addon/"
SAFE_METHODS = frozenset({b"GET", b"HEAD", b"OPTIONS"})
"""RFC 9110 9.2.1, without TRACE."""
UNTOUCHABLE = frozenset(
    {
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Header fields that belong to a connection or to HTTP's framing, and Host."""
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_SOURCES = ("header", "cookie", "query")


@dataclass(frozen=True, slots=True)
class SampleBy:
    """The part of a request that identifies its user, for sampling per user."""

    kind: str
    """`header`, `cookie`, `query` or `source`."""
    name: str = ""

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}" if self.name else self.kind


@dataclass(frozen=True, slots=True)
class MirrorAnnotations:
    """The annotations of one virtual service; a field has its default where its annotation is missing."""

    expires: float | None = None
    """Seconds since the epoch."""
    active: tuple[float, float] | None = None
    """Start and end, in seconds since the epoch."""
    max_rps: float | None = None
    max_requests: int | None = None
    max_latency: float | None = None
    """Seconds."""
    methods: frozenset[bytes] | None = None
    """In upper case."""
    when: str = ""
    """A mitmproxy filter expression; only rooms that know mitmproxy can check it."""
    sample_by: SampleBy | None = None
    remove_headers: tuple[str, ...] = ()
    set_headers: tuple[tuple[str, str], ...] = ()
    ignore: str = ""
    """Paths that are not compared, in the syntax of `compare`."""
    twin: bool | None = None
    """Whether the mirror's state is kept in step; None: as the option says."""
    texts: tuple[tuple[str, str], ...] = ()
    """All annotations that were read: names without the prefix, values as written."""

    def closed(self, now: float) -> str | None:
        """Return why nothing is mirrored at `now` (seconds since the epoch): `expired`, `inactive`, or None."""
        if self.expires is not None and now >= self.expires:
            return "expired"
        if self.active is not None and not self.active[0] <= now < self.active[1]:
            return "inactive"
        return None

    def within(self, outer: MirrorAnnotations | None) -> MirrorAnnotations:
        """Return these annotations, completed from those of the delegating root, as Istio merges fields."""
        if outer is None:
            return self
        given = dict(self.texts)
        inherited = {_FIELDS[name]: getattr(outer, _FIELDS[name]) for name, _ in outer.texts if name not in given}
        texts = (*self.texts, *(text for text in outer.texts if text[0] not in given))
        return dataclasses.replace(self, **inherited, texts=texts)

    def words(self, now: float | None = None) -> list[str]:
        """Return a line for each annotation, for a trace; with `now`, also whether it is in effect then."""
        said = []
        for name, text in self.texts:
            line = f"{PREFIX}{name}: {text}"
            if name == "expires" and self.expires is not None:
                over = "" if now is None or now < self.expires else ", over"
                line += f" (ends {say_moment(self.expires)}{over})"
            elif name == "active" and self.active is not None and now is not None:
                open_now = self.active[0] <= now < self.active[1]
                line += " (now)" if open_now else " (not yet)" if now < self.active[0] else " (over)"
            said.append(line)
        return said

    def __str__(self) -> str:
        return ", ".join(f"{name} {text}" for name, text in self.texts)


def _number(text: str) -> float:
    value = float(text) if re.fullmatch(r"[0-9]+(\.[0-9]+)?", text) else math.nan
    if not 0 < value < 1e9:
        raise ValueError(f"{text!r:.80} is not a rate; write requests a second as a number above 0, as in '5' or '0.5'")
    return value


def _count(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,12}", text) or int(text) < 1:
        raise ValueError(f"{text!r:.80} is not a count; write a whole number, 1 or more")
    return int(text)


def _latency(text: str) -> float:
    try:
        seconds = parse_duration(text)
    except ValueError:
        raise ValueError(f"{text!r:.80} is not a duration; write it as in '500ms' or '1.5s'") from None
    if seconds < 0.001:
        raise ValueError(f"{text!r:.80} is too short; write 1ms or more, or leave the annotation out")
    return seconds


def _methods(text: str) -> frozenset[bytes] | None:
    names = _list(text, "methods with commas, as in GET,HEAD, or safe")
    if [name.lower() for name in names] == ["safe"]:
        return SAFE_METHODS
    if [name.lower() for name in names] == ["all"]:
        return None
    for name in names:
        if not is_token(name):
            raise ValueError(f"{name!r:.80} is not a method; write methods with commas, as in GET,HEAD, or safe")
        if name.lower() in ("safe", "all"):
            raise ValueError(f"{name!r:.80} cannot be combined with methods; write one or the other")
    return frozenset(name.upper().encode() for name in names)


def _list(text: str, what: str) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    if not all(names):
        raise ValueError(f"{'is empty' if len(names) == 1 else 'has an empty item'}; write {what}")
    return names


def _sample_by(text: str) -> SampleBy:
    kind, colon, name = text.partition(":")
    if kind == "source" and not colon:
        return SampleBy(kind)
    if kind not in _SOURCES:
        write = "write header:NAME, cookie:NAME, query:NAME or source"
        raise ValueError(f"{text!r:.80} is not something to sample by, {nearest(kind, (*_SOURCES, 'source'))} {write}")
    if not name:
        raise ValueError(f"needs a name: {kind}:NAME")
    if kind != "query" and not is_token(name):
        raise ValueError(f"{name!r:.80} is not a name of a {kind}")
    return SampleBy(kind, name)


def _remove_headers(text: str) -> tuple[str, ...]:
    names = _list(text, "header names with commas, as in Authorization, Cookie")
    for name in names:
        _check_name(name, "removed")
    return tuple(names)


def _set_headers(text: str) -> tuple[tuple[str, str], ...]:
    example = 'write a JSON object in the text, as in \'{"X-Mirror-Shadow": "1"}\''
    try:
        pairs = json.loads(text, object_pairs_hook=lambda found: found)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"is not JSON ({error}); {example}") from None
    if not isinstance(pairs, list) or not all(isinstance(pair, tuple) for pair in pairs) or not pairs:
        raise ValueError(f"names no headers; {example}")
    seen: set[str] = set()
    for name, value in pairs:
        _check_name(name, "set")
        if name.lower() in seen:
            raise ValueError(f"{name!r:.80} is repeated; keep one")
        seen.add(name.lower())
        if not isinstance(value, str):
            raise ValueError(f"the value of {name!r:.80} must be text in quotes; it is {describe(value)}")
        if _CONTROL.search(value):
            raise ValueError(
                f"the value of {name!r:.80} has control characters, which a header cannot contain; remove them"
            )
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ValueError(f"the value of {name!r:.80} contains a lone surrogate, which is not a character") from None
    return tuple((name, value.strip()) for name, value in pairs)


def _check_name(name: str, done: str) -> None:
    if not is_token(name):
        raise ValueError(f"{name!r:.80} is not a header name; names are letters, digits and '-'")
    if name.lower() in UNTOUCHABLE:
        raise ValueError(f"{name} cannot be {done}: a shadow has its own Host, framing and connection; leave it out")


def _some_text(text: str) -> str:
    if not text:
        raise ValueError("is empty; leave the annotation out")
    return text


def _switch(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError(f"{text!r:.80} is neither 'true' nor 'false'; write one of them, in quotes")
    return text == "true"


_PARSERS: dict[str, Callable[[str], Any]] = {
    "active": parse_interval,
    "max-rps": _number,
    "max-requests": _count,
    "max-latency": _latency,
    "methods": _methods,
    "when": _some_text,
    "sample-by": _sample_by,
    "remove-headers": _remove_headers,
    "set-headers": _set_headers,
    "ignore": _some_text,
    "twin": _switch,
}
KNOWN = ("expires", *_PARSERS)
"""Names without the prefix."""
_FIELDS = {name: name.replace("-", "_") for name in KNOWN}


def parse_annotation(name: str, text: str, changed: float | None) -> Any:
    """Return the typed value of an annotation; `name` is without the prefix.

    Raises ValueError with a message that says what to write. `changed` is when the file was last changed, in seconds
    since the epoch, or None where that is unknown.
    """
    text = text.strip()
    return parse_end(text, changed) if name == "expires" else _PARSERS[name](text)


def read_annotations(annotations: Mapping[str, str], changed: float | None) -> MirrorAnnotations | None:
    """Return the `mirror-addon/...` annotations of a virtual service, or None where it has none.

    Annotations that cannot be read are left out; `validate_mirror_annotations` reports them.
    """
    values: dict[str, Any] = {}
    texts = []
    for name in KNOWN:
        text = annotations.get(PREFIX + name)
        if text is None:
            continue
        try:
            values[_FIELDS[name]] = parse_annotation(name, text, changed)
        except ValueError:
            continue
        texts.append((name, " ".join(text.split())))
    return MirrorAnnotations(**values, texts=tuple(texts)) if texts else None
