from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from assistanttools import inside
from assistanttools import kept
from assistanttools import line
from assistanttools import write_record
from click.testing import CliRunner
from mcp import ClientSession
from mcp import StdioServerParameters
from mcp.client.stdio import stdio_client

from mirror_addon.cli.mcp import MISSING
from mirror_addon.cli.mcp import mcp
from mirror_addon.cli.mcp import parse_address

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
PATIENCE = timedelta(seconds=60)
"""For an answer; a server that is stuck must not hold the tests."""
COMMAND = ("-m", "mirror_addon", "mcp")


async def test_a_client_starts_it_as_an_editor_does(tmp_path: Path) -> None:
    record = write_record(tmp_path / "r.jsonl")
    (tmp_path / "compare.yaml").write_text("rules: [{path: $.tax, ignore: true}]")
    parameters = StdioServerParameters(
        command=sys.executable,
        args=[*COMMAND, record, "--compare", str(tmp_path / "compare.yaml"), "--rules", str(ROOT / "rules")],
        env=ENVIRONMENT,
    )
    async with stdio_client(parameters) as streams, ClientSession(*streams, PATIENCE) as client:
        await client.initialize()
        answer: Any = (await client.call_tool("findings", {})).content[0]
        found = [each["path"] for each in inside(answer.text)]
        assert found[0] == "$.price" and "$.tax" not in found
        assert any(str(each.uri) == "mirror-addon://compare" for each in (await client.list_resources()).resources)


async def test_replay_over_a_real_connection(tmp_path: Path) -> None:
    """With --allow-replay a client sends a recorded GET again and sees that v2 was cured; a POST is refused."""
    arrived = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            arrived.append(self.path)
            self.send_response_only(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", "12")
            self.end_headers()
            self.wfile.write(b'{"price": 1}')

        def log_message(self, format: str, *args: Any) -> None:
            pass

    def pair(id: str, method: str) -> dict[str, Any]:
        return line(
            id, method=method, url="http://b.test/users/8", verdict="different",
            request={"headers": [], "body": "", "encoding": "utf-8"},
            primary=kept('{"price": 1}'), shadow=kept('{"price": 2}'),
        )  # fmt: skip

    record = write_record(tmp_path / "r.jsonl", pair("a/0", "GET"), pair("b/0", "POST"))
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,)).start()
        parameters = StdioServerParameters(
            command=sys.executable,
            args=[
                *COMMAND, record, "--allow-replay", "--set", f"mirror_to=http://127.0.0.1:{server.server_address[1]}",
            ],
            env=ENVIRONMENT,
            cwd=tmp_path,
        )  # fmt: skip
        try:
            async with stdio_client(parameters) as streams, ClientSession(*streams, PATIENCE) as client:
                await client.initialize()
                assert "replay" in [each.name for each in (await client.list_tools()).tools]
                refused: Any = await client.call_tool("replay", {"ids": ["b/0"]})
                assert refused.isError and "RFC 9110" in refused.content[0].text and not arrived
                answer: Any = (await client.call_tool("replay", {"ids": ["a/0"]})).content[0]
                assert inside(answer.text)["pairs"][0]["verdict"] == "same"
        finally:
            server.shutdown()
    assert arrived == ["/users/8"]


def test_messages_that_are_none_and_the_end_of_input(tmp_path: Path) -> None:
    """The server goes on after a line that is no message, and ends with its input."""
    start = {
        "jsonrpc": "2.0", "id": 1, "method": "initialize",
        "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}},
    }  # fmt: skip
    ready = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    ping = {"jsonrpc": "2.0", "id": 2, "method": "ping"}
    lines = [
        b"garbage",
        b"\xff\xfe\x00",
        b"[" * 5000,
        b"{}",
        *(json.dumps(each).encode() for each in (start, ready, ping)),
    ]
    # The input must stay open until the last answer is there.
    process = subprocess.Popen(
        [sys.executable, *COMMAND, write_record(tmp_path / "r.jsonl")],
        env=ENVIRONMENT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    assert process.stdin and process.stdout
    with process, process.stdin as stdin:
        stdin.write(b"".join(each + b"\n" for each in lines))
        stdin.flush()
        answers = []
        while not any(each.get("id") == 2 for each in answers):
            answers.append(json.loads(process.stdout.readline()))
        stdin.close()
        assert process.wait(60) == 0
    assert [each["id"] for each in answers if "result" in each] == [1, 2]


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("8082", ("127.0.0.1", 8082)),
        ("127.0.0.1:8080", ("127.0.0.1", 8080)),
        ("localhost:1", ("127.0.0.1", 1)),
        ("[::1]:8080", ("::1", 8080)),
        ("http://127.0.0.1:8082/", ("127.0.0.1", 8082)),
    ],
)
def test_addresses(text: str, address: tuple[str, int]) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize(
    "text", ["", "x", "127.0.0.1", "127.0.0.1:0", "1.2.3.4:80", "example.com:80", "0.0.0.0:80", ":٣", "1:99999999"]
)
def test_other_addresses_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"ADDRESS:PORT|of this machine"):
        parse_address(text)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["none.jsonl"], "does not exist"),
        (["RECORD", "--proxy", "8080"], "not both"),
        (["--compare", "x.yaml"], "name one"),
        (["RECORD", "--compare", "none.yaml"], "no such file"),
        (["--proxy", "10.0.0.1:80"], "of this machine"),
        (["--allow-replay"], "name one"),
        (["RECORD", "--allow-replay", "--set", "mirror_control=1%"], "has no primary"),
        (["--set", "mirror_redact=form:"], "names nothing"),
    ],
)
def test_wrong_usage(tmp_path: Path, arguments: list[str], said: str) -> None:
    record = write_record(tmp_path / "r.jsonl")
    result = CliRunner().invoke(mcp, [record if each == "RECORD" else each for each in arguments])
    assert result.exit_code == 2 and said in result.output


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mcp", None)
    monkeypatch.delitem(sys.modules, "mirror_addon.assistant.server", raising=False)
    result = CliRunner().invoke(mcp, [])
    assert result.exit_code == 1 and MISSING in result.output
