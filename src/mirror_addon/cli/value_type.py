"""Options of the command line whose text a function reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import click

T = TypeVar("T")


def value_type(parse: Callable[[str], T]) -> Callable[[str], T]:
    """A click type of `parse`, which takes the text and raises ValueError that says what to write."""

    def convert(text: str) -> T:
        try:
            return parse(text)
        except ValueError as error:
            raise click.BadParameter(f"{text!r}: {error}") from None

    return convert
