"""The nonces of content security policies (CSP3 7.1): each response has new ones, in its header or a meta element, and
in the tags that they allow.

A response is right if it has its own nonce in all places where the primary has the primary's. So nonces are paired, in
the order in which they are first met, and each is compared with its partner.
"""

from __future__ import annotations

import re

from mirror_addon.compare.lists import CSP

_CSP = frozenset(name.encode() for name in CSP)
_SOURCE = re.compile(rb"'nonce-([0-9A-Za-z+/_-]{1,256}={0,2})'", re.IGNORECASE)
_NONCE = re.compile(
    rb"""(?:'|&\#39;|&\#x27;)nonce-([0-9A-Za-z+/_-]{1,256}={0,2})(?:'|&\#39;|&\#x27;)"""
    rb"""|\snonce=["']?([0-9A-Za-z+/_-]{8,256}={0,2})""",
    re.IGNORECASE,
)
_LONG = 8
"""Characters of a nonce that is replaced wherever it stands; a shorter one may be a part of other text."""
_SEARCHED = 1024 * 1024
"""Bytes of a body in which nonces are searched."""

Headers = tuple[tuple[bytes, bytes], ...]


def paired_nonces(primary: Headers, primary_body: bytes, shadow: Headers, shadow_body: bytes) -> dict[bytes, bytes]:
    """The primary's nonce by each different one of the shadow, in headers and bodies."""
    ones = [*dict.fromkeys((*_of_header(primary), *_of_body(primary_body)))]
    if not ones:
        return {}
    others = [*dict.fromkeys((*_of_header(shadow), *_of_body(shadow_body)))]
    return {other: one for one, other in zip(ones, others, strict=False) if other not in ones and one not in others}


def with_primary_nonce(data: bytes, nonce: bytes, primary_nonce: bytes) -> bytes:
    """`data` with the primary's nonce in place of its partner; one that is short only as a source or an attribute."""
    if len(nonce) >= _LONG:
        return data.replace(nonce, primary_nonce)
    place = rb"""(?i:(nonce(?:-|=["']?)))%s(?![0-9A-Za-z+/_=-])""" % re.escape(nonce)
    return re.sub(place, rb"\1" + primary_nonce.replace(b"\\", rb"\\"), data)


def _of_header(headers: Headers) -> list[bytes]:
    return [nonce for name, value in headers if name.lower() in _CSP for nonce in _SOURCE.findall(value)]


def _of_body(body: bytes) -> list[bytes]:
    if b"nonce" not in body:
        return []
    return [one or other for one, other in _NONCE.findall(body[:_SEARCHED])]
