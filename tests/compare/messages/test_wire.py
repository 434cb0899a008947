from __future__ import annotations

import pytest

from mirror_addon.compare.messages.wire import GROUP
from mirror_addon.compare.messages.wire import I32
from mirror_addon.compare.messages.wire import I64
from mirror_addon.compare.messages.wire import LEN
from mirror_addon.compare.messages.wire import VARINT
from mirror_addon.compare.messages.wire import Budget
from mirror_addon.compare.messages.wire import BudgetError
from mirror_addon.compare.messages.wire import WireError
from mirror_addon.compare.messages.wire import read_fields
from mirror_addon.compare.messages.wire import read_packed


def test_fields_of_every_type() -> None:
    data = b"\x08\x96\x01\x11" + b"\1\0\0\0\0\0\0\0\x1a\x02hi\x23\x28\x01\x24\x35\x02\0\0\0"
    assert read_fields(data, Budget()) == [
        (1, VARINT, 150), (2, I64, 1), (3, LEN, b"hi"), (4, GROUP, [(5, VARINT, 1)]), (6, I32, 2),
    ]  # fmt: skip
    assert read_fields(b"", Budget()) == []
    assert read_fields(b"\x08" + b"\xff" * 9 + b"\x01", Budget()) == [(1, VARINT, 2**64 - 1)]


@pytest.mark.parametrize(
    "data", [b"\x80", b"\x08", b"\x09\0", b"\x0d\0\0", b"\x12\x05hi", b"\x03", b"\x23\x2c", b"\x0f"]
)
def test_what_is_no_message(data: bytes) -> None:
    with pytest.raises(WireError):
        read_fields(data, Budget())


def test_packed_numbers() -> None:
    assert read_packed(b"\x01\x96\x01", VARINT, Budget()) == [1, 150]
    assert read_packed(b"\1\0\0\0\2\0\0\0", I32, Budget()) == [1, 2]
    assert read_packed(b"\1\0\0\0\0\0\0\0", I64, Budget()) == [1]
    with pytest.raises(WireError):
        read_packed(b"\0\0\0", I32, Budget())


def test_the_budget() -> None:
    with pytest.raises(BudgetError, match="too many fields"):
        read_fields(b"\x08\x01" * 3, Budget(fields=2))
    with pytest.raises(BudgetError, match="too big"):
        read_fields(b"\x08\x01", Budget(size=1))
    with pytest.raises(BudgetError):
        read_packed(b"\0" * 8, I32, Budget(fields=1))
