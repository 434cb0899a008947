from __future__ import annotations

import pytest

from mirror_addon.envoy.values import duration


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (1, "1s"), (10.0, "10s"), (0.25, "0.25s"), (1e-9, "0.000000001s"), (3600, "3600s")]
)
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text
