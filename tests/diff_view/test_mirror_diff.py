from __future__ import annotations

import asyncio
import io
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from mitmproxy import http
from mitmproxy.addons.view import View
from mitmproxy.io import FlowReader
from mitmproxy.io import FlowWriter
from mitmproxy.test import taddons
from mitmproxy.test import tflow
from pairtools import TEXT
from pairtools import primary_flow
from pairtools import shadow_request
from pairtools import show_pair

from mirror_addon.addon import MirrorAddon
from mirror_addon.compare.calls import Call
from mirror_addon.compare.difference import Difference
from mirror_addon.diff_view import comparing
from mirror_addon.diff_view.comparer import AT_ONCE
from mirror_addon.diff_view.mirror_diff import MAX_SHADOWS
from mirror_addon.diff_view.mirror_diff import MAX_TRACE
from mirror_addon.diff_view.text import BEING_COMPARED
from mirror_addon.flows.exchange import Exchange
from mirror_addon.options.settings import OPTIONS
from mirror_addon.options.settings import parse_settings
from mirror_addon.routing.decision import Request
from mirror_addon.rules.rule_set import load_rule_set
from mirror_addon.shadow_flows import metadata as meta
from mirror_addon.shadow_flows.call_marks import mark_call
from mirror_addon.shadow_flows.flow_list import ShadowFlows
from mirror_addon.statistics.reasons import REASONS

RULES = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: shop, annotations: {{mirror-addon/ignore: "header:x-noise"}}}}
spec:
  hosts: [shop.test]
  http:
{others}
  - match: [{{uri: {{prefix: /never}}}}]
    route: [{{destination: {{host: one}}}}]
    mirror: {{host: two}}
    mirrorPercentage: {{value: 0}}
  - match: [{{uri: {{prefix: /here}}}}]
    directResponse: {{status: 418}}
    mirror: {{host: two}}
  - match: [{{uri: {{prefix: /alone}}}}]
    route: [{{destination: {{host: one}}}}]
  - route: [{{destination: {{host: one}}}}]
    mirror: {{host: two}}
