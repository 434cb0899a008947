"""What `from mirror_addon import` offers, and the examples of docs/reference/python.md."""

from __future__ import annotations

import contextlib
import inspect
import io
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import mirror_addon
from mirror_addon.compare.answer import Answer
from mirror_addon.compare.comparison import compare
from mirror_addon.compare.record import About
from mirror_addon.compare.record import RecordedRequest
from mirror_addon.compare.record import record_line

ROOT = Path(__file__).resolve().parents[1]
OFFERED = {
    "Call", "Comparison", "ComparisonRules", "Destination", "Difference", "LeavingRequest", "LocalReply", "MirrorAddon",
    "MirrorDecision", "RecordedPair", "RecordedRequest", "Response", "RouteDecision", "RoutingRules", "__version__",
    "compare_responses", "read_records",
}  # fmt: skip


def test_the_list() -> None:
    assert set(mirror_addon.__all__) == OFFERED
    assert set(dir(mirror_addon)) >= OFFERED
    with pytest.raises(AttributeError, match="no attribute 'Rules'"):
        _ = mirror_addon.Rules


@pytest.mark.parametrize("name", sorted(OFFERED - {"__version__"}))
def test_everything_is_documented_and_typed(name: str) -> None:
    offered = getattr(mirror_addon, name)
    assert inspect.getdoc(offered)
    functions = (
        [offered]
        if inspect.isfunction(offered)
        else [member for member in vars(offered).values() if inspect.isfunction(member) and member.__name__[0] != "_"]
    )
    for function in functions if name != "MirrorAddon" else ():
        parameters = [each for each in inspect.signature(function).parameters.values() if each.name != "self"]
        assert all(each.annotation is not inspect.Parameter.empty for each in parameters), function
        assert "return" in function.__annotations__, function


def test_none_of_it_imports_mitmproxy() -> None:
    names = sorted(OFFERED - {"MirrorAddon"})
    code = f"import sys\nfrom mirror_addon import {', '.join(names)}\nRoutingRules({str(ROOT / 'rules')!r})\n"
    code += "print([each for each in ('mitmproxy', 'httpx', 'click') if each in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("[]\n", "")


def record(path: Path) -> None:
    lines = []
    for number, (body, ms) in enumerate(
        ((b'{"items": [{"price": 100}]}', 5.0), (b'{"items": [{"price": 99.5}]}', 50.0))
    ):
        primary = Answer(200, ((b"Content-Type", b"application/json"),), b'{"items": [{"price": 100}]}', 27, 10.0)
        shadow = Answer(200, ((b"Content-Type", b"application/json"),), body, len(body), ms)
        about = About(f"f{number}/0", f"f{number}", 1e9, "r", "a", "b", False, "GET", "http://h/orders/7", 0, "")
        request = RecordedRequest(((b"Host", b"h"),), b"", False)
        lines.append(record_line(about, primary, shadow, compare(primary, shadow), request=request))
    path.write_bytes(b"".join(lines))


def test_the_examples_of_the_docs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "rules", tmp_path / "rules")
    record(tmp_path / "pairs.jsonl")
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "reference" / "python.md").read_text(), re.S)
    assert len(blocks) == 3
    output = io.StringIO()
    names: dict[str, object] = {}
    with contextlib.redirect_stdout(output):
        for block in blocks:
            exec(compile(block, "python.md", "exec"), names)
    lines = output.getvalue().splitlines()
    assert lines[:5] == [
        "Counter({'same': 1, 'different': 1})",
        "['GET /orders/{id}']",
        "[(('GET /orders/{id}', '$.items[*].price'), 1)]",
        "['same', 'noise']",
        "different [('$.name', 'missing', 'a')]",
    ]
    assert lines[5] == "route default/serviceB 127.0.0.1:9001"
    assert lines[6].startswith("serviceB.default.svc.cluster.local v2 100")
    assert any("http[0]" in line for line in lines[7:])


def test_the_wheel_is_typed() -> None:
    assert (Path(mirror_addon.__file__).parent / "py.typed").exists()
    assert json.dumps("Typing :: Typed") in (ROOT / "pyproject.toml").read_text()
