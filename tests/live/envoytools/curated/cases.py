"""Rule sets with the requests that are sent to them, and words to write them with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from textwrap import indent
from typing import Any

from envoytools.outcome import Sent


@dataclass(frozen=True)
class Case:
    """A rule set and the requests that are sent to it.

    `draws`: those that may decide its outcome. `identity`: fields of the proxy's identity that are not the default.
    """

    name: str
    rules: str
    requests: tuple[Sent, ...]
    suffix: str = "-shadow"
    draws: tuple[int, ...] = (0,)
    identity: Mapping[str, Any] = field(default_factory=dict)


def virtual_service(http: str, hosts: str = "[a.test]", name: str = "x") -> str:
    """The document of a virtual service with these routes; without hosts, a delegate."""
    gateways = "[gate]" if hosts != "[]" else "[]"
    routes = indent(f"{http.strip()}\n", "  ")
    return (
        "apiVersion: networking.istio.io/v1\nkind: VirtualService\n"
        f"metadata: {{name: {name}}}\nspec:\n  hosts: {hosts}\n  gateways: {gateways}\n  http:\n{routes}---\n"
    )


def get(*paths: str, **headers: str | bytes) -> tuple[Sent, ...]:
    """GET requests with these headers, underscores for dashes."""
    fields = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return tuple(Sent(path=path, headers=fields) for path in paths)


def fielded(*lists: tuple[tuple[str, str | bytes], ...]) -> tuple[Sent, ...]:
    """One GET for each list of fields."""
    return tuple(Sent(headers=fields) for fields in lists)


def conditional(match: str) -> str:
    """Requests that meet the match go to v1, others to v2."""
    return virtual_service(
        f"- match: [{match}]\n  route: [{{destination: {{host: v1}}}}]\n- route: [{{destination: {{host: v2}}}}]"
    )


def to_v1(fields: str, match: str = "") -> str:
    """One rule to v1 with these further fields, mirrored to m1."""
    condition = f"  match: [{match}]\n" if match else ""
    return virtual_service(
        f"- route: [{{destination: {{host: v1}}}}]\n{condition}{indent(fields.strip(), '  ')}\n  mirror: {{host: m1}}"
    )
