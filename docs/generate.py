"""Writes the parts of the reference that come from the code: `python docs/generate.py [FOLDER]`.

A page has them between two comments, `<!-- generated: NAME -->` and `<!-- end -->`; NAME is a key of `PARTS`. What is
around them is written by hand. tests/docs/test_reference.py fails while a page has another text than the code.
"""

from __future__ import annotations

import re
import sys
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
    """The help of every command of `mirror-addon`, as a terminal of `WIDTH` columns shows it."""
    settings = command_line.context_settings
    context = click.Context(
        command_line, info_name="mirror-addon", max_content_width=WIDTH, terminal_width=WIDTH, **settings
    )
    for command, own in _commands(command_line, context):
        yield f"## {own.command_path}"
        yield ""
        yield "```text"
        yield command.get_help(own).rstrip()
        yield "```"
        yield ""


def _commands(group: click.Group, context: click.Context) -> Iterator[tuple[click.Command, click.Context]]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        own = click.Context(command, parent=context, info_name=name, **command.context_settings)
        if isinstance(command, click.Group):
            yield from _commands(command, own)
        else:
            yield command, own


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


def main(folder: Path) -> None:
    """Put the generated parts of all pages below a folder right, and print the names of those that changed."""
    for page in sorted(folder.rglob("*.md")):
        before = page.read_text()
        after = generated(before)
        if after != before:
            page.write_text(after)
            print(page.relative_to(folder))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else DOCS)
