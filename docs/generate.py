"""Writes the parts of the reference that come from the code: `python docs/generate.py`.

A page has them between two comments, `<!-- generated: NAME -->` and `<!-- end -->`; NAME is a key of `PARTS`. What is
around them is written by hand. tests/docs/test_reference.py fails while a page has another text than the code.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click

from mirror_addon.cli.main import main as command_line
from mirror_addon.options.settings import OPTIONS
from mirror_addon.statistics.reasons import REASONS

DOCS = Path(__file__).resolve().parent
PART = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
WIDTH = 110


def options() -> Iterator[str]:
    """A table of the `mirror_*` options: type, default, and the help text that mitmproxy shows."""
    yield "| option | default | meaning |"
    yield "|---|---|---|"
    for option in OPTIONS:
        kind = {bool: " (bool)", list: " (list)"}.get(type(option.default), "")
        if isinstance(option.default, bool):
            default = str(option.default).lower()
        else:
            default = " ".join(option.default) if isinstance(option.default, list) else option.default
        cell = f"`{default}`" if default else ""
        yield f"| `{option.name}`{kind} | {cell} | {option.help} |"


def cli() -> Iterator[str]:
    """The help of every command of `mirror-addon`."""
    for name, command in _walk(command_line, "mirror-addon"):
        context = click.Context(command, info_name=name, terminal_width=WIDTH, max_content_width=WIDTH)
        yield f"## {name}"
        yield ""
        yield "```text"
        yield command.get_help(context).rstrip()
        yield "```"
        yield ""


def _walk(group: click.Group, name: str) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group, info_name=name)
    for each in group.list_commands(context):
        command = group.get_command(context, each)
        if isinstance(command, click.Group):
            yield from _walk(command, f"{name} {each}")
        elif command is not None:
            yield f"{name} {each}", command


def reasons() -> Iterator[str]:
    """A table of the reasons of failed, dropped and skipped shadows."""
    yield "| reason | meaning |"
    yield "|---|---|"
    for reason in sorted(REASONS):
        yield f"| `{reason}` | {REASONS[reason]} |"


PARTS = {"options": options, "cli": cli, "reasons": reasons}


def generated(text: str) -> str:
    """Return a page with its generated parts as the code has them now."""
    return PART.sub(lambda found: found[1] + "\n".join(PARTS[found[2]]()).strip() + "\n" + found[3], text)


def pages() -> Iterator[Path]:
    yield from sorted(DOCS.rglob("*.md"))


if __name__ == "__main__":
    for page in pages():
        before = page.read_text()
        after = generated(before)
        if after != before:
            page.write_text(after)
            print(page.relative_to(DOCS))
