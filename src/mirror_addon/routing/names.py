"""Host names as Istio resolves them: short names, their aliases, gateways, visibility (semantics 2.2)."""

from __future__ import annotations

import ipaddress

MESH = "mesh"


def is_address(host: str) -> bool:
    """Whether `host` is an IP address in text form, without brackets."""
    if ":" not in host and not host[-1:].isdigit():
        return False  # spares ipaddress the many names that cannot be one
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def qualified(host: str, namespace: str, domain: str) -> str:
    """`reviews` of namespace `prod` as `reviews.prod.svc.cluster.local`; dotted names, `*` and addresses unchanged."""
    if not host or host == "*" or "." in host or is_address(host):
        return host
    return f"{host}.{namespace}.svc.{domain}" if domain else f"{host}.{namespace}.svc"


def service_namespace(host: str, domain: str) -> str | None:
    """The namespace in `name.namespace.svc.<domain>`, None for any other host."""
    parts = host.removesuffix(f".svc.{domain}").split(".")
    return parts[1] if host.endswith(f".svc.{domain}") and len(parts) == 2 else None


def aliases(host: str, namespace: str, domain: str) -> list[str]:
    """Other names by which a client in `namespace` reaches the service `host`.

    `name.ns.svc`, `name.ns`, in its own namespace `name`, and the full name with its trailing dot.
    """
    own = service_namespace(host, domain)
    if own is None:
        return []
    name = host.partition(".")[0]
    short = [name] if own == namespace else []
    return [f"{host}.", f"{name}.{own}.svc", f"{name}.{own}", *short]


def gateway(name: str, namespace: str) -> str:
    """A gateway as `namespace/name`, from the three forms Istio accepts; `mesh` is itself."""
    if name == MESH:
        return name
    if "/" in name:
        own, _, rest = name.partition("/")
        return f"{namespace if own == '.' else own}/{rest}"
    parts = name.split(".")
    return f"{parts[1]}/{parts[0]}" if len(parts) > 1 else f"{namespace}/{name}"


def exported(export_to: tuple[str, ...], owner: str, viewer: str) -> bool:
    """Whether `exportTo` of an object in namespace `owner` shows it to namespace `viewer`."""
    return not export_to or any(
        item == "*" or item == viewer or (item == "." and owner == viewer) for item in export_to
    )


def without_port(authority: bytes) -> bytes:
    """Host of an authority as Envoy cuts it: all from the last colon is the port, unless inside brackets."""
    colon = authority.rfind(b":")
    if colon < 0 or colon < authority.rfind(b"]"):
        return authority
    return authority[:colon]


def domain_of(host: str) -> bytes:
    """A virtual service's host as it stands in the Host header: lower case, IPv6 in brackets."""
    if ":" in host and not host.startswith("["):
        host = f"[{host}]"
    return host.lower().encode()
