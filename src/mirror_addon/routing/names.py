"""Host names as Istio resolves them: short names, aliases, gateways and visibility.

Short names: `ResolveShortnameToFQDN` (`istio/pilot/pkg/model/config.go`). Aliases: `GenerateAltVirtualHosts`
(`istio/pilot/pkg/networking/core/httproute.go`).
"""

from __future__ import annotations

import ipaddress

MESH = "mesh"


def is_address(host: str) -> bool:
    """Whether `host` is an IP address in text form, without brackets."""
    if ":" not in host and not host[-1:].isdigit():
        return False  # most names cannot be an address, and parsing one as such is slow
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def qualified(host: str, namespace: str, domain: str) -> str:
    """Return `reviews` of namespace `prod` as `reviews.prod.svc.cluster.local`.

    Names with a dot, `*` and addresses are returned unchanged.
    """
    if not host or host == "*" or "." in host or is_address(host):
        return host
    return f"{host}.{namespace}.svc.{domain}" if domain else f"{host}.{namespace}.svc"


def service_namespace(host: str, domain: str) -> str | None:
    """Return the namespace of `name.namespace.svc.<domain>`; None for any other host."""
    parts = host.removesuffix(f".svc.{domain}").split(".")
    return parts[1] if host.endswith(f".svc.{domain}") and len(parts) == 2 else None


def aliases(host: str, namespace: str, domain: str) -> list[str]:
    """Return the other names by which a client in `namespace` reaches the Kubernetes service `host`.

    They are `name.ns.svc`, `name.ns`, the full name with a trailing dot and, in its own namespace, `name`.
    """
    own = service_namespace(host, domain)
    if own is None:
        return []
    name = host.partition(".")[0]
    short = [name] if own == namespace else []
    return [f"{host}.", f"{name}.{own}.svc", f"{name}.{own}", *short]


def gateway(name: str, namespace: str) -> str:
    """Return a gateway as `namespace/name`, from the three forms that Istio accepts; `mesh` stays as it is."""
    if name == MESH:
        return name
    if "/" in name:
        own, _, rest = name.partition("/")
        return f"{namespace if own == '.' else own}/{rest}"
    parts = name.split(".")
    return f"{parts[1]}/{parts[0]}" if len(parts) > 1 else f"{namespace}/{name}"


def exported(export_to: tuple[str, ...], owner: str, viewer: str) -> bool:
    """Whether an object in namespace `owner` with this `exportTo` is visible in namespace `viewer`.

    `*` is everywhere, else `~` is nowhere, whatever else is listed.
    """
    if not export_to or "*" in export_to:
        return True
    return "~" not in export_to and (viewer in export_to or ("." in export_to and owner == viewer))


def without_port(authority: bytes) -> bytes:
    """Return the host of an authority: the last colon begins the port, unless it is inside brackets (as in Envoy)."""
    colon = authority.rfind(b":")
    if colon < 0 or colon < authority.rfind(b"]"):
        return authority
    return authority[:colon]


def domain_of(host: str) -> bytes:
    """Return a virtual service's host as a Host header has it: lower case, an IPv6 address in brackets."""
    if ":" in host and not host.startswith("["):
        host = f"[{host}]"
    return host.lower().encode()


def authority_port(authority: bytes, scheme: bytes) -> int:
    """Return the port of an authority, else the default port of the scheme: also where what follows the colon is no
    port number, which a client may send in any length."""
    host, colon, port = authority.rpartition(b":")
    if colon and port.isdigit() and b":" not in host[host.rfind(b"]") + 1 :]:
        digits = port.lstrip(b"0")
        # int() raises ValueError for more than 4,300 digits.
        if 0 < len(digits) <= 5 and (number := int(digits)) <= 65535:
            return number
    return 443 if scheme == b"https" else 80
