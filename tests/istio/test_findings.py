from __future__ import annotations

from mirror_addon.istio.composing import compose
from mirror_addon.istio.findings import MAX_FINDINGS
from mirror_addon.istio.findings import Findings


def test_floods_are_cut_and_hide_nothing_worse() -> None:
    findings = Findings(compose("f", b"a: 1")[0][0].document)
    for _ in range(MAX_FINDINGS + 5):
        findings.warning(("a",), "again")
    findings.error(("a",), "worse")
    found = findings.diagnostics
    assert len(found) == MAX_FINDINGS + 2
    assert (found[-2].severity, found[-2].message, found[-2].column) == ("error", "worse", 4)
    assert found[-1].message.startswith("5 more findings")
