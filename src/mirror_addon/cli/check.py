"""`mirror-addon check`: findings in Istio YAML, before anything runs."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import click

from mirror_addon.cli.console import Part
from mirror_addon.cli.console import Styled
from mirror_addon.cli.console import echo
from mirror_addon.gateway_api.expiry_analysis import find_endless_route_mirrors
from mirror_addon.istio.diagnostics import Diagnostic
from mirror_addon.istio.diagnostics import Severity
from mirror_addon.istio.expiry_analysis import find_endless_mirrors
from mirror_addon.rules.files import load_rules

COLOURS = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.INFO: "cyan"}


def as_json(diagnostic: Diagnostic) -> str:
    return json.dumps(dataclasses.asdict(diagnostic))


def as_text(diagnostic: Diagnostic) -> tuple[Part, ...]:
    """The diagnostic as a line in colours."""
    where, severity, rest = str(diagnostic).partition(f" {diagnostic.severity} ")
    return Styled(where, bold=True), Styled(severity, COLOURS[diagnostic.severity]), rest


@click.command()
@click.argument("paths", metavar="[PATH]...", nargs=-1, type=click.Path(exists=True, path_type=Path))
@click.option("--strict", is_flag=True, help="Exit 1 for warnings too, and warn about mirrors that never expire.")
@click.option("--json", "json_lines", is_flag=True, help="Print one JSON object a line.")
@click.option("--namespace", default="default", show_default=True, help="Namespace of documents without one.")
def check(paths: tuple[Path, ...], strict: bool, json_lines: bool, namespace: str) -> None:
    """Check Istio YAML as `istioctl analyze` would. PATHs are files and folders; without any, the folder `rules`."""
    if not paths:
        paths = (Path("rules"),)
        if not paths[0].exists():
            raise click.UsageError("There is no folder 'rules' here; name the files or folders to check.")
    loaded = load_rules(paths, default_namespace=namespace)
    diagnostics = list(loaded.diagnostics)
    if strict:
        endless = find_endless_mirrors(loaded.resources) + find_endless_route_mirrors(loaded.resources)
        diagnostics = sorted(diagnostics + endless)
    for diagnostic in diagnostics:
        echo(*((as_json(diagnostic),) if json_lines else as_text(diagnostic)))
    found = {severity: sum(1 for each in diagnostics if each.severity is severity) for severity in Severity}
    if not json_lines:
        kinds: dict[str, int] = {}
        for resource in loaded.resources:
            kinds[resource.kind] = kinds.get(resource.kind, 0) + 1
        read = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items())) or "no resources"
        skipped = sum(loaded.skipped.values())
        if skipped:
            read += f" ({skipped} of other kinds skipped)"
        counts = ", ".join(f"{found[severity]} {severity}{'s' * (found[severity] != 1)}" for severity in Severity)
        echo(f"{read}: {counts}", err=True)
    if found[Severity.ERROR] or (strict and found[Severity.WARNING]):
        raise SystemExit(1)
