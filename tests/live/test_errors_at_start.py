"""What cannot work is said at start, with file, line and cure; mitmdump then exits, and without a traceback."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from livetools.proxy import ROOT
from livetools.proxy import Tool
from livetools.proxy import tool


def starting(confdir: Path, *settings: str, cwd: Path = ROOT, script: str = "mirror_addon") -> tuple[int, str]:
    """Runs mitmdump until it ends by itself: exit code and output."""
    options = [part for setting in settings for part in ("--set", setting)]
    common = ["--listen-host", "127.0.0.1", "--listen-port", "0", "--set", f"confdir={confdir}", "-s", script]
    with Tool([tool("mitmdump"), *common, *options], cwd=cwd) as program:
        code = program.finish()
    return code, program.output


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("hosts:", "hosts: [", r"virtual-service\.yaml:\d+:\d+: "),
        (
            "mirror_percent: 100",
            "mirrorPercentt: 100",
            r"virtual-service\.yaml:23:\d+: .*mirrorPercentt.*mirrorPercent\b",
        ),
        (
            "mirror_percent: 100",
            "mirrorPercentage: {value: 150}",
            r"virtual-service\.yaml:23:\d+: .*IST0106.*mirrorPercentage",
        ),
        ("prefix: /serviceB", "prefix: 7", r"virtual-service\.yaml:13:\d+: .*prefix"),
        ("prefix: /serviceB", "regex: (a", r"virtual-service\.yaml:13:\d+: .*regex"),
    ],
)
def test_rules_that_istio_refuses(confdir: Path, tmp_path: Path, old: str, new: str, message: str) -> None:
    for file in (ROOT / "rules").iterdir():
        (tmp_path / file.name).write_text(file.read_text().replace(old, new))
    code, output = starting(confdir, f"mirror_rules={tmp_path}")
    assert code != 0
    assert re.search(message, output), output


def test_rules_that_are_not_there(confdir: Path, tmp_path: Path) -> None:
    code, output = starting(confdir, f"mirror_rules={tmp_path / 'nowhere'}")
    assert code != 0
    assert str(tmp_path / "nowhere") in output


def test_no_rules_folder_and_no_option(confdir: Path, tmp_path: Path) -> None:
    code, output = starting(confdir, cwd=tmp_path, script=str(ROOT / "mirror_addon"))
    assert code != 0
    assert "mirror_rules" in output


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("mirror_concurrency=many", r"mirror_concurrency.*many"),
        ("mirror_to=|~c 500|http://localhost:9002", r"mirror_to=\|~c 500\|http://localhost:9002: ~c is not known when"),
        ("mirror_endpoints=serviceB/v1", r"mirror_endpoints.*HOST\S*=ADDRESS:PORT"),
        ("mirror_path_normalization=SOME", r"mirror_path_normalization.*BASE"),
        ("mirror_rule=elsewhere", r"mirror_rule\b.*mirror_rules"),
        ("mirorr-to=http://localhost:9002", r"mirorr-to: did you mean mirror_to\?"),
    ],
)
def test_options_that_cannot_be(confdir: Path, setting: str, message: str) -> None:
    code, output = starting(confdir, setting)
    assert code != 0
    assert re.search(message, output), output


def test_the_script_alone_says_what_to_install(confdir: Path, tmp_path: Path) -> None:
    """Without `site`, so that an editable installation is not found either."""
    script = tmp_path / "mirror_addon"
    script.write_text((ROOT / "mirror_addon").read_text())
    paths = [path for path in sys.path if "site-packages" in path]
    start = f"import sys; sys.path += {paths}; from mitmproxy.tools.main import mitmdump; mitmdump()"
    found = subprocess.run(
        [sys.executable, "-I", "-S", "-c", start, "-p", "0", "--set", f"confdir={confdir}", "-s", str(script)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    output = found.stdout + found.stderr
    assert found.returncode != 0
    assert "pip install mirror_addon" in output
    assert "Traceback" not in output
