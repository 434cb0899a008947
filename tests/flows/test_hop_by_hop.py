from __future__ import annotations

import pytest

from mirror_addon.flows.hop_by_hop import without_hop_by_hop
from mirror_addon.routing.fields import Fields


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (((b"a", b"1"),), ((b"a", b"1"),)),
        (
            ((b"Connection", b"keep-alive, X-Own"), (b"Keep-Alive", b"5"), (b"x-own", b"1"), (b"a", b"1")),
            ((b"a", b"1"),),
        ),
        (((b"Proxy-Connection", b"keep-alive"), (b"Trailer", b"x"), (b"Upgrade", b"h2c")), ()),
        (((b"TE", b"gzip"), (b"a", b"1")), ((b"a", b"1"),)),
        (((b"te", b"gzip, Trailers"),), ((b"TE", b"trailers"),)),
        (((b"connection", b"Close"), (b"a", b"1")), ((b"a", b"1"), (b"Connection", b"close"))),
        (
            ((b"connection", b"content-length, transfer-encoding"), (b"Content-Length", b"3")),
            ((b"Content-Length", b"3"),),
        ),
    ],
)
def test_fields(fields: Fields, expected: Fields) -> None:
    assert without_hop_by_hop(fields) == expected
