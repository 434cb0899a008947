"""A processor's engine without workers, and exchanges as Envoy tells them."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field
from typing import Any

from mirror_addon.compare.answer import Answer
from mirror_addon.dispatch.in_flight import InFlight
from mirror_addon.dispatch.in_flight import Primary
from mirror_addon.dispatch.in_flight import Shadow
from mirror_addon.dispatch.in_flight import State
from mirror_addon.dispatch.settings import ShadowSettings
from mirror_addon.istio.parsing import Source
from mirror_addon.istio.parsing import parse_sources
from mirror_addon.options.settings import OPTIONS
from mirror_addon.options.settings import Settings
from mirror_addon.options.settings import parse_settings
from mirror_addon.processor.engine import Engine
from mirror_addon.processor.events import Body
from mirror_addon.processor.events import Head
from mirror_addon.processor.exchange import End
from mirror_addon.processor.load import Load
from mirror_addon.processor.messages import TYPES
from mirror_addon.processor.stream import Stream
from mirror_addon.routing.clusters import Endpoint
from mirror_addon.routing.fields import Fields
from mirror_addon.routing.identity import Identity
from mirror_addon.routing.table import RouteTable
from mirror_addon.shadow.pair import Pair
from mirror_addon.shadow.request import ShadowRequest
from mirror_addon.shadow.result import ShadowResult

OWN = b"192.0.2.1"
RULES = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop, namespace: default}
spec:
  hosts: [shop.test]
  http:
  - match: [{uri: {prefix: /plain}}]
    route: [{destination: {host: v1}}]
  - match: [{uri: {prefix: /gone}}]
    directResponse: {status: 410}
    mirror: {host: m1}
  - match: [{uri: {prefix: /never}}]
    route: [{destination: {host: v1}}]
    mirror: {host: m1}
    mirrorPercentage: {value: 0.0001}
  - match: [{uri: {prefix: /unknown}}]
    route: [{destination: {host: elsewhere}}]
    mirror: {host: m1}
  - match: [{uri: {prefix: /weights}}]
    route:
    - {destination: {host: v1}, weight: 50, headers: {request: {set: {x-to: one}}}}
    - {destination: {host: v2}, weight: 50, headers: {request: {set: {x-to: two}}}}
    mirror: {host: m1}
    mirrorPercent: 50
  - route: [{destination: {host: v1}}]
    rewrite: {uri: /served/}
    headers: {response: {set: {x-set: a}, add: {x-add: b}, remove: [x-gone]}}
    mirror: {host: m1}
    mirrors: [{destination: {host: m2}}]
"""
LAST = "default/shop http[5]"


def table_of(text: str = RULES, **identity: Any) -> RouteTable:
    parsed = parse_sources([Source("rules.yaml", text.encode())])
    overrides = {
        (f"{name}.default.svc.cluster.local", ""): Endpoint("127.0.0.1", 9000 + number)
        for number, name in enumerate(("v1", "v2", "m1", "m2"))
    }
    identity = {"use_remote_address": True, "local_address": OWN, **identity}
    return RouteTable.build(
        parsed.resources, Identity(**identity), endpoint_overrides=overrides, primary_endpoints=False
    )


def settings_of(**values: Any) -> Settings:
    defaults = {option.name: option.default for option in OPTIONS}
    return parse_settings({**defaults, **{f"mirror_{name}": value for name, value in values.items()}})


@dataclass
class Upload:
    """A shadow whose body came in pieces."""

    dispatcher: Taken
    shadow: Shadow
    pieces: list[bytes] = field(default_factory=list)
    ended: Fields | None = None

    def write(self, data: bytes) -> None:
        self.pieces.append(data)

    def end(self, trailers: Fields = ()) -> None:
        self.ended = trailers

    def abort(self, reason: str = "aborted") -> None:
        self.dispatcher.refuse(self.shadow, reason)


