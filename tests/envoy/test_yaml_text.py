from __future__ import annotations

import yaml
from hypothesis import given
from hypothesis import strategies as st

from mirror_addon.envoy.yaml_text import to_yaml

texts = st.text(max_size=12) | st.sampled_from(
    [
        "y",
        "No",
        "on",
        "null",
        "~",
        "1e3",
        "0x1f",
        "12:30",
        "1_000",
        ".inf",
        "nan",
        "2026-01-01",
        "a: b",
        "#",
        "- x",
        "é",
    ]
)


@given(st.dictionaries(st.sampled_from("abc"), texts | st.integers() | st.booleans() | st.lists(texts, max_size=2)))
def test_every_value_is_read_again(message: dict[str, object]) -> None:
    assert yaml.safe_load(to_yaml(message)) == message


def test_what_other_parsers_take_for_something_else_is_quoted() -> None:
    text = to_yaml({"a": ["y", "1e3", "0x1f", "on", "nan"], "b": "plain", "c": "outbound|80||x.test"})
    assert text == 'a:\n  - "y"\n  - "1e3"\n  - "0x1f"\n  - "on"\n  - "nan"\nb: plain\nc: outbound|80||x.test\n'


def test_nothing_is_aliased_or_sorted() -> None:
    shared = {"z": 1, "a": 2}
    assert to_yaml({"second": shared, "first": shared}) == "second:\n  z: 1\n  a: 2\nfirst:\n  z: 1\n  a: 2\n"
