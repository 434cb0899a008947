"""`mirror-addon replay` on captures that real tools wrote, sent to real mirrors."""

from __future__ import annotations

import itertools
import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from livetools.client import Client
from livetools.proxy import ROOT
from livetools.proxy import Proxy
from livetools.proxy import Tool
from livetools.recorder import PATIENCE
from livetools.recorder import Conversation
from livetools.recorder import Recorder
from livetools.recorder import answer
from livetools.recorder import hang
from livetools.recorder import slow
from livetools.wire import Received
from livetools.worked_example import HOST
from livetools.worked_example import endpoints
from livetools.worked_example import request
from mitmproxy.http import HTTPFlow
from mitmproxy.io import FlowReader

from mirror_addon.cli.replay import replay

PROGRAM = "from mirror_addon.cli.main import main; main(prog_name='mirror-addon')"
CLIENTS = 3
REQUESTS = 8
GAP = 0.06
"""Seconds between the recorded requests of a client."""
OLD = answer(b"200 OK", b"Content-Type: application/json", body=b'{"version": 1, "total": 3}')
NEW = answer(b"200 OK", b"Content-Type: application/json", body=b'{"version": 2, "total": 3}')


class Captures:
    """The same traffic in a dump, a HAR and a record, as mitmdump wrote them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.dump = folder / "traffic.mitm"
        self.har = folder / "traffic.har"
        self.record = folder / "record.jsonl"

    def of(self, kind: str) -> Path:
        found: Path = getattr(self, kind)
        return found


def traffic(address: tuple[str, int]) -> None:
    def client(number: int) -> None:
        with Client(address) as connection:
            for count in range(REQUESTS):
                body = b"%d.%d" % (number, count)
                line = b"POST /serviceB/c%d/%d" % (number, count)
                fields = b"Content-Length: %d" % len(body), b"Authorization: Bearer secret"
                assert connection.exchange(request(line, *fields, body=body)).status == 200
                time.sleep(GAP)

    clients = [threading.Thread(target=client, args=(number,)) for number in range(CLIENTS)]
    for each in clients:
        each.start()
    for each in clients:
        each.join()


@pytest.fixture(scope="module")
def captures(confdir: Path, tmp_path_factory: pytest.TempPathFactory) -> Captures:
    found = Captures(tmp_path_factory.mktemp("captures"))
    with Recorder(OLD) as v1, Recorder(NEW) as v2:
        plain = "--mode", f"reverse:http://{v1}", "--set", "keep_host_header=true"
        with Proxy(confdir, *plain, "-w", str(found.dump), "--set", f"hardump={found.har}", script=None) as proxy:
            traffic(proxy.address)
        recording = f"mirror_record={found.record}", "mirror_record_bodies=true", "mirror_drain=10s"
        options = [argument for each in recording for argument in ("--set", each)]
        with Proxy(confdir, *endpoints(v1, v2), *options) as proxy:
            traffic(proxy.address)
    return found


@pytest.fixture
def mirror() -> Iterator[Recorder]:
    with Recorder(OLD) as v2:
        yield v2


class Run:
    """A replay that has ended, with its summary."""

    def __init__(self, code: int, output: str) -> None:
        self.code = code
        self.output = output

    @property
    def found(self) -> dict[str, Any]:
        (line,) = [line for line in self.output.splitlines() if line.startswith('{"replay"')]
        found: dict[str, Any] = json.loads(line)
        return found


def arguments_of(mirror: Recorder, *arguments: str | Path) -> list[str]:
    where = "--rules", str(ROOT / "rules"), "--endpoint", f"serviceB/v2={mirror}"
    return [*where, "--json", *map(str, arguments)]


def run(mirror: Recorder, *arguments: str | Path) -> Run:
    result = CliRunner().invoke(replay, arguments_of(mirror, *arguments))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
    return Run(result.exit_code, result.output)


def start(folder: Path, *arguments: str) -> Tool:
    """In a process of its own."""
    return Tool([sys.executable, "-c", PROGRAM, "replay", *arguments], folder, {"PYTHONPATH": str(ROOT / "src")})


def places(received: list[Received]) -> list[tuple[int, int]]:
    """Client and number of each request."""
    return [(int(each.target[3:4]), int(each.target[5:])) for each in received]


ALL = sorted((client, number) for client in range(CLIENTS) for number in range(REQUESTS))


@pytest.mark.parametrize("kind", ["dump", "har", "record"])
def test_every_request_comes_again_in_the_order_of_its_connection(
    captures: Captures, mirror: Recorder, kind: str
) -> None:
    done = run(mirror, captures.of(kind), "--speed", "max")
    assert done.code == 0, done.output
    received = mirror.received
    assert sorted(places(received)) == ALL
    for client in range(CLIENTS):
        assert [number for each, number in places(received) if each == client] == list(range(REQUESTS))
    for each in received:
        client, number = places([each])[0]
        assert each.body == b"%d.%d" % (client, number)
        assert each.value(b"host") == HOST + b"-shadow"
    found = done.found
    assert found["replay"]["shadows"] == {
        "offered": len(ALL), "sent": len(ALL), "failed": {}, "dropped": {}, "skipped": {},
    }  # fmt: skip
    (target,) = found["targets"]
    assert (target["compared"], target["same"] + target["noise"]) == (len(ALL), len(ALL))


def spacings(received: list[Received], client: int) -> list[float]:
    times = [each.time for each, (of, _) in zip(received, places(received), strict=True) if of == client]
    return [after - before for before, after in itertools.pairwise(times)]


def recorded_spans(dump: Path) -> list[float]:
    """Seconds from the first to the last request of each client."""
    starts: dict[int, list[float]] = {client: [] for client in range(CLIENTS)}
    with dump.open("rb") as file:
        for flow in FlowReader(file).stream():
            assert isinstance(flow, HTTPFlow)
            starts[int(flow.request.path.partition("/c")[2][0])].append(flow.request.timestamp_start)
    return [max(times) - min(times) for times in starts.values()]


@pytest.mark.parametrize("speed", [1, 0.5])
def test_time_passes_as_recorded(captures: Captures, mirror: Recorder, speed: float) -> None:
    """At least once in a few attempts: a busy machine may be late with any request, but not with all the time."""
    expected = [span / speed for span in recorded_spans(captures.dump)]
    for _ in range(8):
        done = run(mirror, captures.dump, "--speed", str(speed))
        assert done.code == 0, done.output
        received = mirror.take(len(ALL))
        took = [sum(spacings(received, client)) for client in range(CLIENTS)]
        if all(0.75 * span < each < 1.5 * span for each, span in zip(took, expected, strict=True)):
            return
    pytest.fail(f"took {took}, recorded {expected}")


def test_differences_are_counted_and_recorded(captures: Captures, mirror: Recorder, tmp_path: Path) -> None:
    mirror.behave(NEW)
    record = tmp_path / "again.jsonl"
    arguments = captures.dump, "--speed", "max", "-o", record
    done = run(mirror, *arguments, "--fail-on", "differing > 10%")
    assert done.code == 1, done.output
    assert "'differing > 10%' holds" in done.output
    (target,) = done.found["targets"]
    assert (target["differing"], target["fields"]) == (len(ALL), [])
    assert [field["path"] for each in target["endpoints"] for field in each["fields"]].count("$.version") >= 1
    lines = [json.loads(line) for line in record.read_text().splitlines()]
    assert len(lines) == len(ALL)
    assert {line["verdict"] for line in lines} == {"different"}
    assert run(mirror, *arguments, "--fail-on", "failed > 0").code == 0
    assert len(record.read_text().splitlines()) == len(ALL), "a record is written anew"
    assert run(mirror, *arguments[:-1], f"+{record}").code == 0
    assert len(record.read_text().splitlines()) == 2 * len(ALL)


def test_a_rate_is_kept_whatever_the_mirror_does(captures: Captures, mirror: Recorder) -> None:
    def answers_when_all_are_there(conversation: Conversation, received: Received) -> bool:
        deadline = time.monotonic() + PATIENCE
        while len(mirror.received) < len(ALL) and time.monotonic() < deadline and not conversation.stopped:
            conversation.wait(0.01)
        return OLD(conversation, received)

    mirror.behave(answers_when_all_are_there)
    done = run(mirror, captures.dump, "--rate", "100/s")
    assert done.code == 0, done.output
    times = sorted(each.time for each in mirror.received)
    assert len(times) == len(ALL)
    assert times[-1] - times[0] < PATIENCE, "somebody waited for an answer"


def test_amplified_and_repeated(captures: Captures, mirror: Recorder) -> None:
    done = run(mirror, captures.dump, "--speed", "max", "--amplify", "2", "--loop", "2", "~u /c1/")
    assert done.code == 0, done.output
    assert Counter(places(mirror.received)) == {(1, number): 4 for number in range(REQUESTS)}
    assert done.found["replay"]["filtered"] == (CLIENTS - 1) * REQUESTS


def test_credentials_are_replaced(captures: Captures, mirror: Recorder) -> None:
    run(mirror, captures.dump, "--speed", "max", "--set-header", "authorization: Bearer test", "~u /c0/")
    assert {each.value(b"authorization") for each in mirror.received} == {b"Bearer test"}


def test_redacted_credentials_are_missed(captures: Captures, mirror: Recorder) -> None:
    done = run(mirror, captures.record, "--speed", "max")
    assert done.found["replay"]["redacted"] == {"authorization": len(ALL)}
    assert f"{len(ALL)} requests sent without authorization" in done.output
    assert {each.value(b"authorization") for each in mirror.received} == {None}


def test_faults_by_a_seed(captures: Captures, mirror: Recorder) -> None:
    arguments = captures.dump, "--speed", "max", "--loop", "4", "--fault", "delay=20ms:50%,abort=25%", "--seed", "7"
    one, two = run(mirror, *arguments), run(mirror, *arguments)
    asked = 4 * len(ALL)
    faults = one.found["replay"]["faults"]
    assert faults == two.found["replay"]["faults"]
    assert 0.3 * asked < faults["delayed"] < 0.7 * asked
    assert 0.12 * asked < faults["aborted"] < 0.4 * asked
    assert one.found["replay"]["shadows"]["dropped"] == {"aborted": faults["aborted"]}
    assert len(mirror.received) == 2 * (asked - faults["aborted"])
    mirror.restore()
    assert len(mirror.failures) > 0.5 * 2 * faults["aborted"], "the mirror saw halves of requests"
    mirror.failures.clear()


def test_a_mirror_that_is_gone(captures: Captures, mirror: Recorder) -> None:
    mirror.refuse()
    done = run(mirror, captures.dump, "--speed", "max")
    assert done.code == 1
    assert "no mirror sent a response" in done.output
    shadows = done.found["replay"]["shadows"]
    assert shadows["failed"]["connect"] >= 5
    assert shadows["failed"]["connect"] + shadows["dropped"].get("breaker_open", 0) == len(ALL)


def test_a_queue_too_small_for_all_drops_nothing(captures: Captures, mirror: Recorder) -> None:
    mirror.behave(slow(0.05, OLD))
    limits = "--set", "queue=20KiB", "--set", "concurrency=2"
    done = run(mirror, captures.dump, "--speed", "max", "--amplify", "5", *limits)
    assert done.found["replay"]["shadows"]["sent"] == 5 * len(ALL), done.output


def test_ctrl_c(captures: Captures, mirror: Recorder, tmp_path: Path) -> None:
    record = tmp_path / "again.jsonl"
    tool = start(ROOT, *arguments_of(mirror, captures.dump, "--loop", "--speed", "max", "-o", record))
    try:
        mirror.wait_until_answered(10)
        assert tool.interrupt() == 0, tool.output
        found = Run(0, tool.output).found
    finally:
        tool.kill()
    assert found["replay"]["interrupted"] is True
    assert found["lines"] == len(record.read_text().splitlines()) == found["replay"]["shadows"]["offered"]


def test_ctrl_c_while_the_mirror_hangs(captures: Captures, mirror: Recorder) -> None:
    mirror.behave(hang)
    tool = start(ROOT, *arguments_of(mirror, captures.dump, "--set", "drain=200ms"))
    try:
        mirror.take(CLIENTS)
        began = time.monotonic()
        assert tool.interrupt() == 1, tool.output
        assert time.monotonic() - began < 15, "far from the 30 s of the deadline"
        found = Run(1, tool.output).found
    finally:
        tool.kill()
    assert found["replay"]["shadows"]["dropped"] == {"shutdown": CLIENTS}
    assert found["replay"]["shadows"]["offered"] == CLIENTS


def test_a_torn_dump_and_a_broken_one(captures: Captures, mirror: Recorder, tmp_path: Path) -> None:
    whole = captures.dump.read_bytes()
    torn, broken = tmp_path / "torn.mitm", tmp_path / "broken.mitm"
    torn.write_bytes(whole[:-10])
    broken.write_bytes(whole + b"this is no flow\n")
    done = run(mirror, torn, "--speed", "max")
    assert done.code == 0, done.output
    assert "the last flow" in done.output
    assert done.found["replay"]["requests"] == len(ALL) - 1
    done = run(mirror, broken, "--speed", "max")
    assert done.code == 2
    assert f"no mitmproxy flow at byte {len(whole)}" in done.output
    assert done.found["replay"]["requests"] == len(ALL)


def test_a_mirror_without_rules(captures: Captures, mirror: Recorder, tmp_path: Path) -> None:
    process = start(tmp_path, str(captures.dump), "--to", f"http://{mirror}", "--speed", "max")
    assert process.finish(60) == 0, process.output
    assert len(mirror.received) == len(ALL)
    assert mirror.received[0].target.startswith(b"/serviceB/")
