"""Sends less to a mirror that has become slow: `mirror-addon/max-latency`.

Half as much each second while the mirror is slow, an eighth of all more each second while it is not (AIMD, as TCP does
it), so that a mirror under too much load gets what it can bear. What is held back is spread evenly, not drawn.

Slow is a median above the limit. Load makes all answers slower, which a median shows; an endpoint that is slow by
nature, or one answer in a thousand that takes for ever, moves averages and p99 and is no reason to send less.
"""

from __future__ import annotations

import math
from collections import deque

PERIOD = 1.0
"""Seconds between two judgements; and the longest time without a shadow while there are requests."""
LEAST = 3
"""So many answers make a mirror slow; to be quick again one is enough."""
KEPT = 64
"""The last answers since a judgement, of which the median is taken."""
EXPIRES = 10.0
"""Seconds after which an answer says nothing any more."""
STEP = 1 / 8
FLOOR = 1 / 64
"""Powers of two, so that all shares are exact."""


class Backoff:
    """What share of the shadows is let through to a target that should answer within `limit` seconds. Pure: `now` is
    the seconds of a monotonic clock."""

    def __init__(self, limit: float, now: float) -> None:
        self.limit = limit
        self.share = 1.0
        self.active = False
        """From the first cut on, until the mirror is found quick while all shadows are let through."""
        self._latency = math.nan
        self._judged_at = now
        self._answers: deque[tuple[float, float]] = deque(maxlen=KEPT)
        self._passed_at = now
        self._credit = 0.0
        self._unanswered = 0
        self._waiting_since = math.inf

    def take(self, now: float) -> bool:
        """May a shadow pass? One that may is handed over, and its end is told."""
        if self.share < 1:
            self._credit += self.share
            if self._credit < 1 and now - self._passed_at < PERIOD:
                return False
            self._credit = max(self._credit - 1, 0.0)
        self._passed_at = now
        self._unanswered += 1
        if self._unanswered == LEAST:
            self._waiting_since = now
        return True

    def ended(self, now: float, seconds: float) -> None:
        """A shadow was answered after so many seconds, or failed (infinity)."""
        self._unanswered = 0
        self._waiting_since = math.inf
        self._answers.append((now, seconds))

    def dropped(self) -> None:
        """A shadow came to no end that says anything of the mirror."""
        self._unanswered = max(self._unanswered - 1, 0)
        if self._unanswered < LEAST:
            self._waiting_since = math.inf

    def judge(self, now: float) -> bool:
        """Change the share by what is known, once in a period. True: `active` has changed.

        Where several shadows wait and none ends, the mirror is as slow as that has lasted: one that hangs is not left
        to itself until their timeouts. Without any sign of the mirror the share stays.
        """
        if now - self._judged_at < PERIOD:
            return False
        answers = self._answers
        while answers and now - answers[0][0] > EXPIRES:
            answers.popleft()
        if answers:
            latency = sorted(seconds for _, seconds in answers)[len(answers) // 2]
            if latency > self.limit and len(answers) < LEAST:
                return False
        else:
            latency = now - self._waiting_since
            if latency <= self.limit:
                return False
        self._latency, self._judged_at = latency, now
        answers.clear()
        before = self.active
        if latency > self.limit:
            self.share = max(self.share / 2, FLOOR)
            self.active = True
        elif self.share < 1:
            self.share = min(self.share + STEP, 1.0)
        else:
            self.active = False
        return self.active is not before

    def latency(self, now: float) -> float | None:
        """The seconds that were compared last, infinity if most shadows failed; None if that is long ago."""
        return self._latency if now - self._judged_at <= EXPIRES and not math.isnan(self._latency) else None
