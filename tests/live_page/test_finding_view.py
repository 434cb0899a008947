from __future__ import annotations

from mirror_addon.compare.causes import Cause
from mirror_addon.compare.findings import Example
from mirror_addon.compare.findings import Finding
from mirror_addon.live_page.finding_view import FindingView


def test_rules_and_keys() -> None:
    example = Example("1", "GET", "http://x.test/", "$.a", "missing", 1, None)
    view = FindingView(Finding(Cause("$.a", "missing"), 2, 4, ("GET /",), False, example))
    assert view.accept.splitlines()[0] == "- path: $.a" and "ignore: true" in view.ignore
    assert view.as_dict() == {
        "id": view.finding.id, "kind": "missing", "path": "$.a", "change": None, "endpoints": ["GET /"], "pairs": 2,
        "share": 0.5, "state": "new",
        "example": {
            "id": "1", "method": "GET", "url": "http://x.test/", "where": "$.a", "kind": "missing", "primary": 1,
            "shadow": None,
        },
    }  # fmt: skip


def test_without_a_path() -> None:
    view = FindingView(Finding(Cause("(other differences)", ""), 1, 1, ("GET /",), True, None))
    assert view.accept == view.ignore == "" and view.as_dict()["example"] is None