"""


@pytest.fixture
async def addon() -> MirrorAddon:
    return MirrorAddon()


def told(addon: MirrorAddon, flow: http.HTTPFlow, *, concise: bool = False) -> list[str]:
    return [line.text.strip() for line in addon.diff.lines(flow, concise=concise)]


def routed(addon: MirrorAddon, folder: Path, flow: http.HTTPFlow, path: bytes, others: str = "") -> None:
    """Let `flow` be one that this addon routed."""
    (folder / "rules.yaml").write_text(RULES.format(others=others))
    values = {option.name: option.default for option in OPTIONS} | {
        "mirror_rules": [str(folder)],
        "mirror_endpoints": ["one=127.0.0.1:1", "two=127.0.0.1:2"],
    }
    table = addon.session.rules.table = load_rule_set(parse_settings(values), b"10.0.0.9").table
    request = Request(b"GET", b"http", b"shop.test", path, (), 80)
    addon.session.exchanges[flow] = Exchange(table, request, 7, table.route(request, 7), settled=True)


async def test_both_halves_of_a_pair_tell_the_same(view: View, addon: MirrorAddon, tmp_path: Path) -> None:
    primary = primary_flow(b"a\nb", TEXT)
    shadow = show_pair(view, ShadowFlows(10), primary, body=b"a\nc", headers=TEXT)
    routed(addon, tmp_path, primary, b"/x")
    lines = told(addon, primary)
    assert told(addon, shadow) == lines
    assert lines[0] == "different · 1 difference"
    assert "-b" in lines and "+c" in lines
    host = lines.index("Host")
    assert lines[host + 1 : host + 3] == ["- shop.test", "+ shop.test-shadow"]
    assert any("default/shop http[3]: matches" in line for line in lines[lines.index("Why here") :])
    assert lines[-1] == f"To send it to its mirrors again: mirror.replay @{primary.id}"


async def test_all_shadows_of_a_primary_are_told(view: View, addon: MirrorAddon) -> None:
    primary, flows = primary_flow(), ShadowFlows(10)
    shadows = [show_pair(view, flows, primary) for _ in range(3)]
    lines = told(addon, primary)
    assert [line for line in lines if line.startswith("shadow ")] == [
        f"shadow  {shadow.id[:8]} -> b/v2, by default/shop http[0]" for shadow in shadows
    ]


async def test_of_very_many_the_newest_are_told(view: View, addon: MirrorAddon) -> None:
    primary, flows = primary_flow(), ShadowFlows(100)
    shadows = [show_pair(view, flows, primary) for _ in range(MAX_SHADOWS + 3)]
    lines = told(addon, primary)
    assert lines[0] == f"The newest {MAX_SHADOWS} of {MAX_SHADOWS + 3} shadows; open an older one to see it."
    assert [line[8:16] for line in lines if line.startswith("shadow ")] == [flow.id[:8] for flow in shadows[3:]]
    assert not any("not in this list" in line for line in lines)


async def test_the_command_tells_a_pair_once_and_no_more_than_asked(view: View, addon: MirrorAddon) -> None:
    primary = primary_flow()
    shadow = show_pair(view, ShadowFlows(10), primary)
    text = addon.diff.text([primary, shadow])
    assert text.count("1 difference") == 1
    assert "Why here" not in text and "Request as sent" not in text
    assert addon.diff.text([shadow]) == text


async def test_read_back_from_a_file(view: View, addon: MirrorAddon) -> None:
    primary = primary_flow(b"a", TEXT)
    shadow = show_pair(view, ShadowFlows(10), primary, body=b"b", headers=TEXT)
    before = told(addon, primary, concise=True)
    file = io.BytesIO()
    for flow in (primary, shadow):
        FlowWriter(file).add(flow)
    view.clear()
    read = list(FlowReader(io.BytesIO(file.getvalue())).stream())
    view.add(read)
    assert told(addon, read[0], concise=True) == told(addon, read[1], concise=True) == before
    assert "The decision is not saved in files, and not kept when the script is reloaded." in told(addon, read[0])
    view.clear()
    copies = [flow.copy() for flow in read]  # as view.flows.load makes them
    view.add(copies)
    again = told(addon, copies[1], concise=True)
    assert again == told(addon, copies[0], concise=True)
    assert again[0] == before[0] and again[3:] == before[3:]


async def test_a_comparison_that_took_too_long(view: View, addon: MirrorAddon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparing, "LIMIT", 0.05)
    primary = primary_flow(b"a" * AT_ONCE, TEXT)
    shadow = show_pair(view, ShadowFlows(10), primary, body=b"b" * AT_ONCE, headers=TEXT)
    assert BEING_COMPARED in told(addon, shadow)
    deadline = time.monotonic() + 30
    while BEING_COMPARED in (lines := told(addon, shadow)):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)
    assert "The bodies were not compared: it took more than 0.05 s." in lines
    assert lines[0] == "different · 1 difference" and any(line.startswith("status") for line in lines)
    addon.diff.close()


def edited(view: View, primary: http.HTTPFlow, *fields: tuple[bytes, bytes]) -> http.HTTPFlow:
    """A shadow with the primary's body to whose response a person added these header fields."""
    assert primary.response
    body = primary.response.raw_content
    shadow = show_pair(view, ShadowFlows(10), primary, body=body, headers=primary.response.headers.fields)
    shadow.backup()
    assert shadow.response
    shadow.response.headers.fields += fields
    return shadow


async def test_a_rule_says_what_is_ignored(view: View, addon: MirrorAddon, tmp_path: Path) -> None:
    primary = primary_flow()
    shadow = edited(view, primary, (b"x-noise", b"1"))
    assert told(addon, shadow)[0] == "different · 1 difference"
    addon.diff.close()
    routed(addon, tmp_path, primary, b"/x")
    assert told(addon, shadow)[0].startswith("noise · ")


async def test_compare_yaml_says_what_is_ignored(view: View, tmp_path: Path) -> None:
    addon = MirrorAddon()
    (tmp_path / "rules.yaml").write_text(RULES.format(others=""))
    (tmp_path / "compare.yaml").write_text("rules: [{header: x-other, ignore: true}]")
    with taddons.context(view, loadcore=False) as context:
        context.master.addons.add(addon)
        options = {"mirror_rules": [str(tmp_path / "rules.yaml")], "mirror_compare": str(tmp_path / "compare.yaml")}
        context.configure(addon, mirror_endpoints=["one=127.0.0.1:1", "two=127.0.0.1:2"], **options)
        shadow = edited(view, primary_flow(), (b"x-other", b"1"))
        assert told(addon, shadow)[0].startswith("noise · ")
        if (drained := addon.done()) is not None:
            await drained


