"""Types of command line options, made of functions that parse text."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import click

T = TypeVar("T")


def value_type(parse: Callable[[str], T]) -> Callable[[str], T]:
    """A click type of a function that takes the text and raises ValueError. The message says what to write."""

    def convert(text: str) -> T:
        try:
            return parse(text)
        except ValueError as error:
            raise click.BadParameter(f"{text!r}: {error}") from None

    return convert
