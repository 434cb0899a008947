"""`mirror-addon dump | web | console [ARGS]`: mitmdump, mitmweb or mitmproxy with the addon, from any folder."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import click

PASS_THROUGH = {"ignore_unknown_options": True, "allow_interspersed_args": False, "help_option_names": []}

SCRIPT = Path(__file__).resolve().parent / "script" / "mirror_addon"
"""A link to the script at the root of a checkout, and a copy of it in a wheel.

It has a folder of its own, because mitmproxy puts a script's folder in front of sys.path and never removes it."""


def _run(tool: str, arguments: tuple[str, ...]) -> None:
    from mitmproxy.tools import main

    if isinstance(sys.stdout, io.TextIOWrapper):
        # mitmproxy flushes after a flow only: in a file, a pipe or a container, a verdict would wait for the next one.
        sys.stdout.reconfigure(line_buffering=True)
    sys.argv[0] = tool  # mitmproxy's messages begin with this name
    getattr(main, tool)(["-s", str(SCRIPT), *arguments])


@click.command(context_settings=PASS_THROUGH)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def dump(arguments: tuple[str, ...]) -> None:
    """Run mitmdump with the addon. ARGUMENTS are mitmdump's."""
    _run("mitmdump", arguments)


@click.command(context_settings=PASS_THROUGH)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def web(arguments: tuple[str, ...]) -> None:
    """Run mitmweb with the addon. ARGUMENTS are mitmweb's."""
    _run("mitmweb", arguments)


@click.command(context_settings=PASS_THROUGH)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def console(arguments: tuple[str, ...]) -> None:
    """Run mitmproxy's console with the addon. ARGUMENTS are mitmproxy's."""
    _run("mitmproxy", arguments)
