"""Secrets in header fields."""

from __future__ import annotations

from mirror_addon.compare.redaction import DEFAULT_REDACTED
from mirror_addon.compare.redaction import REDACTED
from mirror_addon.compare.redaction import redact


def test_names_match_in_any_case_and_order_is_kept() -> None:
    headers = ((b"Accept", b"*/*"), (b"AUTHORIZATION", b"Bearer x"), (b"cookie", b"a=1"), (b"Cookie", b"b=2"))
    assert redact(headers, frozenset({b"authorization", b"cookie"})) == (
        (b"Accept", b"*/*"),
        (b"AUTHORIZATION", REDACTED),
        (b"cookie", REDACTED),
        (b"Cookie", REDACTED),
    )


def test_nothing_to_redact() -> None:
    assert redact(((b"A", b"1"),), frozenset()) == ((b"A", b"1"),)
    assert redact((), frozenset({b"a"})) == ()


def test_the_default_covers_credentials() -> None:
    assert {"Authorization", "Proxy-Authorization", "Cookie", "Set-Cookie"} <= set(DEFAULT_REDACTED)
