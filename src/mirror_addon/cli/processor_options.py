"""`--processor`, `--share` and `--by-client`: which processors Envoy shows exchanges to."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from typing import TypeVar

import click

from mirror_addon.cli.value_type import value_type
from mirror_addon.envoy.processor import BY_ADDRESS
from mirror_addon.envoy.processor import Processors
from mirror_addon.istio.documents import Resource
from mirror_addon.istio.mirror_annotations import PREFIX
from mirror_addon.options.settings import Settings
from mirror_addon.options.values import TOKEN
from mirror_addon.options.values import percentage
from mirror_addon.routing.table import RouteTable

F = TypeVar("F", bound=Callable[..., Any])
_MOST = 64
_NAMED = 3
"""Processors that one Envoy is given; a name that resolves to many is one of them."""


@dataclass(frozen=True, slots=True)
class ProcessorOptions:
    """The options as given."""

    processor: tuple[tuple[str, int], ...] = ()
    share: float = 1.0
    by_client: str = ""

    def __post_init__(self) -> None:
        if not self.processor and (self.share != 1.0 or self.by_client):
            raise ValueError("--share and --by-client say how Envoy uses processors; name them with --processor")

    @property
    def runs_own(self) -> bool:
        return self.processor == OWN

    def made(self) -> Processors | None:
        """The processors; None without the option."""
        return Processors(self.processor, self.share * 100, self.by_client) if self.processor else None


OWN = (("", 0),)
"""The address of a processor that is still to be started."""
_HELP = "Show exchanges to mirror-addon processor, which sends the shadows, in place of Envoy's own mirrors."
_ADDRESSES = "HOST:PORT[,HOST:PORT...]"


def processor_options(command: F) -> F:
    """Add `--processor HOST:PORT`, `--share` and `--by-client` to a click command."""
    addresses = click.option(
        "--processor", type=value_type(processor_addresses), default="", metavar=_ADDRESSES, help=_HELP
    )
    return _with_share(addresses(command))


def own_processor_options(command: F) -> F:
    """Add the same, and `--processor` without an address, which stands for `OWN`."""
    addresses = click.option(
        "--processor",
        type=value_type(lambda text: OWN if text == "own" else processor_addresses(text)),
        default="",
        is_flag=False,
        flag_value="own",
        metavar=f"[{_ADDRESSES}]",
        help=f"{_HELP} Without an address, one is run beside Envoy.",
    )
    return _with_share(addresses(command))


def _with_share(command: F) -> F:
    for option in (
        click.option(
            "--by-client",
            type=value_type(client_key),
            default="",
            metavar="address|HEADER",
            help="With several processors: each client's exchanges go to one of them, by its IP address or a header.",
        ),
        share_option,
    ):
        command = option(command)
    return command


def processor_addresses(text: str) -> tuple[tuple[str, int], ...]:
    """Parse `127.0.0.1:9090,[::1]:9091,processor.test:9090`; empty for none. Raises ValueError."""
    if not text:
        return ()
    found = tuple(map(_address, text.split(",")))
    if len(set(found)) < len(found):
        raise ValueError("an address is there twice; each processor has its own")
    if len(found) > _MOST:
        raise ValueError(f"at most {_MOST} addresses; a DNS name may stand for many")
    return found


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.strip().rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or any(character in host for character in "/@ \t"):
        raise ValueError("write addresses as HOST:PORT, as in 127.0.0.1:9090,127.0.0.1:9091")
    if not (port.isascii() and port.isdecimal() and 0 < int(port) < 65536):
        raise ValueError("write a port of 1 to 65535 after the colon, as in 127.0.0.1:9090")
    return host, int(port)


def client_key(text: str) -> str:
    """Parse `address` or the name of a header field, which is lowered; empty for none. Raises ValueError."""
    if text and not TOKEN.fullmatch(text):
        raise ValueError("write address, or the name of a header field, as in authorization")
    return text.lower()


share_option = click.option(
    "--share",
    type=value_type(percentage),
    default="100%",
    show_default=True,
    metavar="PERCENT",
    help="How many of the exchanges that the rules mirror Envoy copies. The runtime key mirror_addon.share changes it.",
)


def twin_of(settings: Settings, resources: Iterable[Resource[Any]]) -> str:
    """What asks for a twin of the primary's state, an option or an annotation; empty where nothing does."""
    for resource in resources:
        if str(resource.annotations.get(f"{PREFIX}twin", "")).lower() == "true":
            return f"{PREFIX}twin of {resource.kind} {resource.namespace}/{resource.name}"
    return "mirror_twin" if settings.twin else ""


def without_effect(settings: Settings, table: RouteTable) -> Iterator[str]:
    """Yield what is asked for and a processor does not do, each with what to do instead."""
    instead = "it needs the proxy (mirror-addon dump or web)"
    twins = [f"{PREFIX}twin of {rule}" for rule in table.mirroring if rule.twin]
    if settings.twin or twins:
        which = "mirror_twin" if settings.twin else ", ".join(twins[:_NAMED])
        yield f"{which} has no effect in the processor, and shadows have the primary's ids: {instead}"
    if settings.sandbox:
        yield f"mirror_sandbox has no effect in the processor, and calls of mirrors are really made: {instead}"
    if settings.rerun:
        yield f"mirror_rerun has no effect in the processor, and nothing is sent again: {instead}"


def why_clients_are_torn(settings: Settings, resources: Iterable[Resource[Any]], processors: Processors | None) -> str:
    """Why these processors cannot do what the rules ask for, and the cure; empty where they can.

    What a processor has learned of a client (`mirror-addon/twin`) is not known to the others.
    """
    if processors is None or len(processors.addresses) < 2 or processors.by_client:
        return ""
    asked = twin_of(settings, resources)
    return asked and (
        f"{asked} needs all exchanges of a client at one processor, and there are {len(processors.addresses)}: "
        f"add --by-client {BY_ADDRESS}, or --by-client with a header field that tells clients apart"
    )
