"""`mirror-addon processor`: the command line of `mirror_addon.processor`."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
from dataclasses import dataclass

import click

from mirror_addon.cli.console import echo
from mirror_addon.cli.gathered import gathered
from mirror_addon.cli.listen_option import Address
from mirror_addon.cli.listen_option import cannot_listen
from mirror_addon.cli.listen_option import listen_option
from mirror_addon.cli.listen_option import parse_listen
from mirror_addon.cli.processor_options import without_effect
from mirror_addon.cli.rules_option import read_rule_set
from mirror_addon.cli.rules_option import read_settings
from mirror_addon.cli.rules_option import rules_options
from mirror_addon.cli.value_type import value_type
from mirror_addon.mirroring.engine_settings import check_files
from mirror_addon.options.settings import BY_NAME
from mirror_addon.options.settings import OptionError
from mirror_addon.processor.credentials import CredentialsError
from mirror_addon.processor.credentials import read_credentials
from mirror_addon.rules.compare_file import comparison_rules
from mirror_addon.shadow.local_address import own_address

logger = logging.getLogger(__name__)

NICENESS = 5
"""Of the process; its workers keep theirs."""


@dataclass(frozen=True, slots=True)
class TLS:
    """Files in PEM; empty where none is named."""

    tls_certificate: str
    tls_key: str
    tls_client_ca: str


@click.command()
@rules_options
@listen_option("127.0.0.1:9090", "Where Envoy finds it.")
@click.option(
    "--record",
    metavar="FILE",
    help="JSON Lines, a line for each shadow; as mirror_record, with {host} and {pid} for several processors.",
)
@click.option(
    "--metrics",
    metavar="ADDRESS:PORT",
    type=value_type(parse_listen),
    help="Where /metrics, /ready and /healthy are.",
)
@click.option("--tls-certificate", default="", metavar="FILE", help="Speak TLS, with this certificate (PEM).")
@click.option("--tls-key", default="", metavar="FILE", help="The key of the certificate.")
@click.option(
    "--tls-client-ca", default="", metavar="FILE", help="Require a certificate of one of these authorities from Envoy."
)
@gathered(tls=TLS)
def processor(
    rules: tuple[str, ...],
    assignments: tuple[str, ...],
    listen: Address,
    record: str | None,
    metrics: Address | None,
    tls: TLS,
) -> None:
    """Send the shadows of what an Envoy tells of by ext_proc, and compare and record the responses.

    The Envoy has the same rules (mirror-addon export envoy --processor), and never waits for the processor. Changes of
    the rules take effect without a restart. SIGTERM and Ctrl-C let the exchanges under way finish, for up to
    mirror_drain.
    """
    settings = read_settings(rules, [*assignments, *([f"mirror_record={record}"] if record else [])])
    local_address = own_address().encode()
    rule_set = read_rule_set(settings, local_address, primary_endpoints=False)  # wrong usage is told before a start
    try:
        check_files(settings, BY_NAME)
        compared_by = comparison_rules(settings)
        credentials = read_credentials(tls.tls_certificate, tls.tls_key, tls.tls_client_ca)
    except (OptionError, CredentialsError, OSError) as error:
        raise click.UsageError(str(error)) from None
    _log_to_stderr()
    for text in without_effect(settings, rule_set.table):
        logger.warning("mirror: %s", text)
    from mirror_addon.processor.run import Setup  # imports the engine
    from mirror_addon.processor.run import run

    setup = Setup(settings, compared_by, local_address, listen, metrics, credentials)
    try:
        asyncio.run(run(setup, _listening))
    except OSError as error:
        raise cannot_listen(error, None, "--listen or --metrics") from None


def _listening(address: str, metrics: str) -> None:
    # Where both run on one machine, Envoy comes first.
    with contextlib.suppress(OSError):
        os.nice(NICENESS)
    echo(f"processor is listening at {address}")
    if metrics:
        echo(f"metrics are at {metrics}/metrics")
    sys.stdout.flush()


def _log_to_stderr() -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    logging.getLogger().addHandler(handler)
    logging.getLogger("mirror_addon").setLevel(logging.INFO)
