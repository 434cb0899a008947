"""`mirror-addon mcp`: findings, pairs and explanations for an editor's assistant."""

from __future__ import annotations

import ipaddress

import click

from mirror_addon.assistant.pairs import Source
from mirror_addon.assistant.proxy import ProxySource
from mirror_addon.assistant.record import RecordSource
from mirror_addon.assistant.rules import RulesSource
from mirror_addon.assistant.tools import Tools
from mirror_addon.cli.rules_option import read_settings
from mirror_addon.cli.rules_option import rules_options
from mirror_addon.cli.value_type import value_type
from mirror_addon.compare.redaction import Redaction
from mirror_addon.compare.rules import Rules
from mirror_addon.mirroring.engine_settings import redaction_of
from mirror_addon.options.settings import OptionError
from mirror_addon.options.settings import Settings
from mirror_addon.rules.compare_file import comparison_rules

MISSING = "The library mcp is not installed: pip install 'mirror_addon[mcp]'"
DEFAULT_PROXY = "127.0.0.1:8080"


def parse_address(text: str) -> tuple[str, int]:
    """A loopback address and a port, or a port alone. Raises ValueError."""
    host, _, port = text.removeprefix("http://").rstrip("/").rpartition(":")
    host = host.strip("[]") or "127.0.0.1"
    if host == "localhost":
        host = "127.0.0.1"
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not (port.isascii() and port.isdigit() and 1 <= int(port[:6]) <= 65535):
        raise ValueError("write ADDRESS:PORT, as in 127.0.0.1:8080, or a port")
    if not loopback:
        raise ValueError("only a proxy of this machine is asked; name a loopback address, or forward the port (ssh -L)")
    return host, int(port)


@click.command()
@click.argument("records", metavar="[RECORD]...", nargs=-1, type=click.Path(exists=True, dir_okay=False))
@rules_options
@click.option(
    "--proxy",
    metavar="ADDRESS:PORT",
    type=value_type(parse_address),
    help="Without a RECORD: the running proxy, by its own port or that of mirror_web_port. In reverse mode only the "
    f"latter. [default: {DEFAULT_PROXY}]",
)
@click.option("--compare", metavar="FILE", help="Judge the record anew by this compare.yaml.")
def mcp(
    records: tuple[str, ...],
    rules: tuple[str, ...],
    assignments: tuple[str, ...],
    proxy: tuple[str, int] | None,
    compare: str | None,
) -> None:
    """Serve findings, pairs and explanations to an editor's assistant (Model Context Protocol, on stdin and stdout).

    The editor starts it. RECORDs are files of mirror_record. Nothing is changed and no request is sent. What comes from
    traffic is marked, redacted as by mirror_redact, and cut. Needs the extra mirror_addon[mcp].
    """
    if records and proxy:
        raise click.UsageError("Give records or --proxy, not both; two entries in the editor's file serve both")
    if compare is not None and not records:
        raise click.UsageError("--compare judges a record; name one")
    settings = read_settings(rules, (*assignments, *([f"mirror_compare={compare}"] if compare is not None else ())))
    redaction = redaction_of(settings.redact)
    source: Source
    if records:
        source = RecordSource(records, _rules(settings) if compare is not None else None, redaction)
    else:
        source = ProxySource(proxy or parse_address(DEFAULT_PROXY), redaction)
    _serve(source, settings, redaction)


def _rules(settings: Settings) -> Rules:
    try:
        return Rules.parse(comparison_rules(settings), settings.compare)
    except OptionError as error:
        raise click.UsageError(str(error)) from None


def _serve(source: Source, settings: Settings, redaction: Redaction) -> None:
    try:
        import anyio

        from mirror_addon.assistant.server import AssistantServer
    except ImportError as error:
        if (error.name or "").partition(".")[0] not in ("anyio", "mcp"):
            raise
        raise click.ClickException(MISSING) from None
    rules = RulesSource(settings)
    anyio.run(AssistantServer(Tools(source, rules, redaction), rules).run)
