from __future__ import annotations

import pytest

from mirror_addon.istio.diagnostics import Diagnostic
from mirror_addon.istio.diagnostics import FieldPath
from mirror_addon.istio.diagnostics import Severity
from mirror_addon.istio.diagnostics import format_path


@pytest.mark.parametrize(
    ("path", "text"),
    [((), ""), (("spec",), "spec"), (("spec", "http", 0, "mirror"), "spec.http[0].mirror"), (("a", 0, 1), "a[0][1]")],
)
def test_paths(path: FieldPath, text: str) -> None:
    assert format_path(path) == text


def test_a_line_of_text() -> None:
    found = Diagnostic("f.yaml", 3, 5, "IST0106", Severity.ERROR, "is wrong")
    assert str(found) == "f.yaml:3:5: error IST0106 is wrong"
    assert str(Diagnostic("f.yaml", 3, 5, "IST0133", Severity.WARNING, "is odd", "spec.a")) == (
        "f.yaml:3:5: warning IST0133 spec.a: is odd"
    )


def test_the_order_is_that_of_the_text() -> None:
    positions = [("b", 1, 1), ("a", 10, 1), ("a", 9, 2), ("a", 9, 1)]
    found = [Diagnostic(*position, "IST0106", Severity.ERROR, "x") for position in positions]
    assert [(item.file, item.line, item.column) for item in sorted(found)] == sorted(positions)
