"""What a shadow looks like: a copy of the request as it leaves, edited as Envoy edits it (envoy-shadowing.md 1.3-1.7).

Pure, and quick: this runs in the proxy's loop once for each shadow.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING
from typing import NamedTuple

if TYPE_CHECKING:
    from mirror_addon.routing.clusters import Cluster
    from mirror_addon.routing.clusters import Endpoint
    from mirror_addon.routing.decision import Mirror
    from mirror_addon.routing.decision import Request
    from mirror_addon.routing.fields import Fields
    from mirror_addon.shadow.subject import Subject

_SPECIAL = frozenset(
    {
        b"",
        b"connection",
        b"content-length",
        b"expect",
        b"host",
        b"keep-alive",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
        b"x-forwarded-for",
    }
)
_NEVER_NOMINATED = frozenset({b"te", b"content-length", b"transfer-encoding"})

# What h11 writes: names are tokens, values have no NUL and no white space but space and tab (h11/_abnf.py).
_TOKEN = b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_NOT_IN_VALUE = b"\x00\n\x0b\x0c\r"
_VALUE = bytes(sorted(set(range(256)) - set(_NOT_IN_VALUE)))
_VISIBLE = bytes(range(0x21, 0x7F))
_TO_SPACES = bytes.maketrans(_NOT_IN_VALUE, b" " * len(_NOT_IN_VALUE))
_FOLD = re.compile(rb"[ \t]*\r?\n[ \t]+")
_NAME = itemgetter(0)
_CONTENT = itemgetter(1)


class ClientTLS(NamedTuple):
    """How a worker speaks TLS to a target; the fields of a cluster's TLS."""

    ca_certificates: str
    client_certificate: str
    private_key: str
    subject_alt_names: tuple[str, ...]
    insecure_skip_verify: bool


class Target(NamedTuple):
    """Where a shadow goes. Shadows of equal targets share lanes and circuit breaker."""

    label: str
    address: str
    """An IP, a DNS name, or `unix:///path`."""
    port: int
    http2: bool
    """The port's protocol is HTTP/2: prior knowledge without TLS. With TLS, ALPN decides."""
    server_name: str
    """For SNI and certificate check: of the cluster, never of the shadow's Host (istio#39858)."""
    tls: ClientTLS | None


@dataclass(slots=True)
class ShadowRequest:
    """A shadow, ready to be sent. `headers` are without Host, and carry the framing."""

    id: str
    target: Target
    method: bytes
    authority: bytes
    path: bytes
    headers: Fields
    timeout: float
    """Seconds for the whole shadow, from connect to last byte."""
    adaptions: tuple[str, ...] = ()
    """In what it cannot be exactly as the primary: `obs_fold`, `illegal_value`, `illegal_name`, `second_host`,
    `missing_host`, `target_bytes`, `content_length`, `transfer_encoding`."""
    subject: Subject | None = None
    """What the comparison and the record say of it; None: there is neither."""


def target_of(cluster: Cluster, endpoint: Endpoint) -> Target:
    """The target of a mirror's cluster and chosen endpoint."""
    return _target(cluster, endpoint.address, endpoint.port)


@functools.lru_cache(maxsize=256)
def _target(cluster: Cluster, address: str, port: int) -> Target:
    tls = cluster.tls
    return Target(
        cluster.label or cluster.host,
        address,
        port,
        cluster.is_http2,
        (tls.sni if tls is not None else "") or cluster.host or address,
        None
        if tls is None
        else ClientTLS(
            tls.ca_certificates,
            tls.client_certificate,
            tls.private_key,
            tuple(tls.subject_alt_names),
            tls.insecure_skip_verify,
        ),
    )


def shadow_authority(authority: bytes, suffix: bytes) -> bytes:
    """Append `suffix` to a Host, before its port.

    What follows the last colon is the port, unless that colon stands inside brackets; it need not be a number
    (envoy header_utility.cc, getPortStart).
    """
    colon = authority.rfind(b":")
    if colon > authority.rfind(b"]"):
        return authority[:colon] + suffix + authority[colon:]
    return authority + suffix


