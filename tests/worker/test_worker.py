from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import mirror_addon
from mirror_addon.dispatch import worker_link
from mirror_addon.shadow.frames import Decoder
from mirror_addon.shadow.frames import Kind
from mirror_addon.shadow.frames import encode
from mirror_addon.shadow.frames import pack
from mirror_addon.shadow.request import Target

ROOT = str(Path(mirror_addon.__file__).parents[1])


class Process:
    """A worker, spoken to by hand."""

    def __init__(self) -> None:
        self.socket, theirs = socket.socketpair()
        self.socket.settimeout(30)
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-c", worker_link._PROGRAM, str(theirs.fileno()), "2", ROOT],
                pass_fds=[theirs.fileno()],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
        self._decoder = Decoder()
        self._frames: list[tuple[tuple[Any, ...], bytes]] = []

    def next(self, *kinds: Kind) -> tuple[tuple[Any, ...], bytes]:
        """The next frame of these kinds."""
        while True:
            while self._frames:
                frame = self._frames.pop(0)
                if frame[0][0] in kinds:
                    return frame
            data = self.socket.recv(65536)
            assert data, "the worker hung up"
            self._frames += self._decoder.feed(data)

    def request(self, number: int, port: int) -> None:
        target = Target("b/v2", "127.0.0.1", port, False, "b", None)
        head = (b"GET", b"b", b"/", (), 5.0, 0, 1000, 0)
        self.socket.sendall(encode((Kind.REQUEST, number, pack(target), pack(head), False)))

    def end(self) -> tuple[int, str]:
        self.socket.close()
        _, errors = self.process.communicate(timeout=30)
        return self.process.returncode, errors.decode()


@pytest.fixture
def worker() -> Iterator[Process]:
    made = Process()
    yield made
    made.socket.close()
    made.process.kill()
    made.process.communicate()


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
        while head != (Kind.STATUS, (("b/v2", 2, 2, 2),), (0, 0)):
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
    worker.process.wait(30)
    code, errors = worker.end()
    assert code == 0
    assert "Traceback" not in errors


def test_it_imports_neither_mitmproxy_nor_pydantic_nor_a_command_line() -> None:
    unwanted = ("mitmproxy", "pydantic", "rich", "click", "mirror_addon.routing", "mirror_addon.istio")
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); sys.modules['httpx._main'] = None; "
        "import mirror_addon.worker.worker; print([name for name in sys.argv[2:] if name in sys.modules])"
    )
    answer = subprocess.run(
        [sys.executable, "-P", "-c", program, ROOT, *unwanted], capture_output=True, text=True, check=True, timeout=60
    )
    assert answer.stdout.strip() == "[]"


def test_it_has_many_file_descriptors(worker: Process) -> None:
    worker.next(Kind.READY)
    limits = Path(f"/proc/{worker.process.pid}/limits").read_text()
    soft, hard = next(line for line in limits.splitlines() if "open files" in line).split()[3:5]
    assert soft == hard
    assert os.getsid(worker.process.pid) == os.getsid(0)  # a session of its own is the link's doing
