from __future__ import annotations

from mirror_addon.flows.body_copy import BodyCopy


def test_all_passes_and_the_beginning_is_kept() -> None:
    copy = BodyCopy(5)
    chunks = [b"abc", b"", b"def", b"ghi", b""]
    assert [copy(chunk) for chunk in chunks] == chunks
    assert (copy.content, copy.size) == (b"abcde", 9)
