"""`mirror-addon test`: a team's own routing tests, for CI."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import click

from mirror_addon.api.requests import decision_document
from mirror_addon.api.requests import read_lines
from mirror_addon.api.requests import read_request
from mirror_addon.captures.urls import RequestError
from mirror_addon.cli.console import echo
from mirror_addon.cli.line_file import LineFile
from mirror_addon.cli.line_file import line_file
from mirror_addon.cli.rules_option import read_rule_set
from mirror_addon.cli.rules_option import read_settings
from mirror_addon.cli.rules_option import rules_options
from mirror_addon.options.settings import Settings
from mirror_addon.routing.table import RouteTable
from mirror_addon.routing.trace import explain as trace_request
from mirror_addon.shadow.local_address import own_address


def mismatches(expected: Any, found: Any, path: str = "") -> Iterator[str]:
    """Where `found` is not as `expected`, one line each. Objects may be partial, everything else must be equal."""
    where = path or "decision"
    if isinstance(expected, dict):
        if not isinstance(found, dict):
            yield f"{where}: expected an object, found {json.dumps(found)}"
            return
        for key, value in expected.items():
            if key not in found:
                yield f"{where}: has no {key!r}; there are {', '.join(found)}"
            else:
                yield from mismatches(value, found[key], f"{path}.{key}" if path else key)
    elif isinstance(expected, list):
        if not isinstance(found, list) or len(found) != len(expected):
            yield f"{where}: expected {json.dumps(expected)}, found {json.dumps(found)}"
            return
        for index, (value, other) in enumerate(zip(expected, found, strict=True)):
            yield from mismatches(value, other, f"{path}[{index}]")
    elif expected != found or isinstance(expected, bool) != isinstance(found, bool):
        yield f"{where}: expected {json.dumps(expected)}, found {json.dumps(found)}"


@click.command()
@rules_options
@click.option("--json", "json_lines", is_flag=True, help="Print one JSON object a test.")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=line_file)
def test(rules: tuple[str, ...], assignments: tuple[str, ...], json_lines: bool, files: tuple[LineFile, ...]) -> None:
    """Check that requests are routed and mirrored as expected.

    A line of FILE is {"request": ..., "expect": ...}: a request as `explain` takes it, and the part of the output of
    `explain --json` that matters.
    """
    local_address = own_address().encode()
    settings = read_settings(rules, assignments)
    table = read_rule_set(settings, local_address).table
    passed = failed = 0
    try:
        for file in files:
            name = file.name
            for number, document in read_lines(file, name):
                where = f"{name}:{number}"
                found = _decision(document, where, table, settings, local_address)
                wrong = list(mismatches(document["expect"], found))
                passed, failed = passed + (not wrong), failed + bool(wrong)
                if json_lines:
                    result = {"file": name, "line": number, "passed": not wrong, "mismatches": wrong}
                    echo(json.dumps(result))
                elif wrong:
                    for line in (*(f"{where}: {line}" for line in wrong), *_indented(found["trace"])):
                        echo(line)
    except RequestError as error:
        raise click.UsageError(str(error)) from None
    if not passed + failed:
        names = ", ".join(file.name for file in files)
        raise click.UsageError(f'There is no test in {names}; write lines of {{"request": ..., "expect": ...}}.')
    if not json_lines:
        echo(f"{passed} passed, {failed} failed", err=True)
    if failed:
        raise SystemExit(1)


def _decision(document: Any, where: str, table: RouteTable, settings: Settings, local_address: bytes) -> dict[str, Any]:
    """The decision for the request of a test, as `explain --json` prints it. Raises RequestError."""
    if not isinstance(document, dict) or set(document) != {"request", "expect"}:
        raise RequestError(f'{where}: write {{"request": ..., "expect": ...}}')
    try:
        request, draw = read_request(document["request"])
    except RequestError as error:
        raise RequestError(f"{where}: request: {error}") from None
    trace = list(trace_request(table, request, draw))
    return decision_document(table.route(request, draw), trace, settings, local_address)


def _indented(lines: list[str]) -> list[str]:
    return [f"    {line}" for line in lines]
