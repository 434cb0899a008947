"""Times relative to the responses that have them.

Theory of operation. A response says times of three kinds: that of the moment (`servedAt`), those of things that
happened (`createdAt`), and those at which something ends (`expiresAt`). Two responses to one request say the same if

- both times are at most CLOSE apart: two backends that each stored the same event; or
- each is within NEAR of its own response; or
- both are equally far from their own response, to SLACK or, in a replay, to a small share of the distance. This is what
  a replay needs, where the primary's response was recorded days ago (mitmproxy's server replay moves such times by
  the same distance, "refresh").

The end of something must be equally far whenever it is known when the responses were made: the difference is a
lifetime, and a lifetime of four minutes instead of one is a defect, although both times are near.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

CLOSE = 60.0
"""Seconds that any two times may be apart."""
NEAR = 300.0
"""Seconds that a time may be apart from the time at which its response was made."""
SLACK = 5.0
"""Seconds by which the distances of two times from their responses may differ."""
_REPLAYED_SLACK = 10.0
_REPLAYED_SHARE = 0.02
"""The same in a replay, in seconds and as a share of the distance: a server may have made its times before it was
asked, when it started or when it filled a cache. A lifetime that is two per cent longer is no defect."""
_FARTHEST_ZONE = 14 * 3600.0
"""Seconds by which a time without a zone may be apart from UTC (UTC+14, the largest offset)."""
_DAY = 86400.0
_ROUND = (_DAY, 3600.0, 60.0)
"""An end may be rounded to one of these."""
_REPLAYED_DATES = _DAY / 2
"""Seconds between two responses from which on their dates may be on different days."""
_END = re.compile(
    r".*expir.*|(?:.*[a-z])?(?:until|notafter|notonorafter|validto|validthrough|deadline|duedate|retryafter)"
    r"|(?:.*[a-z])?(?:lease|period|trial|session|subscription|window|grace)ends?(?:at|date|time|on)?"
    r"|ends?(?:at|date|time|on)|due(?:at|by|on)|renewbefore|exp(?:date|time|at|on)?|se|ske|e"
)
_SEPARATORS = re.compile(r"[^a-z0-9]+")


@lru_cache(maxsize=4096)
def plain(name: str) -> str:
    """One spelling for `X-Request-Id`, `request_id` and `requestId`."""
    return _SEPARATORS.sub("", name.lower().removeprefix("x-"))


@lru_cache(maxsize=4096)
def is_end(name: str) -> bool:
    """Whether a name says that its time is the end of something."""
    return _END.fullmatch(plain(name)) is not None


class Moments(NamedTuple):
    """When two responses were made, in seconds since the epoch: by different clocks, so there may be several times of
    each, or none."""

    primary: tuple[float, ...] = ()
    shadow: tuple[float, ...] = ()

    def agree(self, name: str, primary: float, shadow: float, *, local: bool = False) -> bool:
        """Whether two times say the same. `name`: of the member or field that has them. `local`: they have no zone."""
        if self.primary and self.shadow and is_end(name):
            return self._equally_far(primary, shadow, rounded=True)
        return (
            abs(primary - shadow) <= CLOSE
            or self.current(primary, shadow, local=local)
            or self._equally_far(primary, shadow)
        )

    @property
    def known(self) -> bool:
        """Whether it is known of both responses when they were made."""
        return bool(self.primary and self.shadow)

    def current(self, primary: float, shadow: float, *, local: bool = False) -> bool:
        """Whether each time is near the time at which its own response was made.

        `local`: the times have no zone. Then both may be off by a zone, but by the same one.
        """
        off = NEAR + _FARTHEST_ZONE if local else NEAR
        return any(
            abs(primary - created) <= off
            and abs(shadow - other_created) <= off
            and abs((primary - created) - (shadow - other_created)) <= 2 * NEAR
            for created in self.primary
            for other_created in self.shadow
        )

    def numbers_agree(self, name: str, primary: float, shadow: float, *, timed: bool) -> bool:
        """Whether two numbers that may be times, in seconds since the epoch, say the same. `timed`: the name says that
        they are times. Without it a number that is not near its response may as well be a count."""
        if timed or not self.known:
            return self.agree(name, primary, shadow)
        return self.current(primary, shadow)

    def dates_agree(self, primary: float, shadow: float) -> bool:
        """Whether two dates, as midnights in seconds since the epoch, are as many days from their own responses.

        Never for responses of the same day, where another date is a defect.
        """
        return any(
            abs(other_created - created) >= _REPLAYED_DATES
            and abs((primary - created) - (shadow - other_created)) < _DAY
            for created in self.primary
            for other_created in self.shadow
        )

    def _equally_far(self, primary: float, shadow: float, *, rounded: bool = False) -> bool:
        unit = next((each for each in _ROUND if not (primary % each or shadow % each)), 0.0) if rounded else 0.0
        for created in self.primary:
            for other_created in self.shadow:
                distance = primary - created
                apart = abs(distance - (shadow - other_created))
                if apart <= SLACK:
                    return True
                share = min(abs(distance) * _REPLAYED_SHARE, NEAR)
                if abs(created - other_created) > CLOSE and (apart <= max(_REPLAYED_SLACK, share) or apart < unit):
                    return True
        return False
