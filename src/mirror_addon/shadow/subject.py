"""What a record has of a mirrored request besides the responses. It is sent to the worker with each shadow. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import NamedTuple

if TYPE_CHECKING:
    from mirror_addon.routing.decision import Request

_PORTS = {b"http": b":80", b"https": b":443"}


class Subject(NamedTuple):
    """The request of a shadow, and what its response is compared with. Texts have no lone surrogates."""

    group: str
    """The id of the primary's flow, which all its shadows share."""
    start: float
    """When the request began, in seconds since the epoch."""
    rule: str
    """`default/serviceB http[0]`, or `mirror_to`."""
    route: str | None
    """Label of the primary's cluster; None if the request passed through."""
    control: bool
    """The shadow's target is the primary's own destination."""
    controlled: bool
    """The shadow is not a control, and its group has one, for which the comparison waits."""
    method: str
    url: str
    """Absolute, as the client sent it, without a default port."""
    draw: int
    """The random number of the request's decision."""
    client: str
    """`ADDRESS:PORT` of the client's end of its connection; empty if unknown."""
    ignore: str = ""
    """The annotation `mirror-addon/ignore`."""
    headers: tuple[tuple[bytes, bytes], ...] | None = None
    """The header fields of the client's request with Host, if bodies are recorded."""
    calls: bool = False
    """The proxy sends the calls of the mirror (CALLS) after the shadow's end; the comparison waits for them."""
    rerun: bool = False
    """The pair was sent before; it is compared again and not recorded."""
    twin: bool = False
    """The mirror's state is kept in step: its own ids take the place of the primary's (`mirror_twin`)."""


def url_of(request: Request) -> str:
    """Return the absolute URL as the client sent it, without a default port.

    If it is not UTF-8, all bytes above 0x7F are percent-encoded.
    """
    scheme = request.scheme
    authority = request.authority.removesuffix(_PORTS.get(scheme, b":80"))
    path = b"" if request.path == b"*" else request.path
    url = b"%s://%s%s" % (scheme, authority, path)
    try:
        return url.decode()
    except UnicodeDecodeError:
        return b"".join(b"%c" % byte if byte < 0x80 else b"%%%02X" % byte for byte in url).decode()
