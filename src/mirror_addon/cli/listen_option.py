"""`--listen ADDRESS:PORT`, for the commands that wait for connections."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import Any
from typing import TypeVar

import click

from mirror_addon.cli.value_type import value_type

Address = tuple[str, int]
LOOPBACK = "127.0.0.1"
F = TypeVar("F", bound=Callable[..., Any])


def parse_listen(text: str) -> Address:
    """`0.0.0.0:9002`, `[::1]:9002`; `:9002` and `9002` for 127.0.0.1. Port 0 stands for any free port.

    Raises ValueError.
    """
    match = re.fullmatch(r"(?:(?P<host>\[[0-9A-Fa-f:.%\w]+\]|[^:\[\]\s]*):)?(?P<port>[0-9]{1,5})", text.strip())
    if not match or int(match["port"]) > 65535:
        raise ValueError("write ADDRESS:PORT, as in 127.0.0.1:9002, or :9002 for this machine only")
    return (match["host"] or LOOPBACK).strip("[]"), int(match["port"])


def listen_option(default: str, help: str) -> Callable[[F], F]:
    """Add `--listen` to a click command, as the parameter `listen`, an Address."""
    return click.option(
        "--listen",
        default=default,
        show_default=True,
        metavar="ADDRESS:PORT",
        type=value_type(parse_listen),
        help=f"{help} Without an address, only this machine can connect.",
    )


def cannot_listen(error: OSError, listen: Address | None, options: str = "--listen") -> click.UsageError:
    """What to say where an address cannot be listened at; None where it may be any of those of the `options`."""
    why = os.strerror(error.errno) if error.errno else str(error)
    where = f" at {listen[0] or '*'}:{listen[1]}" if listen is not None else ""
    return click.UsageError(f"Cannot listen{where}: {why}; name another address with {options}")
