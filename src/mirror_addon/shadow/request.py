"""Shadow requests: a copy of the request as it leaves, edited as Envoy edits a shadow.

Envoy (`source/common/router/shadow_writer_impl.cc`, `router.cc`) copies the request after all filters, appends
`-shadow` to its Host, appends its own address to X-Forwarded-For, and sends it. On top of that, this module does what
an HTTP client needs: hop-by-hop fields are removed (RFC 9110 7.6.1), one field frames the body (RFC 9112 6), and what
an HTTP library refuses to write is adapted and named in `ShadowRequest.adaptions`.

Pure: no I/O, no clock. `shadow_request` runs in the proxy's event loop once for each shadow, so it is written for the
ordinary request: no function call and no copy for a field that is passed on unchanged.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import NamedTuple

if TYPE_CHECKING:
    from mirror_addon.routing.clusters import Cluster
    from mirror_addon.routing.decision import Mirror
    from mirror_addon.routing.decision import Request
    from mirror_addon.routing.fields import Fields
    from mirror_addon.routing.header_edits import HeaderEdit

Field = tuple[bytes, bytes]

_FORWARDED = b"x-forwarded-for"
_CONTENT_LENGTH = b"content-length"
_TRANSFER_ENCODING = b"transfer-encoding"
_FRAMING = frozenset({_CONTENT_LENGTH, _TRANSFER_ENCODING})
_SPECIAL = _FRAMING | {
    _FORWARDED,
    b"",
    b"connection",
    b"expect",
    b"host",
    b"keep-alive",
    b"proxy-connection",
    b"te",
    b"trailer",
    b"upgrade",
}
"""Lower-case names of fields that are not passed on as they are."""

# What h11 writes (RFC 9110 5.5, 5.6.2): names are tokens; values have no NUL and no white space except space and tab.
_TOKEN = b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_NOT_IN_VALUE = b"\x00\n\x0b\x0c\r"
_VALUE = bytes(sorted(set(range(256)) - set(_NOT_IN_VALUE)))
_VISIBLE = bytes(range(0x21, 0x7F))
_TO_SPACES = bytes.maketrans(_NOT_IN_VALUE, b" " * len(_NOT_IN_VALUE))
_FOLD = re.compile(rb"[ \t]*\r?\n[ \t]+")


class ClientTLS(NamedTuple):
    """How a worker speaks TLS to a target; the fields are those of a cluster's `TLS`."""

    ca_certificates: str
    client_certificate: str
    private_key: str
    subject_alt_names: tuple[str, ...]
    insecure_skip_verify: bool
    ca_pem: str = ""


class Target(NamedTuple):
    """Where a shadow is sent. Shadows with equal targets share lanes and a circuit breaker."""

    label: str
    address: str
    """An IP address, a DNS name, or `unix:///path`."""
    port: int
    http2: bool
    """The port's protocol is HTTP/2: without TLS this is prior knowledge (RFC 9113 3.3), with TLS ALPN decides."""
    server_name: str
    """For SNI and the certificate check: the cluster's name, never the shadow's Host (istio#39858)."""
    tls: ClientTLS | None


@dataclass(slots=True)
class ShadowRequest:
    """A shadow, ready to be sent. `headers` are without Host and include the framing field."""

    target: Target
    method: bytes
    authority: bytes
    path: bytes
    headers: Fields
    timeout: float
    """Seconds for the whole shadow, from connect to the last byte of the response."""
    trailers: Fields = ()
    """Of a request with its whole body; they are sent if the mirror speaks HTTP/2."""
    adaptions: tuple[str, ...] = ()
    """How the shadow differs from the primary because it could not be sent unchanged: `obs_fold`, `illegal_value`,
    `illegal_name`, `second_host`, `missing_host`, `target_bytes`, `content_length`, `transfer_encoding`."""


@functools.lru_cache(maxsize=256)
def _target(cluster: Cluster, address: str, port: int, grpc: bool) -> Target:
    """Return the target of a mirror's cluster and the endpoint that was chosen from it."""
    tls = cluster.tls
    return Target(
        cluster.label or cluster.host,
        address,
        port,
        cluster.speaks_http2(grpc=grpc),
        (tls.sni if tls is not None else "") or cluster.host or address,
        None
        if tls is None
        else ClientTLS(
            tls.ca_certificates,
            tls.client_certificate,
            tls.private_key,
            tuple(tls.subject_alt_names),
            tls.insecure_skip_verify,
            tls.ca_pem,
        ),
    )


