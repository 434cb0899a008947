"""Secrets by their shape."""

from __future__ import annotations

import time

import pytest

from mirror_addon.compare.secrets import is_card
from mirror_addon.compare.secrets import without_secrets

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
KEY = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nMIIE\n-----END RSA PRIVATE KEY-----"


def clean(text: str) -> str:
    return without_secrets(text.encode(), lambda secret: b"<%d>" % len(secret)).decode()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("card 4111 1111 1111 1111.", "card <19>."),
        ('{"pan":"5555555555554444"}', '{"pan":"<16>"}'),
        ("378282246310005 3530111333300000", "<15> <16>"),
        (f"Bearer {JWT}!", f"Bearer <{len(JWT)}>!"),
        (f"a{KEY}b", f"a<{len(KEY)}>b"),
        ("x-----BEGIN PRIVATE KEY-----\nMIIE", "x<32>"),
        ("AKIAIOSFODNN7EXAMPLE", "<20>"),
        ("aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "<64>"),
    ],
)
def test_what_is_found(text: str, shown: str) -> None:
    assert clean(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "4111111111111112",  # another check digit
        "1796100653526",  # milliseconds
        "1796100653526737000",  # nanoseconds
        "12345678901234567890123",
        "x4111111111111111",
        "eyJhbGci.x",
        "-----BEGIN PUBLIC KEY-----",
        "AKIA1",
        "",
        "\x00\xff",
    ],
)
def test_what_is_none(text: str) -> None:
    data = text.encode()
    assert without_secrets(data, lambda secret: b"!") is data


def test_numbers_of_cards() -> None:
    assert is_card("4222222222222") and is_card("30569309025904") and is_card("6011111111111117")
    assert not is_card("0000000000000000") and not is_card("")


@pytest.mark.parametrize(
    "piece", ["eyJ", "eyJaaaaaaaa.", "4", "4 ", "-----BEGIN PRIVATE KEY-----", "aws secret ", "AKIA"]
)
def test_any_text_takes_little_time(piece: str) -> None:
    text = (piece * (1 << 20))[: 1 << 20].encode()
    begin = time.process_time()
    without_secrets(text, lambda secret: b"!")
    assert time.process_time() - begin < 2
