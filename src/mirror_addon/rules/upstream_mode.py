"""What mitmproxy's mode `upstream:` means for routed requests and shadows, as a line for the log."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mitmproxy.proxy.mode_specs import ProxyMode
from mitmproxy.proxy.mode_specs import UpstreamMode

if TYPE_CHECKING:
    from mirror_addon.routing.clusters import Endpoint
    from mirror_addon.routing.mirrors import MirrorPolicy
    from mirror_addon.routing.table import RouteTable


def upstream_mode_line(modes: Sequence[str], table: RouteTable) -> str:
    """Return which requests go through the upstream proxies of `modes` (mitmproxy's option `mode`), and which mirrors
    outside this machine are reached without them; empty if no mode has an upstream proxy."""
    proxies = list(_proxies(modes))
    if not proxies:
        return ""
    through = " or ".join(proxies)
    line = f"requests that a rule routes do not go through {through} but to their destinations, and shadows to their "
    line += "mirrors, directly; all other requests go through it"
    distant = dict.fromkeys(str(mirror) for mirror in _mirrors(table) if not _is_loopback(mirror))
    return f"{line}. Mirrors outside this machine: {', '.join(distant)}" if distant else line


def _proxies(modes: Sequence[str]) -> Iterator[str]:
    for mode in modes:
        try:
            parsed = ProxyMode.parse(mode)
        except ValueError:  # mitmproxy reports it
            continue
        if isinstance(parsed, UpstreamMode):
            yield f"the upstream proxy {parsed.address[0]}:{parsed.address[1]}"


def _mirrors(table: RouteTable) -> Iterator[Endpoint]:
    policies: list[MirrorPolicy] = list(table.passthrough.mirrors)
    for host in table.virtual_hosts:
        for service in host.services:
            policies += [mirror for entry in service.entries for mirror in entry.route.mirrors]
    for policy in policies:
        yield from policy.any_cluster.endpoints


def _is_loopback(endpoint: Endpoint) -> bool:
    if endpoint.address.startswith("unix:") or endpoint.address == "localhost":
        return True
    try:
        return ipaddress.ip_address(endpoint.address).is_loopback
    except ValueError:
        return False
