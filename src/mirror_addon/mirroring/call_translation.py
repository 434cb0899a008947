"""Mirrors' calls as the primary would make them: with the primary's ids, of which the mirror has its own.

Which value of the mirror stands for which of the primary is known to a worker (`mirror_twin`). It is asked, in a
coroutine, for a call of a mirror with a twin that holds anything which may be an id or a token, and for no other. Where
it does not answer in time, the call goes its way as it is, and is counted.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING
from typing import NamedTuple

from mitmproxy import http

from mirror_addon.compare.twin_values import Translation
from mirror_addon.sandbox.call import CallRequest
from mirror_addon.shadow.frames import OwnCall
from mirror_addon.shadow.frames import TranslatedCall
from mirror_addon.twin import requests

if TYPE_CHECKING:
    from mirror_addon.mirroring.shadow_writer import ShadowWriter

TRANSLATED, UNTRANSLATED = "translated", "untranslated"
"""Names of the counters `sandbox.translated` and `sandbox.untranslated.REASON`."""
_DIGIT = re.compile(rb"\d")
"""Ids and tokens have one."""

Fields = tuple[tuple[bytes, bytes], ...]


class Reading(NamedTuple):
    """A call as the primary would have made it, and what was translated for that."""

    request: CallRequest
    twin: tuple[Translation, ...] = ()


class Passing(NamedTuple):
    """Target, header fields and body with which a call is passed on, and what was translated in them."""

    path: bytes
    headers: Fields
    body: bytes
    twin: tuple[Translation, ...]


class Translated(NamedTuple):
    """The readings of a call, the most likely one first, and as it is last. `passing`: None, if it passes as it is."""

    readings: tuple[Reading, ...]
    passing: Passing | None = None


class CallTranslation:
    """Asks the worker of `writer`. `count(name)` counts what came of it."""

    def __init__(self, writer: ShadowWriter, count: Callable[[str], None]) -> None:
        self._writer = writer
        self._count = count

    async def translate(self, flow: http.HTTPFlow, asked: CallRequest, label: str) -> Translated:
        """The readings of a call of the mirror with this label."""
        fields = flow.request.data.headers.fields
        target = asked.path + b"?" + asked.query if asked.query else asked.path
        body = asked.body if asked.body and requests.wants_body(fields) else b""
        body = body if len(body) <= requests.MAX_BODY else b""
        if not (_DIGIT.search(target) or _DIGIT.search(body) or requests.has_private_fields(fields)):
            return Translated((Reading(asked),))
        own = OwnCall(label, asked.method, target, fields, bool(body))
        answer = await self._writer.dispatcher.translations.ask(own, body)
        if isinstance(answer, str):
            self._count(f"{UNTRANSLATED}.{answer}")
            return Translated((Reading(asked),))
        return self._read(asked, *answer)

    def _read(self, asked: CallRequest, call: TranslatedCall, body: bytes) -> Translated:
        twin = tuple(map(Translation._make, call.translations))
        if not twin and not call.others:
            return Translated((Reading(asked),))
        here = tuple(each for each in twin if not each.where.startswith(("cookie:", "header:")))
        elsewhere = tuple(each for each in here if not each.where.startswith(("path[", "query:")))
        as_primary = _at(asked, call.path)._replace(body=body if call.has_body else asked.body)
        readings = [Reading(as_primary, here)] if here else []
        for path, translations in call.others:
            in_path = tuple(map(Translation._make, translations))
            readings.append(Reading(_at(as_primary, path), (*in_path, *elsewhere)))
        passing = Passing(call.path, call.headers, as_primary.body or b"", twin) if twin else None
        return Translated((*readings, Reading(asked)), passing)


def _at(request: CallRequest, target: bytes) -> CallRequest:
    path, _, query = target.partition(b"?")
    return request._replace(path=path, query=query)
