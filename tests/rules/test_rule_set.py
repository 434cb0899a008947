from __future__ import annotations

from pathlib import Path

from mirror_addon.options.settings import OPTIONS
from mirror_addon.options.settings import parse_settings
from mirror_addon.rules.rule_set import load_rule_set

RULES = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: a}
spec:
  hosts: [a.test]
  http:
  - match: [{uri: {prefix: /a}}]
    directResponse: {status: 201}
  - directResponse: {status: 202}
"""


def test_only_good(tmp_path: Path) -> None:
    """What is left of a refused set is for those who explain it."""
    settings = parse_settings({option.name: option.default for option in OPTIONS} | {"mirror_rules": [str(tmp_path)]})
    (tmp_path / "a.yaml").write_text(RULES)
    whole = load_rule_set(settings, b"192.0.2.1")
    good = load_rule_set(settings, b"192.0.2.1", only_good=True)
    assert not good.refused
    assert (good.documents, good.rules, len(good.table.virtual_hosts)) == (1, 2, 1)
    assert (whole.documents, whole.rules, len(whole.table.virtual_hosts)) == (1, 2, 1)
    (tmp_path / "b.yaml").write_text("kind: [")
    left = load_rule_set(settings, b"192.0.2.1")
    nothing = load_rule_set(settings, b"192.0.2.1", only_good=True)
    assert left.refused and nothing.refused
    assert left.diagnostics == nothing.diagnostics
    assert (left.documents, left.rules, len(left.table.virtual_hosts)) == (1, 2, 1)
    assert (nothing.documents, nothing.rules, len(nothing.table.virtual_hosts)) == (1, 2, 0)