async def test_why_a_request_was_held_back_is_derived_from_the_settings(view: View, tmp_path: Path) -> None:
    addon = MirrorAddon()
    with taddons.context(view, loadcore=False) as context:
        context.master.addons.add(addon)
        context.configure(addon, mirror_to=["http://127.0.0.1:3"], mirror_rules=[], mirror_methods="safe")
        flow = primary_flow()
        routed(addon, tmp_path, flow, b"/x")
        addon.session.exchanges[flow].request = Request(b"POST", b"http", b"shop.test", b"/x", (), 80)
        assert told(addon, flow)[0] == f"Not mirrored to two: {REASONS['method']} (method)."
        flow.request.headers["Upgrade"], flow.request.headers["Connection"] = "websocket", "Upgrade"
        assert told(addon, flow)[0] == f"Not mirrored to two: {REASONS['upgrade']} (upgrade)."
        if (drained := addon.done()) is not None:
            await drained


async def test_what_cannot_be_shown_is_an_error_line(
    view: View, addon: MirrorAddon, caplog: pytest.LogCaptureFixture
) -> None:
    flow = primary_flow()
    del flow.metadata  # as no file can have it
    (line,) = addon.diff.lines(flow)
    assert line.style == "error" and line.text.startswith("Mirror Diff cannot show this flow: AttributeError(")
    assert "cannot show the difference" in caplog.text


async def test_a_shadow_whose_primary_is_gone(view: View, addon: MirrorAddon) -> None:
    primary = primary_flow()
    shadow = show_pair(view, ShadowFlows(10), primary)
    view.remove([primary])
    lines = told(addon, shadow)
    assert lines[0] == "different · 1 difference"
    assert any("is no longer in this list" in line for line in lines)
    assert any(line.startswith("- ") for line in lines)


async def test_a_primary_whose_shadows_are_gone(view: View, addon: MirrorAddon) -> None:
    primary, flows = primary_flow(), ShadowFlows(1)
    gone = show_pair(view, flows, primary)
    view.remove([gone])
    assert "1 of its 1 shadows is not in this list: removed, or in another file." in told(addon, primary)
    other = primary_flow()
    show_pair(view, flows, other)
    show_pair(view, flows, primary_flow())
    assert "No shadow to b/v2: removed to make room for newer ones (mirror_pairs)." in told(addon, other)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        (b"/never", f"Not mirrored to two: {REASONS['percent']} (percent)."),
        (b"/here", f"Not mirrored to two: {REASONS['local_reply']} (local_reply)."),
        (b"/alone", "Not mirrored: default/shop http[2] has no mirror."),
    ],
)
async def test_flows_without_a_pair_say_why(
    view: View, addon: MirrorAddon, tmp_path: Path, path: bytes, said: str
) -> None:
    flow = primary_flow()
    routed(addon, tmp_path, flow, path)
    assert told(addon, flow)[0] == said


async def test_a_request_on_its_way(view: View, addon: MirrorAddon, tmp_path: Path) -> None:
    flow = primary_flow()
    routed(addon, tmp_path, flow, b"/x")
    assert told(addon, flow)[0].startswith("Not mirrored to two: held back when the request arrived")
    addon.session.exchanges[flow].settled = False
    assert told(addon, flow)[0].startswith("Its shadows have not been sent yet")
    addon.session.exchanges[flow].settled = True
    show_pair(view, ShadowFlows(10), flow)
    assert not any("Not mirrored" in line for line in told(addon, flow))


async def test_flows_that_never_came_by(view: View, addon: MirrorAddon) -> None:
    assert told(addon, primary_flow())[0].startswith("Not mirrored by this proxy, which did not route it")
    assert [line.text for line in addon.diff.lines(tflow.ttcpflow())] == ["Only HTTP requests are mirrored."]
    assert [line.text for line in addon.diff.lines(None)] == ["Only HTTP requests are mirrored."]


async def test_a_failed_shadow(view: View, addon: MirrorAddon) -> None:
    primary, flows = primary_flow(), ShadowFlows(10)
    shadow = show_pair(view, flows, primary, status=None, outcome="failed", reason="timeout")
    lines = told(addon, shadow)
    assert lines[0] == "failed · timeout"
    assert told(addon, primary) == lines
    assert any(line.startswith("status") and line.endswith("failed") for line in lines)


