"""Values that differ from answer to answer by their nature: times, ids, tokens.

A pair of values is noise when both have the same shape and nothing speaks against it. What does:

- Times further apart than a minute, unless both are of the moment of their answer. A time that is days or an hour off
  is a defect; two backends that stored the same event are seconds apart, and stay so for ever.
- Another style: with zone and without, with fraction and without, upper and lower case.
- Ids that are not fresh: one that stands in the other answer too, or in the request's URL, is a reference, and so must
  agree. UUIDs made of a name (versions 3 and 5) and the nil UUID are no random ones.
- Ids that the control, where there is one, has the same: then the primary does not make them up.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from functools import cached_property
from typing import NamedTuple

from mirror_addon.compare.timestamps import HTTP
from mirror_addon.compare.timestamps import ISO
from mirror_addon.compare.timestamps import Timestamp
from mirror_addon.compare.timestamps import parse_timestamp

CLOSE = 60.0
"""Seconds that two times, wherever they lie, may be apart."""
NEAR = 300.0
"""Seconds that a time may be off the answer that it is the moment of."""
_FARTHEST_ZONE = 14 * 3600.0

_UUID = r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
_ULID = r"[0-7][0-9A-HJKMNP-TV-Z]{25}"
_SHAPED = re.compile(
    rf"(?<![0-9A-Za-z])(?:(?P<time>{ISO}|{HTTP})|(?P<uuid>{_UUID})|(?P<ulid>{_ULID})|(?P<epoch>\d{{10}}(?:\.\d+|\d{{3}})?))"
    r"(?![0-9A-Za-z])"
)
_SHORTEST_ID = 8
_LONGEST_TIME = 40
_MAX_TEXT = 64 * 1024
"""Longer texts are not looked through for shapes."""
_NAME_BASED = re.compile(r".{14}[35].{4}[89abAB].*")
_TOKEN = re.compile(r"[0-9A-Za-z_~+/=.-]{8,4096}")
_HEX = re.compile(r"[0-9a-f]+|[0-9A-F]+")
_WORDS = re.compile(r"[0-9A-Za-z_~-]{8,}")
_SEPARATORS = re.compile(r"[^a-z0-9]+")
_ID_NAME = re.compile(
    r"(?:amzn|amz|datadog|client|b3|parent)?"
    r"(?:request|req|trace|span|parent|parentspan|correlation|transaction|txn?|session|operation|event|message|"
    r"invocation|activity|ray)(?:id|uuid|guid)"
    r"|session|sid|(?:session|csrf|xsrf|authenticity|requestverification|access|refresh|id)?token|csrf|nonce|jti|etag"
    r"|traceparent|tracestate|cfray|amzid2|amzcfid|b3|cloudtracecontext"
)
_NUMBERED_NAME = re.compile(r"(?:(?:request|req|trace|span|parent|parentspan|correlation)id)")
_TIMED_NAME = re.compile(
    r"(?:at|time|timestamp|ts|date|expires|expiry|exp|iat|nbf|until|updated|created|modified|now)\Z"
)
_TOKEN_SLACK = 0.25
"""Share by which two opaque tokens may differ in length."""


class Sides(NamedTuple):
    """The whole of both answers, where it matters for one value. `moments`: when each was made, as far as known."""

    primary_created: tuple[float, ...] = ()
    shadow_created: tuple[float, ...] = ()
    primary_text: Callable[[], str] = str
    shadow_text: Callable[[], str] = str
    url: str = ""


class Shapes:
    """Tells known shapes for one pair of answers."""

    def __init__(self, sides: Sides) -> None:
        self._sides = sides

    def noise(self, name: str, primary: object, shadow: object) -> str:
        """The name of the shape that two different values share (`time`, `id`), or empty if they are no noise.

        `name`: of the member, field or header that has them.
        """
        if isinstance(primary, str) and isinstance(shadow, str):
            return self._text(name, primary, shadow)
        if _is_number(primary) and _is_number(shadow):
            assert isinstance(primary, int | float | Decimal) and isinstance(shadow, int | float | Decimal)
            return self._number(name, primary, shadow)
        return ""

    def _text(self, name: str, primary: str, shadow: str) -> str:
        if len(primary) < _SHORTEST_ID or len(shadow) < _SHORTEST_ID:
            return ""
        if len(primary) <= _LONGEST_TIME and (one := parse_timestamp(primary)):
            return self._times(one, parse_timestamp(shadow)) if len(shadow) <= _LONGEST_TIME else ""
        return self._shapes(name, primary, shadow) or self._named(name, primary, shadow)

    def _shapes(self, name: str, primary: str, shadow: str) -> str:
        """Both are the same but for the shapes in them. The first one that differs is told."""
        if len(primary) > _MAX_TEXT or len(shadow) > _MAX_TEXT:
            return ""
        there, here = list(_SHAPED.finditer(primary)), list(_SHAPED.finditer(shadow))
        if not there or len(there) != len(here):
            return ""
        told = ""
        end = other_end = 0
        for one, other in zip(there, here, strict=True):
            if primary[end : one.start()] != shadow[other_end : other.start()] or one.lastgroup != other.lastgroup:
                return ""
            end, other_end = one.end(), other.end()
            if one[0] != other[0]:
                found = self._same_shape(name, str(one.lastgroup), one[0], other[0])
                if not found:
                    return ""
                told = told or found
        return told if primary[end:] == shadow[other_end:] else ""

    def _same_shape(self, name: str, shape: str, primary: str, shadow: str) -> str:
        if shape == "time":
            return self._times(parse_timestamp(primary), parse_timestamp(shadow))
        if shape == "epoch":
            return self._number(name, float(primary), float(shadow)) if len(primary) == len(shadow) else ""
        if shape == "uuid":
            if any(_NAME_BASED.fullmatch(each) or not each.strip("0-") for each in (primary, shadow)):
                return ""
            if _letter_case(primary) * _letter_case(shadow) < 0:
                return ""
        return self._fresh(primary, shadow)

    def _times(self, one: Timestamp | None, other: Timestamp | None) -> str:
        if one is None or other is None or one.style != other.style:
            return ""
        return "time" if self._close(one.seconds, other.seconds, one.local) else ""

    def _close(self, primary: float, shadow: float, local: bool = False) -> bool:
        return abs(primary - shadow) <= CLOSE or self._current(primary, shadow, local)

    def _current(self, primary: float, shadow: float, local: bool = False) -> bool:
        """Each lies near its own answer; local times as far off as the other."""
        off = NEAR + _FARTHEST_ZONE if local else NEAR
        return any(
            abs(primary - there) <= off
            and abs(shadow - here) <= off
            and abs((primary - there) - (shadow - here)) <= 2 * NEAR
            for there in self._sides.primary_created
            for here in self._sides.shadow_created
        )

    def _number(self, name: str, primary: int | float | Decimal, shadow: int | float | Decimal) -> str:
        for scale in (1, 1000, 1_000_000, 1_000_000_000):
            least, most = 10**9 * scale, 41 * 10**8 * scale
            if not (least <= primary < most and least <= shadow < most):
                continue
            one, other = float(primary) / scale, float(shadow) / scale
            if self._current(one, other):
                return "time"
            created_known = self._sides.primary_created and self._sides.shadow_created
            if abs(one - other) <= CLOSE and (not created_known or _TIMED_NAME.search(_plain(name))):
                return "time"
        if isinstance(primary, int) and isinstance(shadow, int) and _NUMBERED_NAME.fullmatch(_plain(name)):
            return "id"
        return ""

    def _named(self, name: str, primary: str, shadow: str) -> str:
        """Opaque tokens under a name that says so, and object ids made at the same time."""
        if not (_TOKEN.fullmatch(primary) and _TOKEN.fullmatch(shadow)):
            return ""
        hexadecimal = [bool(_HEX.fullmatch(each)) for each in (primary, shadow)]
        if all(hexadecimal) and len(primary) == len(shadow) == 24:  # MongoDB's begin with the seconds
            if self._close(int(primary[:8], 16), int(shadow[:8], 16)):
                return self._fresh(primary, shadow)
            return ""
        if not _ID_NAME.fullmatch(_plain(name)) or not self.alike(primary, shadow):
            return ""
        return self._fresh(primary, shadow)

    @staticmethod
    def alike(primary: str, shadow: str) -> bool:
        """Are both opaque tokens of one make: a letter and a digit at least, of about one length?"""
        for each in (primary, shadow):
            if not _TOKEN.fullmatch(each) or not any(map(str.isdigit, each)):
                return False
        if _HEX.fullmatch(primary) and _HEX.fullmatch(shadow):
            return len(primary) == len(shadow)
        if primary.count(".") != shadow.count("."):
            return False
        return abs(len(primary) - len(shadow)) <= _TOKEN_SLACK * max(len(primary), len(shadow))

    def _fresh(self, primary: str, shadow: str) -> str:
        """`id` if neither is known to the other side, or to the one that asked."""
        if primary in self._sides.url or shadow in self._sides.url:
            return ""
        return "" if primary in self._shadow_words or shadow in self._primary_words else "id"

    @cached_property
    def _primary_words(self) -> frozenset[str]:
        return frozenset(_WORDS.findall(self._sides.primary_text()))

    @cached_property
    def _shadow_words(self) -> frozenset[str]:
        return frozenset(_WORDS.findall(self._sides.shadow_text()))


def mask(text: str) -> str:
    """`text` with every shape replaced by its name: the same for texts that differ in nothing else."""
    return _SHAPED.sub(lambda found: f"\0{found.lastgroup}\0", text) if len(text) <= _MAX_TEXT else text


def _plain(name: str) -> str:
    """`X-Request-Id`, `request_id` and `requestId` are one name."""
    return _SEPARATORS.sub("", name.lower().removeprefix("x-"))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def _letter_case(text: str) -> int:
    return text.isupper() - text.islower()
