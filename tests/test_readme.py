"""The README's tables say what the program has."""

from __future__ import annotations

import re
from pathlib import Path

from mirror_addon.cli.main import COMMANDS
from mirror_addon.commands.commands import Commands
from mirror_addon.options.settings import OPTIONS

README = (Path(__file__).resolve().parent.parent / "README.md").read_text()


def section(title: str) -> str:
    return README.split(f"\n## {title}\n")[1].split("\n## ")[0]


def test_options_with_their_defaults_and_help() -> None:
    rows = re.findall(r"^\| `(mirror_\w+)`[^|]*\| (?:`([^`]*)`)? *\| (.*) \|$", section("Options"), re.M)
    wanted = []
    for option in OPTIONS:
        default = option.default
        if isinstance(default, bool):
            default = str(default).lower()
        elif isinstance(default, list):
            default = " ".join(default)
        wanted.append((option.name, default, option.help))
    assert rows == wanted


def test_commands() -> None:
    named = set(re.findall(r"`mirror\.(\w+)", section("Commands")))
    assert named - {"status"} | {"status"} == {
        name for name, value in vars(Commands).items() if name[0] != "_" and name not in ("register", "by_name")
    }


def test_command_line() -> None:
    text = section("Command line")
    assert {name for name in COMMANDS if f"`{name}`" in text or f"mirror-addon {name}" in text} == set(COMMANDS)


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", README):
        assert (Path(__file__).resolve().parent.parent / target).exists(), target
