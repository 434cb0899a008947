"""`mirror_record` with real mitmproxy, real upstreams and a worker of flesh and blood."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from livetools import recorder
from livetools.client import Client
from livetools.client import exchange
from livetools.proxy import Proxy
from livetools.recorder import PATIENCE
from livetools.recorder import Conversation
from livetools.recorder import Recorder
from livetools.recorder import answer
from livetools.web import Web
from livetools.wire import Received
from livetools.wire import lines

RULES = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: shop
spec:
  hosts: [shop.test]
  http:
  - match: [{uri: {prefix: /controlled}}]
    route: [{destination: {host: shop, subset: v1}}]
    mirrors:
    - destination: {host: shop, subset: v2}
    - destination: {host: shop, subset: v1}
  - match: [{uri: {prefix: /edited}}]
    route:
    - destination: {host: shop, subset: v1}
      headers: {response: {set: {x-edited: by the route}, remove: [x-version]}}
    mirror: {host: shop, subset: v2}
  - route: [{destination: {host: shop, subset: v1}}]
    mirror: {host: shop, subset: v2}
"""
JSON = b"Content-Type: application/json"
Start = Callable[..., Proxy]


class Shop:
    """Two upstreams, their rules, and where the record goes."""

    def __init__(self, folder: Path, confdir: Path, v1: Recorder, v2: Recorder) -> None:
        self.folder = folder
        self.record = folder / "record.jsonl"
        self.v1, self.v2 = v1, v2
        self.confdir = confdir
        self.rules = folder / "rules.yaml"
        self.rules.write_text(RULES)

    def arguments(self, **options: str) -> list[str]:
        settings = {
            "mirror_rules": str(self.rules),
            "mirror_record": str(self.record),
            "mirror_compare": "compare.yaml",
        } | {f"mirror_{name}": value for name, value in options.items()}
        listed = [f"mirror_endpoints=shop/v1={self.v1}", f"mirror_endpoints=shop/v2={self.v2}"]
        return [part for each in [*listed, *(f"{k}={v}" for k, v in settings.items())] for part in ("--set", each)]

    def start(self, *more: str, **options: str) -> Proxy:
        return Proxy(self.confdir, *self.arguments(**options), *more)

    def lines(self, count: int = 1, patience: float = PATIENCE) -> list[dict[str, Any]]:
        """All lines, when there are so many; each must be whole."""
        deadline = time.monotonic() + patience
        while True:
            text = self.record.read_bytes() if self.record.exists() else b""
            if text.count(b"\n") >= count:
                return [json.loads(line) for line in text.splitlines()]
            assert time.monotonic() < deadline, f"{len(text.splitlines())} of {count} lines"
            time.sleep(0.02)

    def __call__(
        self, proxy: Proxy, target: str = "/", *fields: bytes, method: str = "GET", body: bytes = b""
    ) -> bytes:
        length = [b"Content-Length: %d" % len(body)] if body else []
        head = lines(f"{method} {target} HTTP/1.1".encode(), b"Host: shop.test", *fields, *length)
        return exchange(proxy.address, head + body).body


@pytest.fixture
def shop(tmp_path: Path, confdir: Path, v1: Recorder, v2: Recorder) -> Shop:
    return Shop(tmp_path, confdir, v1, v2)


def by_path(conversation: Conversation, request: Received) -> bool:
    """What v2 does, told by its path."""
    path = request.target.split(b"?")[0].rpartition(b"/")[2]
    if path == b"hang":
        return recorder.hang(conversation, request)
    replies = {
        b"same": answer(b"200 OK", JSON, body=b'{"a": 1.0}'),
        b"different": answer(b"200 OK", JSON, body=b'{"a":2}'),
        b"status": answer(b"500 Oops", JSON, body=b'{"a":1}'),
        b"cut": recorder.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"),
    }
    return replies[path](conversation, request)


