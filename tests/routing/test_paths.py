from __future__ import annotations

import pytest

from mirror_addon.routing.paths import path_end


@pytest.mark.parametrize(
    ("target", "path"),
    [
        (b"/a", b"/a"),
        (b"/a?x", b"/a"),
        (b"/a#f", b"/a"),
        (b"/a?x#f", b"/a"),
        (b"/a#f?x", b"/a"),
        (b"", b""),
        (b"?", b""),
    ],
)
def test_path_end(target: bytes, path: bytes) -> None:
    assert target[: path_end(target)] == path
