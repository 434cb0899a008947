from __future__ import annotations

from mirror_addon.demo.differences import Difference
from mirror_addon.demo.findings import findings


def difference(path: str, kind: str = "value") -> Difference:
    return Difference(path, kind, "")


def test_a_cause_is_a_path_without_indices_and_a_kind() -> None:
    assert findings([]) == {}
    found = findings(
        [
            [difference("$.a"), difference("$.items[0].b"), difference("$.items[1].b")],
            [difference("$.items[12].b")],
            [difference("$.items[0].b", "type"), difference("status", "200 → 500")],
            [difference("status", "204 → 200")],
        ]
    )
    assert next(iter(found.items())) == (("$.items[*].b", "value"), 2)
    assert found.keys() == {
        ("$.a", "value"),
        ("$.items[*].b", "value"),
        ("$.items[*].b", "type"),
        ("status", "200 → 500"),
        ("status", "204 → 200"),
    }