class Taken:
    """A dispatcher that keeps what it is given. Its mirrors respond when they are told to."""

    def __init__(self, settings: ShadowSettings, book: InFlight) -> None:
        self.settings = settings
        self.book = book
        self.offers: list[tuple[ShadowRequest, bytes]] = []
        self.uploads: list[tuple[ShadowRequest, Upload]] = []
        self.answers: list[tuple[Primary, Answer, str]] = []
        self.recordings: list[Any] = []
        self.shadows: list[Shadow] = []
        self.free = settings.queue
        self.closed: float | None = None

    def start(self) -> None: ...

    def configure(self, recording: Any) -> None:
        self.recordings.append(recording)

    def reserve(self, size: int) -> bool:
        if size > self.free:
            return False
        self.free -= size
        return True

    def release(self, size: int) -> None:
        self.free += size

    def offer(self, shadow: Shadow, request: ShadowRequest, body: bytes) -> None:
        self.shadows.append(shadow)
        self.offers.append((request, body))

    def open(self, shadow: Shadow, request: ShadowRequest) -> Upload:
        self.shadows.append(shadow)
        self.uploads.append((request, Upload(self, shadow)))
        return self.uploads[-1][1]

    def refuse(self, shadow: Shadow, reason: str) -> None:
        self.book.end(shadow, State.DROPPED, ShadowResult(shadow.id, shadow.label, "dropped", reason))
        if shadow.subject is not None:
            self.book.judge(shadow, None)

    def answer(self, primary: Primary, answer: Answer, note: str = "", at: float | None = None) -> None:
        self.answers.append((primary, answer, note))

    def respond(self) -> None:
        for shadow in self.shadows:
            if shadow.state is State.ADMITTED:
                self.book.end(shadow, State.SENT, ShadowResult(shadow.id, shadow.label, "sent", ""))
                if shadow.subject is not None:
                    self.book.judge(shadow, None)

    def status(self) -> dict[str, Any]:
        return {}

    async def close(self, drain: float) -> None:
        self.closed = drain


class Told:
    """An engine, and a stream of it that is told an exchange."""

    def __init__(self, rules: str = RULES, values: dict[str, Any] | None = None, **identity: Any) -> None:
        self.pairs: list[Pair] = []
        self.load = Load()
        self.engine = Engine(settings_of(**values or {}), OWN, "", (self,), self.load, dispatcher=Taken)  # type: ignore[arg-type]
        self.engine.rules_changed(table_of(rules, **identity))
        self.open = True
        self.begin()

    def pair(self, pair: Pair) -> None:
        self.pairs.append(pair)

    def begin(self) -> None:
        """Another stream."""
        self.stream = Stream(self.engine)

    @property
    def dispatcher(self) -> Any:
        return self.engine.dispatcher

    def send(self, message: Head | Body) -> bool:
        self.open = self.stream.message(wire(message))
        return self.open

    def request(
        self,
        path: str = "/x",
        *fields: tuple[bytes, bytes],
        route: str = LAST,
        cluster: str = "outbound|0||v1.default.svc.cluster.local",
        end: bool = True,
        method: bytes = b"GET",
        host: bytes = b"shop.test",
    ) -> bool:
        pseudo = ((b":authority", host), (b":path", path.encode()), (b":method", method), (b":scheme", b"http"))
        told = {"xds.route_name": route, "xds.cluster_name": cluster, "source.address": "198.51.100.7:5000"}
        own = (b"x-forwarded-for", b"198.51.100.7")
        return self.send(
            Head(True, (*pseudo, own, *fields), end, {name: value for name, value in told.items() if value})
        )

    def answer(
        self, status: bytes = b"200", *fields: tuple[bytes, bytes], end: bool = False, **attributes: str
    ) -> bool:
        told = {name.replace("_", ".", 1): value for name, value in attributes.items()}
        return self.send(Head(False, ((b":status", status), *fields), end, told))

    def body(self, data: bytes, end: bool = False, *, answer: bool = False) -> bool:
        return self.send(Body(not answer, data, end))

    @property
    def ended(self) -> dict[End, int]:
        return dict(self.engine.counts.ended)

    @property
    def skipped(self) -> dict[str, int]:
        return dict(self.engine.counters.totals().skipped)

    @property
    def dropped(self) -> dict[str, int]:
        return dict(self.engine.counters.totals().dropped)


def wire(message: Head | Body) -> bytes:
    """The bytes of a message, as Envoy writes them."""
    side = "request" if message.request else "response"
    made = TYPES["ProcessingRequest"]()
    if isinstance(message, Body):
        part = getattr(made, f"{side}_body")
        part.SetInParent()
        part.body, part.end_of_stream = message.data, message.end
    else:
        part = getattr(made, f"{side}_headers")
        part.end_of_stream = message.end
        for name, value in message.fields:
            part.headers.headers.add(key=name, raw_value=value)
        entry = made.attributes.add(key=b"envoy.filters.http.ext_proc")
        for attribute, text in message.attributes.items():
            entry.value.fields.add(key=attribute.encode()).value.string_value = text.encode()
    written: bytes = made.SerializeToString()
    return written


def exchange(path: str = "/x", route: str = LAST, body: bytes = b"body") -> list[bytes]:
    """The messages of a GET and its response."""
    pseudo = ((b":authority", b"shop.test"), (b":path", path.encode()), (b":method", b"GET"), (b":scheme", b"http"))
    told = {"xds.route_name": route, "source.address": "198.51.100.7:5000"}
    return [
        wire(Head(True, (*pseudo, (b"x-forwarded-for", b"198.51.100.7")), True, told)),
        wire(Head(False, ((b":status", b"200"),), False, {"response.code_details": "via_upstream"})),
        wire(Body(False, body, False)),
        wire(Body(False, b"", True)),
    ]
