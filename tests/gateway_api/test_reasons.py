"""The codes are the API's own words."""

from __future__ import annotations

from mirror_addon.gateway_api import reasons


def test_codes_are_words_and_differ() -> None:
    codes = [value for name, value in vars(reasons).items() if name.isupper()]
    assert len(set(codes)) == len(codes)
    assert all(code.isalpha() and code[0].isupper() for code in codes)
