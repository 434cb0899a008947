from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror_addon.sandbox.ids import MAX_ID
from mirror_addon.sandbox.ids import ids_of

TRACE = b"0af7651916cd43dd8448eb211c80319c"
PARENT = b"00-" + TRACE + b"-b7ad6b7169203331-01"


@pytest.mark.parametrize(
    ("fields", "ids"),
    [
        ((), ()),
        (((b"X-Request-Id", b" a "),), (b"x-request-id:a",)),
        (((b"x-request-id", b""),), ()),
        (((b"x-request-id", b"a" * (MAX_ID + 1)),), ()),
        (((b"Traceparent", PARENT), (b"X-REQUEST-ID", b"a")), (b"x-request-id:a", b"traceparent:" + TRACE)),
        (((b"traceparent", PARENT + b"-later"),), (b"traceparent:" + TRACE,)),
        (((b"traceparent", PARENT.replace(TRACE, b"0" * 32)),), ()),
        (((b"traceparent", PARENT.upper()),), ()),
        (((b"x-request-id", b"a"), (b"x-request-id", b"b")), (b"x-request-id:a",)),
    ],
)
def test_ids(fields: tuple[tuple[bytes, bytes], ...], ids: tuple[bytes, ...]) -> None:
    assert ids_of(fields) == ids


@given(st.lists(st.tuples(st.sampled_from([b"x-request-id", b"traceparent"]), st.binary(max_size=60)), max_size=4))
def test_no_value_makes_it_raise(fields: list[tuple[bytes, bytes]]) -> None:
    assert all(each.startswith((b"x-request-id:", b"traceparent:")) for each in ids_of(fields))
