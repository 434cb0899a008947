"""Real Envoy in front of recorders, given one rule set after another."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from typing import Self

import yaml
from envoytools.outcome import MARK
from envoytools.outcome import OWN
from envoytools.outcome import Copy
from envoytools.outcome import Outcome
from envoytools.outcome import Sent
from envoytools.outcome import Upstreams
from envoytools.outcome import computed
from envoytools.outcome import difference
from envoytools.outcome import observed
from livetools.client import Client
from livetools.client import exchange
from livetools.recorder import PATIENCE
from livetools.recorder import Recorder
from livetools.recorder import answer
from livetools.wire import Response
from livetools.wire import lines

from mirror_addon.cli.envoy_process import EnvoyProcess
from mirror_addon.cli.envoy_process import find_envoy
from mirror_addon.envoy.bootstrap import Address
from mirror_addon.envoy.bootstrap import Export
from mirror_addon.envoy.bootstrap import ExportOptions
from mirror_addon.envoy.bootstrap import translate
from mirror_addon.envoy.virtual_hosts import ROUTES
from mirror_addon.gateway_api.reading import GATEWAY_API
from mirror_addon.istio.names import resolve_short_name
from mirror_addon.istio.parsing import Source
from mirror_addon.istio.parsing import parse_sources
from mirror_addon.routing.clusters import Endpoint
from mirror_addon.routing.decision import Action
from mirror_addon.routing.identity import Identity
from mirror_addon.routing.table import RouteTable

PRIMARIES = ("v1", "v2", "v3")
MIRRORS = ("m1", "m2")
"""Short names of the hosts that rules of the tests send to; only mirrors go to the latter."""


class Refused(AssertionError):
    """Istio would not take the rules of a test."""


class Recorders:
    """A recorder for every name. `bodies` are those of responses that are not `ok`, by name."""

    def __init__(self, bodies: Mapping[str, bytes] = {}) -> None:
        self.by_name = {
            name: Recorder(answer(b"200 OK", b"x-upstream: 1", body=bodies.get(name, b"ok")))
            for name in (*PRIMARIES, *MIRRORS)
        }
        self.upstreams = Upstreams({recorder.address[1]: name for name, recorder in self.by_name.items()})
        self._numbers = range(0)
        self.check_again: Callable[[], list[str]] = list
        """The last comparison, once more."""

    def __enter__(self) -> Self:
        for recorder in self.by_name.values():
            recorder.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        for recorder in self.by_name.values():
            recorder.__exit__()
        failures = [failure for recorder in self.by_name.values() for failure in recorder.failures]
        assert failures == []

    def table(self, text: str, identity: Identity) -> RouteTable:
        """The rules of a YAML text, whose destinations are the recorders; `$v1` is the port of one."""
        for name, recorder in self.by_name.items():
            text = text.replace(f"${name}", str(recorder.address[1]))
        parsed = parse_sources([Source("rules.yaml", text.encode())], extension=GATEWAY_API)
        refused = [str(item) for item in parsed.diagnostics if item.code == "IST0106" and item.severity == "error"]
        if refused:
            raise Refused(f"{refused} in\n{text}")
        overrides = {
            (resolve_short_name(name, "default"), ""): Endpoint(*recorder.address)
            for name, recorder in self.by_name.items()
        }
        return RouteTable.build(parsed.resources, identity, endpoint_overrides=overrides)

    def begin(self, count: int) -> range:
        """Marks for so many requests. What arrives with earlier ones from now on is lost."""
        self.check_nothing_came_late()
        for recorder in self.by_name.values():
            recorder.restore()
        self._numbers = range(self._numbers.stop, self._numbers.stop + count)
        return self._numbers

    def arrived(self) -> dict[int, list[Copy]]:
        """All that has arrived with the current marks."""
        found: dict[int, list[Copy]] = {number: [] for number in self._numbers}
        for name, recorder in self.by_name.items():
            for received in recorder.received:
                found[int(received.value(MARK) or -1)].append(Copy.seen(name, received))
        return found

    def check_nothing_came_late(self) -> None:
        """A shadow that nobody expected may come after the comparison."""
        late, self.check_again = self.check_again(), list
        assert not late, "\n\n".join(late)


class Envoy:
    """One Envoy for many rule sets. Use it as a context manager."""

    def __init__(self, folder: Path) -> None:
        self._process = EnvoyProcess(find_envoy(), folder, ("--concurrency", "1"))
        self._folder = folder
        self._loop = asyncio.new_event_loop()
        self._address: tuple[str, int] | None = None
        self._options: ExportOptions | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.run_until_complete(self._process.stop())
        self._loop.close()

    def apply(self, export: Export) -> None:
        """Routes and clusters of `export`; its listener only where it is the first."""
        if self._address is None:
            host, _, port = self._loop.run_until_complete(self._process.start(export)).rpartition(":")
            self._address = (host, int(port))
        else:
            self._loop.run_until_complete(self._process.apply(export))

    def is_idle(self) -> bool:
        """Has every request that it sent on, shadows among them, been answered?"""
        host, _, port = (self._folder / "admin").read_text().rpartition(":")
        asked = lines(b"GET /stats?filter=upstream_rq_.*active HTTP/1.1", b"Host: admin")
        gauges = exchange((host, int(port)), asked).body.decode().splitlines()
        assert gauges
        return all(gauge.endswith(": 0") for gauge in gauges)

    @property
    def address(self) -> tuple[str, int]:
        assert self._address is not None
        return self._address


def _cluster(named: tuple[str, Recorder | None]) -> dict[str, Any]:
    """A cluster with one endpoint, or none."""
    name, recorder = named
    endpoints = []
    if recorder is not None:
        host, port = recorder.address
        endpoints = [{"endpoint": {"address": {"socket_address": {"address": host, "port_value": port}}}}]
    assignment = {"cluster_name": name, "endpoints": [{"lb_endpoints": endpoints}]}
    return {"name": name, "type": "STATIC", "connect_timeout": "5s", "load_assignment": assignment}


class Bench:
    """Envoy and recorders, for comparisons with the route table."""

    def __init__(
        self,
        folder: Path,
        recorders: Recorders,
        *,
        edge: bool = True,
        normalization: str = "BASE",
        mesh_headers: bool = False,
    ) -> None:
        self.recorders = recorders
        self.identity = Identity(
            use_remote_address=edge,
            local_address=OWN,
            path_normalization=normalization,
            mesh_headers=mesh_headers,
        )
        self.envoy = Envoy(folder)

    def __enter__(self) -> Self:
        self.envoy.__enter__()
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        self.envoy.__exit__()
        if error is None:
            self.recorders.check_nothing_came_late()

    def compare(
        self,
        rules: str,
        requests: Sequence[Sent],
        *,
        suffix: str = "-shadow",
        draws: Sequence[int] = (0,),
        identity: Mapping[str, Any] | None = None,
        by_hand: str = "",
    ) -> list[str]:
        """Where Envoy's outcome is none of those that the route table has for `draws`.

        `identity`: fields of the proxy's identity that this comparison changes. Requests that the table passes through
        are left out: Envoy would dial their hosts. `by_hand` are Envoy's virtual hosts, as YAML, to be used in place of
        the export. Their clusters are the recorders, by name.
        """
        table = self._apply(rules, suffix, replace(self.identity, **(identity or {})), by_hand)
        requests = [request for request in requests if not passes(table, request)]
        sent = dict(zip(self.recorders.begin(len(requests)), requests, strict=True))
        expected = {
            number: [computed(table, self.recorders.upstreams, request, number, draw, suffix) for draw in draws]
            for number, request in sent.items()
        }
        answers = self._send(sent)

        def check() -> list[str]:
            arrived = self.recorders.arrived()
            found = {number: observation(answers[number], copies) for number, copies in arrived.items()}
            return [
                f"{sent[number]}\n{difference(expected[number][0], found[number])}\nunder\n{rules}"
                for number in sent
                if found[number] not in expected[number]
            ]

        deadline = time.monotonic() + PATIENCE
        while (problems := check()) and time.monotonic() < deadline:
            time.sleep(0.005)
        if not problems:
            self.recorders.check_again = check
        return problems

    def outcomes(self, rules: str, requests: Sequence[Sent]) -> list[Outcome]:
        """What becomes of the requests, once Envoy has nothing more under way."""
        self._apply(rules, "-shadow", self.identity)
        answers = self._send(dict(zip(self.recorders.begin(len(requests)), requests, strict=True)))
        deadline = time.monotonic() + PATIENCE
        while not self.envoy.is_idle():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        return [observation(answers[number], copies) for number, copies in self.recorders.arrived().items()]

    def _apply(self, rules: str, suffix: str, identity: Identity, by_hand: str = "") -> RouteTable:
        table = self.recorders.table(rules, identity)
        options = ExportOptions(Address("127.0.0.1", 0), Address("127.0.0.1", 0), host_suffix=suffix)
        export = translate(table, options)
        if by_hand:
            routes = {
                "name": ROUTES,
                "ignore_port_in_host_matching": True,
                "validate_clusters": False,
                "virtual_hosts": yaml.safe_load(by_hand),
            }
            clusters = (*map(_cluster, self.recorders.by_name.items()), _cluster(("empty", None)))
            export = replace(export, routes=routes, clusters=clusters)
        self.envoy.apply(export)
        return table

    def _send(self, sent: Mapping[int, Sent]) -> dict[int, Response]:
        """One connection for all: Envoy would otherwise spend its time on accepting them."""
        answers = {}
        client = Client(self.envoy.address)
        try:
            for number, request in sent.items():
                answers[number] = client.exchange(request.wire(number))
                if b"close" in answers[number].values(b"connection"):
                    client.socket.close()
                    client = Client(self.envoy.address)
        finally:
            client.socket.close()
        return answers


def passes(table: RouteTable, request: Sent) -> bool:
    """Whether a request passes through."""
    return table.route(request.request(0, OWN), 0).action is Action.PASSTHROUGH


def observation(response: Response, copies: Sequence[Copy]) -> Outcome:
    """What became of a request: its answer, and all that arrived of it at recorders."""
    primaries = [copy for copy in copies if copy.at in PRIMARIES]
    assert len(primaries) < 2, primaries
    return observed(response, primaries[0] if primaries else None, [copy for copy in copies if copy.at in MIRRORS])
