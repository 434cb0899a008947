"""Records the demo for the README: `python docs/record_demo.py` writes docs/demo.cast and docs/demo.svg.

The cast is a recording of a terminal of 80 columns in asciinema's format (`asciinema play docs/demo.cast`); the picture
is its last screen. Needs the package installed.
"""

from __future__ import annotations

import io
import json
import os
import pty
import re
import struct
import sys
import termios
import time
from fcntl import ioctl
from pathlib import Path

from rich.console import Console
from rich.text import Text

DOCS = Path(__file__).resolve().parent
WIDTH, HEIGHT = 80, 40
PROMPT = "$ mirror-addon demo\r\n"
COMMAND = [sys.executable, "-m", "mirror_addon", "demo"]


def record() -> list[tuple[float, str]]:
    """Run the demo in a terminal. Returns its output as pairs of seconds since the start and text."""
    child, terminal = pty.fork()
    if child == 0:
        os.environ.update(TERM="xterm-256color", COLORTERM="truecolor")
        os.environ.pop("NO_COLOR", None)
        os.execv(COMMAND[0], COMMAND)
    ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", HEIGHT, WIDTH, 0, 0))
    started, events = time.monotonic(), [(0.0, PROMPT)]
    while True:
        try:
            data = os.read(terminal, 65536)
        except OSError:  # the child has ended
            break
        if not data:
            break
        events.append((round(time.monotonic() - started, 3), data.decode("utf-8", "replace")))
    _, status = os.waitpid(child, 0)
    if status:
        sys.exit(f"the demo failed:\n{''.join(text for _, text in events)}")
    return events


def write_cast(events: list[tuple[float, str]]) -> None:
    """asciinema's format, version 2: a header, then a line for each piece of output."""
    header = {"version": 2, "width": WIDTH, "height": HEIGHT, "title": "mirror-addon demo"}
    lines = [json.dumps(header), *(json.dumps([at, "o", text]) for at, text in events)]
    (DOCS / "demo.cast").write_text("\n".join(lines) + "\n")


def write_picture(events: list[tuple[float, str]]) -> None:
    """The screen at the end, as SVG that loads nothing."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
    text = "".join(text for _, text in events).replace("\r\n", "\n").rstrip("\n")
    console.print(Text.from_ansi(text), no_wrap=True)
    picture = console.export_svg(title="mirror-addon demo", unique_id="demo")
    picture = re.sub(r"@font-face \{[^}]*\}\s*", "", picture)  # fonts of other hosts, which no page loads for a picture
    picture = picture.replace("Fira Code, monospace", "ui-monospace, Menlo, Consolas, monospace")
    (DOCS / "demo.svg").write_text("\n".join(line.rstrip() for line in picture.splitlines()) + "\n")


if __name__ == "__main__":
    recorded = record()
    write_cast(recorded)
    write_picture(recorded)
