from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import mirror_addon
from mirror_addon.dispatch import worker_link
from mirror_addon.shadow.frames import CHUNK_OVERHEAD
from mirror_addon.shadow.frames import Decoder
from mirror_addon.shadow.frames import EndNote
from mirror_addon.shadow.frames import Kind
from mirror_addon.shadow.frames import OwnCall
from mirror_addon.shadow.frames import PrimaryAnswer
from mirror_addon.shadow.frames import Recording
from mirror_addon.shadow.frames import TranslatedCall
from mirror_addon.shadow.frames import encode
from mirror_addon.shadow.frames import pack
from mirror_addon.shadow.request import Target
from mirror_addon.shadow.subject import Subject
from mirror_addon.worker.worker import Worker
from mirror_addon.worker.worker import _describe

ROOT = str(Path(mirror_addon.__file__).parents[1])

PATIENCE = 30.0
"""Seconds that a machine may take, however busy it is."""

LIST_MODULES = """
import os, sys
def leave(code, leave=os._exit):
    print(*sys.modules, flush=True)
    leave(code)
os._exit = leave
"""
OTHER_HTTPCORE = """
import sys
sys.modules["httpx._main"] = None
import httpcore
class Other:
    def __init__(self, *arguments): ...
httpcore.AsyncHTTP11Connection = Other
"""


class Process:
    """A worker, spoken to by hand."""

    def __init__(self, before: str = "") -> None:
        """`before`: Python that the process executes first."""
        self.socket, theirs = socket.socketpair()
        self.socket.settimeout(PATIENCE)
        with theirs:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    "-P",
                    "-W",
                    "ignore",
                    "-c",
                    before + worker_link._PROGRAM,
                    str(theirs.fileno()),
                    "2",
                    ROOT,
                ],
                pass_fds=[theirs.fileno()],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
        self._decoder = Decoder()
        self._frames: list[tuple[tuple[Any, ...], bytes]] = []

    def next(self, *kinds: Kind) -> tuple[tuple[Any, ...], bytes]:
        """The next frame of these kinds."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            while self._frames:
                frame = self._frames.pop(0)
                if frame[0][0] in kinds:
                    return frame
            data = self.socket.recv(65536)
            assert data, "the worker hung up"
            self._frames += self._decoder.feed(data)
        raise AssertionError(f"waited in vain for {kinds}")

    def send(self, head: tuple[Any, ...], tail: bytes = b"") -> None:
        self.socket.sendall(encode(head, len(tail)) + tail)

    def request(self, number: int, port: int, body: bytes = b"", *, more: bool = False, group: str = "") -> None:
        """A shadow, which is compared with the primary of `group` if there is one."""
        fields = ((b"Transfer-Encoding", b"chunked"),) if more else ()
        head = (b"POST" if more else b"GET", b"b", b"/", fields, 30.0, 1000, 1000, 0)
        pair = (f"{group}/{number}", tuple(subject(group))) if group else ()
        self.send((Kind.REQUEST, number, a_target(port), pack(head), more, *pair), body)

    def primary(self, number: int, group: str, body: bytes) -> None:
        """The response of a group's primary."""
        self.send((Kind.ANSWER, number, *PrimaryAnswer(group, 200, (), True, len(body), 1.0, "", "", False)), body)

    def end(self) -> tuple[int, str]:
        self.socket.close()
        return self.ended()[:2]

    def ended(self) -> tuple[int, str, str]:
        """Wait for the process: exit code, what it wrote to stderr and to stdout."""
        output, errors = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, errors.decode(), output.decode()


def a_target(port: int) -> bytes:
    return pack(Target("b/v2", "127.0.0.1", port, False, "b", None))


def subject(group: str) -> Subject:
    return Subject(group, 1.0, "r", "b/v1", False, False, "GET", "http://b/", 1, "")


