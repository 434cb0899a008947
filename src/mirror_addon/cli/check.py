"""`mirror-addon check`: findings in Istio YAML, before anything runs."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import click

from mirror_addon.cli.check_formats import FORMATS
from mirror_addon.cli.check_formats import STDIN
from mirror_addon.cli.console import echo
from mirror_addon.gateway_api.expiry_analysis import find_endless_route_mirrors
from mirror_addon.istio.diagnostics import Severity
from mirror_addon.istio.expiry_analysis import find_endless_mirrors
from mirror_addon.istio.limits import MAX_BYTES
from mirror_addon.istio.parsing import Source
from mirror_addon.rules.files import LoadedRules
from mirror_addon.rules.files import load_rules


@click.command()
@click.argument("paths", metavar="[PATH]...", nargs=-1, type=click.Path(exists=True, allow_dash=True, path_type=Path))
@click.option("--strict", is_flag=True, help="Exit 1 for warnings too, and warn about mirrors that never expire.")
@click.option(
    "--format",
    "form",
    type=click.Choice(list(FORMATS)),
    help="text; json: an object a line; github: annotations of GitHub Actions; sarif: for code scanning. "
    "[default: text]",
)
@click.option("--json", "json_lines", is_flag=True, help="The same as --format json.")
@click.option("--namespace", default="default", show_default=True, help="Namespace of documents without one.")
def check(paths: tuple[Path, ...], strict: bool, form: str | None, json_lines: bool, namespace: str) -> None:
    """Check Istio YAML as `istioctl analyze` would.

    PATHs are files and folders; - is standard input. Without any, the folder `rules`.
    """
    if json_lines and form not in (None, "json"):
        raise click.UsageError(f"--json is --format json; leave out one of --json and --format {form}.")
    form = "json" if json_lines else form or "text"
    if not paths:
        paths = (Path("rules"),)
        if not paths[0].exists():
            raise click.UsageError("There is no folder 'rules' here; name the files or folders to check.")
    loaded = _load(paths, namespace)
    diagnostics = list(loaded.diagnostics)
    if strict:
        endless = find_endless_mirrors(loaded.resources) + find_endless_route_mirrors(loaded.resources)
        diagnostics = sorted(diagnostics + endless)
    for parts in FORMATS[form](diagnostics):
        echo(*parts)
    found = Counter(each.severity for each in diagnostics)
    if form in ("text", "github"):
        echo(_summary(loaded, found), err=True)
    if found[Severity.ERROR] or (strict and found[Severity.WARNING]):
        raise SystemExit(1)


def _load(paths: Sequence[Path], namespace: str) -> LoadedRules:
    """Read the paths; `-` is standard input, which is read once."""
    given = []
    if any(str(path) == "-" for path in paths):
        if sys.stdin is None:
            raise click.UsageError("Standard input is closed; name the files or folders to check.")
        with click.open_file("-", "rb") as stdin:
            given.append(Source(STDIN, stdin.read(MAX_BYTES + 1)))
    files = [path for path in paths if str(path) != "-"]
    return load_rules(files, default_namespace=namespace, given=given)


def _summary(loaded: LoadedRules, found: Counter[Severity]) -> str:
    """`2 VirtualService (1 of other kinds skipped): 0 errors, 1 warning, 0 infos`."""
    kinds = Counter(resource.kind for resource in loaded.resources)
    read = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items())) or "no resources"
    skipped = sum(loaded.skipped.values())
    if skipped:
        read += f" ({skipped} of other kinds skipped)"
    counts = ", ".join(f"{found[severity]} {severity}{'s' * (found[severity] != 1)}" for severity in Severity)
    return f"{read}: {counts}"
