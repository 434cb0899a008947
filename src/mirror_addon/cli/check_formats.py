"""The findings of `check` as text, JSON Lines, annotations of GitHub Actions, and SARIF 2.1.0.

Paths of the last two are relative to the repository where they can be: to `GITHUB_WORKSPACE`, which the runner sets
to the root of the checkout, else to the current folder.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from mirror_addon._version import __version__
from mirror_addon.cli.console import Part
from mirror_addon.cli.console import Styled
from mirror_addon.istio.diagnostics import Diagnostic
from mirror_addon.istio.diagnostics import Severity

COLOURS = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.INFO: "cyan"}
STDIN = "<stdin>"
"""The file name in findings about standard input."""
_GITHUB = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}
_SARIF = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_ISTIO_HELP = "https://istio.io/latest/docs/reference/config/analysis/{}/"
DESCRIPTIONS = {
    "IST0002": "A deprecated field is used",
    "IST0101": "A host, subset, port, gateway or delegate that is named does not exist",
    "IST0106": "The document cannot be read, or Istio refuses it",
    "IST0109": "Several virtual services of the mesh have the same host",
    "IST0112": "The destination has several ports and none is chosen",
    "IST0118": "The name of a port does not say its protocol",
    "IST0128": "TLS to the destination does not verify the server's certificate",
    "IST0129": "TLS to a port of the destination does not verify the server's certificate",
    "IST0130": "A rule is never reached",
    "IST0131": "A match repeats an earlier one",
    "IST0132": "The gateway does not have this host of the virtual service",
    "IST0133": "A value is accepted but does not do what it seems to",
    "IST0134": "A TCP port of a service entry needs addresses",
    "IST0140": "Rules for a subset have no effect at a gateway",
    "IST0145": "Two gateways have the same selector, port and host",
    "IST0150": "The port of an ExternalName service has a name that means TCP",
    "IST0162": "The port of a gateway is not a port of its service",
    "IST0165": "A virtual service names an internal gateway",
    "IST0173": "A subset selects no endpoint",
    "IST0174": "A destination rule is for a host that no service has",
    "IST0177": "Service entries give one port of a host different protocols",
    "MIRROR0001": "A mirror never expires",
}


Line = tuple[Part, ...]


def as_text(diagnostics: Iterable[Diagnostic]) -> Iterator[Line]:
    """A line each, in colours."""
    for each in diagnostics:
        where, severity, rest = str(each).partition(f" {each.severity} ")
        yield Styled(where, bold=True), Styled(severity, COLOURS[each.severity]), rest


def as_json(diagnostics: Iterable[Diagnostic]) -> Iterator[Line]:
    """A JSON object each."""
    for each in diagnostics:
        yield (json.dumps(dataclasses.asdict(each)),)


def as_github(diagnostics: Iterable[Diagnostic]) -> Iterator[Line]:
    """A workflow command each, which GitHub Actions shows beside the line (actions/toolkit `command.ts`)."""
    for each in diagnostics:
        place = {"line": str(each.line), "col": str(each.column), "title": each.code}
        if each.file != STDIN:
            place = {"file": repository_path(each.file), **place}
        properties = ",".join(f"{name}={_property(value)}" for name, value in place.items())
        yield (f"::{_GITHUB[each.severity]} {properties}::{_data(_message(each))}",)


def as_sarif(diagnostics: Sequence[Diagnostic]) -> Iterator[Line]:
    """One document: SARIF 2.1.0 with the properties that GitHub's code scanning needs."""
    codes = list(dict.fromkeys(each.code for each in diagnostics))
    worst = {each.code: _SARIF[each.severity] for each in sorted(diagnostics, key=_rank, reverse=True)}
    driver = {
        "name": "mirror-addon",
        "version": __version__,
        "semanticVersion": __version__,
        "rules": [_rule(code, worst[code]) for code in codes],
    }
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_result(each, codes.index(each.code)) for each in diagnostics],
    }
    text = json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2)
    yield from ((line,) for line in text.splitlines())


FORMATS = {"text": as_text, "json": as_json, "github": as_github, "sarif": as_sarif}


def repository_path(file: str) -> str:
    """Return the path relative to the repository, or as it is where that has nothing to do with it."""
    root = os.environ.get("GITHUB_WORKSPACE") or os.curdir
    absolute = Path(os.path.abspath(file))
    try:
        return absolute.relative_to(os.path.abspath(root)).as_posix()
    except ValueError:
        return Path(file).as_posix()


def _message(diagnostic: Diagnostic) -> str:
    return f"{diagnostic.path}: {diagnostic.message}" if diagnostic.path else diagnostic.message


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _rank(diagnostic: Diagnostic) -> int:
    return list(Severity).index(diagnostic.severity)


def _rule(code: str, level: str) -> dict[str, Any]:
    text = DESCRIPTIONS.get(code, code)
    rule: dict[str, Any] = {
        "id": code,
        "shortDescription": {"text": text},
        "fullDescription": {"text": text},
        "help": {"text": f"{text}. The message of each result says what to change."},
        "defaultConfiguration": {"level": level},
    }
    if code.startswith("IST"):
        rule["helpUri"] = _ISTIO_HELP.format(code.lower())
    return rule


def _result(diagnostic: Diagnostic, index: int) -> dict[str, Any]:
    location: dict[str, Any] = {
        "physicalLocation": {
            "artifactLocation": _artifact(diagnostic.file),
            "region": {"startLine": diagnostic.line, "startColumn": diagnostic.column},
        }
    }
    if diagnostic.path:
        location["logicalLocations"] = [{"fullyQualifiedName": diagnostic.path}]
    return {
        "ruleId": diagnostic.code,
        "ruleIndex": index,
        "level": _SARIF[diagnostic.severity],
        "message": {"text": _message(diagnostic)},
        "locations": [location],
    }


def _artifact(file: str) -> dict[str, str]:
    """A relative reference below the root of the repository, or a `file:` URI."""
    if file == STDIN:
        return {"uri": "stdin"}
    path = repository_path(file)
    if path.startswith("/"):
        return {"uri": Path(path).as_uri()}
    return {"uri": quote(os.fsencode(path)), "uriBaseId": "%SRCROOT%"}
