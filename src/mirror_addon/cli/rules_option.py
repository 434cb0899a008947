"""`--rules` and `--set`, for all commands that read rules."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence
from typing import Any
from typing import TypeVar

import click

from mirror_addon.cli.console import echo
from mirror_addon.options.nearby import near_bool
from mirror_addon.options.settings import BY_NAME
from mirror_addon.options.settings import OPTIONS
from mirror_addon.options.settings import OptionError
from mirror_addon.options.settings import Settings
from mirror_addon.options.settings import parse_settings
from mirror_addon.options.unknown_names import unknown_option
from mirror_addon.rules.files import is_there
from mirror_addon.rules.files import rules_paths
from mirror_addon.rules.rule_set import RuleSet
from mirror_addon.rules.rule_set import load_rule_set

F = TypeVar("F", bound=Callable[..., Any])


def rules_options(command: F) -> F:
    """Add `--rules PATH` and `--set NAME=VALUE` to a click command, as the parameters `rules` and `assignments`."""
    command = click.option(
        "--set",
        "assignments",
        metavar="NAME=VALUE",
        multiple=True,
        help="A mirror_* option, as for mitmdump: --set mirror_gateways=mesh. May be repeated.",
    )(command)
    return click.option(
        "--rules",
        "rules",
        metavar="PATH",
        multiple=True,
        help="Istio YAML, a file or folder. May be repeated. [default: rules]",
    )(command)


def read_settings(rules: Sequence[str], assignments: Sequence[str]) -> Settings:
    """The options as mitmproxy would read them; `mirror_` may be left out of a name. Raises click.UsageError."""
    values: dict[str, Any] = {option.name: option.default for option in OPTIONS}
    if rules:
        values["mirror_rules"] = list(rules)
    given: dict[str, list[str]] = {}
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        if not name.startswith("mirror_"):
            name = f"mirror_{name}" if f"mirror_{name}" in BY_NAME else name
        if name not in BY_NAME:
            raise click.UsageError(unknown_option(name))
        given.setdefault(name, []).append(value if equals else "true")
    for name, texts in given.items():
        option = BY_NAME[name]
        if option.kind is bool:
            if texts[-1] not in ("true", "false"):
                raise click.UsageError(f"{name}={texts[-1]}: must be true or false{near_bool(texts[-1])}")
            values[name] = texts[-1] == "true"
        elif option.kind is str:
            values[name] = texts[-1]
        else:
            values[name] = texts
    try:
        settings = parse_settings(values)
        if any(url.filter for url in settings.to):
            from mirror_addon.admission.request_filter import check_filters  # imports mitmproxy

            check_filters(settings.to)
        return settings
    except OptionError as error:
        raise click.UsageError(str(error)) from None


def read_rule_set(settings: Settings, local_address: bytes, *, primary_endpoints: bool = True) -> RuleSet:
    """The rule set for these settings. Prints its errors on stderr. `primary_endpoints` is as in `RouteTable.build`.

    Raises click.UsageError where some of the rules cannot be read at all: what is left would decide otherwise.
    """
    for path in rules_paths(settings.rules):
        if not is_there(path) and not (settings.to and settings.rules == ("rules",)):
            raise click.UsageError(f"There is no file or folder {str(path)!r}; name the rules with --rules PATH")
    try:
        rule_set = load_rule_set(settings, local_address, primary_endpoints=primary_endpoints)
    except OSError as error:
        raise click.UsageError(f"The rules cannot be read: {error}") from None
    for diagnostic in rule_set.diagnostics:
        if diagnostic.severity == "error":
            echo(str(diagnostic), err=True)
    for name in () if settings.strict else rule_set.faulty:
        echo(f"left out (mirror_strict=false): {name}", err=True)
    for warning in rule_set.warnings:
        echo(f"warning: {warning}", err=True)
    if rule_set.broken:
        raise click.UsageError("The rules cannot be read: correct the errors above; mirror-addon check lists all")
    if not rule_set.documents and not settings.to:
        echo(f"warning: there are no rules in {', '.join(settings.rules)}: every request passes through", err=True)
    return rule_set
