"""Life and death of workers."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

import mirror_addon
from mirror_addon.dispatch import worker_link
from mirror_addon.dispatch.dispatcher import BATCH_SECONDS
from mirror_addon.dispatch.worker_link import WorkerLink
from mirror_addon.shadow.frames import FrameError
from mirror_addon.shadow.frames import Kind

ROOT = Path(mirror_addon.__file__).parents[1]


def state(pid: int) -> str:
    """The process's state letter, empty if there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return ""


async def test_a_worker_that_is_killed_is_replaced(mirrors: Any, engine: Any, caplog: pytest.LogCaptureFixture) -> None:
    hung, healthy = await mirrors.hanging(), await mirrors.answering()
    made = engine()
    made.offer(hung)
    made.offer(hung)
    await made.until(lambda: mirrors.connections == 2)
    (pid,) = made.pids()
    with caplog.at_level(logging.WARNING):
        os.kill(pid, signal.SIGKILL)
        await made.wait(2)
    assert made.counters.totals().dropped == {"worker_lost": 2}
    assert (await made.one(healthy)).outcome == "sent"
    await made.until(lambda: not state(pid))
    assert made.pids() != [pid]
    assert made.dispatcher.status()["workers"][0]["restarts"] == 1
    assert f"worker process {pid} ended" in caplog.text
    assert made.dispatcher.status()["waiting_bytes"]["value"] == 0


async def test_what_is_offered_between_two_workers_waits(mirrors: Any, engine: Any) -> None:
    port = await mirrors.answering()
    made = engine()
    assert (await made.one(port)).outcome == "sent"
    os.kill(made.pids()[0], signal.SIGKILL)
    await made.until(lambda: made.dispatcher.status()["workers"][0]["state"] == "restarting")
    for _ in range(5):
        made.offer(port)
    await made.wait(6)
    assert made.counters.totals().sent == 6


async def test_a_worker_that_is_down_gets_nothing_while_there_is_another(mirrors: Any, engine: Any) -> None:
    port = await mirrors.answering()
    made = engine(workers=2)
    assert (await made.one(port)).outcome == "sent"
    os.kill(made.pids()[0], signal.SIGKILL)
    await made.until(lambda: made.dispatcher.status()["workers"][0]["state"] == "restarting")
    for _ in range(5):
        made.offer(port)
    assert [worker["shadows"] for worker in made.dispatcher.status()["workers"]] == [0, 5]
    await made.wait(6)


async def test_no_shadow_is_lost_from_the_books_when_workers_die_at_random(mirrors: Any, engine: Any) -> None:
    port = await mirrors.answering()
    made = engine(workers=2)
    for round_ in range(3):
        for _ in range(50):
            made.offer(port, bytes(1000))
            await asyncio.sleep(0)
        pids = [pid for pid in made.pids() if pid]
        if pids:
            os.kill(pids[round_ % len(pids)], signal.SIGKILL)
    await made.wait(150)
    assert set(made.counters.totals().dropped) <= {"worker_lost"}


async def test_a_worker_ignores_the_terminals_interrupt(mirrors: Any, engine: Any) -> None:
    port = await mirrors.answering()
    made = engine()
    await made.one(port)
    (pid,) = made.pids()
    assert os.getsid(pid) == pid
    os.kill(pid, signal.SIGINT)
    assert (await made.one(port)).outcome == "sent"
    assert made.pids() == [pid]


async def test_an_idle_engine_closes_at_once(mirrors: Any, engine: Any) -> None:
    made = engine()
    await made.one(await mirrors.answering())
    start = asyncio.get_running_loop().time()
    await made.dispatcher.close(60.0)
    assert asyncio.get_running_loop().time() - start < 15, "far from the drain"


async def test_a_frozen_worker_without_work_is_killed_at_the_end(mirrors: Any, engine: Any) -> None:
    made = engine()
    await made.one(await mirrors.answering())
    (pid,) = made.pids()
    os.kill(pid, signal.SIGSTOP)
    await made.dispatcher.close(5.0)
    assert state(pid) == ""


async def test_a_worker_that_is_silent_is_called_unresponsive(
    mirrors: Any, engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_link, "_SILENCE", 1.2)
    made = engine()
    await made.one(await mirrors.answering())
    (pid,) = made.pids()

    def said() -> str:
        word: str = made.dispatcher.status()["workers"][0]["state"]
        return word

    await asyncio.sleep(1.3)
    await made.until(lambda: said() == "running")  # a heartbeat was heard
    os.kill(pid, signal.SIGSTOP)
    await made.until(lambda: said() == "unresponsive")
    os.kill(pid, signal.SIGCONT)
    await made.until(lambda: said() == "running")


async def test_a_big_body_is_handed_over_in_parts(mirrors: Any, engine: Any) -> None:
    """All at once, it would take the proxy's time from the client who is sending it."""
    port = await mirrors.answering()
    made = engine()
    await made.one(port)
    began = asyncio.get_running_loop().time()
    made.offer(port, bytes(20 * 1024 * 1024))
    await made.until(lambda: not made.dispatcher._links[0]._out)
    # A part is a MiB, and what the socket takes beyond it.
    assert asyncio.get_running_loop().time() - began > 12 * BATCH_SECONDS
    await made.wait(2)
    assert len(mirrors.received[1].body) == 20 * 1024 * 1024


