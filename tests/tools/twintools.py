"""Pairs of responses, and a mirror that is asked by way of its twin."""

from __future__ import annotations

import json
from typing import Any

from mirror_addon.compare.answer import Answer
from mirror_addon.compare.twin_values import TwinValues
from mirror_addon.twin.requests import Call
from mirror_addon.twin.twin import PairRequest
from mirror_addon.twin.twin import Twin

JSON = (b"Content-Type", b"application/json")


def answer(document: Any = None, *fields: tuple[bytes, bytes], status: int = 200, body: bytes | None = None) -> Answer:
    """A response: JSON, or a `body` with its own Content-Type."""
    content = json.dumps(document).encode() if body is None else body
    headers = fields if body is not None else (JSON, *fields)
    return Answer(status, headers, content, len(content))


def call(method: str, path: str, document: Any = None, *fields: tuple[bytes, bytes]) -> Call:
    """A request."""
    body = b"" if document is None else json.dumps(document).encode()
    return Call(method.encode(), path.encode(), ((JSON, *fields) if body else fields), body)


class World:
    """A twin and its pairs."""

    def __init__(self) -> None:
        self.twin = Twin()
        self.number = 0

    def asked(self, asked: Call, connection: str = "c", *, makes: bool | None = None) -> PairRequest:
        """A request on its way, translated."""
        self.number += 1
        reading = self.twin.read(asked, connection, self.number)
        pair = PairRequest(self.number, f"p{self.number}", asked, reading.client)
        pair.makes = asked.method in (b"POST", b"PUT", b"PATCH") if makes is None else makes
        pair.sent, pair.translations = reading.translated()
        pair.missing = reading.missing
        return pair

    def pair(self, asked: Call, primary: Answer, shadow: Answer, connection: str = "c") -> tuple[Call, TwinValues]:
        """A whole pair: the request that the mirror got, and what was learned."""
        pair = self.asked(asked, connection)
        return pair.sent, self.twin.learn(pair, primary, shadow)

    def sent(self, asked: Call, connection: str = "c") -> Call:
        """The request as the mirror would get it."""
        return self.twin.translated(asked, connection)[0]