class Mirror:
    """A server in threads, which responds `ok` when it may. `connections` counts."""

    def __init__(self) -> None:
        self.may = threading.Event()
        self.may.set()
        self.requests: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=[connection], daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError), connection.makefile("rb") as file:
            while head := b"".join(itertools.takewhile(lambda line: line not in (b"\r\n", b""), file)):
                lower = head.lower()
                body = b""
                if b"transfer-encoding: chunked" in lower:
                    while size := int(file.readline(), 16):
                        body += file.read(size + 2)[:-2]
                    file.readline()
                self.requests.append(body)
                self.may.wait(PATIENCE)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    def close(self) -> None:
        self.may.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    made = Mirror()
    yield made
    made.close()


@pytest.fixture
def worker() -> Iterator[Process]:
    made = Process()
    yield made
    made.socket.close()
    try:
        made.process.communicate(timeout=PATIENCE)  # it ends by itself, and then its coverage counts
    finally:
        made.process.kill()


def test_it_ends_silently_when_the_other_end_closes(worker: Process) -> None:
    head, _ = worker.next(Kind.READY)
    assert head == (Kind.READY, worker.process.pid)
    assert worker.end() == (0, "")


def test_it_ends_with_shadows_under_way(worker: Process) -> None:
    with socket.create_server(("127.0.0.1", 0)) as hung:
        worker.request(1, hung.getsockname()[1])
        connection, _ = hung.accept()
        with connection:
            assert worker.end() == (0, "")


def test_it_tells_numbers_and_gives_signs_of_life(worker: Process) -> None:
    with socket.create_server(("127.0.0.1", 0)) as hung:
        for number in range(1, 5):
            worker.request(number, hung.getsockname()[1])
        head: tuple[Any, ...] = ()
        while head != (Kind.STATUS, (("b/v2", 2, 2, 2),), (0, 0), (0, 0)):
            head, _ = worker.next(Kind.STATUS)
        assert worker.next(Kind.STATUS)[0] == head


def test_aborts_and_flushes_of_what_is_over_do_nothing(worker: Process) -> None:
    worker.next(Kind.READY)
    for head in ((Kind.ABORT, 99, "aborted"), (Kind.CHUNK, 99, True), (Kind.FLUSH, b"no such target")):
        worker.socket.sendall(encode(head))
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        worker.request(1, closed.getsockname()[1])
        head, _ = worker.next(Kind.RESULTS)
        assert [result[:2] for result in head[1:]] == [(1, "connect")]


def test_a_parent_that_speaks_nonsense_ends_it_without_traceback(worker: Process) -> None:
    worker.next(Kind.READY)
    worker.socket.sendall(b"\xff" * 100)
    worker.process.wait(PATIENCE)
    code, errors = worker.end()
    assert code == 0
    assert "Traceback" not in errors


def test_a_worker_loads_its_own_rooms_only_and_neither_mitmproxy_nor_pydantic_nor_a_command_line(
    mirror: Mirror, tmp_path: Path
) -> None:
    """One that has sent, compared and recorded, so that it has loaded all it ever loads."""
    process = Process(LIST_MODULES)
    try:
        process.send((Kind.CONFIG, *Recording(1000, compare=True, path=str(tmp_path / "record"))))
        process.request(1, mirror.port, group="g")
        process.primary(2, "g", b"ok")
        assert process.next(Kind.VERDICT)[0][:3] == (Kind.VERDICT, 1, "same")
        process.socket.close()
        code, errors, output = process.ended()
    finally:
        process.process.kill()
    assert (code, errors) == (0, "")
    loaded = output.split()
    ours = {name for name in loaded if name.partition(".")[0] == "mirror_addon"}
    rooms = {".".join(name.split(".")[:2]) for name in ours} - {"mirror_addon", "mirror_addon._version"}
    assert rooms == {f"mirror_addon.{room}" for room in ("worker", "shadow", "clock", "compare", "inputs", "processes")}
    assert "mirror_addon.worker.comparing" in ours
    assert not {"mitmproxy", "pydantic", "rich", "click"} & {name.partition(".")[0] for name in loaded}


