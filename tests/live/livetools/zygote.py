"""A Python interpreter that has imported mitmproxy and the addon, and forks for each program that it is told to run.

Theory of operation. Most of the processor time of a short-lived mitmdump are its imports. `forked` runs this file once
for each process of pytest, as a program of its own: it imports what proxies need, and then forks for each program. The
fork is a real process with a session, a working directory, an environment, arguments and standard streams of its own,
and it ends as any interpreter does. Only what an interpreter reads before its first import cannot be given to it.

The zygote has one thread and no event loop, because a fork takes neither along. A request is one message with the
descriptors of the program's standard streams and of a pipe for news: the fork writes its pid into it when it is ready
to run, and the zygote how it ended. The zygote ends when the other end of its socket is closed. Programs that still run
then are left running, as those of a pytest that was killed.
"""

from __future__ import annotations

import array
import contextlib
import ctypes
import gc
import importlib
import json
import os
import runpy
import select
import socket
import sys
import time
from typing import Any
from typing import NamedTuple

MARK = "MIRROR_ADDON_TEST_RUN"
"""The environment variable by which a program and all that it starts are found. Its values are of one length."""
_MODULES = (
    "flask",
    "mitmproxy.tools.dump",
    "mitmproxy.tools.main",
    "mirror_addon.addon",
    "mirror_addon.cli.main",
    "mirror_addon.compare.comparison",
    "mirror_addon.display.console",
    "tornado.httpserver",
    "tornado.web",
    "tornado.websocket",
)
"""What mitmdump and the addon import, early or late, and most of what mitmweb does. Not mitmweb: the addon looks
whether it is imported."""
_STREAMS = 3
_LARGEST_MESSAGE = 1024 * 1024


class Program(NamedTuple):
    """What to run. `arguments` are the interpreter's, without its own name."""

    arguments: list[str]
    cwd: str
    env: dict[str, str]


def serve(requests: socket.socket) -> Program | None:
    """Fork for each request. Returns in each fork with what it is to run, and at the end in this process with None."""
    running: dict[int, tuple[int, int]] = {}
    """Pid and pipe, by the descriptor of the process."""
    poll = select.poll()
    poll.register(requests, select.POLLIN)
    while True:
        for descriptor, _ in poll.poll():
            if descriptor != requests.fileno():
                poll.unregister(descriptor)
                os.close(descriptor)
                pid, pipe = running.pop(descriptor)
                _tell(pipe, "ended", os.waitpid(pid, 0)[1])
                os.close(pipe)
                continue
            message, descriptors = _receive(requests)
            if not message:
                return None
            *streams, pipe = descriptors
            assert len(os.listdir("/proc/self/task")) == 1, "an import has started a thread, which a fork would lose"
            if (pid := os.fork()) == 0:
                return _begin(Program(**json.loads(message)), streams, pipe)
            for each in streams:
                os.close(each)
            process = os.pidfd_open(pid)
            running[process] = (pid, pipe)
            poll.register(process, select.POLLIN)


def _receive(requests: socket.socket) -> tuple[bytes, array.array[int]]:
    descriptors = array.array("i")
    size = socket.CMSG_LEN((_STREAMS + 1) * descriptors.itemsize)
    message, ancillary, *_ = requests.recvmsg(_LARGEST_MESSAGE, size)
    for *_, data in ancillary:
        descriptors.frombytes(data)
    return message, descriptors


def _tell(pipe: int, what: str, number: int) -> None:
    with contextlib.suppress(BrokenPipeError):  # nobody waits for that program any more
        os.write(pipe, f"{what} {number}\n".encode())


def _begin(program: Program, streams: list[int], pipe: int) -> Program:
    """Make this fork the process that `Popen(..., start_new_session=True)` would have started."""
    os.setsid()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    os.chdir(program.cwd)
    _show_mark(program.env[MARK].encode())
    os.environ.clear()
    os.environ.update(program.env)
    time.tzset()
    # The addon lets the collector see all that is loaded, once. Here it would copy all of the memory that forks share.
    gc.unfreeze = lambda: None
    _tell(pipe, "pid", os.getpid())
    os.closerange(_STREAMS, os.sysconf("SC_OPEN_MAX"))
    return program


def _show_mark(mark: bytes) -> None:
    """/proc/PID/environ shows the memory into which the kernel wrote the variables when the program began."""
    getenv = ctypes.CDLL(None).getenv
    getenv.restype = ctypes.c_void_p
    assert len(mark) == len(os.environ[MARK])
    ctypes.memmove(getenv(MARK.encode()), mark, len(mark))


def run(program: Program) -> None:
    """Do what an interpreter does with these arguments: perhaps `-P`, then `-c`, `-m` or a script."""
    for folder in reversed(program.env.get("PYTHONPATH", "").split(os.pathsep)):
        if folder and folder not in sys.path:
            sys.path.insert(0, folder)
    first, *rest = program.arguments
    safe_path = first == "-P"
    if safe_path:
        first, *rest = rest
    if first == "-c":
        code, *arguments = rest
        _set_arguments(["-c", *arguments], None if safe_path else "")
        names: dict[str, Any] = {"__name__": "__main__", "__builtins__": __builtins__}
        exec(compile(code, "<string>", "exec"), names)
    elif first == "-m":
        module, *arguments = rest
        _set_arguments([module, *arguments], None if safe_path else program.cwd)
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    else:
        _set_arguments([first, *rest], None if safe_path else os.path.dirname(first))
        runpy.run_path(first, run_name="__main__")


def _set_arguments(arguments: list[str], folder: str | None) -> None:
    sys.argv[:] = arguments
    if folder is not None:
        sys.path.insert(0, folder)


def main(descriptor: str) -> None:
    del sys.path[0]  # this folder
    for module in _MODULES:
        importlib.import_module(module)
    gc.collect()
    gc.freeze()
    requests = socket.socket(fileno=int(descriptor))
    program = serve(requests)
    if program is not None:
        requests.detach()  # the fork has closed it
        run(program)


if __name__ == "__main__":
    main(*sys.argv[1:])
