from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mirror_addon.gateway_api.reading import GATEWAY_API
from mirror_addon.istio.parsing import Source
from mirror_addon.istio.parsing import parse_sources
from mirror_addon.mirroring.engine_settings import check_record
from mirror_addon.mirroring.engine_settings import has_twin
from mirror_addon.mirroring.engine_settings import own_options
from mirror_addon.mirroring.engine_settings import recording_of
from mirror_addon.mirroring.engine_settings import values_of
from mirror_addon.options.settings import OPTIONS
from mirror_addon.options.settings import OptionError
from mirror_addon.options.settings import Settings
from mirror_addon.options.settings import parse_settings
from mirror_addon.routing.decision import Action
from mirror_addon.routing.decision import Decision
from mirror_addon.routing.identity import Identity
from mirror_addon.routing.table import RouteTable


def settings(**options: Any) -> Settings:
    return parse_settings(
        {each.name: each.default for each in OPTIONS} | {f"mirror_{k}": v for k, v in options.items()}
    )


def test_by_default_there_is_none() -> None:
    recording = recording_of(settings(), "", compare=False)
    assert (recording.path, recording.compare, recording.bodies, recording.rotate) == ("", False, False, 0)
    assert b"authorization" in recording.redact
    assert recording.budget == 64 * 1024 * 1024


def test_what_the_options_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    chosen = settings(record="r.jsonl", record_bodies=True, record_rotate="1MiB", queue="8MiB", redact="X-A")
    check_record(chosen)
    recording = recording_of(chosen, "text", compare=True)
    assert recording.path == str(tmp_path / "r.jsonl")
    assert (recording.bodies, recording.rotate, recording.redact) == (True, 1024 * 1024, (b"x-a",))
    assert (recording.rules, recording.budget) == ("text", 8 * 1024 * 1024)
    assert os.path.exists("r.jsonl")


def test_a_path_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"^mirror_record=.*/no/r\.jsonl: the folder .*/no does not exist; create it"):
        check_record(settings(record=str(tmp_path / "no" / "r.jsonl")))


def test_a_record_of_many_files_needs_its_folder_only(tmp_path: Path) -> None:
    chosen = settings(record=str(tmp_path / "a" / "b" / "day=%d" / "{target}.jsonl"))
    check_record(chosen)
    assert list((tmp_path / "a" / "b").iterdir()) == []
    assert recording_of(chosen, "", compare=True).path == str(tmp_path / "a" / "b" / "day=%d" / "{target}.jsonl")
    (tmp_path / "file").touch()
    with pytest.raises(OptionError, match=r"^mirror_record=.*: .*/file is no folder; name another"):
        check_record(settings(record=str(tmp_path / "file" / "{target}.jsonl")))
    with pytest.raises(OptionError, match=r"the folder /proc/no cannot be made"):
        check_record(settings(record="/proc/no/{target}.jsonl"))


def test_placeholders_that_there_are_not_are_refused() -> None:
    with pytest.raises(OptionError, match=r"mirror_record=.*'\{tarket\}\.jso' is no placeholder; there are %Y"):
        settings(record="{tarket}.jsonl")


def test_mitmproxys_own_definitions_are_used_too(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "a.proto"
    path.write_text('syntax = "proto3"; message A {}')
    options = SimpleNamespace(mirror_protos=["x"], mirror_record="r", protobuf_definitions=str(path))
    assert values_of(options, ["mirror_protos", "mirror_record"])["mirror_protos"] == ["x", str(path)]
    assert values_of(options, ["mirror_record"]) == {"mirror_record": "r"}
    options.protobuf_definitions = str(tmp_path / "gone.proto")
    assert values_of(options, ["mirror_protos"]) == {"mirror_protos": ["x"]}
    assert "protobuf_definitions is not used: no such file" in caplog.text
    assert values_of(SimpleNamespace(mirror_protos=[]), ["mirror_protos"]) == {"mirror_protos": []}
    assert own_options({"protobuf_definitions", "listen_port"}) == {"mirror_protos"}
    assert own_options({"mirror_record", "listen_port"}) == {"mirror_record"}


ROUTES = {
    "VirtualService": """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: a, annotations: {%s}}
spec: {hosts: [shop.test], http: [{route: [{destination: {host: b}}], mirror: {host: c}}]}
""",
    "HTTPRoute": """
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: a, annotations: {%s}}
spec:
  parentRefs: [{name: gateway}]
  hostnames: [shop.test]
  rules:
  - backendRefs: [{name: b, port: 80}]
    filters: [{type: RequestMirror, requestMirror: {backendRef: {name: c, port: 80}}}]
""",
    "GRPCRoute": """
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: a, annotations: {%s}}
spec:
  parentRefs: [{name: gateway}]
  hostnames: [shop.test]
  rules:
  - backendRefs: [{name: b, port: 80}]
    filters: [{type: RequestMirror, requestMirror: {backendRef: {name: c, port: 80}}}]
""",
}


@pytest.mark.parametrize(
    ("option", "annotation", "expected"),
    [(False, "", False), (True, "", True), (False, "true", True), (True, "false", False)],
)
@pytest.mark.parametrize("kind", ROUTES)
def test_whose_state_is_kept_in_step(kind: str, option: bool, annotation: str, expected: bool) -> None:
    text = ROUTES[kind] % (f'mirror-addon/twin: "{annotation}"' if annotation else "")
    parsed = parse_sources([Source("a.yaml", text.encode())], extension=GATEWAY_API)
    (rule,) = RouteTable.build(parsed.resources, Identity()).mirroring
    assert has_twin(settings(twin=option), Decision(Action.ROUTE, rule)) is expected
    assert has_twin(settings(twin=option), Decision(Action.PASSTHROUGH)) is option
