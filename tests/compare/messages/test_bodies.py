"""Bodies of gRPC and Protocol Buffers in a comparison."""

from __future__ import annotations

import base64
import gzip
import json
import struct

import pytest
from google.protobuf import any_pb2
from messagetools import GET
from messagetools import WATCH
from messagetools import compared
from messagetools import frame
from messagetools import grpc
from messagetools import kind
from messagetools import order
from messagetools import told

from mirror_addon.compare.answer import Answer
from mirror_addon.compare.echoes import Asked


def test_fields_by_name() -> None:
    one = order(id=1, items=[{"sku": "a", "price": 9.5}], stock={"x": 1}, state="OPEN")
    other = order(id=1, items=[{"sku": "a", "price": 9.25}], stock={"x": 2}, state="SHIPPED")
    found = compared(grpc(one), grpc(other))
    assert told(found) == [("$.items[*].price", "value", ""), ("$.stock.x", "value", ""), ("$.state", "value", "")]
    assert [(each.primary, each.shadow) for each in found.differences] == [(9.5, 9.25), (1, 2), ("OPEN", "SHIPPED")]
    assert found.notes == ()


def test_fields_by_number() -> None:
    one = order(id=1, items=[{"sku": "a", "price": 9.5}])
    other = order(id=1, items=[{"sku": "a", "price": 9.25}])
    found = compared(grpc(one), grpc(other), descriptors=b"")
    assert told(found) == [("$.2.2", "value", "")]
    assert (found.differences[0].primary, found.differences[0].shadow) == (9.5, 9.25)
    assert told(compared(grpc(one), grpc(other), url="http://h/other.Service/Get")) == [("$.2.2", "value", "")]


def test_the_order_on_the_wire_and_of_maps_does_not_matter() -> None:
    one, other = order(id=1).SerializeToString(), order(small=2).SerializeToString()
    assert compared(grpc(one + other), grpc(other + one)).verdict == "same"
    assert compared(grpc(one + other), grpc(other + one), descriptors=b"").verdict == "same"
    entries = [order(stock={key: 1}).SerializeToString() for key in ("a", "b")]
    assert compared(grpc(entries[0] + entries[1]), grpc(entries[1] + entries[0])).verdict == "same"
    assert compared(grpc(b"\x30\x01\x30\x02"), grpc(b"\x32\x02\x01\x02")).verdict == "same", "packed or not"


@pytest.mark.parametrize(
    ("rule", "verdict"),
    [
        ("{path: '$.items[*].price', tolerance: 5%}", "noise"),
        ("{path: '$.items[*].price', ignore: true, endpoint: /shop.Shop/Get}", "noise"),
        ("{path: '$.items[*].price', ignore: true, endpoint: /shop.Shop/Watch}", "different"),
    ],
)
def test_rules(rule: str, verdict: str) -> None:
    one, other = (grpc(order(items=[{"price": price}])) for price in (100.0, 101.0))
    assert compared(one, other, rules=f"rules: [{rule}]").verdict == verdict


def test_rules_for_numbers() -> None:
    one, other = (grpc(order(items=[{"price": price}, {"price": 1.0}])) for price in (100.0, 101.0))
    assert told(compared(one, other, descriptors=b"")) == [("$.2[*].2", "value", "")]
    assert compared(one, other, rules="rules: [{path: '$.2[*].2', tolerance: 5%}]", descriptors=b"").verdict == "noise"


@pytest.mark.parametrize("named", [True, False])
def test_times(named: bool) -> None:
    def at(seconds: int, nanos: int) -> Answer:
        return grpc(order(created={"seconds": seconds, "nanos": nanos}))

    more = {} if named else {"descriptors": b""}
    one = at(1_700_000_000, 5)
    for other, verdict in ((at(1_700_000_003, 0), "noise"), (at(1_700_900_000, 7), "different")):
        found = compared(one, other, now=1_700_000_003.0, primary_now=1_700_000_000.0, **more)
        assert (found.verdict, told(found)[0][0]) == (verdict, "$.created" if named else "$.5")


def test_any_by_its_own_type() -> None:
    answers = []
    for price in (1.0, 2.0):
        message = order()
        message.extra.Pack(kind("shop.Item")(price=price))
        answers.append(grpc(message))
    assert told(compared(*answers)) == [("$.extra.price", "value", "")]


def test_streams_are_lists_of_messages() -> None:
    one, other = ([order(id=1), order(id=2, small=price)] for price in (5, 6))
    assert told(compared(grpc(*one), grpc(*other), WATCH)) == [("$[*].small", "value", "")]
    assert told(compared(grpc(*one), grpc(*other), WATCH, descriptors=b"")) == [("$[*].21", "value", "")]
    assert told(compared(grpc(one[0]), grpc(order(id=1, small=1)), WATCH)) == [("$[*].small", "extra", "")]
    assert told(compared(grpc(*one), grpc(one[0]), WATCH)) == [("$", "length", ""), ("$[*]", "missing", "")]