def shadow_request(
    request: Request,
    mirror: Mirror,
    *,
    id: str,
    body: int | None,
    own_address: bytes,
    suffix: bytes = b"-shadow",
    timeout: float = 30.0,
) -> ShadowRequest:
    """The shadow of `request`, which is the request as it leaves, for a mirror that has an endpoint.

    `body` is the length of the whole body in bytes, None for one that is passed on in pieces (`Dispatcher.open`).
    `own_address` is appended to X-Forwarded-For. `timeout` holds where the mirror's route has none. The mirror's own
    edit of header fields comes first, as Envoy's `request_headers_mutations`: the hop is appended to what it leaves.
    """
    assert mirror.endpoint is not None
    target = target_of(mirror.cluster, mirror.endpoint)
    adaptions: list[str] = []
    fields: list[tuple[bytes, bytes]] = []
    forwarded: list[bytes] = []
    forwarded_at = framing_at = -1
    forwarded_name = b"x-forwarded-for"
    nominated: set[bytes] = set()
    lengths: list[bytes] = []
    codings: list[bytes] = []
    trim = False
    edit = mirror.edit
    for field in request.headers if edit is None else edit.apply(request.headers):
        name, value = field
        lower = name.lower()
        if lower not in _SPECIAL:
            if value != value.strip():
                trim = True
            fields.append(field)
        elif lower == b"x-forwarded-for":
            if forwarded_at < 0:
                forwarded_at = len(fields)
                forwarded_name = name
                fields.append(field)
            if value := value.strip():
                forwarded.append(value)
        elif lower == b"content-length" or lower == b"transfer-encoding":
            if framing_at < 0:
                framing_at = len(fields)
                fields.append(field)
            elif lower == b"transfer-encoding" and not codings:
                fields[framing_at] = field
            (lengths if lower == b"content-length" else codings).append(value)
        elif lower == b"connection":
            nominated.update(token.strip().lower() for token in value.split(b","))
        elif lower == b"te":
            if b"trailers" in value.lower():
                fields.append((name, b"trailers"))
        elif lower == b"host":
            adaptions.append("second_host")
        elif not lower:
            adaptions.append("illegal_name")

    forwarded.append(own_address)
    hops = (forwarded_name, b",".join(forwarded))
    if forwarded_at < 0:
        fields.append(hops)
    else:
        fields[forwarded_at] = hops

    if codings or lengths or body or body is None:
        framing = _framing(codings, lengths, body, target.http2, adaptions)
        if framing_at < 0:
            fields.append(framing)
        else:
            kept = fields[framing_at][0]
            fields[framing_at] = (kept if kept.lower() == framing[0] else framing[0], framing[1])

    nominated -= _NEVER_NOMINATED
    if nominated and edit is not None:  # a client must not be able to take a marker off its shadow
        nominated.difference_update([name.lower() for name, _ in edit.appended])
    if nominated:
        fields = [field for field in fields if field is hops or field[0].lower() not in nominated]
    if (
        trim
        or b"".join(map(_NAME, fields)).translate(None, _TOKEN)
        or b"".join(map(_CONTENT, fields)).translate(None, _VALUE)
    ):
        fields = _writable(fields, adaptions)

    authority = request.authority
    if authority.translate(None, _VALUE) or authority != authority.strip():
        authority = authority.translate(_TO_SPACES).strip()
        adaptions.append("illegal_value")
    if not authority:
        authority = str(mirror.endpoint).encode()
        adaptions.append("missing_host")

    path = request.path
    if mirror.path_prefix and path != b"*":
        path = mirror.path_prefix.rstrip(b"/") + path
    if path.translate(None, _VISIBLE) and (target.tls is not None or not target.http2):
        path = b"".join(b"%c" % byte if 0x21 <= byte <= 0x7E else b"%%%02X" % byte for byte in path)
        adaptions.append("target_bytes")

    return ShadowRequest(
        id,
        target,
        request.method,
        shadow_authority(authority, suffix) if suffix else authority,
        path,
        tuple(fields),
        mirror.timeout or timeout,
        tuple(adaptions),
    )


def _framing(
    codings: list[bytes], lengths: list[bytes], body: int | None, http2: bool, adaptions: list[str]
) -> tuple[bytes, bytes]:
    """The one framing field: chunked stays chunked, counted counted. A body without either comes from an HTTP/2 client:
    over HTTP/2 it needs none (httpcore wants a Transfer-Encoding to send a body at all, and does not send that)."""
    if codings:
        if len(codings) > 1 or codings[0].strip().lower() != b"chunked":
            adaptions.append("transfer_encoding")
        if lengths:
            adaptions.append("content_length")
        return b"transfer-encoding", b"chunked"
    if body is None:
        if lengths and lengths[0].isdigit():
            return b"content-length", lengths[0]
    elif lengths:
        length = b"%d" % body
        if len(lengths) > 1 or lengths[0] != length:
            adaptions.append("content_length")
        return b"content-length", length
    elif not http2:
        return b"content-length", b"%d" % body
    return b"transfer-encoding", b"chunked"


def _writable(fields: list[tuple[bytes, bytes]], adaptions: list[str]) -> list[tuple[bytes, bytes]]:
    """The fields as near as an HTTP library will write them: folded lines become one, what no value may hold becomes a
    space (RFC 9110 5.5), fields whose names are no tokens are left out."""
    written: list[tuple[bytes, bytes]] = []
    for name, value in fields:
        if name.translate(None, _TOKEN):
            adaptions.append("illegal_name")
            continue
        unfolded = _FOLD.sub(b" ", value)
        if unfolded != value:
            adaptions.append("obs_fold")
        clean = unfolded.translate(_TO_SPACES).strip()
        if clean != unfolded:
            adaptions.append("illegal_value")
        written.append((name, clean))
    return written