def shadow_authority(authority: bytes, suffix: bytes) -> bytes:
    """Return a Host with `suffix` appended to its host name, before the port.

    What follows the last colon is the port, unless that colon is inside brackets; the port need not be a number
    (Envoy's `HeaderUtility::getPortStart`).
    """
    colon = authority.rfind(b":")
    if colon > authority.rfind(b"]"):
        return authority[:colon] + suffix + authority[colon:]
    return authority + suffix


def has_suffix(authority: bytes, suffix: bytes) -> bool:
    """Return whether `authority` can be the Host of a shadow: its host name ends with `suffix`, which is in lower
    case. Host names have no case (RFC 9110 4.2.3)."""
    name = authority.lower()
    colon = name.rfind(b":")
    return (name[:colon] if colon > name.rfind(b"]") else name).endswith(suffix)


def shadow_request(
    request: Request,
    mirror: Mirror,
    *,
    body: int | None,
    own_address: bytes,
    suffix: bytes = b"-shadow",
    timeout: float = 30.0,
    grpc: bool = False,
    trailers: Fields = (),
) -> ShadowRequest:
    """Return the shadow of `request`, the request as it leaves, for a mirror that has an endpoint.

    `body` is the length of the whole body in bytes; None: the body is streamed, its length is not known yet.
    `own_address` is appended to X-Forwarded-For. `timeout`, in seconds, applies where the mirror's route has none.
    `grpc`: the request is gRPC. `trailers` are those of a whole body; the trailers of a streamed one come with its end.
    """
    endpoint = mirror.endpoint
    assert endpoint is not None
    target = _target(mirror.cluster, endpoint.address, endpoint.port, grpc)
    adaptions: list[str] = []
    headers = _headers(request.headers, mirror.edit, own_address, None if trailers else body, target.http2, adaptions)

    authority, path = request.authority, request.path
    if mirror.path_prefix and path != b"*":
        path = mirror.path_prefix.rstrip(b"/") + path
    if not authority or (authority + path).translate(None, _VISIBLE):
        authority = _writable_authority(authority, str(endpoint).encode(), adaptions)  # HTTP/1.0
        path = _writable_path(path, target, adaptions)

    return ShadowRequest(
        target,
        request.method,
        shadow_authority(authority, suffix) if suffix else authority,
        path,
        headers,
        mirror.timeout or timeout,
        trailers,
        tuple(adaptions),
    )


def edited_request(
    shadow: ShadowRequest,
    *,
    target: Target,
    method: bytes,
    authority: bytes,
    path: bytes,
    headers: Fields,
    body: int | None,
) -> ShadowRequest:
    """Return `shadow` with these parts, which a script wrote and which need not be valid HTTP. Host and X-Forwarded-For
    are taken as they are. `body` as for `shadow_request`."""
    adaptions = list(shadow.adaptions)
    fields = _headers(headers, None, None, None if shadow.trailers else body, target.http2, adaptions)
    return ShadowRequest(
        target,
        method,
        _writable_authority(authority, shadow.authority, adaptions),
        _writable_path(path, target, adaptions),
        fields,
        shadow.timeout,
        shadow.trailers,
        tuple(adaptions),
    )


def _writable_authority(authority: bytes, instead: bytes, adaptions: list[str]) -> bytes:
    """Return a Host that is a valid field value; a request without one gets `instead`."""
    clean = authority.translate(_TO_SPACES).strip()
    if clean != authority:
        adaptions.append("illegal_value")
    if not clean:
        adaptions.append("missing_host")
    return clean or instead


def _writable_path(path: bytes, target: Target, adaptions: list[str]) -> bytes:
    """Return the target as HTTP/1.1 can carry it: space, controls and non-ASCII bytes percent-encoded.

    HTTP/2 carries any bytes in `:path`, but where TLS is used ALPN may choose HTTP/1.1.
    """
    if not path.translate(None, _VISIBLE) or (target.http2 and target.tls is None):
        return path
    adaptions.append("target_bytes")
    return b"".join(b"%c" % byte if 0x21 <= byte <= 0x7E else b"%%%02X" % byte for byte in path)