def test_a_line_for_each_verdict(shop: Shop) -> None:
    shop.v1.behave(answer(b"200 OK", JSON, body=b'{"a":1}'))
    shop.v2.behave(by_path)
    with shop.start(timeout="1s") as proxy:
        for path in ("same", "different", "status", "cut", "hang"):
            assert shop(proxy, f"/{path}?q=1") == b'{"a":1}'
        found = {line["url"]: line for line in shop.lines(5)}
    verdicts = {url.rpartition("/")[2]: line["verdict"] for url, line in found.items()}
    assert verdicts == {
        "same?q=1": "same",
        "different?q=1": "different",
        "status?q=1": "different",
        "cut?q=1": "failed",
        "hang?q=1": "failed",
    }
    line = found["http://shop.test/different?q=1"]
    assert line["differences"][0] | {"where": ""} == {
        "path": "$.a", "kind": "value", "primary": 1, "shadow": 2, "noise": "", "where": "",
    }  # fmt: skip
    assert (line["rule"], line["route"], line["target"]) == ("default/shop http[2]", "shop/v1", "shop/v2")
    assert (line["version"], line["method"], line["control"], line["more"]) == (1, "GET", False, 0)
    assert line["id"].startswith(line["flow"])
    assert 0 <= line["draw"] < 2**64
    assert line["client"].startswith("127.0.0.1:")
    assert abs(line["start"] - time.time()) < 60
    assert (line["primary"]["status"], line["primary"]["bytes"], line["primary"]["error"]) == (200, 7, None)
    for side in (line["primary"], line["shadow"]):
        assert side["ms"] >= side["first_ms"] > 0
        assert side["connect_ms"] is None or side["connect_ms"] > 0
        assert side["clock"] in ("socket", "reader", "program")
    assert found["http://shop.test/status?q=1"]["differences"][0]["path"] == "status"
    assert found["http://shop.test/hang?q=1"]["shadow"]["error"] == "timeout"
    assert found["http://shop.test/cut?q=1"]["shadow"]["error"] in ("reset", "protocol")
    assert "headers" not in line["primary"]
    assert shop.record.stat().st_mode & 0o077 == 0


def test_known_shapes_are_noise_and_rules_by_hand_hold(shop: Shop, tmp_path: Path) -> None:
    def clock(conversation: Conversation, request: Received) -> bool:
        shift = request.value(b"host").endswith(b"-shadow")
        moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + shift))
        body = json.dumps({"at": moment, "price": 10.0}).encode()
        return answer(b"200 OK", JSON, body=body)(conversation, request)

    def dearer(conversation: Conversation, request: Received) -> bool:
        body = json.dumps({"at": "2026-01-01T00:00:00Z", "price": 10.5}).encode()
        return answer(b"200 OK", JSON, body=body)(conversation, request)

    shop.v1.behave(clock)
    shop.v2.behave(clock)
    rules = tmp_path / "compare.yaml"
    with shop.start() as proxy:
        shop(proxy)
        (line,) = shop.lines(1)
        assert line["verdict"] == "noise"
        assert [each["noise"] for each in line["differences"]] == ["time"]
        shop.v2.behave(dearer)
        shop(proxy)
        assert shop.lines(2)[1]["verdict"] == "different"
    rules.write_text("rules:\n- {path: $.price, tolerance: 10%}\n- {path: $.at, presence: true}\n")
    with shop.start(compare=str(rules)) as proxy:
        shop(proxy)
        assert shop.lines(3)[2]["verdict"] == "noise"


def test_drops_have_lines_too(shop: Shop) -> None:
    shop.v2.refuse()
    with shop.start(max_body="1KiB") as proxy:
        shop(proxy, "/big", method="POST", body=bytes(2000))
        errors: Counter[str] = Counter()
        count = 1
        while not errors["breaker_open"]:
            assert count < 40, errors
            shop(proxy, f"/{count}")
            count += 1
            found = shop.lines(count)
            errors = Counter(line["shadow"]["error"] for line in found)
    assert errors == {"body_too_large": 1, "connect": count - 2, "breaker_open": 1}
    assert {line["verdict"] for line in found} == {"failed"}
    assert {line["primary"]["status"] for line in found} == {200}


def test_a_primary_that_fails(shop: Shop) -> None:
    shop.v1.refuse()
    with shop.start() as proxy:
        shop(proxy)
        (line,) = shop.lines(1)
    assert (line["primary"]["status"], line["primary"]["error"]) == (None, "connect")
    assert line["shadow"]["status"] == 200
    assert line["verdict"] == "different"


