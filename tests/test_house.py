"""The plan of the house: sizes, flat modules, and a test file for each module."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "mirror_addon"
MODULES = sorted(PACKAGE.rglob("*.py"))

MODULE_LINES = 400
FUNCTION_LINES = 60
WHOLE_ROOM = {
    "cli/test_hostile_text.py",
    "dispatch/test_clock_jumps.py",
    "istio/test_hostile.py",
    "istio/test_schema_drift.py",
    "gateway_api/test_schema_drift.py",
    "gateway_api/test_hostile.py",
}
"""Tests of a room as a whole, and of no module alone."""
FLAT_MODULES = {"addon.py", "session.py", "_version.py", "__init__.py", "__main__.py"}


def name(module: Path) -> str:
    return str(module.relative_to(PACKAGE))


def test_modules_are_short() -> None:
    lengths = {name(module): len(module.read_text().splitlines()) for module in MODULES}
    assert {module: lines for module, lines in lengths.items() if lines > MODULE_LINES} == {}


def test_functions_are_short() -> None:
    found = {}
    for module in MODULES:
        for node in ast.walk(ast.parse(module.read_text())):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > FUNCTION_LINES:
                    found[f"{name(module)}: {node.name}"] = lines
    assert found == {}


def test_every_module_has_a_room() -> None:
    assert {module.name for module in PACKAGE.glob("*.py")} <= FLAT_MODULES


def test_every_module_has_a_test_file() -> None:
    missing = []
    for module in MODULES:
        relative = module.relative_to(PACKAGE)
        expected = ROOT / "tests" / relative.parent / f"test_{relative.stem.strip('_')}.py"
        if module.name != "__init__.py" and not expected.exists():
            missing.append(str(expected.relative_to(ROOT)))
    assert missing == []


def test_every_test_file_of_a_room_has_its_module() -> None:
    """A test file whose module was renamed or removed would stay where nobody looks for it."""
    rooms = {folder.name for folder in PACKAGE.iterdir() if folder.is_dir()}
    stray = []
    for test in sorted((ROOT / "tests").rglob("test_*.py")):
        relative = test.relative_to(ROOT / "tests")
        if relative.parts[0] in rooms and len(relative.parts) > 1:
            module = PACKAGE / relative.parent / relative.name.removeprefix("test_")
            if not module.exists() and str(relative) not in WHOLE_ROOM:
                stray.append(str(relative))
    assert stray == []


PRINTS = re.compile(r"click\.(?:s?echo|style)\(|(?<![.\w])print\(|(?<!Safe)\bConsole\(|sys\.std(?:out|err)\.write")
PRINTING = {"cli/console.py", "display/console.py"}


def test_one_place_prints() -> None:
    """What a command prints is made safe to show where it leaves the program; see mirror_addon.display."""
    found = {name(module): PRINTS.findall(module.read_text()) for module in MODULES if name(module) not in PRINTING}
    assert {module: calls for module, calls in found.items() if calls} == {}


def test_contexts_of_mitmproxy_are_used_in_a_loop() -> None:
    """Without a running loop `taddons.context` makes one that it never closes; some later test fails for it."""
    found = []
    for test in sorted((ROOT / "tests").rglob("test_*.py")):
        for node in ast.parse(test.read_text()).body:
            if isinstance(node, ast.FunctionDef) and re.search(r"taddons\.context\(", ast.unparse(node)):
                found.append(f"{test.name}: {node.name}")
    assert found == []
