"""Says what `mirror_to` copies where the proxy serves any number of hosts: their requests, with their credentials."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence

from mirror_addon.options.settings import BY_NAME
from mirror_addon.options.settings import Settings
from mirror_addon.routing.table import RouteTable

SHOWN = 5
"""Hosts that a line lists."""
NOT_SENT = frozenset(
    {
        "Set-Cookie", "Set-Cookie2", "Cookie2", "Proxy-Authorization", "WWW-Authenticate", "Proxy-Authenticate",
        "Authentication-Info", "Proxy-Authentication-Info", "X-Forwarded-Access-Token",
    }
)  # fmt: skip
"""Of the fields with secrets, those that no request carries to an upstream server."""


def copied(settings: Settings, table: RouteTable, modes: Iterable[str]) -> Iterator[str]:
    """Yield a line for each URL of `mirror_to` without a filter, unless the proxy has a single upstream server
    (`modes` are mitmproxy's)."""
    if all(mode.startswith(("reverse:", "dns")) for mode in modes):
        return
    credentials = ", ".join(_credentials())
    for url in settings.to:
        if not url.filter:
            address = f"{url.scheme}://{url.address}"
            yield (
                f"mirror_to={url}: requests to {_hosts(table)} are copied to {address}, with their credentials "
                f"({credentials}, ...). A filter narrows that: --set mirror_to='|~d HOST|{url}'"
            )


def _hosts(table: RouteTable) -> str:
    claimed: Sequence[str] = [host.host for host in table.virtual_hosts]
    if not claimed:
        return "all hosts"
    more = f" and {len(claimed) - SHOWN} more" if len(claimed) > SHOWN else ""
    return f"all hosts except those of the rules ({', '.join(claimed[:SHOWN])}{more})"


def _credentials() -> list[str]:
    return [name for name in BY_NAME["mirror_redact"].default.split(",") if name not in NOT_SENT and ":" not in name]
