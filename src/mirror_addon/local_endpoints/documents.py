"""The file that says where destinations listen here, with a comment on top that explains it.

Where only routes of the Gateway API send to a Service it has an EndpointSlice, any other host has a ServiceEntry.

A cluster that got the file would send its own traffic to 127.0.0.1. The label `istio.io/rev` names a revision that no
control plane has, and istiod ignores objects of other revisions (istio `pkg/config/model.go`, `LabelsInRevision`). An
API server refuses EndpointSlices with loopback addresses (kubernetes `pkg/apis/core/validation`, ValidateNonSpecialIP).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any

import yaml

from mirror_addon.istio.names import DOMAIN_SUFFIX
from mirror_addon.istio.names import is_ip
from mirror_addon.istio.resources.kubernetes_workloads import SERVICE_NAME
from mirror_addon.local_endpoints.assignment import LocalEndpoint
from mirror_addon.local_endpoints.assignment import LocalHost

REVISION = "mirror-addon-local"
_LONGEST_NAME = 63


class _Dumper(yaml.SafeDumper):
    """Lists stand below their key, as kubectl prints them, and nothing is an alias of something else."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def endpoints_file(hosts: Sequence[LocalHost], command: str) -> str:
    """Return the text of the file. `command` is how it was made."""
    names: Counter[str] = Counter()
    documents = [_slice(host, names) if _has_slice(host) else _service_entry(host, names) for host in hosts]
    comment = "\n".join(f"# {line}".rstrip() for line in _comment(hosts, command))
    text = yaml.dump_all(documents, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1000)
    return f"{comment}\n---\n{text}"


def endpoint_lines(hosts: Sequence[LocalHost]) -> Iterator[tuple[str, str, str]]:
    """Yield destination, address and uses of each endpoint, for people."""
    for host in hosts:
        for endpoint in host.endpoints:
            subset = endpoint.places[0].subset
            uses = dict.fromkeys(use for place in endpoint.places for use in place.uses)
            for number, port in endpoint.ports.items():
                several = f":{number}" if len(endpoint.ports) > 1 else ""
                name = f"{_short(host)}{several}{'/' if subset else ''}{subset}"
                yield name, _address(endpoint, port), ", ".join(uses) or "no rule names it"


def _comment(hosts: Sequence[LocalHost], command: str) -> Iterator[str]:
    yield "Where the destinations of the rules listen on this machine."
    yield "Not for a cluster: it would send requests to these addresses."
    if not all(map(_has_slice, hosts)):
        yield "ServiceEntries: istiod ignores them, because istio.io/rev names a revision that no control plane has."
    if any(map(_has_slice, hosts)):
        yield "EndpointSlices: an API server refuses loopback addresses in them."
    yield f"Made by: {command}"
    yield ""
    rows = list(endpoint_lines(hosts))
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    for name, address, uses in rows:
        yield f"{name:{widths[0]}}  {address:{widths[1]}}  {uses}"


def _name(host: LocalHost, names: Counter[str]) -> str:
    name = re.sub(r"[^a-z0-9]+", "-", f"local-{_short(host)}".lower()).strip("-")[: _LONGEST_NAME - 4].rstrip("-")
    names[name] += 1
    return f"{name}-{names[name]}" if names[name] > 1 else name


def _has_slice(host: LocalHost) -> bool:
    """Whether an EndpointSlice says it all: of a Service that only routes of the Gateway API name, with IP addresses.

    A slice of a Service that is not among the rules is taken for every reference to it, if it has one port.
    """
    places = host.places
    single = len(host.endpoints) == 1 and not host.endpoints[0].labels
    service = places.host.endswith(f".{places.namespace}.svc.{DOMAIN_SUFFIX}")
    ports = places.known or len(places.ports) == 1
    return places.of_routes and single and service and ports and is_ip(host.endpoints[0].address)


def _slice(host: LocalHost, names: Counter[str]) -> dict[str, Any]:
    places, (endpoint,) = host.places, host.endpoints
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": _name(host, names),
            "namespace": places.namespace,
            "labels": {
                SERVICE_NAME: places.host.partition(".")[0],
                "endpointslice.kubernetes.io/managed-by": "mirror-addon",
            },
        },
        "addressType": "IPv6" if ":" in endpoint.address else "IPv4",
        "ports": [{"name": port.name, "port": endpoint.ports[number]} for number, port in places.ports.items()],
        "endpoints": [{"addresses": [endpoint.address]}],
    }


def _service_entry(host: LocalHost, names: Counter[str]) -> dict[str, Any]:
    places = host.places
    static = all(is_ip(endpoint.address) for endpoint in host.endpoints)
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "ServiceEntry",
        "metadata": {"name": _name(host, names), "namespace": places.namespace, "labels": {"istio.io/rev": REVISION}},
        "spec": {
            "hosts": [places.host],
            "location": "MESH_INTERNAL",
            "resolution": "STATIC" if static else "DNS",
            "ports": [
                {"number": port.number, "name": port.name or f"http-{port.number}", "protocol": port.protocol.upper()}
                for port in places.ports.values()
            ],
            "endpoints": [_endpoint(host, endpoint) for endpoint in host.endpoints],
        },
    }


def _endpoint(host: LocalHost, endpoint: LocalEndpoint) -> dict[str, Any]:
    names = {number: port.name or f"http-{number}" for number, port in host.places.ports.items()}
    found: dict[str, Any] = {"address": endpoint.address}
    if endpoint.labels:
        found["labels"] = dict(endpoint.labels)
    found["ports"] = {names[number]: port for number, port in endpoint.ports.items()}
    return found


def _short(host: LocalHost) -> str:
    """`reviews` for a service of the namespace `default`, else `reviews.shop`; other hosts in full."""
    name, _, rest = host.places.host.partition(".")
    namespace, svc, _ = rest.partition(".svc.")
    if not svc:
        return host.places.host
    return name if namespace == "default" else f"{name}.{namespace}"


def _address(endpoint: LocalEndpoint, port: int) -> str:
    return f"[{endpoint.address}]:{port}" if ":" in endpoint.address else f"{endpoint.address}:{port}"