async def test_a_worker_that_cannot_start_is_tried_again_more_and_more_slowly(
    mirrors: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(worker_link, "_PROGRAM", "import sys; sys.exit('mirror worker: cannot start: no luck')")
    lost: list[WorkerLink] = []
    made = WorkerLink(1, lambda *_: None, lost.append, lambda: None)
    made.start()
    made.send(b"waits")
    await mirrors.until(lambda: len(lost) >= 3)
    told = len(lost)
    await made.close(kill=True)
    assert len(lost) == told
    assert [record.args[-1] for record in caplog.records if isinstance(record.args, tuple)][:3] == [0.1, 0.2, 0.4]
    assert "Traceback" not in capfd.readouterr().err


async def test_a_process_that_cannot_be_started_is_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    made = WorkerLink(1, lambda *_: None, lambda _: None, lambda: None)
    made.start()
    assert made.state == "restarting"
    assert "cannot start a worker process" in caplog.text
    await made.close(kill=False)


async def test_a_worker_that_speaks_nonsense_is_replaced(
    mirrors: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    program = "import os, sys, time; os.write(int(sys.argv[1]), b'\\xff' * 100); time.sleep(60)"
    monkeypatch.setattr(worker_link, "_PROGRAM", program)
    lost: list[WorkerLink] = []
    made = WorkerLink(1, lambda *_: None, lost.append, lambda: None)
    made.start()
    pid = made.pid
    assert pid
    await mirrors.until(lambda: not state(pid))
    await made.close(kill=True)
    assert lost
    assert state(pid) == ""
    assert "does not speak as it should" in caplog.text


async def test_a_fault_of_our_own_is_not_blamed_on_the_worker(
    mirrors: Any, engine: Any, caplog: pytest.LogCaptureFixture
) -> None:
    port = await mirrors.answering()
    made = engine()
    await made.one(port)
    (pid,) = made.pids()
    (link,) = made.dispatcher._links
    handled, failed = link._on_frame, []

    def failing(link: WorkerLink, head: tuple[Any, ...], tail: bytes) -> None:
        handled(link, head, tail)
        if not failed:
            failed.append(head)
            raise LookupError("a fault of this side")

    link._on_frame = failing
    assert (await made.one(port)).outcome == "sent"
    await made.until(lambda: failed)
    assert (await made.one(port)).outcome == "sent"
    assert made.pids() == [pid], "the worker was not replaced"
    assert "a frame was not handled (LookupError: a fault of this side)" in caplog.text


@pytest.mark.parametrize("frame", [(Kind.RESULT, 1, "too", "short"), (Kind.VERDICT,), (Kind.RESULTS, (1, "x"))])
async def test_a_worker_whose_frames_lack_fields_is_replaced(
    mirrors: Any, engine: Any, caplog: pytest.LogCaptureFixture, frame: tuple[Any, ...]
) -> None:
    port = await mirrors.answering()
    made = engine()
    await made.one(port)
    (pid,) = made.pids()
    (link,) = made.dispatcher._links
    with pytest.raises(FrameError):
        made.dispatcher._on_frame(link, frame, b"")
    link._decoder.feed = lambda _: iter([(frame, b"")])  # what a worker of another version might send
    made.offer(port)
    await made.until(lambda: made.pids() != [pid])
    assert "does not speak as it should" in caplog.text
    assert (await made.one(port)).outcome == "sent"


PARENT = """
    import asyncio, sys
    sys.path.insert(0, sys.argv[1])
    from mirror_addon.dispatch.dispatcher import Dispatcher
    from mirror_addon.dispatch.in_flight import InFlight
    from mirror_addon.dispatch.settings import ShadowSettings

    async def main():
        dispatcher = Dispatcher(ShadowSettings(), InFlight())
        dispatcher.start()
        while dispatcher.status()["workers"][0]["state"] != "running":
            await asyncio.sleep(0.01)
        print(dispatcher.status()["workers"][0]["pid"], flush=True)
        await asyncio.sleep(60)

    asyncio.run(main())
"""


@pytest.mark.parametrize("frozen", [False, True])
async def test_a_worker_ends_when_its_parent_is_killed(mirrors: Any, frozen: bool, tmp_path: Path) -> None:
    """From a checkout, from another folder with modules of misleading names, without PYTHONPATH."""
    (tmp_path / "http.py").write_text("raise RuntimeError('the wrong http')")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    program = textwrap.dedent(PARENT)
    parent = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-c", program, str(ROOT)),
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert parent.stdout
    worker = int(await parent.stdout.readline())
    if frozen:
        os.kill(worker, signal.SIGSTOP)
        await mirrors.until(lambda: state(worker) == "T")
    parent.kill()
    await mirrors.until(lambda: state(worker) in ("", "Z"))
    _, errors = await parent.communicate()
    assert errors == b""