async def test_long_traces_are_shortened(view: View, addon: MirrorAddon, tmp_path: Path) -> None:
    rule = "  - {{match: [{{uri: {{exact: /{}}}}}], route: [{{destination: {{host: one}}}}]}}\n"
    flow = primary_flow()
    others = "".join(rule.format(number) for number in range(200))
    routed(addon, tmp_path, flow, b"/x", others)
    lines = told(addon, flow)
    trace = lines[lines.index("Why here") + 1 :]
    assert len(trace) < MAX_TRACE + 5
    assert "default/shop http[203]: matches: any path" in trace


@given(
    st.binary(max_size=60),
    st.binary(max_size=60),
    st.lists(st.tuples(st.binary(max_size=8), st.binary(max_size=8)), max_size=3),
    st.dictionaries(
        st.sampled_from([value for name, value in vars(meta).items() if name.endswith("_KEY")]),
        st.none() | st.integers() | st.text(max_size=5) | st.lists(st.text(max_size=5), max_size=3),
    ),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
async def test_any_flow_can_be_shown(
    view: View,
    addon: MirrorAddon,
    ours: bytes,
    theirs: bytes,
    fields: list[tuple[bytes, bytes]],
    metadata: dict[str, object],
) -> None:
    view.clear()
    primary = primary_flow(ours, fields, path=ours)
    shadow = show_pair(view, ShadowFlows(10), primary, body=theirs, headers=tuple(fields))
    shadow_request(primary)
    for flow in (primary, shadow):
        assert not any(line.style == "error" for line in addon.diff.lines(flow))
        flow.metadata.update(metadata)
        flow.request.headers.fields = tuple(fields)
    for flow in (primary, shadow):
        lines = addon.diff.lines(flow)
        assert not any(line.style == "error" for line in lines)
        assert "\n".join(line.text for line in lines).encode()


async def test_hostile_text_acts_on_nothing(view: View, addon: MirrorAddon) -> None:
    """In both bodies, in header fields, in the path, and in what is read back from a file."""
    hostile = "\x1b[2J\x85\u202e\u2066\r"
    primary = primary_flow(f"a\n{hostile}\n".encode(), TEXT, path=hostile.encode())
    primary.request.headers["x-a"] = hostile
    shadow = show_pair(view, ShadowFlows(10), primary, body=f"b\n{hostile}x\n".encode(), headers=TEXT)
    for key, value in shadow.metadata.items():
        if key in (meta.RULE_KEY, meta.TARGET_KEY):
            shadow.metadata[key] = f"{value}{hostile}\udcff"
    for flow in (primary, shadow):
        lines = [line.text for line in addon.diff.lines(flow)]
        assert any("\\u202e" in line for line in lines)
        assert all(line.isprintable() for line in lines), lines
        assert addon.diff.text([flow]).replace("\n", "").isprintable()


async def test_calls_of_both_sides_have_a_section_and_make_the_verdict(view: View, addon: MirrorAddon) -> None:
    """Also where the responses are compared anew, which knows nothing of calls."""
    primary = primary_flow()
    shadow = show_pair(view, ShadowFlows(10), primary, body=b'{"total": 1}')
    assert told(addon, primary)[0] == "same"
    call = Call("POST", "http://pay.test/charges", "different", (Difference("$.amount", "value", 10, 12),))
    meta.write_calls(shadow, (call, Call("GET", "http://pay.test/x", "missing")))
    lines = told(addon, primary)
    assert lines[0] == "different · 2 differences" and told(addon, shadow) == lines
    section = lines.index("Calls to other services (1 different, 1 missing)")
    assert lines[section + 3 : section + 6] == ["$.amount: value", "- 10", "+ 12"]
    assert not any(line.startswith("call:") for line in lines)
    assert [line.split("  ")[1] for line in lines if line.startswith("finding ")] == [
        "call:POST pay.test/charges $.amount value",
        "call:GET pay.test/x missing",
    ]


async def test_a_call_of_a_mirror_tells_what_became_of_it(view: View, addon: MirrorAddon) -> None:
    flow = tflow.tflow(resp=True)
    mark_call(flow, Call("POST", "http://pay.test/charges", "blocked"), "call of the mirror, blocked")
    lines = told(addon, flow)
    assert lines[0] == "call of the mirror, blocked"
    assert lines[-1] == "blocked   -         POST http://pay.test/charges"
