"""Known shapes: values that are different in every response by their nature, such as times, ids and tokens.

Theory of operation. Two different values are noise if both have the same shape, with these exceptions:

- Times that do not say the same, relative to their own responses (`moments`).
- Times in another style: with and without zone or fraction, or in another format.
- Ids that are not new. An id that is also in the other response or in the URL of the request refers to something, so
  both responses must have the same one. UUIDs made of a name (versions 3 and 5, RFC 9562 5.3 and 5.5) and the nil UUID
  are not random, so they must agree too.
- Ids that are the same in the primary and in the control: then the primary does not generate a new one each time. This
  exception is in `differences`, which knows the control.
- Signed tokens and URLs whose content differs in more than such values (`signed_tokens`, `signed_urls`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from functools import cached_property
from typing import Any
from typing import NamedTuple
from typing import TypeGuard

from mirror_addon.compare import signed_urls
from mirror_addon.compare.moments import Moments
from mirror_addon.compare.moments import plain
from mirror_addon.compare.signed_tokens import SIGNED
from mirror_addon.compare.signed_tokens import is_signed
from mirror_addon.compare.signed_tokens import read_signed
from mirror_addon.compare.timestamps import HTTP
from mirror_addon.compare.timestamps import ISO
from mirror_addon.compare.timestamps import Timestamp
from mirror_addon.compare.timestamps import parse_timestamp

_UUID = r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
_ULID = r"[0-7][0-9A-HJKMNP-TV-Z]{25}"
_SHAPED = re.compile(
    rf"(?<![0-9A-Za-z])(?:(?P<token>{SIGNED})|(?P<time>{ISO}|{HTTP})|(?P<uuid>{_UUID})|(?P<ulid>{_ULID})|(?P<epoch>\d{{10}}(?:\.\d+|\d{{3}})?))"
    r"(?![0-9A-Za-z])"
)
_SHORTEST_ID = 8
_LONGEST_TIME = 40
_MAX_TEXT = 64 * 1024
"""Longer texts are not searched for shapes."""
# The version and variant of a UUID (RFC 9562 4.1 and 4.2).
_NAME_BASED = re.compile(r".{14}[35].{4}[89abAB].*")
_TOKEN = re.compile(r"[0-9A-Za-z_~+/=.;-]{8,4096}")
_HEX = re.compile(r"[0-9a-f]+|[0-9A-F]+")
_WORDS = re.compile(r"[0-9A-Za-z_~-]{8,}")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_WORD = re.compile(r"([\s\"'<>\\]+)")
_MAX_CLAIMS = 200
_LATEST = 10**12
_MAX_DEPTH = 20
_ID_NAME = re.compile(
    r"(?:amzn|amz|datadog|client|b3|parent)?"
    r"(?:request|req|trace|span|parent|parentspan|correlation|transaction|txn?|session|operation|event|message|"
    r"invocation|activity|ray|content)(?:id|uuid|guid)"
    r"|session|sid|(?:session|csrf|xsrf|csrfmiddleware|authenticity|requestverification|access|refresh|id)?token|csrf|nonce|jti|etag"
    r"|traceparent|tracestate|cfray|amzid2|amzcfid|b3|cloudtracecontext"
)
_NUMBERED_NAME = re.compile(r"(?:(?:request|req|trace|span|parent|parentspan|correlation)id)")
_TIMED_NAME = re.compile(
    r"(?:at|time|timestamp|ts|date|exp|iat|nbf|until|updated|created|modified|now|deadline"
    r"|expir(?:es|y|ation|e)(?:on|in|at|date|time)?|valid(?:to|from|through)|not(?:before|after))\Z"
)
_TOKEN_SLACK = 0.25
"""Share by which two opaque tokens may differ in length."""
_DRAWN_LENGTH = 20
_DRAWN_SHARE = 0.2
"""Of letters in upper and of letters in lower case. OrderServiceConfiguration has a tenth in upper case."""


class Sides(NamedTuple):
    """What of both responses matters for a single value.

    `primary_created`, `shadow_created`: when the response was made, in seconds since the epoch; there may be no such
    time, or two. `primary_text`, `shadow_text`: return the whole body as text. `url`: of the request. `undone`:
    undoes in a text of the shadow what it repeats of its request.
    """

    primary_created: tuple[float, ...] = ()
    shadow_created: tuple[float, ...] = ()
    primary_text: Callable[[], str] = str
    shadow_text: Callable[[], str] = str
    url: str = ""
    undone: Callable[[str], str] = str


class Shapes:
    """Finds known shapes in the values of one pair of responses."""

    def __init__(self, sides: Sides) -> None:
        self._sides = sides
        self._moments = Moments(sides.primary_created, sides.shadow_created)

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
            return self._times(name, one, parse_timestamp(shadow)) if len(shadow) <= _LONGEST_TIME else ""
        if _DATE.fullmatch(primary) and _DATE.fullmatch(shadow):
            return self._dates(primary, shadow)
        if found := self._shapes(name, primary, shadow):
            return found
        if signed_urls.may_be_signed(primary) and len(primary) <= _MAX_TEXT and len(shadow) <= _MAX_TEXT:
            return self._signed_urls(name, primary, shadow)
        if plain(name).endswith("policy") and primary.startswith("eyJ"):
            return "signed" if signed_urls.same_policy(primary, shadow, self._parameters_agree) else ""
        if is_signed(primary) and is_signed(shadow):
            return ""  # they can be read, and their contents differ
        return self._named(name, primary, shadow)

    def _dates(self, primary: str, shadow: str) -> str:
        one, other = (parse_timestamp(f"{each}T00:00Z") for each in (primary, shadow))
        return "time" if one and other and self._moments.dates_agree(one.seconds, other.seconds) else ""

    def _signed_urls(self, name: str, primary: str, shadow: str) -> str:
        """`signed` if two texts are the same except for signed URLs that say the same, and known shapes."""
        words, others = _WORD.split(primary), _WORD.split(shadow)
        if len(words) != len(others):
            return ""
        for word, other in zip(words, others, strict=True):
            if word == other or signed_urls.say_the_same(word, other, self._parameters_agree):
                continue
            if not self._shapes(name, word, other):
                return ""
        return "signed"

    def _parameters_agree(self, name: str, primary: str, shadow: str) -> bool:
        if primary.isdecimal() and shadow.isdecimal():
            return len(primary) == len(shadow) and self._number(name, int(primary), int(shadow)) == "time"
        return bool(self._times(name, parse_timestamp(primary), parse_timestamp(shadow)))

    def _tokens(self, primary: str, shadow: str) -> str:
        """`token` if two signed tokens say the same."""
        one, other = read_signed(primary), read_signed(shadow)
        if one is None or other is None or len(one) != len(other):
            return ""
        headers, others = (
            [{key: value for key, value in part.items() if key != "kid"} for part in token[:-1]]
            for token in (one, other)
        )
        return "token" if headers == others and self._claims_agree(one[-1], other[-1]) else ""

    def _claims_agree(self, primary: Any, shadow: Any, depth: int = 0) -> bool:
        """Whether all claims of two tokens are the same, or in a known shape."""
        if isinstance(shadow, str):
            shadow = self._sides.undone(shadow)
        if primary == shadow:
            return True
        if not isinstance(primary, dict) or not isinstance(shadow, dict):
            return False
        if primary.keys() != shadow.keys() or len(primary) > _MAX_CLAIMS or depth > _MAX_DEPTH:
            return False
        if (lifetime := _lifetime(primary)) is not None and (other_lifetime := _lifetime(shadow)) is not None:
            if abs(lifetime - other_lifetime) > 1:
                return False
            primary, shadow = ({name: each[name] for name in each if name != "exp"} for each in (primary, shadow))
        return all(
            value == shadow[name]
            or bool(self.noise(name, value, shadow[name]))
            or self._claims_agree(value, shadow[name], depth + 1)
            for name, value in primary.items()
        )

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
                found = self._same_shape(_named_before(primary, one, name), str(one.lastgroup), one[0], other[0])
                if not found:
                    return ""
                shape = shape or found
        return shape if primary[end:] == shadow[other_end:] else ""

    def _same_shape(self, name: str, shape: str, primary: str, shadow: str) -> str:
        if shape == "token":
            return self._tokens(primary, shadow)
        if shape == "time":
            return self._times(name, parse_timestamp(primary), parse_timestamp(shadow))
        if shape == "epoch":
            return self._number(name, float(primary), float(shadow)) if len(primary) == len(shadow) else ""
        if shape == "uuid":
            if any(_NAME_BASED.fullmatch(each) or not each.strip("0-") for each in (primary, shadow)):
                return ""
            if _letter_case(primary) * _letter_case(shadow) < 0:
                return ""
        return self._fresh(primary, shadow)

    def _times(self, name: str, one: Timestamp | None, other: Timestamp | None) -> str:
        if one is None or other is None or one.style != other.style:
            return ""
        return "time" if self._moments.agree(name, one.seconds, other.seconds, local=one.local) else ""

    def _number(self, name: str, primary: int | float | Decimal, shadow: int | float | Decimal) -> str:
        """Epoch times in seconds, milli-, micro- or nanoseconds between 2001 and 2099, and ids that are numbers."""
        timed = _TIMED_NAME.search(plain(name)) is not None
        for scale in (1, 1000, 1_000_000, 1_000_000_000):
            least, most = 10**9 * scale, 41 * 10**8 * scale
            if not (least <= primary < most and least <= shadow < most):
                continue
            if self._moments.numbers_agree(name, float(primary) / scale, float(shadow) / scale, timed=timed):
                return "time"
        if isinstance(primary, int) and isinstance(shadow, int) and _NUMBERED_NAME.fullmatch(plain(name)):
            return "id"
        return ""

    def _named(self, name: str, primary: str, shadow: str) -> str:
        """MongoDB object ids made at the same time, and opaque tokens under a name such as `requestId`."""
        if not (_TOKEN.fullmatch(primary) and _TOKEN.fullmatch(shadow)):
            return ""
        hexadecimal = [bool(_HEX.fullmatch(each)) for each in (primary, shadow)]
        if all(hexadecimal) and len(primary) == len(shadow) == 24:  # the first 4 bytes are seconds since the epoch
            if self._moments.agree("", int(primary[:8], 16), int(shadow[:8], 16)):
                return self._fresh(primary, shadow)
            return ""
        if not _ID_NAME.fullmatch(plain(name)) or not self.alike(primary, shadow):
            return ""
        return self._fresh(primary, shadow)

    @staticmethod
    def alike(primary: str, shadow: str) -> bool:
        """Whether both are opaque tokens of one kind: with a digit or drawn letters, and of about the same length."""
        for each in (primary, shadow):
            if not _TOKEN.fullmatch(each) or not (any(map(str.isdigit, each)) or _drawn(each)):
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


def _drawn(text: str) -> bool:
    """Whether letters are mixed as no words are: one of 200 tokens of 32 characters in Base64 has no digit."""
    upper, lower = sum(map(str.isupper, text)), sum(map(str.islower, text))
    return len(text) >= _DRAWN_LENGTH and min(upper, lower) >= _DRAWN_SHARE * len(text)


def _named_before(text: str, value: re.Match[str], name: str) -> str:
    """The name of a value within a text: `expires_at` in `#expires_at=1795352400`; else that of the text."""
    found = _BEFORE_VALUE.search(text, max(0, value.start() - _LONGEST_NAME), value.start())
    return found[1] if found else name


_LONGEST_NAME = 48
_BEFORE_VALUE = re.compile(r"""(?<![\w-])([A-Za-z_][\w-]{0,39})["']?\s?(?:=|:|%3D)\s?["']?\Z""")


def mask(text: str) -> str:
    """`text` with every shape replaced by its name, so that texts that differ only in shapes become equal."""
    return _SHAPED.sub(lambda found: f"\0{found.lastgroup}\0", text) if len(text) <= _MAX_TEXT else text


def _lifetime(claims: dict[str, Any]) -> float | None:
    """Seconds for which a token is valid, by its own account."""
    begins, ends = claims.get("iat"), claims.get("exp")
    if _is_number(begins) and _is_number(ends) and 0 <= begins < _LATEST and 0 <= ends < _LATEST:
        return float(ends) - float(begins)
    return None


def _is_number(value: object) -> TypeGuard[int | float | Decimal]:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def _letter_case(text: str) -> int:
    """1 for upper case, -1 for lower case, 0 for mixed case or no letters."""
    return text.isupper() - text.islower()
