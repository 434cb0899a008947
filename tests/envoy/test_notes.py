from __future__ import annotations

from pathlib import Path

from mirror_addon.envoy.notes import Notes
from mirror_addon.envoy.notes import unexported
from mirror_addon.istio.parsing import Source
from mirror_addon.istio.parsing import parse_sources


def test_each_note_once_in_order() -> None:
    notes = Notes()
    for note in ("b", "a", "b"):
        notes.add(note)
    assert list(notes) == ["b", "a"]


def test_what_documents_say_that_an_export_does_not() -> None:
    text = (Path(__file__).parent / "everything.yaml").read_bytes()
    assert list(unexported(parse_sources([Source("x.yaml", text)]).resources)) == [
        "VirtualService default/everything: annotation mirror-addon/max-rps has no counterpart in Envoy",
        "VirtualService default/everything: annotation mirror-addon/when has no counterpart in Envoy",
        "DestinationRule default/static: outlierDetection is not exported",
        "DestinationRule default/static: connectionPool.tcp.maxConnections is not exported",
        "DestinationRule default/static: connectionPool.http.maxRetries is not exported",
    ]


def test_other_annotations_and_empty_fields_are_not_noted() -> None:
    text = b"""
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: x, annotations: {team: a}}
spec:
  host: x
  trafficPolicy: {outlierDetection: null, loadBalancer: null, connectionPool: {tcp: {connectTimeout: 1s}}}
  subsets: [{name: v1}]
"""
    assert list(unexported(parse_sources([Source("x.yaml", text)]).resources)) == []


def test_annotations_with_processors() -> None:
    """They have their effect there; what counts requests does so in each."""
    text = (Path(__file__).parent / "everything.yaml").read_bytes()
    resources = parse_sources([Source("x.yaml", text)]).resources
    found = {number: [each for each in unexported(resources, number) if "annotation" in each] for number in (1, 3)}
    assert found == {
        1: [],
        3: ["VirtualService default/everything: annotation mirror-addon/max-rps holds for each of the 3 processors"],
    }