def test_a_client_that_goes_leaves_nothing_to_compare(shop: Shop) -> None:
    shop.v1.behave(recorder.hang)
    with shop.start() as proxy:
        with socket.create_connection(proxy.address) as client:
            client.sendall(lines(b"GET / HTTP/1.1", b"Host: shop.test"))
            shop.v2.one()
        (line,) = shop.lines(1)
    assert (line["verdict"], line["primary"]["error"], line["shadow"]["status"]) == (None, "client_gone", 200)


def test_answers_that_are_discarded_have_no_verdict(shop: Shop) -> None:
    shop.v2.behave(answer(body=b"something else"))
    with shop.start(responses="discard") as proxy:
        shop(proxy)
        (line,) = shop.lines(1)
    assert (line["verdict"], line["differences"]) == (None, [])
    assert (line["primary"]["bytes"], line["shadow"]["bytes"]) == (2, 14)


def test_what_the_route_does_to_the_answer_is_not_a_difference(shop: Shop) -> None:
    for each in (shop.v1, shop.v2):
        each.behave(answer(b"200 OK", b"X-Version: 1"))
    with shop.start(record_bodies="true") as proxy:
        shop(proxy, "/edited")
        (line,) = shop.lines(1)
    assert line["verdict"] == "same"
    assert ["X-Version", "1"] in line["primary"]["headers"]


def test_a_streamed_primary_is_not_compared_by_body(shop: Shop) -> None:
    shop.v1.behave(answer(body=b"x" * 3000))
    with shop.start("--set", "stream_large_bodies=1k") as proxy:
        assert len(shop(proxy)) == 3000
        (line,) = shop.lines(1)
    assert line["primary"]["bytes"] == 3000
    assert any("streamed" in note for note in line["notes"])


def test_bodies_and_what_is_secret(shop: Shop) -> None:
    shop.v1.behave(answer(b"200 OK", b"Set-Cookie: session=secret1", b"X-Token: secret2", body=b"\xff\xfe"))
    shop.v2.behave(answer(b"200 OK", b"Set-Cookie: session=secret3", b"X-Token: secret4", body="\u00fc".encode()))
    secrets = (b"Authorization: Bearer secret5", b"Cookie: secret6", b"X-Token: secret7")
    with shop.start(record_bodies="true", redact="Authorization,Cookie,Set-Cookie,X-Token") as proxy:
        shop(proxy, "/a", *secrets, method="POST", body=b'{"who":"me"}')
        (line,) = shop.lines(1)
    assert b"secret" not in shop.record.read_bytes()
    assert line["request"]["body"] == '{"who":"me"}'
    assert ["Host", "shop.test"] in line["request"]["headers"]
    assert ["Authorization", "[redacted]"] in line["request"]["headers"]
    assert (line["primary"]["body"], line["primary"]["encoding"]) == ("//4=", "base64")
    assert (line["shadow"]["body"], line["shadow"]["encoding"]) == ("\u00fc", "utf-8")
    assert ["Set-Cookie", "[redacted]"] in line["shadow"]["headers"]
    told = {each["path"]: each for each in line["differences"]}
    assert told["header:x-token"]["primary"] == told["header:x-token"]["shadow"] == "[redacted]"


def test_a_streamed_upload_is_recorded(shop: Shop) -> None:
    body = os.urandom(300_000)
    with shop.start("--set", "stream_large_bodies=1k", record_bodies="true") as proxy:
        shop(proxy, "/up", method="PUT", body=body)
        (line,) = shop.lines(1)
    assert (line["verdict"], line["request"]["encoding"], line["request"]["cut"]) == ("same", "base64", False)
    assert len(line["request"]["body"]) == 400_000


def test_a_second_mirror_of_the_primarys_destination_is_the_control(shop: Shop) -> None:
    counts = {"v1": 0}

    def counting(conversation: Conversation, request: Received) -> bool:
        counts["v1"] += 1
        return answer(b"200 OK", JSON, body=b'{"n":%d,"a":1}' % counts["v1"])(conversation, request)

    shop.v1.behave(counting)
    shop.v2.behave(answer(b"200 OK", JSON, body=b'{"n":77,"a":1}'))
    with shop.start(control="100%") as proxy:
        shop(proxy, "/controlled")
        found = {line["target"]: line for line in shop.lines(2)}
        assert len(shop.v1.take(2)) == 2
    assert set(found) == {"shop/v1", "shop/v2"}
    assert (found["shop/v1"]["control"], found["shop/v2"]["control"]) == (True, False)
    assert found["shop/v1"]["verdict"] == "different"
    assert found["shop/v2"]["verdict"] == "noise"
    assert [each["noise"] for each in found["shop/v2"]["differences"]] == ["control"]
    assert len({line["flow"] for line in found.values()}) == 1


