"""Click options as fields of dataclasses, so that a command with many options takes few parameters."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import click


def gathered(**kinds: type[Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Pass a click command one instance of each dataclass in place of the options that are named as its fields.

    `@gathered(pace=Pace)` makes of the options `speed` and `rate` the parameter `pace=Pace(speed=..., rate=...)`.
    Stands below the option decorators. A ValueError of a dataclass is raised as click.UsageError.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def call(**given: Any) -> None:
            for parameter, kind in kinds.items():
                values = {field.name: given.pop(field.name) for field in dataclasses.fields(kind)}
                try:
                    given[parameter] = kind(**values)
                except ValueError as error:
                    raise click.UsageError(str(error)) from None
            command(**given)

        return call

    return decorate
