from __future__ import annotations

from mirror_addon.twin.texts import Texts


def test_a_text_is_known_as_long_as_there_is_a_reason() -> None:
    texts = Texts()
    texts.add("a")
    texts.add("a")
    assert texts.has("a") and not texts.has("b") and len(texts) == 1
    texts.remove("a")
    assert texts.has("a")
    texts.remove("a")
    assert not texts.has("a") and not len(texts)
