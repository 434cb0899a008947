"""`mirror-addon explain`: how requests are routed and mirrored, and why, without sending anything."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import click

from mirror_addon.api.requests import decision_document
from mirror_addon.api.requests import read_lines
from mirror_addon.api.requests import read_request
from mirror_addon.captures.urls import RequestError
from mirror_addon.captures.urls import to_text
from mirror_addon.cli.console import Part
from mirror_addon.cli.console import Styled
from mirror_addon.cli.console import echo
from mirror_addon.cli.line_file import LineFile
from mirror_addon.cli.line_file import line_file
from mirror_addon.cli.rules_option import read_rule_set
from mirror_addon.cli.rules_option import read_settings
from mirror_addon.cli.rules_option import rules_options
from mirror_addon.routing.decision import Request
from mirror_addon.routing.trace import explain as trace_request
from mirror_addon.shadow.local_address import own_address


def _requests(
    file: LineFile | None, arguments: tuple[str, ...], headers: tuple[str, ...], draw: int | None
) -> Iterator[tuple[Request, int]]:
    """Requests and draws of the file, then of the arguments. Raises RequestError."""
    if file:
        for number, document in read_lines(file, file.name):
            try:
                yield read_request(document)
            except RequestError as error:
                raise RequestError(f"{file.name}:{number}: {error}") from None
    if len(arguments) % 2:
        raise RequestError("give METHOD and URL, as in: GET http://example.com/")
    pairs = []
    for header in headers:
        name, colon, value = header.partition(":")
        if not colon or not name.strip():
            raise RequestError(f"-H {header!r}: write 'Name: value'")
        pairs.append([name.strip(), value.strip()])
    for method, url in zip(arguments[::2], arguments[1::2], strict=True):
        yield read_request({"method": method, "url": url, "headers": pairs, "draw": draw})


def as_text(request: Request, found: dict[str, Any]) -> list[tuple[Part, ...]]:
    """A decision for the terminal, as lines of parts."""
    head = to_text(b"%s %s%s" % (request.method, request.authority, request.path))
    lines: list[tuple[Part, ...]] = [(Styled(head, bold=True), "  ->  ", Styled(found["action"], "cyan"))]
    if owner := found["virtual_service"] or found["route"]:
        match = "" if found["match"] is None else f" match[{found['match']}]"
        lines.append((f"  rule         {owner} {found['rule']}{match}",))
    if found["destination"]:
        lines.append((f"  destination  {_target(found['destination'])}",))
    if found["request"]:
        leaves = found["request"]
        lines.append((f"  leaves as    {leaves['method']} {leaves['path']}  Host: {leaves['authority']}",))
        lines += [(f"               {name}: {value}",) for name, value in leaves["headers"]]
    if found["response"]:
        lines.append((f"  response     {found['response']['status']} {found['response']['body'].strip()}".rstrip(),))
    for mirror in found["mirrors"]:
        if mirror["skipped"]:
            state = Styled(f"skipped: {mirror['skipped']}", "yellow")
        elif not mirror["sampled"]:
            state = Styled("not drawn", "yellow")
        else:
            state = Styled(f"Host: {mirror['authority']}", "green")
        lines.append((f"  mirror       {_target(mirror)} {mirror['percent']:g} %  ", state))
    lines += [
        (f"  why          {line}" if index == 0 else f"               {line}",)
        for index, line in enumerate(found["trace"])
    ]
    return lines


def _target(target: dict[str, Any]) -> str:
    subset = f"/{target['subset']}" if target["subset"] else ""
    port = f":{target['port']}" if target["port"] else ""
    return f"{target['host']}{port}{subset} at {target['endpoint'] or 'no endpoint'}"


@click.command()
@rules_options
@click.option(
    "--requests",
    "file",
    type=line_file,
    metavar="FILE",
    help="Requests as JSON Lines; - is stdin.",
)
@click.option("--json", "json_lines", is_flag=True, help="Print one JSON object a request.")
@click.option(
    "-H",
    "--header",
    "headers",
    multiple=True,
    metavar="'NAME: VALUE'",
    help="A header field of the requests given as arguments. May be repeated.",
)
@click.option("--draw", type=click.IntRange(0, 2**64 - 1), help="Envoy's random number of the request. [default: 0]")
@click.argument("arguments", metavar="[METHOD URL]...", nargs=-1)
def explain(
    rules: tuple[str, ...],
    assignments: tuple[str, ...],
    file: LineFile | None,
    json_lines: bool,
    headers: tuple[str, ...],
    draw: int | None,
    arguments: tuple[str, ...],
) -> None:
    """Print how requests are routed and mirrored by the rules, and why. Sends nothing.

    A request in a file is a line {"method", "url", "headers": [[name, value], ...], "port", "draw", "client"}; all keys
    except "url" are optional.
    """
    if not file and not arguments:
        raise click.UsageError("Nothing to explain: give METHOD URL, or --requests FILE.")
    local_address = own_address().encode()
    now = time.time()
    settings = read_settings(rules, assignments)
    table = read_rule_set(settings, local_address).table
    try:
        for request, number in _requests(file, arguments, headers, draw):
            trace = trace_request(table, request, number, now)
            found = decision_document(table.route(request, number), trace, settings, local_address, now)
            for line in [(json.dumps(found),)] if json_lines else as_text(request, found):
                echo(*line)
    except RequestError as error:
        raise click.UsageError(str(error)) from None
