from __future__ import annotations

import struct
from typing import Any

import pytest

from mirror_addon.compare.messages.untyped import reconcile
from mirror_addon.compare.messages.untyped import shortest
from mirror_addon.compare.messages.untyped import untyped_document
from mirror_addon.compare.messages.wire import Budget
from mirror_addon.compare.messages.wire import BudgetError
from mirror_addon.compare.messages.wire import read_fields
from mirror_addon.compare.paths import FieldNumber


def read(data: bytes, budget: Budget | None = None) -> Any:
    budget = budget or Budget()
    return untyped_document(read_fields(data, budget), budget, 0)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"hello", "hello"),
        ("grüße\n".encode(), "grüße\n"),
        (b"", ""),
        (b"\x08\x01", {"1": 1}),
        (b"\x0a\x05hello", {"1": "hello"}),
        (b"\n line", "\n line"),
        (b"\xff\xfe", "//4="),
        (b"\x01\x02", "AQI="),
    ],
)
def test_texts_messages_and_bytes(content: bytes, found: Any) -> None:
    assert read(b"\x0a" + bytes([len(content)]) + content) == {"1": found}


def test_repeated_fields_and_groups() -> None:
    assert read(b"\x08\x01\x08\x02\x08\x03") == {"1": [1, 2, 3]}
    assert read(b"\x0b\x10\x05\x0c") == {"1": {"2": 5}}


def test_fixed_numbers() -> None:
    assert read(b"\x0d" + struct.pack("<f", 9.99)) == {"1": 9.99}
    assert read(b"\x09" + struct.pack("<d", -0.25)) == {"1": -0.25}
    assert read(b"\x0d" + struct.pack("<I", 7)) == {"1": 7}
    assert read(b"\x09" + struct.pack("<d", float("nan"))) == {"1": 0x7FF8 << 48}


def test_floats_of_32_bits() -> None:
    for number in (0.1, 16777216.0, 1e-30, 3.4028234663852886e38, float("inf")):
        packed = struct.unpack("<f", struct.pack("<f", number))[0]
        assert struct.pack("<f", shortest(packed)) == struct.pack("<f", packed)
    assert shortest(struct.unpack("<f", struct.pack("<f", 0.1))[0]) == 0.1


def test_too_much_is_told_and_not_taken_for_bytes() -> None:
    with pytest.raises(BudgetError):
        read(b"\x0a\x08" + b"\x08\x01" * 4, Budget(fields=3))


def test_reconciled() -> None:
    one, two, five = FieldNumber(1), FieldNumber(2), FieldNumber(5)
    primary: Any = [{one: 1, two: [{five: {one: 1_700_000_000, two: 5}}]}]
    shadow: Any = [{one: [1, 2], two: {five: {one: 1_700_000_001}}}]
    reconcile(primary, shadow)
    assert primary == [{"1": [1], "2": [{"5": "2023-11-14T22:13:20.000000005Z"}]}]
    assert shadow == [{"1": [1, 2], "2": [{"5": "2023-11-14T22:13:21.000000000Z"}]}]
    named: Any = {"a": 1}
    reconcile(named, {"a": [1]})
    assert named == {"a": 1}, "what has a name has a type"


def test_a_float_of_nine_digits() -> None:
    packed = struct.unpack("<f", struct.pack("<f", 16777217.5 / 3))[0]
    assert struct.pack("<f", shortest(packed)) == struct.pack("<f", packed)
    assert shortest(1061765240586240.0) == 1061765240586240.0
