from __future__ import annotations

import pytest

from mirror_addon.dispatch.settings import ShadowSettings
from mirror_addon.shadow.frames import MAX_TAIL


def test_the_defaults_are_the_designs() -> None:
    made = ShadowSettings()
    assert (made.concurrency, made.workers) == (256, 1)
    assert made.queue == made.max_body == 64 * 1024 * 1024
    assert made.keep_body == 0


@pytest.mark.parametrize("size", [-1, MAX_TAIL + 1])
def test_no_more_is_kept_than_a_frame_holds(size: int) -> None:
    with pytest.raises(ValueError, match="keep_body"):
        ShadowSettings(keep_body=size)
