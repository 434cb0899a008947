from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mirror_addon.istio.annotations import Caution
from mirror_addon.istio.parsing import Source
from mirror_addon.istio.parsing import parse_sources
from mirror_addon.rules.annotation_checks import CHECKS
from mirror_addon.rules.annotation_checks import when_problem
from mirror_addon.rules.files import load_rules

ROOT = Path(__file__).parents[2]
RULE = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: a, annotations: {%s}}
spec:
  hosts: [a.test]
  http: [{route: [{destination: {host: b.test}}], mirror: {host: c.test}}]
"""
SERVICES = """---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: b}
spec:
  hosts: [b.test, c.test]
  resolution: STATIC
  location: MESH_EXTERNAL
  ports: [{number: 80, name: http, protocol: HTTP}]
  endpoints: [{address: 127.0.0.1}]
"""


@pytest.mark.parametrize(
    ("name", "text", "wrong"),
    [
        ("when", "~c 500", False),
        ("when", " ~m POST & ~u /orders\n", False),
        ("when", "~nothing", True),
        ("ignore", "$.id, header:date", False),
        ("ignore", "$.[", True),
    ],
)
def test_what_others_read(name: str, text: str, wrong: bool) -> None:
    assert bool(CHECKS[name](text)) is wrong


@pytest.mark.parametrize(
    ("annotation", "refused"),
    [("mirror-addon/when: ~c 500", False), ("mirror-addon/when: ~nothing", True), ("mirror-addon/ignore: '$.['", True)],
)
def test_a_set_with_a_wrong_one_is_refused(annotation: str, refused: bool, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(RULE % annotation + SERVICES)
    loaded = load_rules([tmp_path])
    assert loaded.refused is refused
    errors = [found for found in loaded.diagnostics if found.severity == "error"]
    assert [(found.code, found.line) for found in errors] == ([("IST0106", 4)] if refused else [])


@pytest.mark.parametrize(
    ("annotation", "loads"), [("mirror-addon/when: ~c 500", True), ("mirror-addon/max-rps: '5'", False)]
)
def test_mitmproxy_is_loaded_for_filters_alone(annotation: str, loads: bool, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(RULE % annotation + SERVICES)
    program = (
        "import sys; from mirror_addon.rules.files import load_rules; "
        f"load_rules([{str(tmp_path)!r}]); print('mitmproxy' in sys.modules)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout == f"{loads}\n"


def test_an_expression_that_pythons_engine_matches_is_a_warning() -> None:
    assert when_problem('~u "(a+)+!"') == ""
    problem = when_problem('~u "(?P<x>a+)(?P=x)"')
    assert isinstance(problem, Caution) and "backreference" in problem
    text = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: a, annotations: {mirror-addon/when: '~u "(?=a)b"'}}
spec: {hosts: [a.b], http: [{route: [{destination: {host: b}}], mirror: {host: c}}]}
"""
    (found,) = parse_sources([Source("a.yaml", text.encode())], annotation_checks=CHECKS).diagnostics
    assert (found.severity, "lookaround" in found.message) == ("warning", True)
