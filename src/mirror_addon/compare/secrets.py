"""Values whose shape says that they are secret: card numbers, JSON Web Tokens, private keys, keys of AWS. Pure.

They are found by RE2, in time that grows with the length of the text, whatever the text is. A number is that of a card
if its first digits and its length are those of an issuer, and its check digit is right (ISO/IEC 7812, Luhn).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import re2

_CARD = rb"\b\d(?:[ -]?\d){12,18}\b"
_SHAPES = rb"|".join(
    (
        rb"(" + _CARD + rb")",
        rb"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]*",  # a JWT: its header and claims are JSON
        rb"(?s:-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY[A-Z ]{0,10}-----.*?"
        rb"(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY[A-Z ]{0,10}-----|\z))",
        rb"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}\b",
        rb"(?i:aws.{0,20}secret.{0,20}[\"'\s:=])[A-Za-z0-9/+]{40}\b",
    )
)
_ISSUERS = (
    ((13, 16, 19), ("4",)),
    ((15,), ("34", "37")),
    ((16,), ("51", "52", "53", "54", "55", "2221", "223", "224", "225", "226", "23", "24", "25", "26", "270", "271")),
    ((16,), ("6011", "644", "645", "646", "647", "648", "649", "65", "3528", "353", "354", "355", "356", "357", "358")),
    ((14,), ("300", "301", "302", "303", "304", "305", "36", "38")),
)


def _compiled() -> Any:
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.log_errors = False
    return re2.compile(_SHAPES, options)


_PATTERN = _compiled()


def is_card(digits: str) -> bool:
    """Whether these digits are the number of a card."""
    if not any(len(digits) in lengths and digits.startswith(first) for lengths, first in _ISSUERS):
        return False
    total = 0
    for index, digit in enumerate(reversed(digits)):
        value = int(digit) << (index % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def without_secrets(text: bytes, placeholder: Callable[[bytes], bytes]) -> bytes:
    """Return `text` with each secret replaced by `placeholder(secret)`; the same object if there is none."""

    def replaced(found: Any) -> bytes:
        secret: bytes = found.group()
        if found.group(1) and not is_card("".join(filter(str.isdigit, secret.decode("latin-1")))):
            return secret
        return placeholder(secret)

    if _PATTERN.search(text) is None:
        return text
    changed: bytes = _PATTERN.sub(replaced, text)
    return text if changed == text else changed
