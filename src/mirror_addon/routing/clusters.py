"""Clusters: the endpoints of a destination, and which of them a request gets."""

from __future__ import annotations

import hashlib
import math
import zlib
from bisect import bisect_right
from dataclasses import dataclass
from dataclasses import field
from itertools import accumulate

from mirror_addon.routing.names import without_port
from mirror_addon.routing.randomness import derived


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One address of a cluster. `address` is an IP, a DNS name, or `unix:///path` (then `port` is 0)."""

    address: str
    port: int
    labels: tuple[tuple[str, str], ...] = ()
    weight: int = 1

    def __str__(self) -> str:
        """`127.0.0.1:9001`, `[::1]:9001`."""
        if not self.address:
            return "original destination"
        if self.address.startswith("unix:"):
            return self.address
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{host}:{self.port}"


ORIGINAL_DESTINATION = Endpoint("", 0)
"""The address that the client itself asked for (ServiceEntry `resolution: NONE`). Compare with `is`."""


@dataclass(frozen=True, slots=True)
class TLS:
    """The TLS settings of a cluster (Istio's ClientTLSSettings, resolved)."""

    sni: str = ""
    """Empty: the cluster's host name."""
    ca_certificates: str = ""
    client_certificate: str = ""
    private_key: str = ""
    subject_alt_names: tuple[str, ...] = ()
    insecure_skip_verify: bool = False
    ca_pem: str = field(default="", repr=False)
    """Certificates of authorities in PEM, instead of a file with them."""


@dataclass(frozen=True, slots=True)
class HashPolicy:
    """The key of a consistent hash: `kind` is one of `header`, `cookie`, `query`, `source`."""

    kind: str
    name: str = ""
    ttl: float | None = None
    """Cookie only: its lifetime in seconds, 0 for a session cookie; None: a missing cookie is not set."""
    path: str = ""
    attributes: tuple[tuple[str, str], ...] = ()


_HTTP2 = frozenset({"http2", "grpc", "grpc-web"})


@dataclass(eq=False, slots=True)
class Cluster:
    """The endpoints of a destination; in Istio one outbound cluster per host, port and subset."""

    host: str
    """Fully qualified."""
    subset: str
    port: int
    endpoints: tuple[Endpoint, ...]
    protocol: str = "http"
    """Istio's protocol name, lower case: http, http2, grpc, https, tls, ..."""
    tls: TLS | None = None
    label: str = ""
    """Name in listings and counters: `serviceB/v2`."""
    balancer: str = "LEAST_REQUEST"
    """Istio's name. LEAST_REQUEST behaves as RANDOM, because requests in flight are not counted per endpoint."""
    hash_policy: HashPolicy | None = None
    connect_timeout: float | None = None
    """Seconds; None where no DestinationRule gives it."""
    resolves_request_host: bool = False
    """`resolution: DYNAMIC_DNS`: the endpoint is the request's own Host at this cluster's port."""
    detects_protocol: bool = False
    """No port says its protocol, which is then `http` here and detected in Istio."""
    missing: str = ""
    """Why there is no endpoint and how to give one; empty where there are endpoints."""
    exists: bool = True
    """False where no document declares the host, port and subset: Istio makes no cluster then."""
    _salt: int = field(init=False, repr=False)
    _cumulative: list[int] = field(init=False, repr=False)
    _turn: int = field(default=-1, init=False, repr=False)

    def __post_init__(self) -> None:
        self._salt = zlib.crc32(f"{self.host}|{self.port}|{self.subset}".encode())
        self._cumulative = list(accumulate(endpoint.weight for endpoint in self.endpoints))

    @property
    def outbound(self) -> str:
        """Istio's name of the cluster (`BuildSubsetKey`)."""
        return f"outbound|{self.port}|{self.subset}|{self.host}"

    @property
    def is_http2(self) -> bool:
        """Whether its protocol is HTTP/2 (`istio/pkg/config/protocol`, `IsHTTP2`)."""
        return self.protocol in _HTTP2

    def speaks_http2(self, *, grpc: bool) -> bool:
        """Whether a request goes over HTTP/2, without TLS with prior knowledge (RFC 9113 3.3). Where no port says its
        protocol, `grpc` requests do: there is no gRPC over HTTP/1."""
        return self.is_http2 or (grpc and self.detects_protocol)

    def pick(self, draw: int, authority: bytes = b"") -> Endpoint | None:
        """Return one endpoint by weight; None where there are none. `authority` is the request's, as it leaves.

        The draw determines it, except with ROUND_ROBIN.
        """
        endpoints = self.endpoints
        if len(endpoints) == 1:
            return endpoints[0]
        if not endpoints:
            if self.resolves_request_host and authority:
                return Endpoint(without_port(authority).decode("latin-1").strip("[]"), self.port)
            return None
        if self.balancer == "ROUND_ROBIN":
            self._turn += 1
            number = self._turn
        else:
            number = derived(draw, self._salt)
        return endpoints[bisect_right(self._cumulative, number % self._cumulative[-1])]

    def pick_by_hash(self, key: bytes) -> Endpoint | None:
        """Return the endpoint of `key`, which is the same as long as it exists (weighted rendezvous hashing).

        Envoy's `ring_hash` gives the same guarantee, but chooses other endpoints.
        """
        if len(self.endpoints) < 2:
            return self.endpoints[0] if self.endpoints else None
        return max(self.endpoints, key=lambda endpoint: _score(key, endpoint))


def _score(key: bytes, endpoint: Endpoint) -> float:
    digest = hashlib.blake2b(b"%s|%s" % (key, str(endpoint).encode()), digest_size=8).digest()
    return -endpoint.weight / math.log((int.from_bytes(digest, "big") + 1) / (2**64 + 2))
