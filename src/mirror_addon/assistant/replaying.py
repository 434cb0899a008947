"""Safe requests of a record sent to the mirrors once more, for `mirror-addon mcp --allow-replay`.

The work is that of `mirror-addon replay`: the same reading, routing, sending and comparing, with the same rules, and so
only to the endpoints that the rules and the command line name. What is added are bounds: methods that are safe (RFC
9110, 9.2.1), few requests, one shadow at a time (all mirrors of a request count as one), a time for the whole. The new
pairs are written to a record in a folder that is deleted again, and are read as any record is.

Blocks, so it is called in a thread. Imports mitmproxy, as `replay` does.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mitmproxy import http

from mirror_addon.assistant.fence import fenced
from mirror_addon.assistant.pairs import AssistantError
from mirror_addon.assistant.pairs import PairView
from mirror_addon.assistant.record import RecordSource
from mirror_addon.assistant.rules import RulesSource
from mirror_addon.captures.stream import CaptureError
from mirror_addon.compare.redaction import Redaction
from mirror_addon.options.settings import OptionError
from mirror_addon.options.settings import Settings
from mirror_addon.options.values import SAFE_METHODS
from mirror_addon.protos.files import read_protos
from mirror_addon.replay.order import Repeats
from mirror_addon.replay.planner import Choices
from mirror_addon.replay.player import Pace
from mirror_addon.replay.run import Replay
from mirror_addon.replay.run import replay_within
from mirror_addon.replay.setup import Setup
from mirror_addon.replay.source import Source
from mirror_addon.replay.summary import document
from mirror_addon.replay.summary import why_nothing
from mirror_addon.rules.compare_file import comparison_rules
from mirror_addon.shadow.local_address import own_address

SECONDS = 40.0
"""For all requests of a call. Clients give up on an answer after a minute."""


class Replaying:
    """Replays pairs of `files`, whose pairs are those of `source`."""

    def __init__(
        self, settings: Settings, files: Sequence[str], source: RecordSource, rules: RulesSource, redaction: Redaction
    ) -> None:
        self._settings = settings
        self._files = files
        self._source = source
        self._rules = rules
        self._redaction = redaction

    def call(self, asked: dict[str, Any]) -> str:
        """The tool: `ids` are those of pairs. Sends nothing where one of them is unknown or not safe."""
        before = self._asked(asked["ids"])
        flows = frozenset(map(_flow, before))
        with tempfile.TemporaryDirectory(prefix="mirror-addon-replay-") as folder:
            record = str(Path(folder) / "pairs.jsonl")
            sources = self._sources(flows)
            found = self._replayed(record, sources)
            if nothing := why_nothing(found, sources):
                raise AssistantError(nothing)
            written = Path(record).exists()  # not where the time was over before the first response
            pairs = list(RecordSource([record], None, self._redaction).pairs()) if written else []
        told = document(found, sources)
        names = ("requests", "mirrored", "given_up", "left_out", "shadows", "redacted", "seconds", "interrupted")
        return fenced(
            self._remark(found, len(flows)),
            {name: told[name] for name in names} | {"pairs": self._shown(pairs, before, asked.get("body", 2000))},
        )

    def _asked(self, ids: Sequence[str]) -> dict[str, PairView]:
        """The pairs by their ids."""
        wanted = set(ids)
        found: dict[str, PairView] = {}
        for pair in self._source.pairs():
            if pair.id in wanted and pair.id not in found:
                found[pair.id] = pair
                if len(found) == len(wanted):
                    break
        for id in ids:
            if id not in found:
                raise AssistantError(
                    f"{self._source.name} has no pair {id[:60]!r}; nothing was sent; `pairs` lists them"
                )
            method = found[id].method
            if not _is_safe(method.encode("latin-1", "replace")):
                raise AssistantError(
                    f"{id[:60]} is a {method[:20]}, and only GET, HEAD and OPTIONS are sent again: other methods may "
                    "change something at the mirror (RFC 9110, 9.2.1); nothing was sent. A person can replay it: "
                    "mirror-addon replay"
                )
        return found

    def _sources(self, flows: frozenset[str]) -> list[Source]:
        chosen, own = _Chosen(flows), own_address().encode()
        try:
            return [Source(Path(file), [chosen], own, lambda _: None, most=len(flows)) for file in self._files]
        except CaptureError as error:
            raise AssistantError(str(error)) from None

    def _replayed(self, record: str, sources: list[Source]) -> Replay:
        settings = replace(
            self._settings, record=record, record_bodies=True, responses="keep", concurrency=1, workers=1
        )
        try:
            comparison_rules(settings)
            read_protos(settings.protos)
        except OptionError as error:
            raise AssistantError(str(error)) from None
        table = self._rules.rule_set(primary_endpoints=False).table
        pace = Pace(speed=float("inf"))
        setup = Setup(settings, table, own_address().encode(), pace, Repeats(), Choices())
        found = asyncio.run(replay_within(setup, sources, SECONDS))
        if found.problem and not found.requests:
            raise AssistantError(found.problem)
        return found

    def _remark(self, found: Replay, asked: int) -> str:
        parts = [f"{found.mirrored} of {asked} requests were sent to the mirrors again"]
        if found.interrupted:
            parts.append(f"the others did not fit into {SECONDS:g} seconds; ask for fewer")
        if found.blanked:
            parts.append("header fields under `redacted` are blanked in the record and were left out")
        return "; ".join(parts) + ". `recorded` is the verdict that the pair had."

    def _shown(self, pairs: list[PairView], before: dict[str, PairView], characters: int) -> list[dict[str, Any]]:
        """A single pair in full, several as rows."""
        verdicts = {(_flow(id), pair.target): pair.verdict for id, pair in before.items()}
        rows = []
        for pair in pairs:
            whole = pair.document(self._redaction, characters) if len(pairs) == 1 else pair.summary(self._redaction)
            rows.append({"recorded": verdicts.get((_origin(pair.id, before), pair.target)), **whole})
        return rows


class _Chosen:
    """A filter of exchanges: the requests that were asked for, each once, and never one that is not safe."""

    def __init__(self, flows: frozenset[str]) -> None:
        self._left = set(flows)

    def at_end(self, flow: http.HTTPFlow) -> bool:
        if flow.id not in self._left or not _is_safe(flow.request.data.method):
            return False
        self._left.remove(flow.id)
        return True


def _is_safe(method: bytes) -> bool:
    return method in SAFE_METHODS


def _flow(id: str) -> str:
    """The id of a pair's request: several mirrors have one."""
    return id.partition("/")[0]


def _origin(id: str, before: dict[str, PairView]) -> str:
    """The recorded request of a replayed pair: a replay adds a number where it has several files."""
    flow = _flow(id)
    known = set(map(_flow, before))
    return flow if flow in known else flow.rpartition(".")[0]
