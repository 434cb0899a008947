from __future__ import annotations

import asyncio
import gc
import logging
import weakref

import pytest

from mirror_addon.processes import tasks
from mirror_addon.processes.tasks import start_task


async def until_done(task: asyncio.Task[object]) -> None:
    """Waits without asking for the result, and until the callbacks have run."""
    await asyncio.wait([task], timeout=20)
    await asyncio.sleep(0)
    assert task not in tasks._running


async def test_result_and_name() -> None:
    async def work() -> int:
        return 7

    task = start_task(work(), "the count")
    assert (await task, task.get_name()) == (7, "the count")


async def test_an_unexpected_error_is_logged_with_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    async def work() -> None:
        raise LookupError("no such thing")

    task = start_task(work(), "the watch of the rules")
    await until_done(task)
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert record.getMessage() == (
        "mirror: the watch of the rules ended with an unexpected error: LookupError: no such thing"
    )
    assert record.exc_info and record.exc_info[2] is not None
    with pytest.raises(LookupError):
        await task


async def test_asyncio_does_not_report_it_again() -> None:
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))

    async def work() -> None:
        raise LookupError

    await until_done(start_task(work(), "it"))
    gc.collect()
    assert complaints == []


async def test_a_result_or_a_cancellation_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    task = start_task(asyncio.sleep(0), "a pause")
    await until_done(task)
    forever = start_task(asyncio.sleep(3600), "a long pause")
    await asyncio.sleep(0)
    forever.cancel()
    await until_done(forever)
    assert forever.cancelled() and caplog.records == []


async def test_a_task_that_nobody_keeps_is_not_collected() -> None:
    done: list[int] = []

    async def work() -> None:
        # Nothing outside refers to this future: without a reference the task and it would be garbage.
        future = asyncio.get_running_loop().create_future()
        waiting.append(weakref.ref(future))
        await future
        done.append(1)

    waiting: list[weakref.ref[asyncio.Future[None]]] = []
    start_task(work(), "it")
    await asyncio.sleep(0)
    gc.collect()
    future = waiting[0]()
    assert future is not None
    future.set_result(None)
    async with asyncio.timeout(20):
        while not done:
            await asyncio.sleep(0)


def test_the_end_of_the_program_is_not_an_error(caplog: pytest.LogCaptureFixture) -> None:
    async def work() -> None:
        raise SystemExit(3)

    async def main() -> None:
        await start_task(work(), "it")

    with pytest.raises(SystemExit):
        asyncio.run(main())
    assert caplog.records == []
