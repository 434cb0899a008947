"""Times relative to their own responses, of the same minute and in a replay three days later."""

from __future__ import annotations

import pytest

from mirror_addon.compare.moments import Moments
from mirror_addon.compare.moments import is_end
from mirror_addon.compare.moments import plain

NOW = 1795348807.0
THEN = NOW - 3 * 86400 - 1234.5
LIVE = Moments((NOW,), (NOW + 2,))
REPLAY = Moments((THEN,), (NOW,))


def test_plain_names() -> None:
    assert plain("X-Request-Id") == plain("request_id") == plain("requestId") == "requestid"


@pytest.mark.parametrize(
    ("moments", "name", "primary", "shadow"),
    [
        (LIVE, "createdAt", NOW - 1e7, NOW - 1e7 + 59),  # stored by two backends
        (LIVE, "at", NOW, NOW + 200),
        (LIVE, "expiresAt", NOW + 3600, NOW + 3602),
        (LIVE, "expiresAt", NOW + 3600, NOW + 3606),
        (Moments(), "expiresAt", NOW + 3600, NOW + 3650),  # when the responses were made is not known
        (REPLAY, "expiresAt", THEN + 3600, NOW + 3601),
        (REPLAY, "expiresAt", THEN + 3600, NOW + 3590.5),
        (REPLAY, "expiresAt", THEN + 3600, NOW + 3670),  # set when the server started
        (REPLAY, "cachedAt", THEN - 86400, NOW - 86400 - 250),
        (REPLAY, "exp", THEN + 60, NOW + 60),
        (REPLAY, "exp", THEN + 60, NOW + 52),
        (REPLAY, "createdAt", THEN - 9000, NOW - 9000),
        (REPLAY, "at", THEN, NOW + 100),
        # the end of a day, an hour or a minute
        (REPLAY, "expires", (THEN + 3 * 86400) // 86400 * 86400, (NOW + 3 * 86400) // 86400 * 86400),
        (REPLAY, "valid_until", (THEN + 7200) // 3600 * 3600, (NOW + 7200) // 3600 * 3600),
        (REPLAY, "expiresOn", (THEN + 7200) // 60 * 60, (NOW + 7200) // 60 * 60),
    ],
)
def test_agree(moments: Moments, name: str, primary: float, shadow: float) -> None:
    assert moments.agree(name, primary, shadow)
    assert moments._replace(primary=moments.shadow, shadow=moments.primary).agree(name, shadow, primary)


@pytest.mark.parametrize(
    ("moments", "name", "primary", "shadow"),
    [
        (LIVE, "createdAt", NOW - 1e7, NOW - 1e7 + 61),
        (LIVE, "at", NOW, NOW + 3600),
        (LIVE, "expiresAt", NOW + 60, NOW + 30),  # half the lifetime
        (LIVE, "exp", NOW + 3600, NOW + 3660),
        (LIVE, "notAfter", NOW + 3600, NOW + 7200),
        (LIVE, "expires", 1795348860, 1795348920),  # a minute more, both at a whole minute
        (REPLAY, "expiresAt", THEN + 3600, NOW + 7200),
        (REPLAY, "expiresAt", THEN + 3600, THEN + 3601),  # it did not move
        (REPLAY, "expiresAt", THEN + 3600, NOW + 3600 + 90),
        (REPLAY, "expiresAt", THEN + 300, NOW + 330),
        (REPLAY, "expiresAt", THEN + 7 * 86400, NOW + 7 * 86400 + 400),
        (REPLAY, "createdAt", THEN - 9000, NOW - 9900),
        (REPLAY, "validTo", (THEN + 7200) // 3600 * 3600, (NOW + 7200) // 3600 * 3600 + 7200),
    ],
)
def test_do_not_agree(moments: Moments, name: str, primary: float, shadow: float) -> None:
    assert not moments.agree(name, primary, shadow)


def test_numbers_need_a_name_where_they_are_not_near() -> None:
    assert not REPLAY.numbers_agree("count", THEN + 9000, NOW + 9000, timed=False)
    assert REPLAY.numbers_agree("until", THEN + 9000, NOW + 9000, timed=True)
    assert REPLAY.numbers_agree("x", THEN, NOW, timed=False)
    assert Moments().numbers_agree("x", NOW, NOW + 1, timed=False)


def test_dates() -> None:
    day = 86400.0
    today, then = NOW // day * day, THEN // day * day
    assert REPLAY.dates_agree(then + 30 * day, today + 30 * day)
    assert not REPLAY.dates_agree(then + 30 * day, today + 32 * day)
    assert not LIVE.dates_agree(today, today + day)
    assert not Moments().dates_agree(today, today + day)


def test_local_times_may_be_off_by_a_zone() -> None:
    assert LIVE.agree("at", NOW + 7200, NOW + 7300, local=True)
    assert not LIVE.agree("at", NOW + 7200, NOW + 7300)


@pytest.mark.parametrize(
    ("name", "end"),
    [
        *((name, True) for name in ("endsAt", "end_date", "currentPeriodEnd", "trial_end", "dueAt", "dueDate")),
        *((name, True) for name in ("Retry-After", "NotOnOrAfter", "leaseEnd", "exp_date")),
        *((name, False) for name in ("endedAt", "sendAt", "weekend", "backend", "end", "trend", "exportedAt", "due")),
    ],
)
def test_names_of_ends(name: str, end: bool) -> None:
    assert is_end(name) is end