def test_pairs_are_compared_and_what_they_occupy_is_released(worker: Process, mirror: Mirror) -> None:
    worker.send((Kind.CONFIG, *Recording(1000, compare=True)))
    worker.request(1, mirror.port, group="g")
    worker.primary(2, "g", b"other")
    assert worker.next(Kind.CREDIT)[0] == (Kind.CREDIT, 2, 5)
    head, differences = worker.next(Kind.VERDICT)
    assert head[1:3] == (1, "different")
    assert b"other" in differences


def test_the_end_of_a_shadow_that_no_worker_sent_has_a_verdict(worker: Process) -> None:
    worker.send((Kind.CONFIG, *Recording(1000, compare=True)))
    worker.send((Kind.NOTE, 1, *EndNote("g/1", "b/v2", tuple(subject("g")), "queue_full")))
    worker.primary(2, "g", b"ok")
    assert worker.next(Kind.CREDIT)[0] == (Kind.CREDIT, 1, 0)
    assert worker.next(Kind.VERDICT)[0][1:3] == (1, "failed")


def test_without_a_record_and_a_comparison_there_is_nothing_to_configure(worker: Process, mirror: Mirror) -> None:
    worker.send((Kind.CONFIG, *Recording(1000, prompt=True)))
    worker.request(1, mirror.port)
    assert worker.next(Kind.RESULTS)[0][1][:4] == (1, "", "", 200)


def test_a_streamed_body_is_sent_credited_and_recorded(worker: Process, mirror: Mirror, tmp_path: Path) -> None:
    path = tmp_path / "record"
    worker.send((Kind.CONFIG, *Recording(10**6, path=str(path), bodies=True)))
    part = b"x" * 40_000
    worker.request(1, mirror.port, part, more=True, group="g")
    worker.send((Kind.CHUNK, 1, False), part)
    worker.send((Kind.CHUNK, 1, True), b"end")
    assert worker.next(Kind.CREDIT)[0] == (Kind.CREDIT, 1, 2 * (len(part) + CHUNK_OVERHEAD))
    assert worker.next(Kind.RESULTS)[0][1][:4] == (1, "", "", 200)
    worker.primary(2, "g", b"ok")
    worker.next(Kind.VERDICT)
    assert mirror.requests == [part + part + b"end"]
    assert json.loads(path.read_bytes())["request"]["body"] == (part + part + b"end").decode()


def test_a_streamed_body_without_a_record(worker: Process, mirror: Mirror) -> None:
    worker.request(1, mirror.port, b"first ", more=True)
    worker.send((Kind.CHUNK, 1, True), b"last")
    assert worker.next(Kind.RESULTS)[0][1][:4] == (1, "", "", 200)
    assert mirror.requests == [b"first last"]


def test_shadows_are_given_up_while_they_wait_and_while_they_are_sent(worker: Process, mirror: Mirror) -> None:
    mirror.may.clear()
    for number in range(1, 6):  # two lanes: three shadows wait
        worker.request(number, mirror.port)
    head: tuple[Any, ...] = ()
    while head != (Kind.STATUS, (("b/v2", 2, 2, 3),), (0, 0), (0, 0)):
        head, _ = worker.next(Kind.STATUS)
    errors: dict[int, str] = {}

    def until(count: int) -> None:
        while len(errors) < count:
            errors.update(result[:2] for result in worker.next(Kind.RESULTS)[0][1:])

    worker.send((Kind.ABORT, 3, "client_gone"))
    until(1)
    worker.send((Kind.FLUSH, a_target(mirror.port)))
    until(3)
    worker.send((Kind.ABORT, 1, "shutdown"))
    until(4)
    mirror.may.set()
    until(5)
    assert errors == {3: "client_gone", 4: "breaker_open", 5: "breaker_open", 1: "shutdown", 2: ""}


def test_when_the_proxy_sends_no_more_open_pairs_are_recorded_and_reported(
    worker: Process, mirror: Mirror, tmp_path: Path
) -> None:
    mirror.may.clear()
    path = tmp_path / "record"
    worker.send((Kind.CONFIG, *Recording(10**6, compare=True, path=str(path))))
    worker.request(1, mirror.port, group="g")
    worker.next(Kind.READY)
    worker.socket.shutdown(socket.SHUT_WR)
    assert worker.next(Kind.VERDICT)[0][1:3] == (1, "failed")
    assert worker.ended()[:2] == (0, "")
    assert json.loads(path.read_bytes())["shadow"]["error"] == "shutdown"


