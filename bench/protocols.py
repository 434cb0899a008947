"""Seeded mutants by protocol: the same orders as JSON, HTML, XML, events, GraphQL, gRPC, forms, streams and more.

Each response has noise that is new in every response: times, ids, a CSRF token and a nonce, an advertisement, the order
of map entries, the Host that the shadow was asked by, the level of compression, boundaries, comments of event streams.
In half of the pairs the candidate has one mutation. Each pair has a control, a second response of the primary.
`python -m bench.verdicts` prints recall and precision.
"""

from __future__ import annotations

import functools
import random
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace
from datetime import UTC
from datetime import datetime
from typing import Any
from typing import NamedTuple

from bench import encodings
from bench.report import heading
from bench.report import line
from mirror_addon.compare.answer import Answer
from mirror_addon.compare.comparison import compare
from mirror_addon.compare.echoes import Asked
from mirror_addon.compare.rules import DEFAULT_RULES

NOW = 1795348800
HOST = "shop.example.test"
WORDS = (
    "boots",
    "hats",
    "gloves",
    "scarves",
    "umbrellas",
    "kites",
    "lamps",
    "chairs",
    "desks",
    "pens",
    "cups",
    "plates",
)

Mutation = Callable[["Made"], None]


@dataclass
class Made:
    """A response that is being made. `side`: 0 the primary, 1 its control, 2 the candidate."""

    side: int
    order: dict[str, Any]
    events: list[dict[str, Any]]
    status: int = 200
    fields: dict[str, str] = field(default_factory=dict)
    edit: Callable[[bytes], bytes] = bytes
    """Changes the body before its content coding."""

    @property
    def host(self) -> str:
        return HOST + ("-shadow" if self.side == 2 else "")

    @property
    def at(self) -> int:
        return NOW + (self.side == 2)


def made(number: int, side: int) -> Made:
    """The response to request `number`: its order is drawn from the number, its noise anew."""
    fixed = random.Random(number)
    host = HOST + ("-shadow" if side == 2 else "")
    at = NOW + (side == 2)
    order: dict[str, Any] = {
        "id": number + 1,
        "customer": {"id": str(uuid.UUID(int=fixed.getrandbits(128), version=4)), "name": f"Zoë {number}"},
        "created": datetime.fromtimestamp(1.7e9 + number * 977, tz=UTC).isoformat(),
        "items": [
            {"sku": f"A{100 + i}", "price": fixed.randrange(100, 99999) / 100, "count": fixed.randrange(1, 9)}
            for i in range(4)
        ],
        "total": fixed.randrange(1000, 999999) / 100,
        "paid": fixed.random() < 0.5,
        "coupon": "SPRING" if fixed.random() < 0.5 else "AUTUMN",
        "servedAt": datetime.fromtimestamp(at + random.random(), tz=UTC).isoformat(),
        "requestId": str(uuid.uuid4()),
        "advertisement": " ".join(random.choices(WORDS, k=6)),
        "self": f"http://{host}/orders/{number + 1}",
    }
    events = [{"seq": index, "price": fixed.randrange(100, 9999) / 100, "at": order["servedAt"]} for index in range(5)]
    return Made(side, order, events)


def changed_value(of: Made) -> None:
    of.order["total"] = round(of.order["total"] + 0.01, 2)


def changed_element(of: Made) -> None:
    of.order["items"][2]["count"] += 1


def changed_text(of: Made) -> None:
    of.order["customer"]["name"] += "!"


def changed_word(of: Made) -> None:
    of.order["coupon"] = "WINTER"


def lost_element(of: Made) -> None:
    del of.order["items"][0]


def repeated_element(of: Made) -> None:
    of.order["items"].append(of.order["items"][-1])


def reordered(of: Made) -> None:
    of.order["items"].reverse()


def lost_field(of: Made) -> None:
    del of.order["coupon"]


def extra_field(of: Made) -> None:
    of.order["secret"] = "hunter2"


def flipped_flag(of: Made) -> None:
    of.order["paid"] = not of.order["paid"]


def hour_off(of: Made) -> None:
    of.order["created"] = datetime.fromtimestamp(
        datetime.fromisoformat(of.order["created"]).timestamp() + 3600, tz=UTC
    ).isoformat()


def other_id(of: Made) -> None:
    of.order["customer"]["id"] = str(uuid.uuid4())


def other_link(of: Made) -> None:
    of.order["self"] += "0"


def type_changed(of: Made) -> None:
    of.order["total"] = str(of.order["total"])


