"""`mirror-addon export envoy` and `mirror-addon envoy` as a user runs them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from livetools.client import exchange
from livetools.proxy import ROOT
from livetools.proxy import Tool
from livetools.recorder import Recorder
from livetools.wire import lines
from livetools.worked_example import endpoints
from livetools.worked_example import request

from mirror_addon.cli.envoy_process import find_envoy

COMMAND = [sys.executable, "-c", "from mirror_addon.cli.main import main; main()"]
ENVIRONMENT = {"PYTHONPATH": str(ROOT / "src")}


def export(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, "export", "envoy", *arguments],
        cwd=ROOT,
        env={**os.environ, **ENVIRONMENT},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_the_export_is_deterministic_and_envoy_takes_it(tmp_path: Path) -> None:
    first, second = export(), export("--rules", "rules")
    assert first.returncode == 0
    assert first.stdout == second.stdout
    (tmp_path / "envoy.yaml").write_text(first.stdout)
    validated = subprocess.run(
        [find_envoy(), "--mode", "validate", "-c", tmp_path / "envoy.yaml"], capture_output=True, text=True, timeout=30
    )
    assert validated.returncode == 0, validated.stderr


def test_what_has_no_counterpart_is_named_on_stderr(tmp_path: Path) -> None:
    for file in (ROOT / "rules").iterdir():
        shutil.copy(file, tmp_path)
    rules = tmp_path / "virtual-service.yaml"
    annotated = "  name: serviceB\n  annotations:\n    mirror-addon/when: '~m GET'\n"
    rules.write_text(rules.read_text().replace("  name: serviceB\n", annotated))
    made = export("--rules", str(tmp_path), "--set", "mirror_methods=safe", "--set", "mirror_host_suffix=-copy")
    assert made.returncode == 0
    for name in (
        "VirtualService default/serviceB: annotation mirror-addon/when",
        "mirror_methods",
        "mirror_host_suffix",
    ):
        assert name in made.stderr
        assert name not in made.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--rules", "/nowhere"), "no file or folder"),
        (("--listen", "localhost:80"), "IP address"),
        (("--listen", "127.0.0.1"), "IP address"),
        (("--admin", "127.0.0.1:99999"), "0 to 65535"),
    ],
)
def test_wrong_usage(arguments: tuple[str, ...], said: str) -> None:
    made = export(*arguments)
    assert made.returncode == 2
    assert said in made.stderr
    assert made.stdout == ""


def test_a_missing_envoy_is_said_with_its_cure(tmp_path: Path) -> None:
    """An interpreter without an `envoy` beside it, and an empty PATH."""
    code = (
        "import sys; sys.executable = sys.argv.pop(1) + '/python'; "
        "from mirror_addon.cli.main import main; main(prog_name='mirror-addon')"
    )
    tried = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path), "envoy"],
        cwd=ROOT,
        env={**ENVIRONMENT, "PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert tried.returncode == 1
    assert "pip install 'mirror_addon[envoy]'" in tried.stderr
    assert "Traceback" not in tried.stderr


def envoy(*arguments: str, rules: Path) -> Tool:
    return Tool([*COMMAND, "envoy", "--rules", str(rules), "--listen", "127.0.0.1:0", *arguments], env=ENVIRONMENT)


def test_envoy_does_the_worked_example_and_takes_changes(tmp_path: Path, v1: Recorder, v2: Recorder) -> None:
    rules = tmp_path / "rules"
    shutil.copytree(ROOT / "rules", rules)
    file = rules / "virtual-service.yaml"
    text = file.read_text()
    with envoy(*endpoints(v1, v2), "--", "--concurrency", "1", rules=rules) as running:
        port = int(running.wait_for(r"listening at 127\.0\.0\.1:(\d+)\n")[1])
        address = ("127.0.0.1", port)
        exchange(address, request(b"GET /serviceB/request/info"))
        primary, shadow = v1.one(), v2.one()
        assert primary.target == b"//request/info"
        internal = [value for name, value in shadow.headers if name == b"x-envoy-internal"]
        assert internal == [b"true"]
        assert shadow.value(b"host") == primary.value(b"host") + b"-shadow"

        file.write_text(text.replace("prefix: /serviceB", "prefix: /moved"))
        running.wait_for(r"reloaded 3 resources")
        assert exchange(address, request(b"GET /serviceB/x")).status == 404
        exchange(address, request(b"GET /moved/x"))
        assert v1.one().target == b"//x"

        after = len(running.output)
        file.write_text(text.replace("prefix: /serviceB", "prefix: [/broken]"))
        running.wait_for(r"stay in force", after=after)
        exchange(address, request(b"GET /moved/y"))
        assert v1.one().target == b"//y"
    assert running.process.returncode == 0


def test_a_host_without_rules_is_dialled_where_it_says(v1: Recorder, v2: Recorder) -> None:
    with Recorder() as other, envoy(*endpoints(v1, v2), rules=ROOT / "rules") as running:
        port = int(running.wait_for(r"listening at 127\.0\.0\.1:(\d+)\n")[1])
        host = str(other).encode()
        sent = lines(b"GET http://%b/serviceB/x HTTP/1.1" % host, b"Host: " + host)
        assert exchange(("127.0.0.1", port), sent).status == 200
        assert other.one().target == b"/serviceB/x"
    assert v1.received == v2.received == []


def test_an_envoy_that_ends_is_reported(tmp_path: Path) -> None:
    with (
        pytest.raises(AssertionError, match="Envoy ended"),
        envoy("--", "--no-such-argument", rules=ROOT / "rules") as it,
    ):
        it.wait_for("never")