def test_when_the_proxy_sends_no_more_a_worker_without_pairs_ends(worker: Process) -> None:
    worker.next(Kind.READY)
    worker.socket.shutdown(socket.SHUT_WR)
    assert worker.ended()[:2] == (0, "")


def test_a_frame_of_an_unknown_kind_ends_it_without_traceback(worker: Process) -> None:
    worker.next(Kind.READY)
    worker.send((99, "what"))
    assert worker.ended()[:2] == (0, "")


def test_rules_that_do_not_parse_are_logged_by_the_proxy(worker: Process) -> None:
    worker.send((Kind.CONFIG, *Recording(1000, compare=True, rules="- nonsense: [", rules_source="compare.yaml")))
    assert "compare.yaml" in worker.next(Kind.LOG)[0][1]


def test_another_httpcore_is_named_and_works(mirror: Mirror) -> None:
    process = Process(OTHER_HTTPCORE)
    try:
        assert "httpcore" in process.next(Kind.LOG)[0][1]
        process.request(1, mirror.port)
        assert process.next(Kind.RESULTS)[0][1][:4] == (1, "", "", 200)
        assert process.end() == (0, "")
    finally:
        process.process.kill()


def test_a_worker_that_cannot_start_has_one_line_to_say() -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-W", "ignore", "-c", worker_link._PROGRAM, "999", "2", ROOT],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert done.stderr == "mirror worker: OSError: [Errno 9] Bad file descriptor\n"


def test_an_error_in_the_loop_is_one_line() -> None:
    assert _describe({"message": "Task failed", "exception": ValueError("x")}) == "Task failed: ValueError: x"
    assert _describe({"message": "Task failed"}) == "Task failed"
    assert _describe({}) == ""


async def test_lanes_stop_while_the_proxy_does_not_read(mirrors: Any) -> None:
    """Or else kept responses would fill the worker's memory."""
    size, count = 1024 * 1024, 12
    port = await mirrors.answering(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + bytes(size))
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    loop = asyncio.get_running_loop()
    transport, worker = await loop.create_unix_connection(lambda: Worker(1), sock=theirs)
    head = (b"GET", b"b", b"/", (), 30.0, size, size, size)
    for number in range(count):
        await loop.sock_sendall(ours, encode((Kind.REQUEST, number, a_target(port), pack(head), False)))
    await mirrors.until(lambda: not worker._outgoing.writable)
    answered = len(mirrors.received)
    assert answered < count
    decoder, results = Decoder(), set()
    while len(results) < count:
        data = await asyncio.wait_for(loop.sock_recv(ours, size), PATIENCE)
        results |= {head[1] for head, tail in decoder.feed(data) if head[0] == Kind.RESULT and len(tail) == size}
    assert len(mirrors.received) == count
    transport.abort()
    await worker.closed
    await worker._targets[a_target(port)].lanes.copy().pop()._transport.aclose()
    ours.close()


def test_it_has_many_file_descriptors(worker: Process) -> None:
    worker.next(Kind.READY)
    limits = Path(f"/proc/{worker.process.pid}/limits").read_text()
    soft, hard = next(line for line in limits.splitlines() if "open files" in line).split()[3:5]
    assert soft == hard
    assert os.getsid(worker.process.pid) == os.getsid(0)  # a session of its own is the link's doing


def test_a_call_of_a_mirror_of_which_nothing_is_known_comes_back_as_it_is(worker: Process) -> None:
    worker.send((Kind.TRANSLATE, 7, *OwnCall("b/v2", b"GET", b"/x/1", ((b"A", b"1"),), True)), b"body")
    assert worker.next(Kind.TRANSLATED) == (
        (Kind.TRANSLATED, 7, *TranslatedCall(b"/x/1", ((b"A", b"1"),), False, (), ())), b"",
    )  # fmt: skip