def test_the_primary_is_asked_again_as_it_was_asked(shop: Shop) -> None:
    with shop.start(control="100%") as proxy:
        for method in ("GET", "HEAD"):
            shop(proxy, "/a?b=c", b"X-Forwarded-For: 192.0.2.7", b"X-Dup: 1", b"x-dup: 2", method=method)
            primary, again = shop.v1.take(2)
            assert again.start_line == primary.start_line
            assert sorted(again.headers) == sorted(primary.headers)
        shop(proxy, "/b", method="POST", body=b"x")
        shop.v1.one()
        found = shop.lines(5)
        assert Counter((line["target"], line["control"]) for line in found) == {
            ("shop/v2", False): 3,
            ("control:shop/v1", True): 2,
        }
        assert shop.v1.received == []
        proxy.interrupt()
        assert "control:shop/v1.sent 2" in proxy.output


def test_nobody_is_asked_again_where_nothing_is_compared(shop: Shop) -> None:
    with shop.start(control="100%", record="") as proxy:
        shop(proxy)
        shop.v2.one()
        proxy.interrupt()
    assert len(shop.v1.received) == 1
    assert not shop.record.exists()


@pytest.mark.parametrize("workers", [1, 2])
def test_rotation(shop: Shop, workers: int) -> None:
    with shop.start(record_rotate="4KiB", workers=str(workers)) as proxy:
        with Client(proxy.address) as client:
            for number in range(60):
                client.exchange(lines(b"GET /%d HTTP/1.1" % number, b"Host: shop.test"))
        shop.v2.take(60)
        proxy.interrupt()
    files = sorted(shop.folder.glob("record*.jsonl"))
    if workers == 1:  # one of two may meet the lock of the other while that does not run, and writes on without it
        assert len(files) > 5
        assert all(file.stat().st_size <= 4096 for file in files)
    found = [json.loads(line)["url"] for file in files for line in file.read_bytes().splitlines()]
    assert sorted(found) == sorted(f"http://shop.test/{number}" for number in range(60))


def kill_a_worker(proxy: Proxy) -> None:
    """One that lives: those killed before may still be listed."""
    while True:
        with contextlib.suppress(ProcessLookupError, KeyError, IndexError):
            os.kill(proxy.workers.pop(), signal.SIGKILL)
            return


def test_workers_that_are_killed_lose_no_line(shop: Shop) -> None:
    """Also those of shadows that were answered and not yet written, and of some that were under way."""
    stop, open_gate = threading.Event(), threading.Event()

    def through_the_gate(conversation: Conversation, request: Received) -> bool:
        open_gate.wait(PATIENCE)
        return answer()(conversation, request)

    shop.v2.behave(through_the_gate)

    def load() -> None:
        with Client(proxy.address) as client:
            while not stop.is_set():
                assert client.exchange(lines(b"GET / HTTP/1.1", b"Host: shop.test")).status == 200

    with shop.start(workers="2") as proxy:
        clients = [threading.Thread(target=load) for _ in range(4)]
        for each in clients:
            each.start()
        for _ in range(3):
            open_gate.set()
            shop.lines((shop.record.read_bytes().count(b"\n") if shop.record.exists() else 0) + 30)
            open_gate.clear()
            there = len(shop.v2.received)
            shop.v2.wait_for(there + 20)  # unanswered, and spread over both workers
            kill_a_worker(proxy)
            deadline = time.monotonic() + PATIENCE
            while len(proxy.workers) < 2:
                assert time.monotonic() < deadline
                time.sleep(0.02)
        open_gate.set()
        stop.set()
        for each in clients:
            each.join()
        proxy.interrupt()
    offered = int(proxy.wait_for(r"shop/v2\.offered (\d+)")[1])
    lost = int(proxy.wait_for(r"shop/v2\.dropped\.worker_lost (\d+)")[1])
    found = [json.loads(line) for line in shop.record.read_bytes().splitlines()]
    assert len({line["id"] for line in found}) == len(found) == offered
    assert sum(line["shadow"]["error"] == "worker_lost" for line in found) <= lost
    assert lost > 0


