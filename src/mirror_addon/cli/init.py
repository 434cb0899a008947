"""`mirror-addon init`: from a folder of the team's YAML to a set of rules that runs on this machine."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from collections.abc import Sequence
from pathlib import Path

import click
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from mirror_addon.cli.console import Styled
from mirror_addon.cli.console import echo
from mirror_addon.cli.console import write
from mirror_addon.cli.rules_option import read_settings
from mirror_addon.cli.rules_option import rules_options
from mirror_addon.cli.value_type import value_type
from mirror_addon.display.console import SafeConsole
from mirror_addon.istio.diagnostics import Severity
from mirror_addon.local_endpoints.assignment import AssignmentError
from mirror_addon.local_endpoints.assignment import LocalHost
from mirror_addon.local_endpoints.assignment import assign
from mirror_addon.local_endpoints.documents import endpoint_lines
from mirror_addon.local_endpoints.documents import endpoints_file
from mirror_addon.local_endpoints.places import Found
from mirror_addon.local_endpoints.places import HostPlaces
from mirror_addon.local_endpoints.places import find_places
from mirror_addon.options.settings import Settings
from mirror_addon.options.values import EndpointOverride
from mirror_addon.options.values import endpoint_override
from mirror_addon.routing.clusters import Endpoint
from mirror_addon.routing.identity import Identity
from mirror_addon.routing.table import RouteTable
from mirror_addon.rules.files import LoadedRules
from mirror_addon.rules.files import is_there
from mirror_addon.rules.files import load_rules
from mirror_addon.rules.files import read_rules
from mirror_addon.rules.files import rules_paths
from mirror_addon.rules.option_names import resolve_endpoints

_SHOWN = 40
"""Endpoints that the terminal lists."""


@click.command()
@rules_options
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the YAML to this file. Without it, print it.",
)
@click.option(
    "--endpoint",
    "entries",
    metavar="HOST[:PORT][/SUBSET]=ADDRESS:PORT",
    multiple=True,
    type=value_type(endpoint_override),
    help="Where a destination listens. Others get ports of 127.0.0.1, counted from 9001. May be repeated.",
)
@click.option("--force", is_flag=True, help="Overwrite a file that has something else.")
def init(
    rules: tuple[str, ...],
    assignments: tuple[str, ...],
    output: Path | None,
    entries: tuple[EndpointOverride, ...],
    force: bool,
) -> None:
    """Say where each destination of the rules listens on this machine.

    Reads the team's YAML, finds the destinations without an endpoint, and writes ServiceEntries for them (for the
    Gateway API, EndpointSlices): a file beside the team's own, which stay as they are. Ends with the command that runs
    them all.
    """
    settings = read_settings(rules, assignments)
    loaded = _load(settings, output)
    table = RouteTable.build(
        loaded.resources,
        Identity(namespace=settings.namespace, gateways=settings.gateways),
        endpoint_overrides=resolve_endpoints(settings.endpoints, loaded.resources, settings.namespace).overrides,
    )
    found = find_places(table, loaded.resources)
    for problem in found.problems:
        echo(Styled(f"warning: {problem}", "yellow"), err=True)
    if not (found.missing or found.placed or found.problems):
        raise click.UsageError(
            f"No rule in {', '.join(settings.rules)} routes to a destination; name the team's rules."
        )
    hosts = _assign(found, entries, loaded, settings)
    messages = SafeConsole(stderr=output is None, highlight=False, soft_wrap=True)
    _describe(messages, found, hosts)
    if hosts:
        text = endpoints_file(hosts, _command(rules, assignments, entries, output))
        if output is None:
            write(text)
        else:
            messages.print(Text(_write(output, text, force)))
    _say_what_next(messages, settings, assignments, output, bool(hosts))


def _load(settings: Settings, output: Path | None) -> LoadedRules:
    """Read the rules, without the file that is to be written. Raises click.UsageError."""
    paths = rules_paths(settings.rules)
    for path in paths:
        if not is_there(path):
            raise click.UsageError(f"There is no file or folder {str(path)!r}; name the rules with --rules PATH")
    try:
        sources, unreadable = read_rules(paths)
    except OSError as error:
        raise click.UsageError(f"The rules cannot be read: {error}") from None
    own = os.path.realpath(output) if output is not None else None
    given = [source for source in sources if os.path.realpath(source.name) != own]
    loaded = load_rules([], default_namespace=settings.namespace, given=given)
    if loaded.broken or unreadable:
        for diagnostic in (*unreadable, *loaded.diagnostics):
            if diagnostic.severity is Severity.ERROR:
                echo(str(diagnostic), err=True)
        raise click.UsageError("The rules cannot be read: correct the errors above; mirror-addon check lists all")
    return loaded


def _assign(
    found: Found, entries: Sequence[EndpointOverride], loaded: LoadedRules, settings: Settings
) -> list[LocalHost]:
    """Give every place an endpoint. Raises click.UsageError where an entry of --endpoint names none."""
    named = resolve_endpoints(entries, loaded.resources, settings.namespace)
    for problem in named.problems:
        raise click.UsageError(problem.replace("mirror_endpoints:", "--endpoint"))
    needed = {name for host in found.missing for name in _names(host)}
    for host, subset in named.overrides:
        if (host, subset) not in needed:
            name = f"{host}/{subset}" if subset else host
            raise click.UsageError(
                f"--endpoint {name}: this destination has an endpoint in the rules, or no rule needs one; "
                f"while running, --set mirror_endpoints={name}=ADDRESS:PORT wins over the rules"
            )
    taken = [_port(address) for address in found.placed.values()]
    try:
        return assign(found.missing, named.overrides, taken)
    except AssignmentError as error:
        raise click.UsageError(f"--endpoint: {error}") from None


def _names(host: HostPlaces) -> Iterator[tuple[str, str]]:
    """The keys by which an endpoint of a host can be given."""
    for name in (host.host, *(f"{host.host}:{number}" for number in host.ports)):
        yield name, ""
        yield from ((name, place.subset) for place in host.places)


def _port(address: str) -> int:
    port = address.rpartition(":")[2]
    return int(port) if port.isdecimal() else 0


def _write(output: Path, text: str, force: bool) -> str:
    """Write the file unless it is there and has something else. Return what was done. Raises click.UsageError."""
    data = text.encode()
    there = os.path.lexists(output)
    try:
        if there and output.read_bytes() == data:
            return f"{output} is as it should be."
        if there and not force:
            raise click.UsageError(f"{output} exists and has something else; --force overwrites it, -o names another.")
        part = output.with_name(f".{output.name}.{os.getpid()}")
        try:
            part.write_bytes(data)
            part.replace(output)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise click.UsageError(f"{output} cannot be written: {error.strerror}") from None
    return f"Wrote {output}."


def _describe(console: SafeConsole, found: Found, hosts: Sequence[LocalHost]) -> None:
    if found.placed:
        placed = [f"{label} at {address}" for label, address in found.placed.items()]
        more = f" and {len(placed) - _SHOWN} more" if len(placed) > _SHOWN else ""
        console.print(Text(f"Has an endpoint in the rules: {', '.join(placed[:_SHOWN])}{more}"))
    if not hosts:
        console.print(Text("No destination needs an endpoint; there is nothing to write."))
        return
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    for title in ("destination", "here", "for"):
        table.add_column(title, overflow="fold")
    rows = list(endpoint_lines(hosts))
    for row in rows[:_SHOWN]:
        table.add_row(*map(Text, row))
    console.print(Padding(table, (0, 0, 0, 2)))
    if len(rows) > _SHOWN:
        console.print(Text(f"  and {len(rows) - _SHOWN} more, which the comment on top of the file lists"))


def _command(
    rules: Sequence[str], assignments: Sequence[str], entries: Sequence[EndpointOverride], output: Path | None
) -> str:
    """The command line of this run, without --force."""
    words = ["mirror-addon", "init"]
    for name in rules or ("rules",):
        if output is None or Path(name).absolute() != output.absolute():  # which is not read
            words += ["--rules", name]
    for text in assignments:
        words += ["--set", text]
    for entry in entries:
        port = f":{entry.service_port}" if entry.service_port else ""
        name = f"{entry.host}{port}{'/' if entry.subset else ''}{entry.subset}"
        words += ["--endpoint", f"{name}={Endpoint(entry.address, entry.port)}"]
    return shlex.join([*words, *(["-o", str(output)] if output else [])])


def _say_what_next(
    console: SafeConsole, settings: Settings, assignments: Sequence[str], output: Path | None, written: bool
) -> None:
    paths = list(settings.rules)
    if written:
        if output is None:
            console.print(Text("Write this to a file, with -o FILE, to run:"))
        file = str(output or "FILE")
        if output is None or not _inside(output, settings.rules):
            paths.append(file)
        console.print(Text("Start your services at these addresses, and then:"))
    words = ["mirror-addon", "dump"]
    for path in paths:
        words += ["--set", f"mirror_rules={path}"]
    for text in assignments:
        name = text if text.startswith("mirror_") else f"mirror_{text}"
        words += ["--set", name]
    console.print(Text(f"  {shlex.join(words)}", "bold"))


def _inside(output: Path, rules: Sequence[str]) -> bool:
    """Whether the proxy reads the file with the rules' paths."""
    real = Path(os.path.realpath(output))
    return any(real.is_relative_to(os.path.realpath(path)) for path in rules_paths(rules))
