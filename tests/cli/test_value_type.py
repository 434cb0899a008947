from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from mirror_addon.cli.value_type import value_type


def even(text: str) -> int:
    if int(text) % 2:
        raise ValueError("must be even, as in 2")
    return int(text)


@click.command()
@click.option("--number", type=value_type(even))
def show(number: int | None) -> None:
    click.echo(repr(number))


@pytest.mark.parametrize(("arguments", "output"), [([], "None"), (["--number", "4"], "4")])
def test_the_value_is_that_of_the_function(arguments: list[str], output: str) -> None:
    assert CliRunner().invoke(show, arguments).output.strip() == output


def test_a_value_error_names_the_option_and_the_text() -> None:
    result = CliRunner().invoke(show, ["--number", "3"])
    assert result.exit_code == 2
    assert "Invalid value for '--number': '3': must be even, as in 2" in result.output
