"""`mirror-addon`, the command line.

Theory of operation. A command is a click function in a module of its own, `COMMANDS` below. It parses options, calls
the job and prints; the jobs are in other rooms: `istio/` and `rules/` (check), `routing/` (explain, test), `envoy/`
(export, envoy), `compare/report` and `compare/suite` (report, tests), `captures/` (diff), `replay/`, `collector/`,
`demo/`.

What commands share:

    rules_option.py   --rules and --set, read into `Settings` and a rule set
    gathered.py       many options as few dataclasses
    value_type.py     option types made of parsing functions
    record_input.py   records read with a progress bar, for report and tests
    console.py        everything that is printed

Results go to standard output, everything else to standard error. Exit codes: 0 fine, 1 findings, 2 wrong usage.
"""

from __future__ import annotations

import importlib
from typing import Any

import click

from mirror_addon._version import __version__
from mirror_addon.display.log import make_log_safe
from mirror_addon.display.text import printable

COMMANDS = {
    "check": "mirror_addon.cli.check",
    "collect": "mirror_addon.cli.collect",
    "console": "mirror_addon.cli.run",
    "demo": "mirror_addon.cli.demo",
    "diff": "mirror_addon.cli.diff",
    "dump": "mirror_addon.cli.run",
    "envoy": "mirror_addon.cli.envoy",
    "explain": "mirror_addon.cli.explain",
    "export": "mirror_addon.cli.export",
    "replay": "mirror_addon.cli.replay",
    "report": "mirror_addon.cli.report",
    "test": "mirror_addon.cli.test",
    "tests": "mirror_addon.cli.tests",
    "web": "mirror_addon.cli.run",
}


class LazyGroup(click.Group):
    """Imports the module of a command when it is run, so that `check` does not wait for the import of mitmproxy."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        command = getattr(importlib.import_module(COMMANDS[name]), name)
        assert isinstance(command, click.Command)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command. The text of an error, which names files and quotes what they hold, is made safe to show."""
        make_log_safe()
        try:
            return super().invoke(ctx)
        except click.ClickException as error:
            for name in {"message", "ui_filename"} & vars(error).keys():  # what click composes the text of
                vars(error)[name] = printable(vars(error)[name])
            raise


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="mirror-addon")
def main() -> None:
    """Istio's traffic mirroring in mitmproxy: routes by your own VirtualServices and shows the mirror's responses."""
