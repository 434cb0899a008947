"""How `bench.protocols` writes an order in each protocol, with the noise that belongs to it."""

from __future__ import annotations

import base64
import gzip
import html
import json
import random
import struct
import uuid
from collections.abc import Iterable
from datetime import UTC
from datetime import datetime
from typing import TYPE_CHECKING
from typing import Any
from typing import NamedTuple
from urllib.parse import urlencode

from google.protobuf import descriptor_pb2
from google.protobuf import descriptor_pool
from google.protobuf import message_factory

if TYPE_CHECKING:
    from bench.protocols import Made

Fields = dict[str, str]
_F = descriptor_pb2.FieldDescriptorProto


class Encoded(NamedTuple):
    """`more`: header fields that may come several times. `status`: None for the one that was made."""

    type: str
    body: bytes
    fields: Fields = {}
    more: tuple[tuple[str, str], ...] = ()
    status: int | None = None


def _dumped(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def as_json(of: Made) -> Encoded:
    return Encoded("application/json", of.edit(_dumped(of.order)), {"ETag": f'"{uuid.uuid4().hex[:12]}"'})


def as_gzip(of: Made) -> Encoded:
    body = gzip.compress(of.edit(_dumped(of.order)), random.randrange(1, 10))
    return Encoded("application/json", body, {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"})


def as_lines(of: Made) -> Encoded:
    return Encoded("application/x-ndjson", of.edit(b"".join(_dumped(each) + b"\n" for each in (of.order, *of.events))))


def as_sequence(of: Made) -> Encoded:
    return Encoded(
        "application/json-seq", of.edit(b"".join(b"\x1e" + _dumped(each) + b"\n" for each in (of.order, *of.events)))
    )


def _flat(of: Made) -> list[tuple[str, str]]:
    """The order without its items, as names and texts."""
    order = of.order
    found = [(key, value) for key, value in order.items() if not isinstance(value, dict | list)]
    found += [(f"customer.{key}", value) for key, value in order["customer"].items()]
    return [(key, str(value).lower() if isinstance(value, bool) else str(value)) for key, value in found]


def as_xml(of: Made) -> Encoded:
    members = "".join(f"<{key}>{html.escape(value)}</{key}>" for key, value in _flat(of))
    items = "".join(
        f'<item sku="{each["sku"]}"><price>{each["price"]}</price><count>{each["count"]}</count></item>'
        for each in of.order["items"]
    )
    text = f'<?xml version="1.0"?><order xmlns="urn:orders">{members}<items>{items}</items></order>'
    return Encoded("application/xml", of.edit(text.encode()))


def as_html(of: Made) -> Encoded:
    nonce = base64.b64encode(random.randbytes(16)).decode()
    token = base64.b64encode(random.randbytes(24)).decode()
    items = "".join(
        f'<li data-sku="{each["sku"]}"><b>{each["price"]}</b> x <i>{each["count"]}</i></li>'
        for each in of.order["items"]
    )
    rows = "".join(
        f'<tr><th>{key}</th><td class="{key}">{html.escape(value)}</td></tr>'
        for key, value in _flat(of)
        if key not in ("self", "requestId")
    )
    text = (
        f'<!DOCTYPE html><html><head><meta name="csrf-token" content="{token}">'
        f'<script nonce="{nonce}">track(1)</script></head><body><h1>Order</h1>'
        f'<!-- {of.order["requestId"]} --><a href="{of.order["self"]}">self</a>'
        f"<table>{rows}</table><ol>{items}</ol><p>Thanks</p></body></html>"
    )
    fields = {"Content-Security-Policy": f"script-src 'nonce-{nonce}'"}
    return Encoded("text/html; charset=utf-8", of.edit(text.encode()), fields)


def _stream(of: Made, events: Iterable[dict[str, Any]]) -> bytes:
    parts = [f": {uuid.uuid4()}\n\n".encode(), b"retry: 3000\n\n"]
    for each in events:
        parts.append(b"event: price\nid: %d\ndata: %b\n\n" % (each["seq"], _dumped(each)))
    return b"".join(parts)


def as_events(of: Made) -> Encoded:
    return Encoded("text/event-stream", of.edit(_stream(of, of.events) + b"data: " + _dumped(of.order) + b"\n\n"))


def as_endless(of: Made) -> Encoded:
    """Cut where reading ended: each side got a different part."""
    events = of.events + [{"seq": 9, "price": 1, "at": of.order["servedAt"]}] * random.randrange(4)
    return Encoded("text/event-stream", _stream(of, events)[: -random.randrange(1, 30)])


def as_graphql(of: Made) -> Encoded:
    order = dict(of.order)
    whole: dict[str, Any] = {"errors": errors} if (errors := order.pop("errors", None)) else {}
    data = order.get("data", {"order": order})
    tracing = {"startTime": of.order["servedAt"], "duration": random.getrandbits(40)}
    return Encoded("application/json", of.edit(_dumped({**whole, "data": data, "extensions": {"tracing": tracing}})))


def as_graphql_batch(of: Made) -> Encoded:
    user = {"data": {"user": {"id": 4, "seenAt": of.order["servedAt"]}}}
    return Encoded("application/json", of.edit(_dumped([{"data": {"order": of.order}}, user])))


def as_form(of: Made) -> Encoded:
    pairs = [(key, value) for key, value in _flat(of) if key != "self"]
    return Encoded("application/x-www-form-urlencoded", of.edit(urlencode(pairs).encode()))


def as_multipart(of: Made) -> Encoded:
    mark = uuid.uuid4().hex
    body = (
        f"--{mark}\r\nContent-Type: application/json\r\nContent-Disposition: form-data; name=order\r\n\r\n".encode()
        + _dumped(of.order)
        + f"\r\n--{mark}\r\nContent-Disposition: form-data; name=note\r\n\r\nfragile\r\n--{mark}--\r\n".encode()
    )
    return Encoded(f"multipart/form-data; boundary={mark}", of.edit(body))


def as_text(of: Made) -> Encoded:
    lines = [f"{key}: {value}" for key, value in _flat(of)]
    lines += [f"item {each['sku']} {each['price']} x {each['count']}" for each in of.order["items"]]
    return Encoded("text/plain; charset=utf-8", of.edit("\n".join(lines).encode()))


def as_bytes(of: Made) -> Encoded:
    content = random.Random(of.order["id"]).randbytes(800)
    return Encoded("image/png", of.edit(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + content + b"\0\0\0\0IEND\xaeB`\x82"))


def as_redirect(of: Made) -> Encoded:
    return Encoded("text/plain", b"", {"Location": of.order["self"]}, status=of.order.get("code", 302))


def as_cookies(of: Made) -> Encoded:
    order, session = of.order, uuid.uuid4().hex
    age = order.get("age", 3600)
    expires = datetime.fromtimestamp(of.at + 3600, tz=UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
    cookies = [("Set-Cookie", f"sid={session}; Max-Age={age}; {order.get('flags', 'Path=/; HttpOnly')}")]
    if "lost" not in order:
        cookies.append(("Set-Cookie", f"csrftoken={uuid.uuid4().hex}; Expires={expires}; Path=/; SameSite=Lax"))
    return Encoded("application/json", b'{"ok": true}', more=tuple(cookies))


def descriptors() -> bytes:
    """The types of the messages, as a descriptor set."""
    file = descriptor_pb2.FileDescriptorProto(name="shop.proto", package="shop", syntax="proto3")
    _message(file, "Item", ("sku", _F.TYPE_STRING), ("price", _F.TYPE_DOUBLE), ("count", _F.TYPE_INT32))
    _message(file, "Customer", ("id", _F.TYPE_STRING), ("name", _F.TYPE_STRING))
    order = _message(
        file, "Order", ("id", _F.TYPE_INT64), ("customer", ".shop.Customer"), ("created", _F.TYPE_STRING),
        ("items", ".shop.Item", True), ("total", _F.TYPE_DOUBLE), ("paid", _F.TYPE_BOOL), ("coupon", _F.TYPE_STRING),
        ("served_at", _F.TYPE_STRING), ("request_id", _F.TYPE_STRING), ("advertisement", _F.TYPE_STRING),
        ("self", _F.TYPE_STRING), ("stock", ".shop.Order.StockEntry", True), ("secret", _F.TYPE_STRING),
    )  # fmt: skip
    entry = order.nested_type.add(name="StockEntry")
    entry.field.add(name="key", number=1, type=_F.TYPE_STRING, label=_F.LABEL_OPTIONAL)
    entry.field.add(name="value", number=2, type=_F.TYPE_INT32, label=_F.LABEL_OPTIONAL)
    entry.options.map_entry = True
    _message(file, "Event", ("seq", _F.TYPE_INT32), ("price", _F.TYPE_DOUBLE), ("at", _F.TYPE_STRING))
    service = file.service.add(name="Shop")
    service.method.add(name="Get", input_type=".shop.Customer", output_type=".shop.Order")
    service.method.add(name="Watch", input_type=".shop.Customer", output_type=".shop.Event", server_streaming=True)
    return descriptor_pb2.FileDescriptorSet(file=[file]).SerializeToString()


def _message(file: descriptor_pb2.FileDescriptorProto, name: str, *fields: Any) -> descriptor_pb2.DescriptorProto:
    made = file.message_type.add(name=name)
    for number, (own, kind, *repeated) in enumerate(fields, 1):
        label = _F.LABEL_REPEATED if repeated else _F.LABEL_OPTIONAL
        each = made.field.add(name=own, number=number, label=label)
        if isinstance(kind, str):
            each.type, each.type_name = _F.TYPE_MESSAGE, kind
        else:
            each.type = kind
    return made


def _class(name: str) -> Any:
    if name not in _CLASSES:
        pool = descriptor_pool.DescriptorPool()
        for file in descriptor_pb2.FileDescriptorSet.FromString(descriptors()).file:
            pool.Add(file)  # type: ignore[no-untyped-call]
        for each in ("Order", "Event"):
            _CLASSES[each] = message_factory.GetMessageClass(pool.FindMessageTypeByName(f"shop.{each}"))  # type: ignore[no-untyped-call]
    return _CLASSES[name]


_CLASSES: dict[str, Any] = {}


def _order_message(of: Made) -> bytes:
    order = of.order
    stock = [(f"shelf {number}", order["id"] + number) for number in range(10)]
    random.shuffle(stock)
    names = {"servedAt": "served_at", "requestId": "request_id"}
    plain = {names.get(key, key): value for key, value in order.items()}
    made: bytes = b"".join(
        (
            _class("Order")(**plain).SerializeToString(),
            # Entries of a map come in any order.
            *(_class("Order")(stock={key: value}).SerializeToString() for key, value in stock),
        )
    )
    return of.edit(made)


def _framed(message: bytes, flags: int = 0) -> bytes:
    return struct.pack(">BI", flags, len(message)) + message


def as_protobuf(of: Made) -> Encoded:
    return Encoded("application/x-protobuf", _order_message(of))


def as_grpc(of: Made) -> Encoded:
    return Encoded("application/grpc", _framed(_order_message(of)), {"grpc-status": "0"})


def as_grpc_stream(of: Made) -> Encoded:
    body = b"".join(_framed(_class("Event")(**each).SerializeToString()) for each in of.events)
    return Encoded("application/grpc", body, {"grpc-status": "0"})


def as_grpc_web(of: Made) -> Encoded:
    """The trailers are the last frame of the body."""
    trailers = {"grpc-status": "0"} | {name: of.fields.pop(name) for name in list(of.fields) if name[:5] == "grpc-"}
    text = "".join(f"{name}: {value}\r\n" for name, value in trailers.items())
    return Encoded("application/grpc-web+proto", _framed(_order_message(of)) + _framed(text.encode(), 0x80))