def test_a_stream_that_was_cut_is_compared_as_far_as_both_went() -> None:
    one = grpc(order(id=1), order(id=2), order(id=3))
    body = (one.body or b"")[:-2]
    cut = Answer(200, one.headers, body, len(body), ended=False)
    assert compared(one, cut, WATCH).verdict == "same"
    wrong = Answer(200, one.headers, frame(order(id=9)) + body[-1:], 5, ended=False)
    assert told(compared(one, wrong, WATCH))[0][0] == "$[*].id"


def test_no_message() -> None:
    assert told(compared(grpc(order(id=1)), grpc())) == [("$", "missing", "")]
    assert told(compared(grpc(), grpc(order(id=1)))) == [("$", "extra", "")]
    assert compared(grpc(), grpc()).verdict == "same"


def test_compressed_messages() -> None:
    message = order(id=1, note={"value": "x" * 100})
    packed = frame(gzip.compress(message.SerializeToString()), 1)
    fields = ((b"content-type", b"application/grpc"), (b"grpc-status", b"0"), (b"grpc-encoding", b"gzip"))
    coded = Answer(200, fields, packed, len(packed))
    assert told(compared(grpc(message), coded)) == [("header:grpc-encoding", "extra", "")]
    bomb = frame(gzip.compress(b"\0" * 40_000_000), 1)
    found = compared(coded, Answer(200, fields, bomb, len(bomb)))
    assert "too big" in found.notes[0] and told(found)[0][0] == "body"
    odd = Answer(200, (*fields[:2], (b"grpc-encoding", b"snappy")), packed + frame(b""), len(packed) + 5)
    assert "unknown content coding 'snappy'" in compared(coded, odd).notes[0]


def test_messages_in_json() -> None:
    fields = ((b"content-type", b"application/grpc+json"),)
    one, other, bad = (Answer(200, fields, frame(text), 99) for text in (b'{"a": 1}', b'{"a": 2}', b"{"))
    one, other, bad = (Answer(each.status, fields, each.body, len(each.body or b"")) for each in (one, other, bad))
    assert told(compared(one, other)) == [("$.a", "value", "")]
    assert "invalid JSON" in compared(one, bad).notes[0]


def web(*messages: object, text: bool = False, status: bytes = b"0", fields: bytes = b"") -> Answer:
    parts = [*map(frame, messages), frame(b"grpc-status: " + status + b"\r\n" + fields, 0x80)]
    body = b"".join(map(base64.b64encode, parts)) if text else b"".join(parts)
    kind = b"application/grpc-web-text+proto" if text else b"application/grpc-web+proto"
    return Answer(200, ((b"content-type", kind),), body, len(body))


@pytest.mark.parametrize("text", [False, True])
def test_grpc_web(text: bool) -> None:
    one = web(order(id=1), text=text)
    assert told(compared(one, web(order(id=2), text=text))) == [("$.id", "value", "")]
    assert compared(one, one).verdict == "same"
    found = compared(one, web(text=text, status=b"5", fields=b"grpc-message: not%20there\r\n"))
    assert told(found) == [
        ("header:grpc-message", "extra", ""), ("header:grpc-status", "value", ""), ("$", "missing", ""),
    ]  # fmt: skip
    assert found.differences[0].shadow == "not there"


def plain(message: object, content_type: bytes = b"application/x-protobuf") -> Answer:
    data = message if isinstance(message, bytes) else message.SerializeToString()  # type: ignore[attr-defined]
    return Answer(200, ((b"content-type", content_type),), data, len(data))


@pytest.mark.parametrize(
    ("content_type", "url", "path"),
    [
        (b"application/x-protobuf", "http://h/orders", "$.21"),
        (b'application/x-protobuf; messageType="shop.Order"', "http://h/orders", "$.small"),
        (b"application/protobuf;proto=shop.Order", "http://h/orders", "$.small"),
        (b"application/protobuf", "http://h/twirp/shop.Shop/Get", "$.small"),
        (b"application/proto", "http://h/shop.Shop/Get", "$.small"),
        (b"application/vnd.google.protobuf; proto=shop.None", "http://[h/", "$.21"),
    ],
)
def test_protobuf_without_grpc(content_type: bytes, url: str, path: str) -> None:
    one, other = (plain(order(small=each), content_type) for each in (1, 2))
    assert told(compared(one, other, url)) == [(path, "value", "")]


def test_what_the_mirror_repeats_of_its_request_is_put_back() -> None:
    asked = Asked(b"shop.test-shadow", b"shop.test")
    one = grpc(order(note={"value": "http://shop.test/1"}, card="x"))
    found = compared(one, grpc(order(note={"value": "http://shop.test-shadow/1"}, card="x"), asked=asked))
    assert (found.verdict, told(found)) == ("noise", [("$.note", "value", "echo")])
    assert compared(one, grpc(order(note={"value": "http://shop.test-shadow/2"}), asked=asked)).verdict == "different"


def test_a_new_id_and_a_control() -> None:
    ids = [grpc(order(note={"value": f"0195e7d4-0000-7000-8000-00000000000{n}"})) for n in range(3)]
    assert compared(ids[0], ids[1]).verdict == "noise"
    numbers = [grpc(order(small=n)) for n in range(1, 4)]
    assert compared(numbers[0], numbers[1], control=numbers[2]).verdict == "noise"


