"""Red/green: a mirror restarts, and gets the pairs that differed once more."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from livetools.client import exchange
from livetools.ports import reserved_port
from livetools.proxy import Proxy
from livetools.recorder import Recorder
from livetools.recorder import answer
from livetools.restarting import RestartingServer
from livetools.web import Web
from livetools.wire import lines

JSON = b"Content-Type: application/json"
RIGHT = {"ok": True}
ITEMS = [f"/items/{number}" for number in range(1, 15)]
PROMISED = 2.0
"""Seconds from the mirror's return to the line. A machine that is busy may take longer, so no test depends on it."""


def wrong(*paths: str) -> dict[str, object]:
    """Answers that differ from the primary's at these paths, each in its own way."""
    return {path: {"ok": True, f"field{path.rpartition('/')[2]}x": 1} for path in paths}


def get(address: tuple[str, int], path: str) -> None:
    reply = exchange(address, lines(f"GET {path} HTTP/1.1".encode(), b"Host: shop.test"))
    assert json.loads(reply.body) == RIGHT


def send_post(address: tuple[str, int]) -> None:
    head = lines(b"POST /items/1 HTTP/1.1", b"Host: shop.test", b"Content-Length: 0")
    assert exchange(address, head).status == 200


def said(proxy: Proxy, after: int) -> str:
    return proxy.wait_for(r"sent again to (mirror_to\S*|\S+): (.*)\n", after=after)[2]


@pytest.fixture
def primary() -> Iterator[Recorder]:
    with Recorder(answer(b"200 OK", JSON, body=json.dumps(RIGHT).encode())) as running:
        yield running


def page(port: int) -> Any:
    return json.loads(exchange(("127.0.0.1", port), lines(b"GET /api/status.json HTTP/1.1", b"Host: localhost")).body)


def counted(status: str) -> list[str]:
    """What `mirror.status` says of live traffic."""
    return re.findall(r"^(?:requests|offered|sent|failed|dropped|skipped) \d+$|^shadows.*", status, re.M)


def compared(web: Web, number: int) -> None:
    web.wait_until(lambda: bool(re.search(rf"compared {number} of", web.command("mirror.status"))))


def test_page_terminal_and_mitmweb_say_what_is_fixed(confdir: Path, primary: Recorder, tmp_path: Path) -> None:
    with reserved_port() as port, RestartingServer(tmp_path / "v2", wrong(*ITEMS)) as v2:
        record = tmp_path / "pairs.jsonl"
        options = ["mirror_rerun=true", f"mirror_to=http://{v2}", f"mirror_web_port={port}", f"mirror_record={record}"]
        arguments = [part for option in options for part in ("--set", option)]
        with Web(confdir, "--mode", f"reverse:http://127.0.0.1:{primary.port}", *arguments) as web:
            for path in ITEMS:
                get(web.address, path)
            compared(web, 14)
            before, mark = web.command("mirror.status"), len(web.output)
            v2.save({**wrong("/items/13"), "/items/14": {"ok": True, "later": 2}})
            v2.stop()
            v2.start()
            began = time.monotonic()
            line = said(web, mark)
            print(f"said {time.monotonic() - began:.2f} s after the return, of {PROMISED} s")
            assert line.startswith("12 of 14 fixed, 2 left, 1 new; new: $.later extra")
            assert page(port)["reruns"][0]["result"] == "12 of 14 fixed, 2 left, 1 new"
            assert (
                "12 of 14 fixed"
                in exchange(("127.0.0.1", port), lines(b"GET / HTTP/1.1", b"Host: localhost")).body.decode()
            )
            assert any("12 of 14 fixed, 2 left, 1 new" in event["message"] for event in web.call("GET", "/events"))
            status = web.command("mirror.status")
            assert re.search(r"^rerun: \S+: 12 of 14 fixed, 2 left, 1 new", status, re.M)
            assert counted(status) == counted(before)
            assert re.search(r"^rerun 14\nrerun\.sent 14$", status, re.M)
            # It is over the same pairs each time.
            mark = len(web.output)
            v2.save(wrong("/items/1"))
            v2.restart()
            assert said(web, mark) == "13 of 14 fixed, 1 left, 0 new"
            # Not during a pause, but after it.
            web.command("mirror.pause")
            answered = len(v2.log)
            v2.restart()
            assert "paused" in web.call("POST", "/commands/mirror.rerun", {"arguments": []})["error"]
            assert len(v2.log) == answered
            mark = len(web.output)
            web.command("mirror.resume")
            assert said(web, mark) == "13 of 14 fixed, 1 left, 0 new"
            mark = len(web.output)
            assert web.command("mirror.rerun").startswith("14 pairs are sent again to ")
            assert said(web, mark) == "13 of 14 fixed, 1 left, 0 new"
        assert len(primary.received) == 14
        assert len(record.read_text().splitlines()) == 14


@pytest.mark.long
@pytest.mark.parametrize("keeps_socket", [False, True])
def test_a_server_that_bounces(confdir: Path, primary: Recorder, tmp_path: Path, keeps_socket: bool) -> None:
    """Plain mitmdump: a restart of the process, and one under a supervisor that keeps the socket."""
    with RestartingServer(tmp_path / "v2", wrong(*ITEMS[:3]), keeps_socket=keeps_socket) as v2:
        arguments = ["--set", "mirror_rerun=true", "--set", f"mirror_to=http://{v2}"]
        with Proxy(confdir, "--mode", f"reverse:http://127.0.0.1:{primary.port}", *arguments) as proxy:
            for path in ITEMS[:3]:
                get(proxy.address, path)
            send_post(proxy.address)  # differs too, and is not sent again
            proxy.wait_for("POST .* different")
            proxy.wait_for(f"when {v2} restarts, the requests that differ are sent to it again")
            mark = len(proxy.output)
            for left in (2, 1):
                v2.save(wrong(*ITEMS[:left]))
                for _ in range(3):
                    v2.restart()
                # What was said between two restarts may be of the code before.
                proxy.wait_for(f"sent again to {v2}: {3 - left} of 3 fixed, {left} left, 0 new", after=mark)
        assert [line for line in v2.log if "POST" in line] == ["POST /items/1"]
        assert proxy.totals["offered"] == proxy.totals["sent"] == 4
        assert proxy.totals["rerun"] >= 6 and proxy.totals["rerun.skipped"] == 1