def null_value(of: Made) -> None:
    of.order["customer"] = None


def status(of: Made) -> None:
    of.status = 503


def lost_header(of: Made) -> None:
    of.fields["Cache-Control"] = ""


def half(of: Made) -> None:
    of.edit = lambda body: body[: len(body) // 2]


def changed_event(of: Made) -> None:
    of.events[1]["price"] += 1


def lost_event(of: Made) -> None:
    del of.events[1]


def swapped_events(of: Made) -> None:
    of.events[1:3] = reversed(of.events[1:3])


def edited(name: str, before: str, after: str) -> Mutation:
    """A mutation of the text of a body."""

    def mutate(of: Made) -> None:
        def edit(body: bytes) -> bytes:
            assert before.encode() in body, (name, body)
            return body.replace(before.encode(), after.encode(), 1)

        of.edit = edit

    mutate.__name__ = name
    return mutate


def with_field(name: str, header: str, value: str) -> Mutation:
    """A mutation of a header field or a trailer."""

    def mutate(of: Made) -> None:
        of.fields[header] = value

    mutate.__name__ = name
    return mutate


def with_member(name: str, key: str, value: Any) -> Mutation:
    """A mutation of what stands around the order, for the encoding."""

    def mutate(of: Made) -> None:
        of.order[key] = value

    mutate.__name__ = name
    return mutate


VALUES: tuple[Mutation, ...] = (
    changed_value, changed_element, changed_text, changed_word, lost_element, repeated_element, reordered, lost_field,
    flipped_flag, hour_off, other_id, other_link,
)  # fmt: skip
"""What every structured format can say."""
JSON = (*VALUES, extra_field, type_changed, null_value)
ANY = (status, lost_header)
EVENTS = (changed_event, lost_event, swapped_events)


class Protocol(NamedTuple):
    """`encode` gives media type, body and further header fields of what was made."""

    name: str
    encode: Callable[[Made], encodings.Encoded]
    mutations: tuple[Mutation, ...]
    request: str = "GET /orders/7"
    operation: str = ""
    types: bool = False
    ended: bool = True


TRAILERS = (
    with_field("other code", "grpc-status", "13"),
    with_field("other message", "grpc-message", "out%20of%20stock"),
)
PAGE = (
    edited("other attribute", 'class="total"', 'class="sum"'),
    edited("other tag", "<h1>Order</h1>", "<h2>Order</h2>"),
    edited("lost element", "<p>Thanks</p>", ""),
    edited("other script", "track(1)", "track(2)"),
)
PROTOCOLS = (
    Protocol("JSON", encodings.as_json, (*JSON, *ANY, half)),
    Protocol("JSON, gzip", encodings.as_gzip, (*JSON, *ANY, half)),
    Protocol("JSON Lines", encodings.as_lines, (*JSON, *ANY, *EVENTS)),
    Protocol("JSON text sequence", encodings.as_sequence, (*JSON, *ANY, *EVENTS)),
    Protocol("XML", encodings.as_xml, (*VALUES, *ANY, edited("other namespace", "urn:orders", "urn:order"))),
    Protocol("HTML", encodings.as_html, (*VALUES, *ANY, *PAGE)),
    Protocol(
        "event stream (SSE)",
        encodings.as_events,
        (*VALUES, *ANY, *EVENTS, edited("other event name", "event: price", "event: cost"),
         edited("other retry", "retry: 3000", "retry: 30")),
    ),
    Protocol("endless stream (SSE)", encodings.as_endless, (changed_event, lost_event, swapped_events), ended=False),
    Protocol(
        "GraphQL",
        encodings.as_graphql,
        (*JSON, *ANY, with_member("error", "errors", [{"message": "no stock", "path": ["order", "items"]}]),
         with_member("null data", "data", None)),
        "POST /graphql",
        "GetOrder",
    ),
    Protocol("GraphQL, batch", encodings.as_graphql_batch, (*JSON, *ANY), "POST /graphql", "GetOrder,GetUser"),
    Protocol("gRPC, types known", encodings.as_grpc, (*VALUES, *TRAILERS), "POST /shop.Shop/Get", types=True),
    Protocol("gRPC, by number", encodings.as_grpc, (*VALUES, *TRAILERS), "POST /shop.Shop/Get"),
    Protocol(
        "gRPC, stream", encodings.as_grpc_stream, (*EVENTS, *TRAILERS), "POST /shop.Shop/Watch", types=True
    ),
    Protocol("gRPC-Web", encodings.as_grpc_web, (*VALUES, *TRAILERS), "POST /shop.Shop/Get", types=True),
    Protocol("protobuf", encodings.as_protobuf, (*VALUES, *ANY)),
    Protocol(
        "form", encodings.as_form,
        (changed_value, changed_text, changed_word, lost_field, flipped_flag, hour_off, other_id, extra_field, *ANY),
    ),
    Protocol("multipart", encodings.as_multipart, (*JSON, *ANY, edited("lost part", "name=note", "name=remark"))),
    Protocol("text", encodings.as_text, (*VALUES, *ANY, half)),
    Protocol(
        "bytes", encodings.as_bytes,
        (edited("one byte", "IHDR", "IHDS"), half, edited("longer", "IEND", "IENDIEND"), *ANY),
    ),
    Protocol(
        "redirection", encodings.as_redirect,
        (other_link, with_member("other code", "code", 301), with_member("other host", "self", "http://else.test/")),
    ),
    Protocol(
        "cookies", encodings.as_cookies,
        (with_member("other flag", "flags", "Path=/"), with_member("other path", "flags", "Path=/a; HttpOnly"),
         with_member("other lifetime", "age", 60), with_member("lost cookie", "lost", True)),
    ),
)  # fmt: skip


def answer(protocol: Protocol, of: Made) -> Answer:
    encoded = protocol.encode(of)
    fields = {
        "Content-Type": encoded.type,
        "Date": datetime.fromtimestamp(of.at, tz=UTC).strftime("%a, %d %b %Y %H:%M:%S GMT"),
        "Cache-Control": "max-age=60",
        "X-Request-Id": uuid.uuid4().hex,
        **encoded.fields,
        **of.fields,
    }
    body = encoded.body
    listed = [(name, value) for name, value in fields.items() if value] + [*encoded.more]
    asked = Asked(f"{HOST}-shadow".encode(), HOST.encode(), b"10.0.0.5", b"203.0.113.7") if of.side == 2 else None
    raw = tuple((name.encode(), value.encode()) for name, value in listed)
    return Answer(encoded.status or of.status, raw, body, len(body), 5.0, asked=asked, ended=protocol.ended)


def different(protocol: Protocol, number: int, mutation: Mutation | None, *, control: bool) -> bool:
    """Whether a pair is told different."""
    candidate = made(number, 2)
    if mutation is not None:
        mutation(candidate)
    method, _, path = protocol.request.partition(" ")
    rules = replace(DEFAULT_RULES, descriptors=_descriptors()) if protocol.types else DEFAULT_RULES
    return (
        compare(
            answer(protocol, made(number, 0)),
            answer(protocol, candidate),
            rules,
            control=answer(protocol, made(number, 1)) if control else None,
            method=method,
            url=f"http://{HOST}{path}",
            operation=protocol.operation,
            now=NOW + 1.0,
            primary_now=float(NOW),
        ).verdict
        == "different"
    )


@functools.cache
def _descriptors() -> bytes:
    return encodings.descriptors()


class Found(NamedTuple):
    """`missed`: names of mutations that were not always found. `recall`, `precision`: shares."""

    protocol: str
    kinds: int
    recall: float
    precision: float
    missed: tuple[str, ...]


def scores(count: int, *, control: bool = True, seed: int = 6) -> list[Found]:
    """`count` pairs of each mutation of each protocol, every other one without it."""
    random.seed(seed)
    found = []
    for protocol in PROTOCOLS:
        hits = alarms = 0
        missed = []
        for mutation in protocol.mutations:
            told = sum(different(protocol, number, mutation, control=control) for number in range(0, count, 2))
            alarms += sum(different(protocol, number, None, control=control) for number in range(1, count, 2))
            hits += told
            if told < len(range(0, count, 2)):
                missed.append(mutation.__name__.replace("_", " "))
        recall = hits / (len(protocol.mutations) * len(range(0, count, 2)))
        precision = hits / (hits + alarms) if hits else 0.0
        found.append(Found(protocol.name, len(protocol.mutations), recall, precision, tuple(missed)))
    return found


def table(count: int, seed: int = 6) -> str:
    """The scores as Markdown."""
    rows = [heading(["protocol", "mutations", "recall", "precision", "without a control: recall", "precision"])]
    both = zip(scores(count, seed=seed), scores(count, control=False, seed=seed), strict=True)
    for each, bare in both:
        shares = (f"{share:.0%}" for share in (each.recall, each.precision, bare.recall, bare.precision))
        rows.append(line([each.protocol, str(each.kinds), *shares]))
    return "\n".join(rows)
