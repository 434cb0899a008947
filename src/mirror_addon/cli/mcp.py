"""`mirror-addon mcp`: findings, pairs and explanations for an editor's assistant."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import Any

import click

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
@click.option(
    "--allow-replay",
    is_flag=True,
    help="Add a tool that sends GET, HEAD and OPTIONS requests of the record to the mirrors of the rules once more.",
)
def mcp(
    records: tuple[str, ...],
    rules: tuple[str, ...],
    assignments: tuple[str, ...],
    proxy: tuple[str, int] | None,
    compare: str | None,
    allow_replay: bool,
) -> None:
    """Serve findings, pairs and explanations to an editor's assistant (Model Context Protocol, on stdin and stdout).

    The editor starts it. RECORDs are files of mirror_record. Nothing is changed, and no request is sent without
    --allow-replay. What comes from traffic is marked, redacted as by mirror_redact, and cut. Needs the extra
    mirror_addon[mcp].
    """
    if records and proxy:
        raise click.UsageError("Give records or --proxy, not both; two entries in the editor's file serve both")
    if compare is not None and not records:
        raise click.UsageError("--compare judges a record; name one")
    if allow_replay and not records:
        raise click.UsageError("--allow-replay replays a record with bodies (mirror_record_bodies); name one")
    settings = read_settings(rules, (*assignments, *([f"mirror_compare={compare}"] if compare is not None else ())))
    redaction = redaction_of(settings.redact)
    files = RulesSource(settings)
    if not records:
        _serve(Tools(ProxySource(proxy or parse_address(DEFAULT_PROXY), redaction), files, redaction), files)
        return
    source = RecordSource(records, _rules(settings) if compare is not None else None, redaction)
    replay = _replay(settings, records, source, files, redaction) if allow_replay else None
    _serve(Tools(source, files, redaction, replay), files)


def _replay(
    settings: Settings, records: tuple[str, ...], source: RecordSource, rules: RulesSource, redaction: Redaction
) -> Callable[[dict[str, Any]], str]:
    from mirror_addon.assistant.replaying import Replaying  # both import mitmproxy
    from mirror_addon.replay.setup import NO_PRIMARY

    if settings.control:
        raise click.UsageError(NO_PRIMARY)
    return Replaying(settings, records, source, rules, redaction).call


def _rules(settings: Settings) -> Rules:
    try:
        return Rules.parse(comparison_rules(settings), settings.compare)
    except OptionError as error:
        raise click.UsageError(str(error)) from None


def _serve(tools: Tools, rules: RulesSource) -> None:
    try:
        import anyio

        from mirror_addon.assistant.server import AssistantServer
    except ImportError as error:
        if (error.name or "").partition(".")[0] not in ("anyio", "mcp"):
            raise
        raise click.ClickException(MISSING) from None
    anyio.run(AssistantServer(tools, rules).run)
