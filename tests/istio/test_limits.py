"""What is too large is refused by its size, at once. With libyaml: PyYAML's own parser is correct too, but slow."""

from __future__ import annotations

import pytest

from mirror_addon.istio.composing import compose
from mirror_addon.istio.limits import MAX_DOCUMENTS
from mirror_addon.istio.limits import Refused
from mirror_addon.istio.limits import check_bytes

MIB = 1024 * 1024
HUGE = {
    "flow list": b"[" + b"a," * 1_100_000 + b"]",
    "block list": b"- a\n" * 1_100_000,
    "mapping": b"".join(b"k%d: v\n" % i for i in range(600_000)),
    "16 MiB": b"[" + b"a," * (8 * MIB - 2) + b"]",
}


LONG = {"flow list", "mapping"}
"""Each takes seconds, and finds what the others find."""


@pytest.mark.parametrize(
    "text",
    [pytest.param(text, id=name, marks=[pytest.mark.long] * (name in LONG)) for name, text in HUGE.items()],
)
def test_too_many_nodes_are_refused_at_once(text: bytes) -> None:
    _, found = compose("f", text)
    assert len(found) == 1
    assert "more than 1,000,000 nodes" in found[0].message


SEPARATORS_ONLY = {
    "in quotes": (b"a: '" + b"," * 1_100_000 + b"'", []),
    "too deep": (b"[" * 500 + b"a," * 1_100_000, ["nested more than 200 levels deep"]),
    "too deep for libyaml": (b"[" * 1_100_000, ["nested more than 200 levels deep"]),
    "after an error": (b"a: [}\n" + b"," * 1_100_000, ["is not YAML"]),
}


@pytest.mark.parametrize(("text", "messages"), SEPARATORS_ONLY.values(), ids=SEPARATORS_ONLY.keys())
def test_separators_without_nodes(text: bytes, messages: list[str]) -> None:
    _, found = compose("f", text)
    assert [item.message.startswith(message) for item, message in zip(found, messages, strict=True)] == [True] * len(
        found
    )


def test_documents_are_counted_empty_ones_too() -> None:
    check_bytes(b"---\n" * MAX_DOCUMENTS)
    with pytest.raises(Refused, match="more than 20,000 documents; split it"):
        check_bytes(b"---\n" * (MAX_DOCUMENTS + 1))
