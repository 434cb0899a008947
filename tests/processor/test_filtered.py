from __future__ import annotations

from typing import Any

import pytest

from mirror_addon.processor.arrived import read_request
from mirror_addon.processor.events import Head
from mirror_addon.processor.filtered import Filtered

PSEUDO = ((b":authority", b"a.test:81"), (b":path", b"/x?y"), (b":method", b"PUT"), (b":scheme", b"http"))


def filtered(text: str, *, body: bool = False) -> Filtered:
    head = Head(True, (*PSEUDO, (b"a", b"\xff")), not body, {"source.address": "198.51.100.7:5"})
    return Filtered(text, read_request(head, 1.0, edge=False, facts=False), 1.0, body=body)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("~m PUT", True),
        ("~d a.test", True),
        ("~u a.test:81/x", True),
        ("~src 198.51.100.7", True),
        ("~d b.test", False),
        ("~c 200", None),
    ],
)
def test_what_the_request_tells(text: str, found: bool | None) -> None:
    assert filtered(text).now() is found


def test_a_body_is_not_known_before_it_came() -> None:
    found: Any = filtered("~bq needle", body=True)
    assert found.now() is None
    found.complete(b"a needle", ((b"t", b"1"),))
    assert found.now() is True


def test_what_the_response_tells() -> None:
    found = filtered("~c 503 & ~bs sorry & ~hs why")
    assert found.at_end() is False
    found.answered(503, ((b"why", b"1"),), b"sorry")
    assert found.at_end() is True
