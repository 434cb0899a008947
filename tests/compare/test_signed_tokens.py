"""Signed tokens: which are read, and what they say."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import pytest

from mirror_addon.compare.signed_tokens import is_signed
from mirror_addon.compare.signed_tokens import read_signed


def encoded(document: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(document).encode()).decode().rstrip("=")


HEADER = encoded({"alg": "HS256", "typ": "JWT"})
CLAIMS = {"sub": "7", "name": "Zoë?>", "exp": 1}


@pytest.mark.parametrize(
    ("token", "content"),
    [
        (f"{HEADER}.{encoded(CLAIMS)}.c2ln", ({"alg": "HS256", "typ": "JWT"}, CLAIMS)),
        (f"{HEADER}.{encoded(CLAIMS)}.", ({"alg": "HS256", "typ": "JWT"}, CLAIMS)),
        (f"{encoded(CLAIMS)}--{'0a' * 20}", (CLAIMS,)),
        (f"{encoded(CLAIMS)}%3D%3D--{'0a' * 32}", (CLAIMS,)),
        (f"{encoded(CLAIMS)}.Zx4yAb.{'aB3_' * 7}", (CLAIMS,)),
        (f"{encoded(CLAIMS)}:1kXyZ9:{'aB3-' * 10}", (CLAIMS,)),
        ("eyJhYmNk.eyJhYmNk.c2ln", None),
        ("eyJ_____.eyJhYmNk.c2ln", None),
        ("eyJhYmNkZ.eyJhYmNk.c2ln", None),
    ],
)
def test_read(token: str, content: object) -> None:
    if content is not None:
        assert is_signed(f"Bearer {token}")
    assert read_signed(token) == content


@pytest.mark.parametrize("text", ["", "eyJhbGciOiJub25lIn0", "a.b.c", f"{HEADER}..", "--" + "0" * 40])
def test_no_tokens(text: str) -> None:
    assert not is_signed(text)


@pytest.mark.parametrize("text", ["eyJ" * 20000, "eyJaaaa." * 8000, ("eyJ" + "a" * 8000) * 8])
def test_hostile_texts_take_bounded_time(text: str) -> None:
    began = time.process_time()
    is_signed(text)
    assert time.process_time() - began < 3
