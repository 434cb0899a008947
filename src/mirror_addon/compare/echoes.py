"""What a mirror's response repeats of what the proxy changed in its request.

Theory of operation. A shadow differs from the primary's request in its Host and in one more hop in X-Forwarded-For,
and has no fields of the connection. Services build links, redirects and cookie domains from Host, and some repeat all
of the request. So the changes are undone in the response (`undone`) before it is compared. What differs only before
that is noise, for the reason `echo`; another host, or another address, differs after it too.

The nonce of a content security policy is put back in the same way, for the reason `nonce` (`nonces`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from mirror_addon.compare.moments import plain
from mirror_addon.compare.nonces import with_primary_nonce

_BEFORE = (
    rb"(?:(?<![0-9A-Za-z_-])|(?<=%[0-9A-Fa-f][0-9A-Fa-f])|(?<=%25[0-9A-Fa-f][0-9A-Fa-f])|(?<=\\[bfnrt])"
    rb"|(?<=\\u[0-9A-Fa-f][0-9A-Fa-f][0-9A-Fa-f][0-9A-Fa-f])|(?<=\\x[0-9A-Fa-f][0-9A-Fa-f]))"
)
"""A host may stand behind an escape of a URL, of a URL in its query, of JSON or of JavaScript, which ends in a letter
or a digit."""
_AFTER = rb"(?![0-9A-Za-z_-])"
_ADDRESS = r"(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f.]{0,15}){2,7})"
_LONGEST = 1000
"""Longer values of X-Forwarded-For, and longer texts with an address in them, are not looked at."""
Headers = tuple[tuple[bytes, bytes], ...]
_OF_THE_CONNECTION = frozenset({"connection", "keepalive", "proxyconnection", "te", "trailer", "upgrade", "expect"})
"""Fields that shadows do not have (`shadow.request`)."""


class Asked(NamedTuple):
    """How a mirror was asked: what its request has, and what the primary's has in its place.

    `host`, `primary_host`: without port. `hop`: what was appended to X-Forwarded-For, `forwarded`: what was there.
    """

    host: bytes
    primary_host: bytes
    hop: bytes = b""
    forwarded: bytes = b""

    def may_be_in(self, data: bytes) -> bool:
        """Whether a response may repeat something of it, by a quick look: most do not.

        Tokens hide what they repeat, and other fields than Host are known by the word for them.
        """
        find = data.find  # `in` first tries to take the other side for a number, and makes an exception of that
        if find(self.host) >= 0 or find(self.host.lower()) >= 0 or find(b"eader") >= 0 or find(b"eyJ") >= 0:
            return True
        return bool(self.hop) and find(self.hop) >= 0


def asked_by(authority: bytes, headers: Headers, suffix: bytes) -> Asked:
    """How a mirror was asked by a request with this Host and these fields. `suffix`: what was appended to the host."""
    colon = authority.rfind(b":")
    host = authority[:colon] if colon > authority.rfind(b"]") else authority
    values = [value for name, value in headers if len(name) == 15 and name.lower() == b"x-forwarded-for"]
    forwarded, _, hop = (values[-1] if values else b"").rpartition(b",")
    return Asked(host, host.removesuffix(suffix), hop.strip(), forwarded.strip())


class Echo:
    """Undoes in one response what was changed in its request. `nonces`: the primary's by the shadow's."""

    def __init__(self, asked: Asked | None, nonces: Mapping[bytes, bytes]) -> None:
        self._asked = asked
        self._nonces = nonces
        self._by_primary = {one.decode("latin-1"): other.decode("latin-1") for other, one in nonces.items()}
        self._hosts: dict[bytes, bytes] = {}
        self._hop = ""
        if asked is None:
            return
        if asked.host != asked.primary_host and asked.primary_host:
            self._hosts = {
                asked.host: asked.primary_host,
                asked.host.lower(): asked.primary_host.lower(),
            }
        if len(asked.forwarded) <= _LONGEST:
            self._hop = asked.hop.decode("latin-1")

    def undone(self, data: bytes) -> bytes:
        """`data` with the primary's host, hops and nonces; the same object if there is nothing to undo."""
        for host, primary_host in self._hosts.items():
            if host in data:
                data = re.sub(_BEFORE + re.escape(host) + _AFTER, primary_host.replace(b"\\", rb"\\"), data)
        asked = self._asked
        if asked is not None and self._hop and asked.forwarded and asked.hop in data:
            data = _list_of_hops(asked).sub(rb"\1", data)
        for nonce, primary_nonce in self._nonces.items():
            if nonce in data:
                data = with_primary_nonce(data, nonce, primary_nonce)
        return data

    def undone_text(self, text: str) -> str:
        """The same of a text."""
        return self.undone(text.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")

    def undone_headers(self, headers: Headers) -> Headers:
        """The same of the values of header fields."""
        values = [value for _, value in headers]
        together = b"\n".join(values)
        if self.undone(together) is together:
            return headers
        return tuple((name, self.undone(value)) for name, value in headers)

    def reason(self, shadow: object) -> str:
        """Why a value differs that is the same when undone: `echo` or `nonce`."""
        text = str(shadow)
        return "nonce" if any(nonce in text for nonce in self._by_primary.values()) else "echo"

    def noise(self, name: str, path: str, kind: str, primary: object, shadow: object) -> str | None:
        """The reason why two values are the same although `undone` leaves them different.

        Empty: they are not the same, whatever they look like. None: they are no echoes.
        """
        if isinstance(primary, str) and primary in self._by_primary:
            return "nonce" if self._by_primary[primary] == shadow else ""
        if self._asked is None:
            return None
        if "header" in path[:_LONGEST].lower() and plain(name.rpartition("_")[2]) in _OF_THE_CONNECTION:
            return "echo"
        if self._hop and kind == "extra" and not self._asked.forwarded and self._is_new_field(name, shadow):
            return "echo"
        if self._hop and kind == "value" and isinstance(primary, str) and isinstance(shadow, str):
            return "echo" if self._client_differs(primary, shadow) else None
        return None

    def _is_new_field(self, name: str, shadow: object) -> bool:
        """Whether a field that only the shadow has is its X-Forwarded-For."""
        if plain(name).endswith("forwardedfor"):
            return shadow == self._hop or shadow == [self._hop]
        line = rf"\W*x[-_]forwarded[-_]for\W+{re.escape(self._hop)}\W*"
        return isinstance(shadow, str) and len(shadow) <= _LONGEST and re.fullmatch(line, shadow, re.I) is not None

    def _client_differs(self, primary: str, shadow: str) -> bool:
        """Whether the last hop is taken for the client: that of the primary, or the address that it was asked from."""
        if self._hop not in shadow or max(len(primary), len(shadow)) > _LONGEST:
            return False
        parts = re.split(rf"(?<![0-9A-Za-z.]){re.escape(self._hop)}(?![0-9A-Za-z]|\.[0-9A-Za-z])", shadow)
        assert self._asked is not None
        last = self._asked.forwarded.rpartition(b",")[2].strip().decode("latin-1")
        address = re.escape(last) if last else _ADDRESS
        return len(parts) == 2 and re.fullmatch(address.join(map(re.escape, parts)), primary) is not None


def _list_of_hops(asked: Asked) -> re.Pattern[bytes]:
    """A regex for all hops of the shadow as a list, of which group 1 is what the primary has."""
    hops = [re.escape(hop.strip()) for hop in asked.forwarded.split(b",")]
    before = rb"""["']?\s{0,99},\s{0,99}["']?""".join(hops)
    last = re.escape(asked.hop)
    return re.compile(
        rb"""(?<![0-9A-Za-z.])(%s)(?:\s{0,99},\s{0,99}%s|"\s{0,99},\s{0,99}"%s)(?![0-9A-Za-z]|\.[0-9A-Za-z])"""
        % (before, last, last)
    )
