"""Signed tokens that can be read: their content is compared, not their signature.

JSON Web Tokens (RFC 7519), and the messages that Rails, Flask and Django sign. They are recognised by their shape: each
begins with a JSON object in base64, `eyJ`. A signature says nothing of its own: it differs whenever the content does,
or the time at which it was made.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

from mirror_addon.compare.json_documents import JsonError
from mirror_addon.compare.json_documents import read_json

SIGNED = (
    r"(?<![0-9A-Za-z_-])eyJ[0-9A-Za-z_-]{4,8192}(?:"
    r"\.eyJ[0-9A-Za-z_-]{1,8192}\.[0-9A-Za-z_-]{0,2048}"  # JWT; unsigned ones end with the dot
    r"|(?:={0,2}|(?:%3D){0,2})--[0-9a-f]{40,128}"  # Rails, ActiveSupport::MessageVerifier
    r"|[.:][0-9A-Za-z_-]{4,12}[.:][0-9A-Za-z_-]{20,90}"  # Flask (itsdangerous) and Django: content, time, signature
    r")"
)
"""A regex for a signed token. Each part has a limit, so that a search takes linear time."""

_SIGNED = re.compile(SIGNED)
Content = tuple[dict[str, Any], ...]


def is_signed(text: str) -> bool:
    """Whether a text has a signed token in it."""
    return "eyJ" in text and _SIGNED.search(text) is not None


def read_signed(token: str) -> Content | None:
    """What a token that matches SIGNED says: header and claims of a JWT, else one object. None if it is not JSON."""
    parts = token.replace("--", ".").replace(":", ".").split(".")
    texts = parts[:2] if parts[1].startswith("eyJ") else parts[:1]
    found: list[dict[str, Any]] = []  # of objects, because that is what `eyJ` begins
    for text in texts:
        try:
            found.append(read_json(_decoded(text).decode()))
        except (JsonError, UnicodeDecodeError, binascii.Error):
            return None
    return tuple(found)


def _decoded(text: str) -> bytes:
    text = text.removesuffix("%3D").removesuffix("%3D").rstrip("=").translate(_URL_SAFE)
    return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)


_URL_SAFE = str.maketrans("-_", "+/")
