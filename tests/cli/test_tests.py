from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable
from collections.abc import Iterator
from datetime import UTC
from datetime import datetime
from http.server import BaseHTTPRequestHandler
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner
from click.testing import Result

from mirror_addon.cli.main import main
from mirror_addon.cli.tests import tests as command
from mirror_addon.compare.answer import Answer
from mirror_addon.compare.comparison import compare
from mirror_addon.compare.record import About
from mirror_addon.compare.record import RecordedRequest
from mirror_addon.compare.record import record_line
from mirror_addon.compare.redaction import DEFAULT_REDACTED
from mirror_addon.compare.redaction import Redaction

SOURCES = str(Path(__file__).resolve().parents[2] / "src")
REDACTED = Redaction(DEFAULT_REDACTED)
RECORDED_AT = 1_700_000_000.0


class Handler(BaseHTTPRequestHandler):
    """A service with noise: a time, an id of the request, and the pod that answers."""

    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16  # an answer in one piece: no 40 ms of Nagle and delayed acknowledgement
    defective = False
    asked: list[tuple[str, str | None]]

    def answer(self) -> None:
        path, _, query = self.path.partition("?")
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.asked.append((self.path, self.headers.get("Host")))
        status, kind, coding = 200, "application/json", ""
        document: Any = {
            "path": path,
            "query": query,
            "at": datetime.now(UTC).isoformat(),
            "request": str(uuid.uuid4()),
        }
        if path == "/secret":
            status = 200 if self.headers.get("Authorization") == "Bearer right" else 401
        if path == "/missing":
            status = 404
        if path == "/users/7":
            document |= {"pod": f"pod-{len(self.asked)}", "name": "Adah" if self.defective else "Ada", "price": 1.50}
        content = json.dumps(document).encode()
        if path == "/orders":
            content = b'{"got": ' + (body or b"null") + b', "tags": ["\\u00e9", "\'\\"\\\\"]}'
        if path == "/packed":
            content, coding = gzip.compress(content), "gzip"
        if path == "/picture":
            content, kind = bytes(range(256)) * 100, "image/png"
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Set-Cookie", f"session={len(self.asked)}")
        if coding:
            self.send_header("Content-Encoding", coding)
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = answer

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def serve() -> Iterator[Callable[..., tuple[str, list[tuple[str, str | None]]]]]:
    """Starts an upstream; gives its URL and the requests it sees."""
    servers = []

    def start(defective: bool = False) -> tuple[str, list[tuple[str, str | None]]]:
        asked: list[tuple[str, str | None]] = []
        handler = type("Service", (Handler,), {"defective": defective, "asked": asked})
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        servers.append((server, thread))
        return f"http://127.0.0.1:{server.server_port}", asked

    yield start
    for server, thread in servers:
        server.shutdown()
        thread.join()
        server.server_close()


REQUESTS: list[tuple[str, str, dict[str, str], bytes]] = [
    ("GET", "/users/7?x=%27%22", {"Accept": "application/json"}, b""),
    ("GET", "/users/7", {}, b""),
    ("POST", "/orders", {"Content-Type": "application/json"}, b'{"sku": "A\'1", "count": 2}'),
    ("GET", "/secret", {"Authorization": "Bearer right"}, b""),
    ("GET", "/missing//a/../b", {}, b""),
    ("GET", "/packed", {"Accept-Encoding": "gzip"}, b""),
    ("GET", "/picture", {}, b""),
]


def ask(client: httpx.Client, url: str, method: str, target: str, headers: dict[str, str], body: bytes) -> Answer:
    request = client.build_request(method, url, headers=headers, content=body, extensions={"target": target.encode()})
    response = client.send(request, stream=True)
    raw = b"".join(response.iter_raw())
    response.close()
    return Answer(response.status_code, tuple(response.headers.raw), raw, len(raw), 1.0)


@pytest.fixture
def record(tmp_path: Path, serve: Callable[..., tuple[str, Any]]) -> Path:
    """What the proxy would have recorded of the service, control pairs among it."""
    url, _ = serve()
    lines = []
    with httpx.Client(trust_env=False) as client:
        for number, (method, target, headers, body) in enumerate(REQUESTS):
            for control in [False, *[True] * 12]:
                primary, shadow = (ask(client, url, method, target, headers, body) for _ in range(2))
                comparison = compare(primary, shadow, method=method, url=f"http://b.test{target}", now=time.time())
                about = About(
                    id=f"f{number}/{int(control)}",
                    flow=f"f{number}",
                    start=RECORDED_AT,
                    rule="default/b http[0]",
                    route="b/v1",
                    target="b/v1" if control else "b/v2",
                    control=control,
                    method=method,
                    url=f"http://b.test{target}",
                    draw=1,
                    client="127.0.0.1:1",
                )
                sent = tuple((name.encode(), value.encode()) for name, value in {"Host": "b.test", **headers}.items())
                request = RecordedRequest(sent, body, False)
                lines.append(record_line(about, primary, shadow, comparison, request=request, redacted=REDACTED))
    file = tmp_path / "record.jsonl"
    file.write_bytes(b"".join(lines))
    return file


