"""Starts Python child processes of this package: `command` makes their command line, and this file is their program.

Theory of operation. Work that must not hold the interpreter's lock of the proxy runs in a child process: the workers
that send shadows, the compiler of large rule sets, the comparison of large bodies. Each starts with
`subprocess.Popen(command("mirror_addon.ROOM.MODULE", ...))` and does the following, in this order:

1. The interpreter starts this file by its path. `-P` keeps the working directory and this folder off `sys.path`, where
   a stray `http.py` or `yaml.py` would be imported instead of the library. `-W ignore` keeps warnings of the libraries
   out of the terminal, which the child shares with the proxy.
2. The folder that holds `mirror_addon` is put on `sys.path`: the package need not be installed.
3. On Linux the child arranges to be killed when the thread that started it ends (see `parent_death`). Elsewhere it has
   to notice by itself, by end of file on its input.
4. A child whose parent has died before that ends at once.
5. `main` of the module is called with the arguments, which are strings.

How long a child may run, and how it is stopped, is up to whoever starts it. This file is read before `sys.path` is set,
so it imports nothing from the package at its top.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = str(Path(__file__).resolve().parents[2])
"""The folder that holds the package `mirror_addon`."""


def command(module: str, *arguments: str, without: Sequence[str] = ()) -> list[str]:
    """Return the command line of a child process that calls `main(*arguments)` of `module`.

    `without` names modules whose import fails in the child: what is optional to a library costs time and memory.
    """
    return [sys.executable, "-P", "-W", "ignore", __file__, str(os.getpid()), ",".join(without), module, *arguments]


def _run(parent: str, without: str, module: str, *arguments: str) -> None:
    """Do steps 2 to 5. A module that cannot be imported ends the process with one line on stderr and exit code 1."""
    if ROOT not in sys.path:
        sys.path.insert(0, ROOT)
    from mirror_addon.processes.parent_death import die_with_parent

    die_with_parent()
    if os.getppid() != int(parent):
        return
    for name in filter(None, without.split(",")):
        sys.modules[name] = None  # type: ignore[assignment]  # documented: makes the import raise ImportError
    try:
        main = importlib.import_module(module).main
    except Exception as error:
        sys.exit(f"{module}: cannot start: {type(error).__name__}: {error}")
    main(*arguments)


if __name__ == "__main__":
    _run(*sys.argv[1:])