def nested(levels: int, tag: bytes = b"\x0a") -> bytes:
    data = b""
    for _ in range(levels):
        size = len(data)
        length = b""
        while size > 127:
            length += bytes([size & 0x7F | 0x80])
            size >>= 7
        data = tag + length + bytes([size]) + data
    return data


@pytest.mark.parametrize(
    ("message", "note"),
    [
        (b"\x08", "ends within a number"),
        (b"\x08" + b"\xff" * 11, "more than 10 bytes"),
        (b"\x0a\xff\xff\xff\xff\x0f", "longer than the message"),
        (b"\x0a\x7f", "longer than the message"),
        (b"\x00\x01", "invalid number"),
        (b"\x0e\x01", "invalid type"),
        (b"\x0c", "ends without a begin"),
        (b"\x0b\x08\x01", "without an end"),
        (b"\x0b" * 5000, "nested too deep"),
        (b"\x0d\x01", "ends within a number"),
        (b"\x08\x01" * 300_000, "too many fields"),
        (b"\x32" + b"\xe0\xa7\x12" + b"\x01" * 300_000, "too many fields"),
        (b"\xb2\x01" + b"\x01" + b"\x08", "ends within a number"),
    ],
)
def test_hostile_messages_are_compared_as_bytes(message: bytes, note: str) -> None:
    found = compared(grpc(order(id=1)), grpc(message))
    assert note in found.notes[0] and found.notes[0].endswith("compared as bytes")
    assert [each[0] for each in told(found)] == ["body"]


def test_hostile_messages_without_types() -> None:
    deep = nested(20_000)
    found = compared(grpc(deep), grpc(deep + b"\x10\x01"), descriptors=b"")
    assert told(found) == [("$.2", "extra", "")]
    wide = b"\x0a\x04\x0b\x0c\x0b\x0c" * 20_000
    assert compared(grpc(wide), grpc(wide + b"\x10\x01"), descriptors=b"").verdict == "different"
    loop = b""
    for _ in range(300):
        loop = any_pb2.Any(type_url="x/google.protobuf.Any", value=loop).SerializeToString()
    found = compared(grpc(order(extra={})), grpc(b"\x5a" + bytes(_varint(len(loop))) + loop))
    assert "nested too deep" in found.notes[0]


def _varint(size: int) -> list[int]:
    found = []
    while size > 127:
        found.append(size & 0x7F | 0x80)
        size >>= 7
    return [*found, size]


@pytest.mark.parametrize("body", [b"\0\0\0", struct.pack(">BI", 0, 2**32 - 1) + b"x", b"\0\0\0\0\0" * 60_000])
def test_hostile_frames(body: bytes) -> None:
    one = grpc(order(id=1))
    found = compared(one, Answer(200, one.headers, body, len(body)))
    assert [each[0] for each in told(found)] == ["body"] and "compared as bytes" in found.notes[0]


def test_bytes_that_are_no_text_in_a_body_that_cannot_be_read_are_json_too() -> None:
    found = compared(grpc(b"\x12\x03\x0a\x01\xff"), grpc(b"\x12\x03\x0a\x01\xfe"))
    assert json.dumps([each.primary for each in found.differences])
    assert told(found) == [("$.items[*].sku", "value", "")]


def test_a_path_that_is_no_call() -> None:
    for url in ("", "http://[", "http://h", GET + "/more"):
        assert told(compared(grpc(order(small=1)), grpc(order(small=2)), url)) == [("$.21", "value", "")]


def test_delimited_messages() -> None:
    kind = b"application/vnd.google.protobuf; proto=shop.Order; encoding=delimited"
    one, other = (
        plain(
            b"".join(
                bytes([len(data)]) + data
                for data in (order(id=1).SerializeToString(), order(small=n).SerializeToString())
            ),
            kind,
        )
        for n in (2, 3)
    )
    assert told(compared(one, other)) == [("$[*].small", "value", "")]
    assert "not delimited" in compared(one, plain(b"\x05a", kind)).notes[0]


def test_one_message_that_is_none() -> None:
    assert "not a message" in compared(plain(order(id=1)), plain(b"\x0a\x7f")).notes[0]
    assert compared(plain(b"\x08\x00"), plain(b""), "http://h/shop.Shop/Get").verdict == "same", "a default"


def test_echoes_in_lists_of_messages_in_json() -> None:
    asked = Asked(b"a.test-shadow", b"a.test")
    fields = ((b"content-type", b"application/grpc+json"),)
    one, other = (
        Answer(200, fields, body, len(body), asked=asked)
        for body in (frame(b'{"a": ["http://a.test/", 1]}'), frame(b'{"a": ["http://a.test-shadow/", 1]}'))
    )
    assert compared(one, other).verdict == "noise"


def test_frames_that_differ_in_nothing_but_what_was_cut() -> None:
    one, other = (Answer(200, grpc().headers, body, 10) for body in (b"\0\0", b"\0\0\0"))
    assert compared(one, other).verdict == "same"
