from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner
from click.testing import Result
from mitmproxy.io import FlowWriter
from mitmproxy.test import tflow

from mirror_addon.cli.replay import replay

ROOT = Path(__file__).resolve().parents[2]


def capture(path: Path) -> Path:
    with path.open("wb") as file:
        writer = FlowWriter(file)
        for number, name in enumerate(("serviceB/a", "serviceB/b", "elsewhere")):
            flow = tflow.tflow(resp=True)
            flow.request.headers["host"] = "istio.gateway.xxxx.tech"
            flow.request.path = f"/{name}"
            flow.request.timestamp_start = 1000.0 + number
            flow.request.timestamp_end = 1000.1 + number
            flow.client_conn.timestamp_tls_setup = None
            writer.add(flow)
    return path


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(replay, ["--rules", str(ROOT / "rules"), *map(str, arguments)])


def test_a_dry_run(tmp_path: Path) -> None:
    result = run(capture(tmp_path / "a.mitm"), "--dry-run", "--speed", "2")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0] == "+0.000s  GET http://istio.gateway.xxxx.tech/serviceB/a"
    assert lines[1].startswith("    -> serviceB/v2 at 127.0.0.1:9002  //a  Host: istio.gateway.xxxx.tech-shadow")
    assert lines[2].startswith("+0.500s")
    assert lines[4].startswith("+1.000s  GET http://istio.gateway.xxxx.tech/elsewhere  not mirrored: ")


def test_a_filter_stands_after_the_captures(tmp_path: Path) -> None:
    path = capture(tmp_path / "a.mitm")
    result = run(path, "~u serviceB", "! ~u /a", "--dry-run")
    assert result.stdout.count("GET") == 1
    result = run(path, "--filter", "~u elsewhere", "--filter", "~m GET", "--dry-run", "--json")
    assert result.stdout.count("elsewhere") == 1
    assert '"shadows": []' in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "CAPTURE"),
        (("gone.mitm",), "There is no file 'gone.mitm'"),
        (("~m GET",), "name a capture"),
        (("{}", "--filter", "~q ("), "is not a mitmproxy filter"),
        (("{}", "--speed", "2", "--rate", "3/s"), "give one"),
        (("{}", "--speed", "slow"), "must be how many times"),
        (("{}", "--loop", "0"), "--loop without a number"),
        (("{}", "--fault", "explode"), "write delay=DURATION"),
        (("{}", "--set-header", "x"), "write 'Name: value'"),
        (("{}", "--endpoint", "x"), "mirror_endpoints"),
        (("{}", "--to", "nowhere"), "mirror_to"),
        (("{}", "--compare", "gone.yaml"), "gone.yaml"),
        (("{}", "--fail-on", "luck"), "is not a condition"),
        (("{}", "--rules", "gone"), "There is no file or folder 'gone'"),
        (("{}", "--set", "control=1%"), "mirror_control"),
        (("{}", "-o", "{}"), "is one of the captures"),
        (("{}", "-o", "no/such/a"), "does not exist"),
        ((__file__,), "neither a mitmproxy dump"),
    ],
)
def test_wrong_usage(arguments: tuple[str, ...], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = str(capture(tmp_path / "a.mitm"))
    result = run(*(each.replace("{}", path) for each in arguments))
    assert result.exit_code == 2, result.output
    assert message in result.output


HALF = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: half}
spec:
  hosts: [istio.gateway.xxxx.tech]
  http:
  - route: [{destination: {host: one.example}}]
    mirror: {host: two.example}
    mirrorPercentage: {value: 50}
"""


def test_the_draw_is_by_the_seed_unless_it_is_given(tmp_path: Path) -> None:
    path, rules = capture(tmp_path / "a.mitm"), tmp_path / "half.yaml"
    rules.write_text(HALF)
    where = "--endpoint", "one.example=127.0.0.1:1", "--endpoint", "two.example=127.0.0.1:2"

    def shadows(*arguments: str) -> list[bool]:
        asked = ["--rules", str(rules), *where, "--dry-run", "--json", "--loop", "40", *arguments, str(path)]
        result = CliRunner().invoke(replay, asked)
        assert result.exit_code == 0, result.output
        return [bool(json.loads(line)["shadows"]) for line in result.stdout.splitlines()]

    first = shadows("--seed", "1")
    assert 30 < sum(first) < 90
    assert first == shadows("--seed", "1")
    assert first != shadows("--seed", "2")
    assert all(shadows("--draw", "0"))
    assert not any(shadows("--draw", "999999"))
    assert all(shadows("--draw", "999999", "--all"))


def test_loop_alone_is_for_ever_wherever_it_stands(tmp_path: Path) -> None:
    path = capture(tmp_path / "a.mitm")
    result = run("--loop", path, "--dry-run")
    assert result.exit_code == 0, result.output
    assert result.stdout.count("GET") == 3, "a dry run shows one pass of it"
    assert run(path, "--dry-run", "--loop", "2").stdout.count("GET") == 6


class Mirror(BaseHTTPRequestHandler):
    """Responds to everything alike."""

    protocol_version = "HTTP/1.1"
    body = b"message"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def mirror() -> Iterator[str]:
    """The value of --endpoint for a mirror that responds."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Mirror)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"serviceB/v2=127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_replay_is_compared_recorded_and_judged(tmp_path: Path, mirror: str) -> None:
    path, record = capture(tmp_path / "a.mitm"), tmp_path / "out.jsonl"
    record.write_text("old\n")
    arguments = path, "--endpoint", mirror, "--speed", "max", "-o", record
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    assert "serviceB/v2" in result.stdout
    assert "replayed 3 requests in" in result.stdout
    assert "2 shadows: 2 got a response" in result.stdout
    assert result.stderr == ""
    assert len(record.read_text().splitlines()) == 2, "a record is written anew"
    result = run(*arguments[:-1], f"+{record}", "--json", "--fail-on", "differing > 0", "--fail-on", "failed > 0")
    assert result.exit_code == (1 if json.loads(result.stdout)["targets"][0]["differing"] else 0)
    assert len(record.read_text().splitlines()) == 4, "+ appends"
    assert json.loads(result.stdout)["replay"]["shadows"]["sent"] == 2


