from __future__ import annotations

from mirror_addon.options.unknown_names import unknown_names
from mirror_addon.options.unknown_names import unknown_option


def test_unknown_option_suggests_the_nearest() -> None:
    assert "did you mean mirror_endpoints?" in unknown_option("mirror_endpoint")
    assert "mirror_rules" in unknown_option("mirror_xyzzy")


def test_names_that_are_left_over() -> None:
    given = ["mirorr_to", "mirror-endpoints", "mirror_xyzzy", "endpoints", "stickyauths", "plugin_of_mine", "web_ports"]
    found = list(unknown_names(given, ["stickyauth", "web_port"]))
    assert [certain for certain, _ in found] == [True, True, True, False]
    assert "mirorr_to: did you mean mirror_to?" in found[0][1]
    assert "mirror-endpoints: did you mean mirror_endpoints?" in found[1][1]
    assert "endpoints: did you mean mirror_endpoints? It is ignored" in found[3][1]