def _headers(
    sent: Fields,
    edit: HeaderEdit | None,
    own_address: bytes | None,
    body: int | None,
    http2: bool,
    adaptions: list[str],
) -> Fields:
    """Return the shadow's header fields; append to `adaptions` what differs from `sent`. Without `own_address`
    X-Forwarded-For gets no hop.

    The mirror's own edit comes first, as Envoy's `request_headers_mutations` do: X-Forwarded-For is appended to what
    the edit leaves. One pass sorts the fields, because most need nothing; X-Forwarded-For and the framing field are
    replaced afterwards, where the first of each stood.
    """
    fields: list[Field] = []
    forwarded: list[Field] = []
    framing: list[Field] = []
    nominated: set[bytes] = set()
    forwarded_at = framing_at = 0
    for field in sent if edit is None else edit.apply(sent):
        name, value = field
        lower = name.lower()
        if lower not in _SPECIAL:
            fields.append(field)
        elif lower == _FORWARDED:
            if not forwarded:
                forwarded_at = len(fields)
                fields.append(field)
            forwarded.append(field)
        elif lower in _FRAMING:
            if not framing:
                framing_at = len(fields)
                fields.append(field)
            framing.append(field)
        elif lower == b"connection":
            nominated.update([option.strip().lower() for option in value.split(b",")])
        else:
            fields += _rare(lower, field, adaptions)

    if forwarded:
        fields[forwarded_at] = _with_hop(forwarded, own_address)[0]
    else:
        fields += _with_hop(forwarded, own_address)
    if framing:
        fields[framing_at] = _framing(framing, body, http2, adaptions)
    elif body != 0:
        fields.append(_framing(framing, body, http2, adaptions))

    nominated -= _SPECIAL  # they are removed already, or are the shadow's own
    if nominated:
        fields = _without_nominated(fields, nominated, edit)
    return tuple(fields if _is_writable(fields) else _writable(fields, adaptions))


def _rare(lower: bytes, field: Field, adaptions: list[str]) -> Fields:
    """Return what is left of a hop-by-hop field (RFC 9110 7.6.1), a second Host or a field without a name."""
    if lower == b"te" and b"trailers" in field[1].lower():
        return ((field[0], b"trailers"),)  # as Envoy and HTTP/2 (RFC 9113 8.2.2): the one coding that may travel
    if lower == b"host":
        adaptions.append("second_host")
    elif not lower:
        adaptions.append("illegal_name")
    return ()


def _with_hop(sent: list[Field], own_address: bytes | None) -> Fields:
    """Return X-Forwarded-For with one hop more, if there is one; several fields become one, and none may stay none."""
    values = [value for _, line in sent if (value := line.strip())]
    if own_address is not None:
        values.append(own_address)
    return ((sent[0][0] if sent else _FORWARDED, b",".join(values)),) if values or sent else ()


def _framing(sent: list[Field], body: int | None, http2: bool, adaptions: list[str]) -> Field:
    """Return the one framing field: what was sent chunked stays chunked, what had a length keeps one.

    `sent` are the fields Content-Length and Transfer-Encoding. A body that came with neither is from an HTTP/2 client.
    Over HTTP/2 the shadow's body needs neither, but httpcore sends a body only where one of them is given, and leaves
    Transfer-Encoding out.
    """
    codings = [field for field in sent if field[0].lower() == _TRANSFER_ENCODING]
    if codings:
        if len(codings) > 1 or codings[0][1].strip().lower() != b"chunked":
            adaptions.append("transfer_encoding")
        if len(sent) > len(codings):
            adaptions.append("content_length")
        return codings[0][0], b"chunked"
    if body is None:
        if sent and sent[0][1].isdigit():
            return sent[0]
    elif sent:
        length = b"%d" % body
        if len(sent) > 1 or sent[0][1] != length:
            adaptions.append("content_length")
        return sent[0][0], length
    elif not http2:
        return _CONTENT_LENGTH, b"%d" % body
    return _TRANSFER_ENCODING, b"chunked"


def _without_nominated(fields: list[Field], nominated: set[bytes], edit: HeaderEdit | None) -> list[Field]:
    """Return the fields that Connection does not name (RFC 9110 7.6.1).

    A client must not be able to remove a field that the mirror's own edit has set.
    """
    if edit is not None:
        nominated = nominated.difference([name.lower() for name, _ in edit.appended])
    return [field for field in fields if field[0].lower() not in nominated]


def _is_writable(fields: list[Field]) -> bool:
    """Whether an HTTP library accepts all fields; one search in all the names joined is cheaper than many searches."""
    values = [value for _, value in fields]
    return not (
        b"".join([name for name, _ in fields]).translate(None, _TOKEN)
        or b"".join(values).translate(None, _VALUE)
        or [value for value in values if value != value.strip()]
    )


def _writable(fields: list[Field], adaptions: list[str]) -> list[Field]:
    """Return the fields as an HTTP library accepts them, as close to the original as possible.

    Folded lines become one, a byte that no value may hold becomes a space (RFC 9110 5.5), and fields whose names are
    not tokens (RFC 9110 5.6.2) are left out.
    """
    written: list[Field] = []
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
