from __future__ import annotations

from mirror_addon.processor.events import Head


def test_a_head_without_attributes() -> None:
    assert Head(True, (), False).attributes == {}
