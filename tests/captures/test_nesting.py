from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror_addon.captures.nesting import MOST_NESTED
from mirror_addon.captures.nesting import Nesting
from mirror_addon.captures.stream import CaptureError
from mirror_addon.captures.stream import CaptureStream

JSON = st.recursive(
    st.text(alphabet='a"\\[]{}\u00e9', max_size=6) | st.integers() | st.none(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(alphabet='"\\[{', max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("nesting") / "document"


def depth(value: object) -> int:
    if isinstance(value, dict):
        return 1 + max(map(depth, value.values()), default=0)
    return 1 + max(map(depth, value), default=0) if isinstance(value, list) else 0


def read(path: Path, content: bytes, size: int) -> Nesting:
    path.write_bytes(content)
    with CaptureStream(path) as stream:
        nesting = Nesting(stream)
        assert b"".join(iter(lambda: nesting.read(size), b"")) == content
    return nesting


@given(value=st.lists(JSON, max_size=4), size=st.integers(1, 9), cut=st.integers(1, 20))
def test_a_document_is_open_until_its_end(path: Path, value: list[object], size: int, cut: int) -> None:
    content = json.dumps(value, ensure_ascii=False).encode()
    assert not read(path, content, size).is_open
    assert read(path, content[: max(1, len(content) - cut)], size).is_open


@given(value=JSON, size=st.integers(1, 9))
def test_the_limit_is_exact(path: Path, value: object, size: int) -> None:
    text = json.dumps(value)
    for levels in (MOST_NESTED, MOST_NESTED + 1):
        more = levels - depth(value)
        content = b"[" * more + text.encode() + b"]" * more
        if levels == MOST_NESTED:
            assert not read(path, content, size).is_open
        else:
            with pytest.raises(CaptureError, match="nested deeper than 500 levels before byte"):
                read(path, content, size)


def test_brackets_beside_each_other_are_not_nested(path: Path) -> None:
    assert not read(path, b"[" + b"[],{}," * 10_000 + b"1]", 4096).is_open
