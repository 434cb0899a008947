from __future__ import annotations

from mitmproxy.http import Headers

from mirror_addon.routing.fields import Fields
from mirror_addon.routing.forwarded import with_client


def test_fields_are_what_mitmproxy_has() -> None:
    """Routing takes and returns mitmproxy's own tuples, so that nothing is converted for each request."""
    came: Fields = Headers([(b"Accept", b"a"), (b"accept", b"b")]).fields
    leaving = with_client(came, b"10.0.0.1")
    assert leaving[:2] == came
    assert Headers(leaving).fields == leaving