def write(record: Path, folder: Path, *options: str) -> Result:
    return CliRunner().invoke(command, [str(record), "-o", str(folder), *options])


def run_suite(folder: Path, *options: str, **environment: str) -> tuple[int, str]:
    names = {"PATH": os.environ["PATH"], "PYTHONPATH": SOURCES, **environment}
    arguments = ["-q", "-rs", "-p", "no:cacheprovider", "-p", "no:asyncio", "-W", "error", *options]
    command = [sys.executable, "-m", "pytest", str(folder), *arguments]
    told = subprocess.run(command, env=names, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    return told.returncode, told.stdout + told.stderr


def test_the_suite_passes_against_the_service_and_fails_against_a_defective_one(
    record: Path, tmp_path: Path, serve: Callable[..., tuple[str, list[tuple[str, str | None]]]]
) -> None:
    folder = tmp_path / "suite"
    result = write(record, folder)
    assert result.exit_code == 0, result.output
    assert "7 tests of 6 endpoints written to" in result.stdout
    assert "'$.pod'" in (folder / "test_get_users_id.py").read_text()
    assert (folder / "bodies").is_dir()
    assert "Bearer" not in "".join(each.read_text() for each in folder.glob("*.py"))

    url, asked = serve()
    code, told = run_suite(folder, "--upstream-url", url + "/")
    assert code == 0, told
    assert "6 passed, 1 skipped" in told and "MIRROR_TEST_AUTHORIZATION" in told
    assert {target for target, _ in asked} == {target for _, target, _, _ in REQUESTS} - {"/secret"}
    code, told = run_suite(folder, MIRROR_TEST_UPSTREAM_URL=url, MIRROR_TEST_AUTHORIZATION="Bearer right")
    assert code == 0 and "7 passed" in told, told
    code, told = run_suite(folder, "--upstream-url", url, "--upstream-host", "b.test", "-k", "users")
    assert code == 0 and asked[-1][1] == "b.test", told

    url, _ = serve(defective=True)
    code, told = run_suite(folder, "--upstream-url", url)
    assert code == 1, told
    assert "2 failed, 4 passed, 1 skipped" in told
    assert "$.name: value: recorded 'Ada', now 'Adah'" in told


def test_a_suite_that_is_not_told_whom_to_ask_fails(record: Path, tmp_path: Path) -> None:
    write(record, tmp_path / "suite", "--method", "post")
    code, told = run_suite(tmp_path / "suite")
    assert code == 1 and "name the upstream: --upstream-url" in told


def test_filters_and_rules(record: Path, tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text("rules: []\n")
    result = write(record, tmp_path / "a", "--endpoint", "GET /users/*", "--limit", "1", "--compare", str(rules))
    assert result.exit_code == 0, result.output
    assert {each.name for each in (tmp_path / "a").iterdir()} == {"conftest.py", "compare.yaml", "test_get_users_id.py"}
    assert (tmp_path / "a" / "test_get_users_id.py").read_text().count("def test_") == 1
    assert write(record, tmp_path / "b", "--verdict", "failed").exit_code == 1
    rules.write_text("rules: [1]\n")
    assert write(record, tmp_path / "c", "--compare", str(rules)).exit_code == 2
    assert not (tmp_path / "c").exists()


def test_files_that_are_there_stay(record: Path, tmp_path: Path) -> None:
    folder = tmp_path / "suite"
    folder.mkdir()
    (folder / "conftest.py").write_text("mine")
    result = write(record, folder)
    assert result.exit_code == 2 and "already has conftest.py" in result.output and "--force" in result.output
    assert [each.name for each in folder.iterdir()] == ["conftest.py"]
    (folder / "own.py").write_text("mine")
    assert write(record, folder, "--force").exit_code == 0
    assert (folder / "conftest.py").read_text() != "mine" and (folder / "own.py").read_text() == "mine"


def test_records_without_bodies_make_no_tests_and_say_why(tmp_path: Path) -> None:
    side = {"status": 200}
    document = {
        "version": 1, "id": "f/0", "target": "b", "method": "GET", "url": "http://b/", "verdict": "same",
        "primary": side, "shadow": side,
    }  # fmt: skip
    file = tmp_path / "record.jsonl"
    file.write_text(json.dumps(document) + "\n")
    result = write(file, tmp_path / "suite")
    assert result.exit_code == 1
    assert "left out: 1 pair without bodies (mirror_record_bodies was off)" in result.stderr
    assert not (tmp_path / "suite").exists()


def test_wrong_usage(tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").touch()
    assert write(tmp_path / "empty.jsonl", tmp_path / "suite").exit_code == 2
    assert write(tmp_path / "none.jsonl", tmp_path / "suite").exit_code == 2
    assert CliRunner().invoke(command, [str(tmp_path / "empty.jsonl")]).exit_code == 2
    assert CliRunner().invoke(main, ["tests", "--help"]).exit_code == 0
