"""Who may see the page and press its buttons, and the headers that keep a browser from doing more than that.

The page shows other people's requests and steers the proxy. So: only from this machine, only under its own names (a
name that an attacker's DNS points to 127.0.0.1 is not one of them), and buttons only from the page itself.
"""

from __future__ import annotations

import hmac
import ipaddress
from urllib.parse import urlsplit

from flask import Request

from mirror_addon.live_page.magic_host import HOST

NAMES = frozenset({HOST, "localhost", "127.0.0.1", "[::1]"})

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def is_loopback(address: str) -> bool:
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped:
        found = found.ipv4_mapped
    return found.is_loopback


def host_name(authority: str) -> str:
    """The host of a Host field, lower-case, its port cut off."""
    name, colon, port = authority.rpartition(":")
    return (name if colon and port.isdigit() else authority).lower()


def refusal(request: Request, token: str) -> str:
    """Why `request` is not served, or empty. `token` is what the page's forms carry."""
    if not is_loopback(request.remote_addr or ""):
        return (
            "The live page is shown on the machine of the proxy alone. Open it there, or forward its port:\n"
            "ssh -L 8082:127.0.0.1:8082 MACHINE, with --set mirror_web_port=8082.\n"
        )
    host = request.headers.get("Host", "")
    if host_name(host) not in NAMES:
        return f"The live page answers as {HOST}, localhost or 127.0.0.1 alone.\n"
    if request.method in ("GET", "HEAD"):
        return ""
    origin = request.headers.get("Origin")
    foreign = origin is not None and (urlsplit(origin).netloc.lower() != host.lower() or origin == "null")
    if foreign or request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
        return "Buttons of the live page work on the live page alone.\n"
    if not hmac.compare_digest(request.form.get("token", "").encode(), token.encode()):
        return "This page is from before the proxy's last start: load it again.\n"
    return ""
