"""The files for CI, pre-commit and containers: their commands are run as those programs would run them."""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shlex
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from http.server import HTTPServer
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from click.testing import CliRunner
from livetools.children import wait_for
from livetools.client import exchange
from livetools.ports import reserved_port
from livetools.proxy import Proxy
from livetools.proxy import Tool
from livetools.proxy import tool
from livetools.wire import lines

from mirror_addon.cli.main import main

ROOT = Path(__file__).resolve().parents[1]


def document(name: str) -> Any:
    return yaml.safe_load((ROOT / name).read_text())


def options_of(command: str) -> set[str]:
    found = main.get_command(click.Context(main), command)
    assert found is not None, command
    return {name for parameter in found.params for name in parameter.opts}


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A team's repository: rules, a routing test, a capture; `mirror-addon` on PATH."""
    (tmp_path / "rules").symlink_to(ROOT / "rules")
    url = "http://istio.gateway.xxxx.tech/serviceB/orders"
    (tmp_path / "routing.jsonl").write_text(
        json.dumps({"request": {"method": "GET", "url": url}, "expect": {"destination": {"subset": "v1"}}}) + "\n"
    )
    response = {
        "status": 200,
        "httpVersion": "HTTP/1.1",
        "headers": [{"name": "Content-Type", "value": "application/json"}],
        "content": {"size": 2, "mimeType": "application/json", "text": "{}"},
    }
    request = {"method": "GET", "url": url, "httpVersion": "HTTP/1.1", "headers": [], "queryString": []}
    entry = {"startedDateTime": "2026-11-22T20:00:00Z", "time": 1, "request": request, "response": response}
    (tmp_path / "yesterday.har").write_text(json.dumps({"log": {"version": "1.2", "entries": [entry]}}))
    programs = tmp_path / "bin"
    programs.mkdir()
    program = programs / "mirror-addon"
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m mirror_addon "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "src"))
    monkeypatch.delenv("GITHUB_WORKSPACE", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def candidate() -> Iterator[str]:
    """The address of a new version that responds with `{"more": 1}`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", "11")
            self.end_headers()
            self.wfile.write(b'{"more": 1}')

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


def step(name: str, **inputs: str) -> subprocess.CompletedProcess[str]:
    """Run a step of action.yml as the runner does (`bash --noprofile --norc -eo pipefail`)."""
    action = document("action.yml")
    values = {key: each["default"] for key, each in action["inputs"].items()} | inputs
    (found,) = (each for each in action["runs"]["steps"] if each.get("name") == name)
    environment = {}
    for key, text in found["env"].items():
        text = re.sub(r"\$\{\{ inputs\.([\w-]+) \}\}", lambda match: values[match[1]], text)
        environment[key] = text.replace("${{ runner.temp }}", os.getcwd())
        assert "${{" not in environment[key]
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", found["run"]]
    return subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=60)


def test_inputs_reach_the_action_s_scripts_as_variables_only() -> None:
    """An expression inside a script would run what somebody writes into an input."""
    action = document("action.yml")
    assert action["runs"]["using"] == "composite"
    scripts = [each["run"] for each in action["runs"]["steps"] if "run" in each]
    assert scripts and not any("${{" in script for script in scripts)
    used = set(re.findall(r"inputs\.([\w-]+)", (ROOT / "action.yml").read_text()))
    assert used == set(action["inputs"])


def test_the_action_checks_rules(checkout: Path) -> None:
    done = step("Check", sarif="findings.sarif")
    assert done.returncode == 0, done.stderr
    assert "::warning file=rules/virtual-service.yaml,line=15," in done.stdout
    assert json.loads((checkout / "findings.sarif").read_text())["version"] == "2.1.0"
    assert step("Check", strict="true", sarif="findings.sarif").returncode == 1
    (checkout / "broken file.yaml").write_text("kind: [")
    broken = step("Check", rules="rules\nbroken file.yaml\n")
    assert broken.returncode == 1 and "::error file=broken file.yaml" in broken.stdout


def test_the_action_tests_routes(checkout: Path) -> None:
    assert step("Test", tests="routing.jsonl").returncode == 0
    (checkout / "wrong.jsonl").write_text((checkout / "routing.jsonl").read_text().replace('"v1"', '"v2"'))
    assert step("Test", tests="routing.jsonl\nwrong.jsonl").returncode == 1


def test_the_action_replays_traffic(checkout: Path, candidate: str) -> None:
    inputs = {"captures": "yesterday.har", "endpoints": f"serviceB/v2={candidate}\n"}
    done = step("Replay", **inputs)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "differing > 0" in done.stdout + done.stderr
    folder = checkout / "mirror-addon-report"
    assert sorted(path.name for path in folder.iterdir()) == ["junit.xml", "record.jsonl", "report.html"]
    assert step("Replay", **inputs, **{"fail-on": "failed > 0\ndropped > 0"}).returncode == 0


def test_pre_commit_hooks_run(checkout: Path) -> None:
    hooks = {hook["id"]: hook for hook in document(".pre-commit-hooks.yaml")}
    for name, files, code in (
        ("mirror-addon-check", [], 0),
        ("mirror-addon-test", ["routing.jsonl"], 0),
    ):
        hook = hooks[name]
        assert hook["language"] == "python"
        program, *words = shlex.split(hook["entry"])
        assert program == "mirror-addon"
        result = CliRunner().invoke(main, [*words, *hook["args"], *files])
        assert result.exit_code == code, result.output
    assert re.search(hooks["mirror-addon-check"]["files"], "rules/a.yaml")


def test_gitlab_jobs_use_commands_and_options_that_there_are() -> None:
    jobs = document("examples/gitlab-ci.yml")
    scripts = [
        line
        for name in ("istio-rules", "replay")
        for key in ("script", "after_script")
        for line in jobs[name].get(key, ())
    ]
    assert len(scripts) == 4
    for line in scripts:
        program, command, *words = shlex.split(line)
        assert program == "mirror-addon"
        assert {word for word in words if word.startswith("--")} <= options_of(command), line


def test_the_container_runs_the_command_line() -> None:
    text = (ROOT / "Containerfile").read_text()
    assert json.loads(re.findall(r"^ENTRYPOINT (.*)$", text, re.M)[0]) == ["mirror-addon"]
    assert json.loads(re.findall(r"^CMD (.*)$", text, re.M)[0]) == ["dump"]
    assert re.search(r"^USER 1000$", text, re.M)
    services = document("examples/compose/compose.yaml")["services"]
    context = (ROOT / "examples" / "compose" / services["proxy"]["build"]["context"]).resolve()
    assert context == ROOT and (context / services["proxy"]["build"]["dockerfile"]).exists()
    assert all(port.startswith("127.0.0.1:") for port in services["proxy"]["ports"])


def test_the_container_s_context_has_what_the_wheel_is_built_from() -> None:
    """Nothing that the build names is kept out of the image."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    ignored = (ROOT / ".dockerignore").read_text().split()
    targets = project["tool"]["hatch"]["build"]["targets"]
    named = [
        *targets["wheel"]["packages"],
        *targets["sdist"]["force-include"],
        project["tool"]["hatch"]["version"]["path"],
    ]
    for path in (*named, *project["project"]["license-files"], "README.md", "mirror_addon", "pyproject.toml"):
        assert (ROOT / path).exists()
        assert not any(fnmatch.fnmatch(path.partition("/")[0], pattern) for pattern in ignored), path
    text = (ROOT / "Containerfile").read_text()
    copied = re.findall(r"^COPY (?:--from=(\w+) )?(\S+)", text, re.M)
    assert copied == [("", "."), ("build", "/wheel")] and "--outdir /wheel" in text
    volumes = document("examples/compose/compose.yaml")["services"]["proxy"]["volumes"]
    compose = ROOT / "examples" / "compose"
    assert all((compose / volume.partition(":")[0]).is_dir() for volume in volumes)


@pytest.mark.long
def test_the_commands_of_the_compose_file_work_together(checkout: Path) -> None:
    """Without containers: names of services become 127.0.0.1, and ports free ones."""
    services = document("examples/compose/compose.yaml")["services"]
    (checkout / "record").mkdir()
    with reserved_port() as one, reserved_port() as two:
        ports = {"9001": str(one), "9002": str(two)}

    def command(name: str) -> list[str]:
        words = [str(word) for word in services[name]["command"]]
        words = [re.sub(r"\bv[12]:(\d+)$", r"127.0.0.1:\1", word) for word in words]
        return [re.sub(r":(900[12])$", lambda match: f":{ports[match[1]]}", word) for word in words]

    with Tool([tool("mirror-addon"), *command("v1")], cwd=checkout) as v1:
        v1.wait_for("collecting at")
        with Tool([tool("mirror-addon"), *command("v2")], cwd=checkout) as v2:
            v2.wait_for("collecting at")
            options = [word for word in command("proxy")[1:] if not word.startswith("--listen")]
            script = str(ROOT / "mirror_addon")
            with Proxy(checkout / "confdir", *options, cwd=checkout, script=script) as proxy:
                request = lines(
                    b"GET http://istio.gateway.xxxx.tech/serviceB/orders HTTP/1.1", b"Host: istio.gateway.xxxx.tech"
                )
                assert exchange(proxy.address, request).status == 200
                record = checkout / "record" / "pairs.jsonl"
                wait_for(lambda: record.exists() and record.read_text())
    line = json.loads(record.read_text())
    assert (line["primary"]["status"], line["shadow"]["status"], line["verdict"]) == (200, 500, "different")
