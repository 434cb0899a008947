"""Runs the commands of a page of the docs. Commands that end run in this process, where that is possible.

`Page` goes through the blocks of a page. Quickly, a program that would stay is not started: its arguments are read by
mitmproxy's own parser and by ours, and a replay is a dry run. Otherwise every program is started and must say that it
is ready; at the end of the page it is interrupted and must end well. Ports are replaced by free ones.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shlex
import socket
import subprocess
import sys
import time
from itertools import takewhile
from pathlib import Path

import click
from click.testing import CliRunner
from doctools import Block
from doctools import blocks
from doctools import missing
from livetools.proxy import Tool
from livetools.proxy import tool
from mitmproxy import options
from mitmproxy.tools import cmdline
from mitmproxy.tools.dump import DumpMaster

from mirror_addon.cli.main import main
from mirror_addon.cli.rules_option import read_settings

PORTS = ("8080", "8081", "8082", "8088", "8089", "9001", "9002", "9003", "9012", "9443", "9444", "50051", "50052")
PROXIES = ("mitmdump", "mitmweb", "mitmproxy")
OURS = {"dump": "mitmdump", "web": "mitmweb", "console": "mitmproxy"}
VARIABLE = re.compile(r"[A-Z_]+=.*")
READY = r"listening at|listens? "
PATIENCE = 30.0


def is_shell(command: str) -> bool:
    """Whether a command needs a shell: a pipe, a redirection, a pattern of file names, or a variable."""
    lexer = shlex.shlex(command, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    return any(set(token) <= set("|&;<>()") for token in lexer) or bool(re.search(r"\*(?= |$)|^printf ", command))


def free_ports() -> dict[str, str]:
    with contextlib.ExitStack() as stack:
        places = [stack.enter_context(socket.socket()) for _ in PORTS]
        for place in places:
            place.bind(("127.0.0.1", 0))
        return {port: str(place.getsockname()[1]) for port, place in zip(PORTS, places, strict=True)}


class Page:
    """The commands of a page, run in the current folder. `really`: programs that stay are started."""

    def __init__(self, folder: Path, confdir: Path, really: bool) -> None:
        self._folder = folder
        self._confdir = confdir
        self._really = really
        self._ports = free_ports() if really else {}
        self._stack = contextlib.ExitStack()
        self._tools: list[Tool] = []
        for file in [*folder.glob("rules/*.yaml")] if really else []:
            file.write_text(self._here(file.read_text()))

    def _here(self, text: str) -> str:
        return re.sub(rf"\b({'|'.join(PORTS)})\b", lambda found: self._ports.get(found[1], found[1]), text)

    def run(self, page: Path) -> int:
        """Run all blocks of a page; return the number of commands."""
        number = 0
        with self._stack:
            for block in blocks(page):
                if block.mark == "file":
                    (self._folder / block.about).write_text(block.text)
                elif block.mark == "logged" and self._really:
                    self._logged(block)
                elif block.language in ("sh", "console") and block.mark != "not run":
                    for command, expected in block.commands():
                        self._command(block, command, expected)
                        number += 1
        return number

    def _command(self, block: Block, command: str, expected: list[str]) -> None:
        here = self._here(command)
        words = shlex.split(here, comments=True)
        variables = dict(word.split("=", 1) for word in takewhile(VARIABLE.fullmatch, words))
        words = words[len(variables) :]
        stays = words[0] in PROXIES or (words[:1] == ["mirror-addon"] and words[1] in OURS)
        if block.mark == "start" or stays:
            if self._really and block.mark != "parsed":
                self._start(block, words, variables)
            else:
                self._parse(block, words)
            return
        if block.mark == "parsed":
            return
        wanted = int(block.about.split()[0]) if block.mark == "exits" else 0
        if words[:2] == ["mirror-addon", "replay"] and not self._really:
            words, wanted = [*words, "--dry-run"], 0
        if not is_shell(here) and words[0] == "mirror-addon":
            result = CliRunner().invoke(main, words[1:])
            code, output = result.exit_code, result.output
        elif is_shell(here) or words[0] in ("curl", "printf"):
            code, output = self._shell(here)
        else:
            raise AssertionError(f"{block}: no test can run this; mark it: {command}")
        assert code == wanted, f"{block}: {command}: exit code {code}\n{output}"
        line = missing([self._here(each) for each in expected], output)
        assert not line, f"{block}: {command}: not printed: {line!r}\n{output}"

    def _shell(self, command: str) -> tuple[int, str]:
        folder = Path(sys.executable).parent
        environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", "PYTHONUNBUFFERED": "1"}
        run = subprocess.run(
            ["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, env=environment, timeout=60
        )
        return run.returncode, run.stdout + run.stderr

    def _parse(self, block: Block, words: list[str]) -> None:
        if words[0] in PROXIES:
            asyncio.run(parse_proxy(words[0], words[1:]))
        elif words[0] == "mirror-addon" and words[1] in OURS:
            asyncio.run(parse_proxy(OURS[words[1]], words[2:]))
        elif words[0] == "mirror-addon":
            command = main.get_command(click.Context(main), words[1])
            assert command, f"{block}: no such command: {words[1]}"
            command.make_context(words[1], words[2:]).close()
        else:
            assert words[0] in ("python",), f"{block}: {words}"

    def _start(self, block: Block, words: list[str], variables: dict[str, str]) -> None:
        proxy = words[0] in PROXIES or words[1] in OURS
        command = [tool(words[0]), *words[1:]]
        if proxy:
            command += ["--listen-host", "127.0.0.1", "--set", f"confdir={self._confdir}"]
            if "--listen-port" not in words:
                command += ["--listen-port", self._ports["8080"]]
            if "mitmweb" in words[0] or "web" in words[:2]:
                command += ["--no-web-open-browser", "--set", "web_port=0"]
        started = self._stack.enter_context(Tool(command, cwd=self._folder, env=variables))
        self._tools.append(started)
        if block.about.startswith("port "):
            self._wait_for_port(int(self._here(block.about.split()[1])))
        else:
            started.wait_for(re.escape(block.about) if block.about else READY)
        if not block.about:
            self._stack.close()

    def _wait_for_port(self, port: int) -> None:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return
            except OSError:
                assert time.monotonic() < deadline, f"port {port} is not open"
                time.sleep(0.05)

    def _logged(self, block: Block) -> None:
        """Wait until a program of the page has printed the line, whatever the times in it."""
        wanted = re.escape(self._here(block.text.strip()))
        pattern = re.sub(r"(?:\\-|\\\+|\+|-)?\d+(?:\\\.\d+)?\\ ms", r"[-+]?[\\d.]+ ms", wanted)
        self._tools[-1].wait_for(pattern)


async def parse_proxy(program: str, arguments: list[str]) -> None:  # a master needs a running loop
    """Read a command line of mitmproxy's, as mitmproxy does, and its `mirror_*` options, as the addon does."""
    known = options.Options()
    DumpMaster(known, with_termlog=False, with_dumper=False)  # adds the options of mitmproxy's addons
    parser = getattr(cmdline, program)(known)
    given = parser.parse_args(arguments)
    ours = [each for each in given.setoptions if each.startswith("mirror_")]
    theirs = [each for each in given.setoptions if not each.startswith("mirror_")]
    known.set(*theirs)
    settings = read_settings((), ours)
    for path in settings.rules:
        assert Path(path).exists(), path
