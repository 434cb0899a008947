"""Who may see the page and use its buttons, and the header fields that restrict what a browser does with it.

The page shows other people's requests and steers the proxy. It is therefore served only to this machine (`origin` says
who asks where the proxy itself made the connection), not through another proxy, and only under its own names, because
an attacker's DNS can resolve a name to 127.0.0.1 (DNS rebinding). Its buttons work only from the page itself, because
any web page can submit a form to it (cross-site request forgery).
"""

from __future__ import annotations

import hmac
import ipaddress
from urllib.parse import urlsplit

from flask import Request

from mirror_addon.live_page.magic_host import HOST
from mirror_addon.live_page.origin import canonical

NAMES = frozenset({HOST, "localhost", "127.0.0.1", "[::1]"})

FORWARDED = frozenset(
    {
        "via",
        "forwarded",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-proto",
        "x-forwarded-server",
        "x-real-ip",
        "x-client-ip",
        "true-client-ip",
        "cf-connecting-ip",
    }
)
"""Fields that only a proxy adds, in lower case: RFC 9110 7.6.3, RFC 7239, and those that proxies added before it."""

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
    """Whether an IP address, with or without a zone, is a loopback address; an IPv4 one may be mapped to IPv6."""
    try:
        return ipaddress.ip_address(canonical(address)).is_loopback
    except ValueError:
        return False


def host_name(authority: str) -> str:
    """Return the host of a Host field in lower case, without its port."""
    name, colon, port = authority.rpartition(":")
    return (name if colon and port.isdigit() else authority).lower()


def refusal(request: Request, token: str) -> str:
    """Return why `request` is not served, or an empty string. `token` is the token of the page's forms.

    `request.remote_addr` is the `origin` of the request, or empty.
    """
    if not is_loopback(request.remote_addr or ""):
        return (
            "The live page is served only to the machine that runs the proxy. Open it there, or forward its port:\n"
            "ssh -L 8082:127.0.0.1:8082 MACHINE, with --set mirror_web_port=8082.\n"
        )
    if forwarded := sorted(FORWARDED & {name.lower() for name in request.headers.keys()}):  # noqa: SIM118
        return (
            f"The live page is not served through another proxy (the request has {', '.join(forwarded)}), because that "
            "makes\nevery client look like this machine. Open it without that proxy.\n"
        )
    host = request.headers.get("Host", "")
    if host_name(host) not in NAMES:
        return f"The live page is served only as {HOST}, localhost or 127.0.0.1.\n"
    if request.method in ("GET", "HEAD"):
        return ""
    origin = request.headers.get("Origin")
    foreign = origin is not None and (urlsplit(origin).netloc.lower() != host.lower() or origin == "null")
    if foreign or request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
        return "The buttons of the live page work only on the live page itself.\n"
    if not hmac.compare_digest(request.form.get("token", "").encode(), token.encode()):
        return "This page was loaded before the proxy was started again. Reload it.\n"
    return ""
