from __future__ import annotations

from dataclasses import dataclass

import click
from click.testing import CliRunner

from mirror_addon.cli.gathered import gathered


@dataclass(frozen=True)
class Size:
    width: int
    height: int

    def __post_init__(self) -> None:
        if self.width < self.height:
            raise ValueError("too high")


@dataclass(frozen=True)
class Name:
    name: str


@click.command()
@click.option("--width", type=int, default=7)
@click.option("--height", type=int, default=2)
@click.argument("name")
@click.option("--loud", is_flag=True)
@gathered(size=Size, called=Name)
def show(size: Size, called: Name, loud: bool) -> None:
    """Print it."""
    click.echo(f"{size.width}x{size.height} {called.name} {loud}")


def test_options_become_fields() -> None:
    assert CliRunner().invoke(show, ["a", "--height", "3"]).output == "7x3 a False\n"
    assert "Print it." in CliRunner().invoke(show, ["--help"]).output


def test_a_value_error_is_wrong_usage() -> None:
    result = CliRunner().invoke(show, ["a", "--height", "9"])
    assert result.exit_code == 2
    assert "Error: too high" in result.output