def test_what_is_under_way_at_the_end_is_recorded(shop: Shop) -> None:
    shop.v2.behave(recorder.hang)
    with shop.start(drain="100ms") as proxy:
        for number in range(3):
            shop(proxy, f"/{number}")
        shop.v2.take(3)
        proxy.interrupt()
    assert [line["shadow"]["error"] for line in shop.lines(3)] == ["shutdown"] * 3


def test_a_frozen_worker_is_harmless_and_what_it_cannot_record_is_counted(shop: Shop) -> None:
    with shop.start(queue="64KiB", max_body="32KiB", drain="100ms") as proxy:
        shop(proxy)
        shop.lines(1)
        (worker,) = proxy.workers
        os.kill(worker, signal.SIGSTOP)
        with Client(proxy.address) as client:
            for _ in range(300):
                started = time.monotonic()
                assert client.exchange(lines(b"GET / HTTP/1.1", b"Host: shop.test")).status == 200
                assert time.monotonic() - started < 10, "a frozen worker is waited for, for ever"
        proxy.interrupt()
    assert re_total(proxy.output, "offered") == 301
    assert re_total(proxy.output, "dropped.queue_full") > 200
    assert "Traceback" not in proxy.output


def re_total(output: str, name: str) -> int:
    """A total of the summary at the end."""
    return int(next(line.split()[1] for line in output.splitlines() if line.startswith(f"{name} ")))


def test_a_full_disc_is_said_once_and_mirroring_goes_on(shop: Shop) -> None:
    with shop.start(record="/dev/full") as proxy:
        for number in range(5):
            shop(proxy, f"/{number}")
        shop.v2.take(5)
        proxy.wait_for("cannot write the record /dev/full: No space left on device")
        proxy.interrupt()
    assert proxy.output.count("cannot write the record") == 1
    assert re_total(proxy.output, "sent") == 5


@pytest.mark.parametrize("path", ["missing/record.jsonl", "."])
def test_a_record_that_cannot_be_written_is_refused_at_the_start(shop: Shop, path: str) -> None:
    target = shop.folder / path
    proxy = shop.start(record=str(target))
    assert proxy.finish() == 1
    assert f"mirror: mirror_record={target}: " in proxy.output
    assert "Traceback" not in proxy.output


def test_the_record_is_changed_while_it_runs(shop: Shop) -> None:
    with Web(shop.confdir, *shop.arguments(record="")) as web:
        worker = web.workers
        shop(web)
        web.wait_for("first shadow of")  # its pair is complete
        web.call("PUT", "/options", {"mirror_record": str(shop.record)})
        shop(web, "/recorded")
        (line,) = shop.lines(1)
        assert line["url"] == "http://shop.test/recorded"
        second = shop.folder / "second.jsonl"
        web.call("PUT", "/options", {"mirror_record": str(second), "mirror_record_bodies": True})
        shop(web, "/second")
        shop.record = second
        (line,) = shop.lines(1)
        assert line["request"]["body"] == ""
        assert web.workers == worker
        web.wait_until(lambda: "pairs.recorded 2" in web.command("mirror.status"))


def test_rules_of_comparison_are_in_force_as_they_are_edited(shop: Shop) -> None:
    shop.v1.behave(answer(b"200 OK", JSON, body=b'{"price": 1}'))
    shop.v2.behave(answer(b"200 OK", JSON, body=b'{"price": 2}'))
    file = shop.folder / "rules_of_comparison.yaml"
    file.write_text("rules: []\n")

    def ask(number: int) -> str:
        assert exchange(proxy.address, lines(b"GET /x HTTP/1.1", b"Host: shop.test")).status == 200
        verdict: str = shop.lines(number)[-1]["verdict"]
        return verdict

    with shop.start(compare=str(file)) as proxy:
        assert ask(1) == "different"
        file.write_text("rules:\n  - {path: $.price, tolerance: {absolute: 1}}\n")
        proxy.wait_for(r"comparing by \S+rules_of_comparison.yaml as it is now")
        assert ask(2) != "different"
        said = len(proxy.output)
        file.write_text("rules:\n  - {path: $.price, tolerence: 1}\n")
        proxy.wait_for(r"tolerence.*; the rules of comparison read before stay in force", after=said)
        assert ask(3) != "different"
        assert proxy.interrupt() == 0
