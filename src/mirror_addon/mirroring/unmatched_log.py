"""Logs which hosts no rule names, and for which of the hosts no rule matched: one line for each host.

A mistyped host, or a client of a reverse proxy that does not send the Host of the rules, is routed and mirrored by
nothing. Clients choose the host, so the number of lines is bounded, and so is what is kept.
"""

from __future__ import annotations

import difflib
import logging
from itertools import islice

from mirror_addon.routing import names
from mirror_addon.routing.decision import Action
from mirror_addon.routing.decision import Decision
from mirror_addon.routing.decision import Request
from mirror_addon.routing.table import RouteTable

logger = logging.getLogger(__name__)

MOST = 20
"""Hosts that are logged for each set of rules."""
SHOWN = 5
"""Hosts of the rules that a line lists."""
COMPARED = 1000
"""Hosts of the rules among which one like the request's is looked for."""
LONGEST = 100
"""Characters of a host or path that are shown."""
NEAR = 0.75


class UnmatchedLog:
    """Remembers the hosts that were logged."""

    def __init__(self) -> None:
        self._met: set[tuple[Action, bytes]] = set()

    def rules_changed(self, table: RouteTable) -> None:
        """Another table is in force: each host is logged once more."""
        self._met.clear()

    def note(self, table: RouteTable, request: Request, decision: Decision) -> None:
        """Log a request that no rule of `table` names, if its host was not logged before."""
        key = decision.action, request.authority[:LONGEST].lower()
        if key in self._met or len(self._met) > MOST:
            return
        self._met.add(key)
        if len(self._met) > MOST:
            logger.info("mirror: hosts without a rule are not logged any more; the counter unmatched goes on")
        elif decision.action is Action.NOT_FOUND:
            logger.warning("mirror: %s", no_rule_matches(request))
        elif line := no_rule_names(table, request):
            logger.log(logging.WARNING if "did you mean" in line else logging.INFO, "mirror: %s", line)


def no_rule_matches(request: Request) -> str:
    """Return the line for a path that no rule of its host matches."""
    method, path = _shown(request.method), _shown(request.path)
    return f"no rule of host {_shown(request.authority)} matches {method} {path}: 404; mirror-addon explain shows why"


def no_rule_names(table: RouteTable, request: Request) -> str:
    """Return the line for a host that no rule names; empty where there are no rules at all, which the start logs."""
    hosts = [host.host for host in table.virtual_hosts]
    if not hosts:
        return (
            "" if not table.passthrough.mirrors else f"no filter of mirror_to matches host {_shown(request.authority)}"
        )
    known = f"the rules have: {', '.join(hosts[:SHOWN])}" + (
        f", and {len(hosts) - SHOWN} more" if hosts[SHOWN:] else ""
    )
    if table.hosts.find(request.authority) is not None:
        return f"no rule for host {_shown(request.authority)} on port {request.port}: its rules are for other ports"
    line = f"no rule for host {_shown(request.authority)}; {known}"
    host = names.without_port(request.authority)[:LONGEST].decode("latin-1").lower()
    domains = [domain.decode("latin-1") for domain, _ in islice(table.hosts.items(), COMPARED)]
    if near := difflib.get_close_matches(host, domains, n=1, cutoff=NEAR):
        return f"{line}; did you mean {near[0]}?"
    if host == "localhost" or names.is_address(host.strip("[]")):
        exact = next((each for each in hosts if "*" not in each), "")
        return f"{line}; rules go by the Host of a request: curl -H 'Host: {exact}'" if exact else line
    return line


def _shown(text: bytes) -> str:
    shown = text[:LONGEST].decode("utf-8", "backslashreplace") + ("..." if len(text) > LONGEST else "")
    return ascii(shown)  # the log may go to a terminal that has not all characters
