"""`mirror-addon export`: the rules as a configuration of Envoy, the proxy that Istio runs on, and for a cluster."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from typing import TypeVar

import click

from mirror_addon.cli.console import echo
from mirror_addon.cli.console import write
from mirror_addon.cli.export_istio import istio
from mirror_addon.cli.gathered import gathered
from mirror_addon.cli.processor_options import ProcessorOptions
from mirror_addon.cli.processor_options import processor_options
from mirror_addon.cli.processor_options import why_clients_are_torn
from mirror_addon.cli.rules_option import read_rule_set
from mirror_addon.cli.rules_option import read_settings
from mirror_addon.cli.rules_option import rules_options
from mirror_addon.envoy.bootstrap import Address
from mirror_addon.envoy.bootstrap import Export
from mirror_addon.envoy.bootstrap import ExportOptions
from mirror_addon.envoy.bootstrap import translate
from mirror_addon.envoy.notes import unexported
from mirror_addon.envoy.yaml_text import to_yaml
from mirror_addon.options.settings import BY_NAME
from mirror_addon.options.settings import Settings
from mirror_addon.rules.files import is_there
from mirror_addon.rules.files import load_rules
from mirror_addon.rules.files import rules_paths
from mirror_addon.rules.rule_set import RuleSet
from mirror_addon.shadow.local_address import own_address

F = TypeVar("F", bound=Callable[..., Any])

_WITHOUT_COUNTERPART = ("mirror_methods", "mirror_expires", "mirror_max_body")
"""Options that decide which shadows are sent and have no equivalent in Envoy. All others concern our own sending."""


def listen_address(text: str) -> Address:
    """`127.0.0.1:8080`, `[::1]:8080`; port 0 stands for any free port. Raises click.BadParameter."""
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    try:
        ipaddress.ip_address(host)
    except ValueError:
        raise click.BadParameter(f"{text!r}: write an IP address and a port, as in 127.0.0.1:8080") from None
    if not (port.isdecimal() and int(port) < 65536):
        raise click.BadParameter(f"{text!r}: write a port of 0 to 65535 after the colon, as in 127.0.0.1:8080")
    return Address(host, int(port))


def address_options(command: F) -> F:
    """Add `--listen ADDRESS:PORT` and `--admin ADDRESS:PORT` to a click command."""
    command = click.option(
        "--admin",
        type=listen_address,
        metavar="ADDRESS:PORT",
        help="Where Envoy's administration interface listens. Keep it private: it can end the process.",
    )(command)
    return click.option(
        "--listen",
        type=listen_address,
        default="127.0.0.1:8080",
        show_default=True,
        metavar="ADDRESS:PORT",
        help="Where Envoy accepts requests.",
    )(command)


def make_export(settings: Settings, rule_set: RuleSet, options: ExportOptions) -> Export:
    """Translate a rule set under these options, and those of `--set`."""
    given = replace(
        options, mirroring=settings.enabled, host_suffix=settings.host_suffix, request_id=settings.request_id
    )
    return translate(rule_set.table, given)


def print_notes(settings: Settings, export: Export) -> None:
    """Print on stderr what the export leaves out. Raises click.UsageError where its processors cannot do their part."""
    processors = export.options.processors
    # What decides about shadows has its effect in the processor.
    names = _WITHOUT_COUNTERPART if processors is None else ()
    defaults = {name: BY_NAME[name].parse(BY_NAME[name].default) for name in names}
    notes = [
        f"option {name} has no equivalent in Envoy"
        for name, default in defaults.items()
        if getattr(settings, name.removeprefix("mirror_")) != default
    ]
    paths = [path for path in rules_paths(settings.rules) if is_there(path)]
    loaded = load_rules(paths, default_namespace=settings.namespace, strict=settings.strict)
    if why := why_clients_are_torn(settings, loaded.resources, processors):
        raise click.UsageError(why)
    notes += [*unexported(loaded.resources, len(processors.addresses) if processors else 0), *export.notes]
    for note in notes:
        echo(f"note: {note}", err=True)


@click.group()
def export() -> None:
    """Print the rules as the configuration of another proxy."""


export.add_command(istio)


@export.command()
@rules_options
@address_options
@processor_options
@gathered(options=ProcessorOptions)
def envoy(
    rules: tuple[str, ...],
    assignments: tuple[str, ...],
    listen: Address,
    admin: Address | None,
    options: ProcessorOptions,
) -> None:
    """Print an Envoy configuration that routes and mirrors by the rules.

    What Envoy cannot express is listed on stderr. Equal rules result in equal text, so that it can be kept in git.
    With --processor, Envoy does not mirror: it shows the exchanges to mirror-addon processor, which does.
    """
    settings = read_settings(rules, assignments)
    rule_set = read_rule_set(settings, own_address().encode())
    made = make_export(settings, rule_set, ExportOptions(listen, admin, processors=options.made()))
    print_notes(settings, made)
    write(to_yaml(made.bootstrap()))
