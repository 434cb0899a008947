from __future__ import annotations

import pytest

from mirror_addon.envoy.header_mutations import header_mutations
from mirror_addon.envoy.notes import Notes
from mirror_addon.istio.resources.virtual_service import HeaderOperations
from mirror_addon.istio.resources.virtual_service import Headers

SET, ADD = "OVERWRITE_IF_EXISTS_OR_ADD", "APPEND_IF_EXISTS_OR_ADD"


def test_sets_before_adds_levels_in_order() -> None:
    first = Headers(request=HeaderOperations(set={"b": "1", "a": "2"}, add={"c": "3"}, remove=("d",)))
    second = Headers(
        request=HeaderOperations(set={"a": "4"}, remove=("d", "e")), response=HeaderOperations(add={"f": "5"})
    )
    made = header_mutations([None, first, second], Notes())
    assert [
        (each["header"]["key"], each["header"]["value"], each["append_action"])
        for each in made["request_headers_to_add"]
    ] == [
        ("a", "2", SET),
        ("b", "1", SET),
        ("a", "4", SET),
        ("c", "3", ADD),
    ]
    assert made["request_headers_to_remove"] == ["d", "e"]
    assert [each["header"]["key"] for each in made["response_headers_to_add"]] == ["f"]


def test_host_and_pseudo_headers_are_no_headers() -> None:
    operations = HeaderOperations(set={"Host": "x", ":path": "y"}, add={"empty": ""}, remove=(":method",))
    assert header_mutations([Headers(request=operations)], Notes()) == {}


@pytest.mark.parametrize(
    ("value", "exported", "noted"),
    [
        ("plain", "plain", False),
        ("100%%", "100%%", False),
        ("%REQ(x-y?z):5%/%PROTOCOL%", "%REQ(x-y?z):5%/%PROTOCOL%", False),
        ("%STREAM_ID%", "%STREAM_ID%", True),
        ("100%", "100%%", True),
        ("%NOSUCH%", "%%NOSUCH%%", True),
        ("50%% of %", "50%% of %%", True),
    ],
)
def test_values_are_formats(value: str, exported: str, noted: bool) -> None:
    notes = Notes()
    made = header_mutations([Headers(request=HeaderOperations(set={"h": value}))], notes)
    assert made["request_headers_to_add"][0]["header"]["value"] == exported
    assert bool(list(notes)) is noted
