"""Known shapes: values that are different in every response by their nature, such as times, ids and tokens.

Theory of operation. Two different values are noise if both have the same shape, with these exceptions:

- Times that are more than a minute apart (`CLOSE`), unless each is near the time at which its own response was made
  (`NEAR`). A time that is off by an hour or days is a defect, but two backends that each stored the same event have
  times that are seconds apart, however old the event is.
- Times in another style: with and without zone or fraction, or in another format.
- Ids that are not new. An id that is also in the other response or in the URL of the request refers to something, so
  both responses must have the same one. UUIDs made of a name (versions 3 and 5, RFC 9562 5.3 and 5.5) and the nil UUID
  are not random, so they must agree too.
- Ids that are the same in the primary and in the control: then the primary does not generate a new one each time. This
  exception is in `differences`, which knows the control.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from functools import cached_property
from typing import NamedTuple
from typing import TypeGuard

from mirror_addon.compare.timestamps import HTTP
from mirror_addon.compare.timestamps import ISO
from mirror_addon.compare.timestamps import Timestamp
from mirror_addon.compare.timestamps import parse_timestamp

CLOSE = 60.0
"""Seconds that any two times may be apart."""
NEAR = 300.0
"""Seconds that a time may be apart from the time at which its response was made."""
_FARTHEST_ZONE = 14 * 3600.0
"""Seconds by which a time without a zone may be apart from UTC (UTC+14, the largest offset)."""

_UUID = r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
_ULID = r"[0-7][0-9A-HJKMNP-TV-Z]{25}"
_SHAPED = re.compile(
    rf"(?<![0-9A-Za-z])(?:(?P<time>{ISO}|{HTTP})|(?P<uuid>{_UUID})|(?P<ulid>{_ULID})|(?P<epoch>\d{{10}}(?:\.\d+|\d{{3}})?))"
    r"(?![0-9A-Za-z])"
)
_SHORTEST_ID = 8
_LONGEST_TIME = 40
_MAX_TEXT = 64 * 1024
"""Longer texts are not searched for shapes."""
# The version and variant of a UUID (RFC 9562 4.1 and 4.2).
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
    """What of both responses matters for a single value.

    `primary_created`, `shadow_created`: when the response was made, in seconds since the epoch; there may be no such
    time, or two. `primary_text`, `shadow_text`: return the whole body as text. `url`: of the request.
    """

    primary_created: tuple[float, ...] = ()
    shadow_created: tuple[float, ...] = ()
    primary_text: Callable[[], str] = str
    shadow_text: Callable[[], str] = str
    url: str = ""


class Shapes:
    """Finds known shapes in the values of one pair of responses."""

    def __init__(self, sides: Sides) -> None:
        self._sides = sides

    def noise(self, name: str, primary: object, shadow: object) -> str:
        """The name of the shape that two different values share (`time`, `id`), or empty if they are not noise.

        `name`: of the member, field or header that has these values.
        """
        if isinstance(primary, str) and isinstance(shadow, str):
            return self._text(name, primary, shadow)
        if _is_number(primary) and _is_number(shadow):
            return self._number(name, primary, shadow)
        return ""

    def _text(self, name: str, primary: str, shadow: str) -> str:
        if len(primary) < _SHORTEST_ID or len(shadow) < _SHORTEST_ID:
            return ""
        if len(primary) <= _LONGEST_TIME and (one := parse_timestamp(primary)):
            return self._times(one, parse_timestamp(shadow)) if len(shadow) <= _LONGEST_TIME else ""
        return self._shapes(name, primary, shadow) or self._named(name, primary, shadow)

    def _shapes(self, name: str, primary: str, shadow: str) -> str:
        """The first differing shape in two texts that are the same otherwise, or empty.

        For example, `done at 2026-11-22T12:00:00Z` and `done at 2026-11-22T12:00:01Z` differ in `time` only.
        """
        if len(primary) > _MAX_TEXT or len(shadow) > _MAX_TEXT:
            return ""
        matches, others = list(_SHAPED.finditer(primary)), list(_SHAPED.finditer(shadow))
        if not matches or len(matches) != len(others):
            return ""
        shape = ""
        end = other_end = 0
        for one, other in zip(matches, others, strict=True):
            if primary[end : one.start()] != shadow[other_end : other.start()] or one.lastgroup != other.lastgroup:
                return ""
            end, other_end = one.end(), other.end()
            if one[0] != other[0]:
                found = self._same_shape(name, str(one.lastgroup), one[0], other[0])
                if not found:
                    return ""
                shape = shape or found
        return shape if primary[end:] == shadow[other_end:] else ""

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
        """Whether each time is near the time at which its own response was made.

        `local`: the times have no zone. Then both may be off by a zone, but by the same one.
        """
        off = NEAR + _FARTHEST_ZONE if local else NEAR
        return any(
            abs(primary - created) <= off
            and abs(shadow - other_created) <= off
            and abs((primary - created) - (shadow - other_created)) <= 2 * NEAR
            for created in self._sides.primary_created
            for other_created in self._sides.shadow_created
        )

    def _number(self, name: str, primary: int | float | Decimal, shadow: int | float | Decimal) -> str:
        """Epoch times in seconds, milli-, micro- or nanoseconds between 2001 and 2099, and ids that are numbers."""
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
        """MongoDB object ids made at the same time, and opaque tokens under a name such as `requestId`."""
        if not (_TOKEN.fullmatch(primary) and _TOKEN.fullmatch(shadow)):
            return ""
        hexadecimal = [bool(_HEX.fullmatch(each)) for each in (primary, shadow)]
        if all(hexadecimal) and len(primary) == len(shadow) == 24:  # the first 4 bytes are seconds since the epoch
            if self._close(int(primary[:8], 16), int(shadow[:8], 16)):
                return self._fresh(primary, shadow)
            return ""
        if not _ID_NAME.fullmatch(_plain(name)) or not self.alike(primary, shadow):
            return ""
        return self._fresh(primary, shadow)

    @staticmethod
    def alike(primary: str, shadow: str) -> bool:
        """Whether both are opaque tokens of the same kind: with a digit, and of about the same length."""
        for each in (primary, shadow):
            if not _TOKEN.fullmatch(each) or not any(map(str.isdigit, each)):
                return False
        if _HEX.fullmatch(primary) and _HEX.fullmatch(shadow):
            return len(primary) == len(shadow)
        if primary.count(".") != shadow.count("."):
            return False
        return abs(len(primary) - len(shadow)) <= _TOKEN_SLACK * max(len(primary), len(shadow))

    def _fresh(self, primary: str, shadow: str) -> str:
        """`id` if neither value is in the other response or in the URL of the request, else empty."""
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
    """`text` with every shape replaced by its name, so that texts that differ only in shapes become equal."""
    return _SHAPED.sub(lambda found: f"\0{found.lastgroup}\0", text) if len(text) <= _MAX_TEXT else text


def _plain(name: str) -> str:
    """One spelling for `X-Request-Id`, `request_id` and `requestId`."""
    return _SEPARATORS.sub("", name.lower().removeprefix("x-"))


def _is_number(value: object) -> TypeGuard[int | float | Decimal]:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def _letter_case(text: str) -> int:
    """1 for upper case, -1 for lower case, 0 for mixed case or no letters."""
    return text.isupper() - text.islower()
