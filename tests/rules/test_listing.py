from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mirror_addon.options.settings import OPTIONS
from mirror_addon.options.settings import parse_settings
from mirror_addon.routing.table import RouteTable
from mirror_addon.rules.listing import rule_lines
from mirror_addon.rules.listing import unsafe_targets
from mirror_addon.rules.rule_set import load_rule_set

ROOT = Path(__file__).parents[2]
SAFE = frozenset({b"GET", b"HEAD", b"OPTIONS"})


def table(tmp_path: Path, annotations: str = "", match: str = "", **options: Any) -> RouteTable:
    text = (ROOT / "rules" / "virtual-service.yaml").read_text()
    text = text.replace("  name: serviceB\n", f"  name: serviceB\n  annotations: {{{annotations}}}\n", 1)
    if match:
        text = text.replace("        prefix: /serviceB\n", f"        prefix: /serviceB\n      {match}\n", 1)
    (tmp_path / "rules.yaml").write_text(text)
    values = {option.name: option.default for option in OPTIONS} | {"mirror_rules": [str(tmp_path)]}
    rule_set = load_rule_set(parse_settings(values | options), b"192.0.2.1")
    assert not rule_set.refused, rule_set.diagnostics
    return rule_set.table


def test_a_line_a_rule(tmp_path: Path) -> None:
    (line,) = rule_lines(table(tmp_path, "mirror-addon/max-rps: '5', mirror-addon/when: ~c 500"))
    assert line.startswith("default/serviceB http[0]: istio.gateway.xxxx.tech, ")
    assert "; mirrored to serviceB/v2 100 % -> no endpoint; max-rps 5, when ~c 500 (" in line
    (line,) = rule_lines(table(tmp_path))
    assert "; mirrored to serviceB/v2 100 % -> no endpoint (" in line


def test_rules_that_do_not_mirror(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(
        "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: a}\n"
        "spec: {hosts: [a.test], http: [{directResponse: {status: 204}}]}\n"
    )
    values = {option.name: option.default for option in OPTIONS} | {"mirror_rules": [str(tmp_path)]}
    made = load_rule_set(parse_settings(values), b"192.0.2.1").table
    (line,) = rule_lines(made)
    assert line.startswith("default/a http[0]: a.test, any path: ") and "mirrored" not in line
    assert list(rule_lines(made, mirrored_only=True)) == []


@pytest.mark.parametrize(
    ("annotations", "match", "methods", "unsafe"),
    [
        ("", "", None, True),
        ("", "", SAFE, False),
        ("", "", frozenset({b"GET", b"POST"}), True),
        ("mirror-addon/methods: safe", "", None, False),
        ("mirror-addon/methods: 'GET, POST'", "", None, True),
        ("mirror-addon/methods: 'GET, POST'", "", frozenset({b"GET", b"PUT"}), False),
        ("", "method: {exact: GET}", None, False),
        ("", "method: {exact: POST}", None, True),
        ("", "method: {prefix: G}", None, True),
        ("mirror-addon/methods: safe", "method: {exact: POST}", None, False),
    ],
)
def test_mirrors_of_what_changes_something(
    annotations: str, match: str, methods: frozenset[bytes] | None, unsafe: bool, tmp_path: Path
) -> None:
    assert unsafe_targets(table(tmp_path, annotations, match), methods) == (["serviceB/v2"] if unsafe else [])


def test_the_mirror_without_yaml_gets_everything(tmp_path: Path) -> None:
    made = table(tmp_path, "mirror-addon/methods: safe", mirror_to=["http://127.0.0.1:9"])
    assert unsafe_targets(made, None) == ["127.0.0.1:9"]
    assert unsafe_targets(made, SAFE) == []


def test_a_mirror_that_is_off_gets_nothing(tmp_path: Path) -> None:
    made = table(tmp_path, match="method: {exact: POST}")
    assert unsafe_targets(made, None)
    text = (tmp_path / "rules.yaml").read_text()
    (tmp_path / "rules.yaml").write_text(text.replace("mirror_percent: 100", "mirror_percent: 0"))
    values = {option.name: option.default for option in OPTIONS} | {"mirror_rules": [str(tmp_path)]}
    assert load_rule_set(parse_settings(values), b"192.0.2.1").unsafe == []
