"""The limits that many fields share."""

from __future__ import annotations

import typing
from typing import Any

import pytest

from mirror_addon.gateway_api.limits import text_problem
from mirror_addon.gateway_api.resources import messages
from mirror_addon.gateway_api.resources.messages import GatewayMessage
from mirror_addon.gateway_api.resources.messages import Text


def limit(name: str) -> Text:
    metadata: tuple[Any, ...] = getattr(messages, name).__metadata__
    return next(item for item in metadata if isinstance(item, Text))


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("Group", ["", "apps", "gateway.networking.k8s.io"], ["Apps", "a/b", "a..b"]),
        ("Kind", ["Service", "x-1"], ["", "1x", "a b"]),
        ("Namespace", ["demo", "a-1"], ["", "a.b", "A", "-a", "a" * 64]),
        ("SectionName", ["http", "a.b"], ["", "HTTP", "a_b"]),
        ("Hostname", ["a", "*.a.b", "a-1.b"], ["", "*", "a.*", "*a.b", "A.b", "a.b:80", "a_b", "a..b", "a" * 254]),
        ("PreciseHostname", ["a.b"], ["*.a.b", "A"]),
        ("HeaderName", ["X-a", "a!#$%&'*+.^_`|~"], ["", "a b", "a:b", "ä"]),
        ("Duration", ["0s", "1h30m", "99999ms", "1m1s1ms"], ["", "1", "1.5s", "-1s", "123456s", "1s1s1s1s1s", "1d"]),
    ],
)
def test_texts(name: str, good: list[str], bad: list[str]) -> None:
    assert [text for text in good if text_problem(text, limit(name)) is not None] == []
    assert [text for text in bad if text_problem(text, limit(name)) is None] == []


def test_only_camel_case_is_known() -> None:
    class Example(GatewayMessage):
        two_words: int = 0

    assert Example.model_validate({"twoWords": 1}).two_words == 1
    with pytest.raises(ValueError, match="two_words"):
        Example.model_validate({"two_words": 1})
    assert typing.get_type_hints(Example)["two_words"] is int
