"""The demo on a terminal of any width: the two header fields that differ, a line for each request, the conclusion."""

from __future__ import annotations

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from mirror_addon.demo.run import Demonstration
from mirror_addon.demo.run import Sent
from mirror_addon.demo.traffic import ASKS
from mirror_addon.demo.traffic import HOST
from mirror_addon.demo.traffic import PREFIX
from mirror_addon.demo.upstreams import Exchange
from mirror_addon.display.console import SafeConsole

_METHOD = 6
_SHORTEST_PATH = 14
_DIFFERENCE = 34
"""Columns that a difference needs; where there is no room beside the request it stands below."""
_FIELDS = ("Host", "X-Forwarded-For")


class Story:
    """Prints the demo to a console while it runs. `verbose`: with what both upstreams received."""

    def __init__(self, console: SafeConsole, verbose: bool) -> None:
        self._console = console
        self._verbose = verbose
        self._begun = False
        longest = max(len(ask.path) for ask in ASKS)
        self._fixed = _METHOD + 1 + 2 + 7 + 2 + 7 + 2
        room = console.width - self._fixed - _DIFFERENCE
        self._path = min(longest, max(room, _SHORTEST_PATH))
        self._beside = console.width - self._fixed - self._path >= _DIFFERENCE

    def show(self, sent: Sent) -> None:
        """Print one request."""
        if not self._begun:
            self._begun = True
            self._begin(sent)
        if self._verbose:
            self._block(sent)
        else:
            self._line(sent)

    def end(self, found: Demonstration) -> None:
        """Print the conclusion, and what to try next."""
        for problem in found.problems:
            self._console.print(Text(f"NOT AS IT SHOULD BE: {problem}", "bold red"))
        self._console.print(Text(f"\n{found.headline}", "bold"))
        self._console.print(Text(found.times))
        commands = Table.grid(padding=(0, 2, 0, 0))
        commands.add_row("mirror-addon demo --web", "the same in mitmweb, in the browser")
        commands.add_row("mirror-addon demo --verbose", "what both received, with times")
        commands.add_row("mirror-addon init --rules DIR", "a start with your own rules")
        self._console.print(Text("\nNext:"))
        self._console.print(Padding(commands, (0, 0, 0, 2)))

    def _begin(self, sent: Sent) -> None:
        """The worked example's two header fields, and the head of the list."""
        self._console.print()
        if sent.primary and sent.shadow:
            self._console.print(Text("v1 gets each request, v2 a copy, in which two header fields differ:"))
            table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
            for title in ("", "v1 received", "v2 received"):
                table.add_column(title, overflow="fold")
            for name in _FIELDS:
                one, other = (each.received.field(name) for each in (sent.primary, sent.shadow))
                table.add_row(Text(name, "cyan"), Text(one), Text(other))
            self._console.print(Padding(table, (0, 0, 0, 2)))
        self._console.print(Text(f"\nRequests to http://{HOST}{PREFIX}, and both responses:"))
        if not self._verbose:
            path = "path".ljust(self._path)
            what = "  what differs" if self._beside else ""
            self._print(Text(f"{'method':{_METHOD}} {path}  {'v1':3} {'v2':3}  {'verdict':7}{what}", "bold"))

    def _line(self, sent: Sent) -> None:
        path = Text(sent.ask.path)
        path.truncate(self._path, overflow="ellipsis", pad=True)
        differences = ", ".join(map(str, sent.differences))
        one, other = (_status(each) for each in (sent.primary, sent.shadow))
        verdict = _verdict(sent)
        line = Text.assemble(f"{sent.ask.method:{_METHOD}} ", path, "  ", one, " ", other, "  ", verdict)
        if self._beside and differences:
            line.append(f"{' ' * (9 - len(verdict))}{differences}")
        self._print(line)
        if differences and not self._beside:
            self._console.print(Padding(Text(differences), (0, 0, 0, 2)))

    def _block(self, sent: Sent) -> None:
        head = Text(f"{sent.ask.method} {PREFIX}{sent.ask.path}", "bold")
        if sent.ask.content:
            head.append(f"  {sent.ask.content}", "not bold")
        head.append(f" → {sent.got.response.status} in {sent.got.seconds * 1000:.1f} ms", "green")
        self._console.print(head)
        for name, exchange in (("v1", sent.primary), ("v2", sent.shadow)):
            self._console.print(Padding(Text.assemble((f"{name}  ", "bold"), _received(exchange)), (0, 0, 0, 2)))
        text = Text.assemble(_verdict(sent), *(f"  {each}" for each in sent.differences))
        if sent.primary and sent.shadow:
            text.append(f"  {(sent.shadow.seconds - sent.primary.seconds) * 1000:+.0f} ms", "dim")
        self._console.print(Padding(text, (0, 0, 1, 2)))

    def _print(self, line: Text) -> None:
        """Print one line, cut where the terminal ends."""
        self._console.print(line, no_wrap=True, overflow="ellipsis")


def _status(exchange: Exchange | None) -> Text:
    if exchange is None:
        return Text("-  ", "bold red")
    status = exchange.response.status
    return Text(str(status), "red" if status >= 500 else "yellow" if status >= 400 else "")


def _verdict(sent: Sent) -> Text:
    if sent.primary is None or sent.shadow is None:
        return Text("failed", "bold red")
    return Text("differs", "yellow") if sent.differences else Text("same", "green")


def _received(exchange: Exchange | None) -> Text:
    if exchange is None:
        return Text("received nothing", "bold red")
    request = exchange.received
    text = Text(f"{request.method} {request.target}")
    for name in _FIELDS:
        text.append(f"  {name}: ", "cyan").append(request.field(name) or "none")
    if request.body:
        text.append(f"  {len(request.body)} B")
    return text
