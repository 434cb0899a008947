from __future__ import annotations

import pytest
from twintools import call as json_call

from mirror_addon.twin.requests import BODY
from mirror_addon.twin.requests import Call
from mirror_addon.twin.requests import Value
from mirror_addon.twin.requests import may_hold
from mirror_addon.twin.requests import rewritten
from mirror_addon.twin.requests import spots
from mirror_addon.twin.requests import wants_body

JSON = (b"Content-Type", b"application/json; charset=utf-8")
FORM = (b"Content-Type", b"application/x-www-form-urlencoded")
PARTS = (b"content-type", b"multipart/form-data; boundary=XX")
UPLOAD = (
    b'--XX\r\nContent-Disposition: form-data; name="order_id"\r\n\r\n7\r\n'
    b'--XX\r\nContent-Disposition: form-data; name="quantity"\r\n\r\n7\r\n'
    b'--XX\r\nContent-Disposition: form-data; name="order_id"; filename="x"\r\n\r\n7\r\n--XX--\r\n'
)


def changed(call: Call, known: str, value: str) -> tuple[list[str], Call]:
    found = list(spots(call, lambda text: text == known))
    return [each.where for each in found], rewritten(call, [(each, Value(value)) for each in found])


def call(path: bytes = b"/x", *headers: tuple[bytes, bytes], body: bytes = b"") -> Call:
    return Call(b"POST", path, headers, body)


def test_a_json_body_and_its_length() -> None:
    body = b'{"quantity": 7, "order_id": 7, "orderId": "7"}'
    asked = call(b"/orders/7?limit=7", JSON, (b"content-length", b"%d" % len(body)), body=body)
    where, sent = changed(asked, "7", "2001")
    assert sorted(where) == ["$.orderId", "$.order_id", "path[1]"]
    assert sent.path == b"/orders/2001?limit=7"
    assert sent.body == b'{"quantity": 7, "order_id": 2001, "orderId": "2001"}'
    assert sent.headers[1] == (b"content-length", b"%d" % len(sent.body))


def test_a_number_becomes_text_where_the_mirror_has_text() -> None:
    asked = call(b"/x", JSON, body=b'{"order_id": 7}')
    (spot,) = spots(asked, lambda text: text == "7")
    assert spot.part == BODY
    assert rewritten(asked, [(spot, Value("a1"))]).body == b'{"order_id": "a1"}'
    assert rewritten(asked, [(spot, Value("8", number=False))]).body == b'{"order_id": "8"}'


def test_forms() -> None:
    where, sent = changed(call(b"/x", FORM, body=b"quantity=7&order_id=7&csrf=7"), "7", "a b")
    assert (where, sent.body) == (["form:order_id", "form:csrf"], b"quantity=7&order_id=a+b&csrf=a+b")
    where, sent = changed(call(b"/x", PARTS, body=UPLOAD), "7", "2001")
    assert where == ["form:order_id"]
    assert sent.body == UPLOAD.replace(b"\r\n\r\n7", b"\r\n\r\n2001", 1)


def test_header_fields() -> None:
    fields = (
        (b"Cookie", b"a=7; sid=7;b=77"),
        (b"Authorization", b"Bearer 7"),
        (b"Referer", b"http://shop.test/orders/7?limit=7"),
        (b"X-CSRF-Token", b"7"),
        (b"X-Other", b"7"),
    )
    where, sent = changed(call(b"/x", *fields), "7", "m")
    assert where == ["cookie:a", "cookie:sid", "header:authorization", "header:referer path[1]", "header:x-csrf-token"]
    assert [value for _, value in sent.headers] == [
        *(b"a=m; sid=m;b=77", b"Bearer m", b"http://shop.test/orders/m?limit=7", b"m", b"7")
    ]


def test_entity_tags_belong_to_their_target() -> None:
    asked = call(b"/orders/7", (b"If-Match", b'W/"1", "2"'))
    (spot,) = spots(asked, lambda text: text == '"2"')
    assert spot.keys == (("etag", "/orders/7", '"2"'),)
    assert rewritten(asked, [(spot, Value('"9"'))]).headers[0][1] == b'W/"1", "9"'


@pytest.mark.parametrize(
    "asked",
    [
        call(b"/x", (b"Authorization", b"Basic 7")),
        call(b"/x", JSON, (b"Content-Encoding", b"gzip"), body=b'{"order_id": 7}'),
        call(b"/x", JSON, body=b'{"order_id": 7'),
        call(b"/x", JSON, body=b'{"order_id": 7}' + b" " * 300_000),
        call(b"/x", body=b'{"order_id": 7}'),
        Call(b"POST", b"/x", (JSON,), None),
    ],
)
def test_what_is_left_alone(asked: Call) -> None:
    assert changed(asked, "7", "8") == ([], asked)


def test_which_bodies_are_waited_for() -> None:
    assert wants_body((JSON,)) and wants_body((FORM,)) and wants_body((PARTS,))
    assert not wants_body(()) and not wants_body(((b"Content-Type", b"image/png"),))
    assert not wants_body((JSON, (b"content-encoding", b"gzip")))


@pytest.mark.parametrize(
    ("asked", "text", "may"),
    [
        (json_call("GET", "/orders/7"), "7", True),
        (json_call("GET", "/orders/7"), "8", False),
        (json_call("GET", "/orders/%37"), "8", True),
        (json_call("POST", "/x", {"a": "b"}), "8", False),
        (json_call("POST", "/x", {"a": "\u00e9"}), "8", True),
        (json_call("GET", "/x", None, (b"Cookie", b"sid=8")), "8", True),
        (json_call("GET", "/x", None, (b"User-Agent", b"8")), "8", False),
        (json_call("GET", "/x"), "\u00e9", True),
    ],
)
def test_whether_a_request_may_hold_a_text(asked: Call, text: str, may: bool) -> None:
    assert may_hold(asked, text) is may
