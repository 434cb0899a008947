from __future__ import annotations

from typing import Any

import pytest
from mitmproxy import http
from mitmproxy.addons.savehar import SaveHar
from mitmproxy.test import taddons
from pairtools import primary_flow

from mirror_addon.host.har import HarAnnotations


def annotate(entry: dict[str, Any], flow: http.HTTPFlow) -> dict[str, Any]:
    return entry | {"_mirror_id": flow.id, "comment": entry.get("comment", "") + "annotated"}


@pytest.fixture
def annotations() -> HarAnnotations:
    return HarAnnotations(annotate)


async def test_entries_are_annotated_once_until_it_is_taken_back(annotations: HarAnnotations) -> None:
    flow, writer = primary_flow(), SaveHar()
    plain = writer.make_har([flow])
    before = dict(vars(writer))
    with taddons.context(writer):
        annotations.apply()
        annotations.apply()
        HarAnnotations(annotate).apply()
        (entry,) = writer.make_har([flow])["log"]["entries"]
        assert entry == plain["log"]["entries"][0] | {"_mirror_id": flow.id, "comment": "annotated"}
        annotations.take_back()
        annotations.take_back()
    assert writer.make_har([flow]) == plain
    assert vars(writer) == before


async def test_what_another_script_does_since_stays(annotations: HarAnnotations) -> None:
    writer = SaveHar()

    def flow_entry(flow: http.HTTPFlow, servers_seen: Any) -> dict[str, Any]:
        return {}

    with taddons.context(writer):
        annotations.apply()
        writer.flow_entry = flow_entry  # type: ignore[method-assign]
        annotations.take_back()
        assert vars(writer)["flow_entry"] is flow_entry
        annotations.apply()
        assert vars(writer)["flow_entry"] is flow_entry


class OtherWriter:
    name = "savehar"


@pytest.mark.parametrize("addons", [[], [OtherWriter()]])
async def test_without_a_writer_of_mitmproxy_nothing_happens(annotations: HarAnnotations, addons: list[Any]) -> None:
    with taddons.context(*addons):
        annotations.apply()
        annotations.take_back()
    assert all(not vars(addon) for addon in addons)
