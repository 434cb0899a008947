"""`mirror-addon`, the command line.

Theory of operation. A command is a click function in a module of its own, `COMMANDS` below. It parses options, calls
the job and prints; the jobs are in other rooms: `istio/` and `rules/` (check), `routing/` (explain, test), `envoy/`
(export, envoy), `compare/report` and `compare/suite` (report, tests), `captures/` (diff), `local_endpoints/` (init),
`assistant/` (mcp), `replay/`, `processor/`, `collector/`, `demo/`.

What commands share:

    rules_option.py   --rules and --set, read into `Settings` and a rule set
    gathered.py       many options as few dataclasses
    value_type.py     option types made of parsing functions
    record_input.py   records read with a progress bar, for report and tests
    console.py        everything that is printed

Results go to standard output, everything else to standard error. Exit codes: 0 fine, 1 findings, 2 wrong usage.
"""

from __future__ import annotations

import difflib
import errno
import importlib
import os
import sys
from typing import Any

import click
from click.shell_completion import CompletionItem

from mirror_addon._version import __version__
from mirror_addon.display.log import make_log_safe
from mirror_addon.display.text import printable

COMMANDS = {
    "check": ("mirror_addon.cli.check", "Check Istio YAML as istioctl analyze would."),
    "collect": ("mirror_addon.cli.collect", "Run a mirror target that records every request."),
    "console": ("mirror_addon.cli.run", "Run mitmproxy's console with the addon."),
    "demo": ("mirror_addon.cli.demo", "Run the worked example with real traffic."),
    "diff": ("mirror_addon.cli.diff", "Compare two recordings of the same requests."),
    "dump": ("mirror_addon.cli.run", "Run mitmdump with the addon."),
    "envoy": ("mirror_addon.cli.envoy", "Run Envoy with the rules."),
    "explain": ("mirror_addon.cli.explain", "Print how requests are routed and mirrored, and why."),
    "export": ("mirror_addon.cli.export", "Print the rules as another proxy's configuration."),
    "init": ("mirror_addon.cli.init", "Say where the rules' destinations listen here."),
    "mcp": ("mirror_addon.cli.mcp", "Serve findings and pairs to an editor's assistant."),
    "processor": ("mirror_addon.cli.processor", "Mirror and compare what an Envoy tells of."),
    "replay": ("mirror_addon.cli.replay", "Send recorded requests to the mirrors, and compare."),
    "report": ("mirror_addon.cli.report", "Summarise records: what differs, and how often."),
    "schema": ("mirror_addon.cli.schema", "Print a JSON Schema, for an editor."),
    "test": ("mirror_addon.cli.test", "Check that requests are routed as expected."),
    "tests": ("mirror_addon.cli.tests", "Write recorded pairs as tests."),
    "web": ("mirror_addon.cli.run", "Run mitmweb with the addon."),
}
"""The module of each command, which has a function of its name, and a line of help."""


class OutputError(click.ClickException):
    """What a command prints or writes has no room."""

    exit_code = 2


_CANNOT_WRITE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}


class LazyGroup(click.Group):
    """Imports the module of a command when it is run, so that `check` does not wait for the import of mitmproxy.

    Help and completion need no module: they have the lines of `COMMANDS`.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        command = getattr(importlib.import_module(COMMANDS[name][0]), name)
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return what click does. A name that is nearly one of a command gets it in the message."""
        name = args[0] if args else ""
        if (
            name not in COMMANDS
            and not ctx.resilient_parsing
            and (near := difflib.get_close_matches(name, COMMANDS, 1))
        ):
            ctx.fail(f"No such command {name!r}. Did you mean {near[0]!r}?")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in sorted(COMMANDS.items())])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        names = [
            CompletionItem(name, help=text)
            for name, (_, text) in sorted(COMMANDS.items())
            if name.startswith(incomplete)
        ]
        return names + click.Command.shell_complete(self, ctx, incomplete)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command. The text of an error, which names files and quotes what they hold, is made safe to show."""
        make_log_safe()
        try:
            return super().invoke(ctx)
        except click.exceptions.NoArgsIsHelpError:
            raise  # its message is the help
        except click.ClickException as error:
            for name in {"message", "ui_filename"} & vars(error).keys():  # what click composes the text of
                vars(error)[name] = printable(vars(error)[name])
            raise
        except OSError as error:
            if error.errno not in _CANNOT_WRITE:
                raise
            raise _cannot_write(error) from None


def _cannot_write(error: OSError) -> click.ClickException:
    """Return the error of a command whose output has no room. What is still buffered is given up, as after a broken
    pipe: the interpreter would try again at exit, and print a traceback."""
    if sys.stdout is sys.__stdout__ and sys.stdout is not None:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
    file = f"{error.filename}: " if error.filename else ""
    return OutputError(f"{file}the output cannot be written: {error.strerror}")


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="mirror-addon")
def main() -> None:
    """Istio's traffic mirroring in mitmproxy: routes by your own VirtualServices and shows the mirror's responses.

    \b
    Completion of commands and options, in the shell's start file:
      bash  eval "$(_MIRROR_ADDON_COMPLETE=bash_source mirror-addon)"
      zsh   eval "$(_MIRROR_ADDON_COMPLETE=zsh_source mirror-addon)"
      fish  _MIRROR_ADDON_COMPLETE=fish_source mirror-addon | source
    """
