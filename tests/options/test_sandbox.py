from __future__ import annotations

from typing import Any

import pytest

from mirror_addon.options.sandbox import SANDBOX_OPTIONS
from mirror_addon.options.settings import OptionError
from mirror_addon.options.settings import parse_option


def test_off_by_default() -> None:
    assert [(name, default) for name, _, default, _, _ in SANDBOX_OPTIONS] == [
        ("mirror_sandbox", []), ("mirror_sandbox_unknown", "safe"), ("mirror_sandbox_timing", False),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value", "parsed"),
    [
        ("mirror_sandbox", ["8089", " 8090 "], (8089, 8090)),
        ("mirror_sandbox", [], ()),
        ("mirror_sandbox_unknown", "pass", "pass"),
        ("mirror_sandbox_timing", True, True),
    ],
)
def test_values(name: str, value: Any, parsed: Any) -> None:
    assert parse_option(name, value) == parsed


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("mirror_sandbox", ["8089", "x"], "mirror_sandbox=x: 'x' is not a port; ports are 1 to 65535"),
        ("mirror_sandbox", ["0"], "mirror_sandbox=0: '0' is not a port"),
        ("mirror_sandbox_unknown", "allow", "mirror_sandbox_unknown=allow: must be one of safe, block, pass"),
    ],
)
def test_refusals(name: str, value: Any, message: str) -> None:
    with pytest.raises(OptionError) as refused:
        parse_option(name, value)
    assert str(refused.value).startswith(message)
