from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from sandboxtools import call_flow

from mirror_addon.compare.twin_values import Translation
from mirror_addon.flows import calls as call_flows
from mirror_addon.mirroring.call_translation import CallTranslation
from mirror_addon.mirroring.call_translation import Passing
from mirror_addon.mirroring.call_translation import Reading
from mirror_addon.mirroring.call_translation import Translated
from mirror_addon.sandbox.call import CallRequest
from mirror_addon.shadow.frames import OwnCall
from mirror_addon.shadow.frames import TranslatedCall

PATH = ("path[1]", "1007", "7", "p1")
BODY = ("$.order_id", "1007", "7", "p1")
TOKEN = ("header:authorization", "of-v1", "of-v2", "p1")


class World:
    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.asked: list[tuple[OwnCall, bytes]] = []
        self.counted: list[str] = []
        translations = SimpleNamespace(ask=self.ask)
        writer: Any = SimpleNamespace(dispatcher=SimpleNamespace(translations=translations))
        self.translation = CallTranslation(writer, self.counted.append)

    async def ask(self, call: OwnCall, body: bytes) -> Any:
        self.asked.append((call, body))
        return self.answer

    async def translate(self, *arguments: Any, **more: Any) -> tuple[CallRequest, Translated]:
        flow = call_flow(*arguments, **more)
        asked = CallRequest.make(flow.request.data.method, b"http", b"pay.test", flow.request.data.path)
        asked = call_flows.call_of(flow, asked)
        return asked, await self.translation.translate(flow, asked, "b/v2")


async def test_the_readings_of_a_call() -> None:
    others = ((b"/orders/1008", (("path[1]", "1008", "7", "p2"),)),)
    fields = ((b"Authorization", b"of-v1"),)
    world = World((TranslatedCall(b"/orders/1007?a=1", fields, True, (PATH, BODY, TOKEN), others), b"new"))
    asked, found = await world.translate("POST", "/orders/7?a=1", b'{"order_id": 7}')
    path, body, token = map(Translation._make, (PATH, BODY, TOKEN))
    as_primary = asked._replace(path=b"/orders/1007", body=b"new")
    assert found.readings == (
        Reading(as_primary, (path, body)),
        Reading(as_primary._replace(path=b"/orders/1008", query=b""), (Translation._make(others[0][1][0]), body)),
        Reading(asked),
    )
    assert found.passing == Passing(b"/orders/1007?a=1", fields, b"new", (path, body, token))
    ((own, sent),) = world.asked
    assert (own.label, own.method, own.path, own.has_body, sent) == (
        "b/v2", b"POST", b"/orders/7?a=1", True, b'{"order_id": 7}',
    )  # fmt: skip


async def test_nothing_known() -> None:
    world = World((TranslatedCall(b"/orders/7", (), False, (), ()), b""))
    asked, found = await world.translate("GET", "/orders/7", b"")
    assert found == Translated((Reading(asked),)) and world.counted == []


async def test_a_token_alone_is_for_what_passes() -> None:
    world = World((TranslatedCall(b"/rates", (), False, (TOKEN,), ()), b""))
    asked, found = await world.translate("GET", "/rates", b"", fields={"authorization": "of-v2"})
    assert found.readings == (Reading(asked),) and found.passing is not None


@pytest.mark.parametrize(
    ("path", "body", "fields"),
    [("/rates?of=EUR", b"", {}), ("/rates", b'{"of": "EUR"}', {}), ("/x", b"7" * 10, {"content-type": "a/b"})],
)
async def test_what_cannot_hold_an_id_is_not_asked(path: str, body: bytes, fields: dict[str, str]) -> None:
    world = World("timeout")
    asked, found = await world.translate("POST", path, body, fields=fields)
    assert found == Translated((Reading(asked),)) and world.asked == [] and world.counted == []


async def test_a_long_body_is_not_sent() -> None:
    world = World((TranslatedCall(b"/orders/7", (), False, (), ()), b""))
    await world.translate("POST", "/orders/7", b"7" * 300_000)
    assert world.asked[0][1] == b"" and not world.asked[0][0].has_body


async def test_no_answer_is_counted() -> None:
    world = World("worker_lost")
    asked, found = await world.translate("GET", "/orders/7", b"")
    assert found == Translated((Reading(asked),)) and world.counted == ["untranslated.worker_lost"]