def test_a_mirror_that_differs_fails(tmp_path: Path, mirror: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Mirror, "body", b"other")
    result = run(capture(tmp_path / "a.mitm"), "--endpoint", mirror, "--speed", "max", "--fail-on", "differing > 0")
    assert result.exit_code == 1
    assert "failed: 'differing > 0' holds for" in result.stderr


def test_no_response_at_all_fails(tmp_path: Path) -> None:
    result = run(capture(tmp_path / "a.mitm"), "--endpoint", "serviceB/v2=127.0.0.1:1", "--speed", "max")
    assert result.exit_code == 1
    assert "failed: no mirror sent a response" in result.stderr
    assert "2 failed (connect 2)" in result.stdout


def test_a_broken_capture_is_wrong_usage_after_what_came_before(tmp_path: Path, mirror: str) -> None:
    path = capture(tmp_path / "a.mitm")
    with path.open("ab") as file:
        file.write(b"this is no flow\n")
    result = run(path, "--endpoint", mirror, "--speed", "max")
    assert result.exit_code == 2
    assert "2 shadows: 2 got a response" in result.stdout
    assert "the requests before it were replayed" in result.stderr


def test_no_endpoint_of_the_primary_is_needed(tmp_path: Path, mirror: str) -> None:
    """Its part is taken by the capture."""
    (tmp_path / "rules.yaml").write_text((ROOT / "rules" / "virtual-service.yaml").read_text())
    arguments = ["--rules", str(tmp_path / "rules.yaml"), "--endpoint", mirror, "--speed", "max", "--json"]
    result = CliRunner().invoke(replay, [*arguments, str(capture(tmp_path / "a.mitm"))])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["replay"]["mirrored"] == 2


def test_without_an_endpoint_of_the_mirror_the_advice_works(tmp_path: Path, mirror: str) -> None:
    (tmp_path / "rules.yaml").write_text((ROOT / "rules" / "virtual-service.yaml").read_text())
    arguments = ["--rules", str(tmp_path / "rules.yaml"), "--speed", "max", str(capture(tmp_path / "a.mitm"))]
    result = CliRunner().invoke(replay, arguments)
    assert result.exit_code == 1
    assert "no mirror's endpoint is known" in result.stderr
    option = re.search(r"failed: .*--set mirror_endpoints=(\S+)=ADDRESS:PORT", result.stderr)
    assert option
    address = mirror.partition("=")[2]
    result = CliRunner().invoke(replay, [*arguments, "--set", f"mirror_endpoints={option[1]}={address}"])
    assert result.exit_code == 0, result.output


def test_a_record_without_bodies_says_what_records_them(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    line = {
        "version": 1, "id": "1/1", "time": "2026-01-01T00:00:00Z", "rule": "", "route": "a", "target": "b",
        "method": "GET", "url": "http://istio.gateway.xxxx.tech/serviceB/a", "draw": 1,
        "primary": {"status": 200, "ms": 1, "bytes": 1},
        "shadow": {"status": 200, "ms": 1, "bytes": 1, "error": None}, "verdict": "same", "differences": [],
    }  # fmt: skip
    path.write_text(json.dumps(line) + "\n")
    result = run(path, "--speed", "max")
    assert result.exit_code == 1
    assert "mirror_record_bodies=true" in result.stderr


LONG = "x" * 300


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("{}", f"~u {LONG}", "--speed", "max"), 1),
        (("{}", "--filter", f"~u {LONG}", "--speed", "max"), 1),
        (("{}", LONG), 2),
        (("{}", "-o", LONG), 2),
        (("{}", "-o", f"+{LONG}"), 2),
        (("{}", "-o", "~nobody/a"), 2),
        (("{}", "--compare", LONG), 2),
    ],
)
def test_names_that_are_too_long(arguments: tuple[str, ...], code: int, tmp_path: Path) -> None:
    path = str(capture(tmp_path / "a.mitm"))
    result = run(*(each.replace("{}", path) for each in arguments))
    assert result.exit_code == code, result.output
    assert isinstance(result.exception, SystemExit), "an error, and no traceback"
    assert result.stderr.strip()


def test_warnings_go_to_stderr(tmp_path: Path, mirror: str) -> None:
    result = run(capture(tmp_path / "a.mitm"), "--endpoint", mirror, "--speed", "max", "~u nothing-is-named-so")
    assert result.exit_code == 1
    assert "no request was replayed: not matched by the filter 3" in result.stderr
