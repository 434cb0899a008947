from __future__ import annotations

import pytest

from mirror_addon.istio.resources.virtual_service import HeaderOperations
from mirror_addon.routing.header_edits import HeaderEdit
from mirror_addon.routing.header_edits import host_of
from mirror_addon.routing.header_edits import is_editable


def test_removes_sets_adds() -> None:
    edit = HeaderEdit(frozenset({b"a"}), ((b"B", b"1"),), ((b"accept", b"x"), (b"via", b"y")), ())
    fields = ((b"A", b"0"), (b"Accept", b"1"), (b"accept", b"2"), (b"via", b""))
    assert edit.apply(fields) == ((b"Accept", b"1"), (b"accept", b"2,x"), (b"via", b"y"), (b"B", b"1"))
    assert edit.apply(()) == ((b"B", b"1"), (b"accept", b"x"), (b"via", b"y"))


@pytest.mark.parametrize(
    ("operations", "host"),
    [
        ({}, ""),
        ({"set": {"Host": "a"}, "add": {":authority": "b"}}, "a"),
        ({"add": {":authority": "b", "x": "y"}}, "b"),
    ],
)
def test_the_host_that_operations_give(operations: dict[str, dict[str, str]], host: str) -> None:
    assert host_of(HeaderOperations.model_validate(operations)) == host
    assert host_of(None) == ""


@pytest.mark.parametrize(("name", "editable"), [("x", True), ("Host", False), (":path", False), ("", False)])
def test_names(name: str, editable: bool) -> None:
    assert is_editable(name) is editable
