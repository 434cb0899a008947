from __future__ import annotations

from collections.abc import Callable

import pytest

from mirror_addon.istio.parsing import ParsedRules
from mirror_addon.istio.visibility import asking_scopes
from mirror_addon.istio.visibility import scopes


@pytest.mark.parametrize(
    ("export_to", "expected"),
    [
        ("[]", {"*"}),
        ("['*']", {"*"}),
        ("['.']", {"default"}),
        ("['.', x]", {"default", "x"}),
        ("['~']", {"~"}),
        ("[x, '*']", {"*"}),
    ],
)
def test_scopes(
    make: Callable[..., str], parse: Callable[..., ParsedRules], export_to: str, expected: set[str]
) -> None:
    spec = f"hosts: [a.b]\nexportTo: {export_to}\nports: [{{number: 80, name: http, protocol: HTTP}}]"
    assert scopes(parse(make("ServiceEntry", spec)).resources[0]) == expected


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [("''", {"*"}), ("'*'", {"*"}), ("'x, .'", {"x", "default"}), ("'~'", {"~"}), ("x", {"x"})],
)
def test_scopes_of_a_kubernetes_service(
    make: Callable[..., str], parse: Callable[..., ParsedRules], annotation: str, expected: set[str]
) -> None:
    text = make("Service", "ports: [{name: http, port: 80}]")
    text = text.replace("spec:", f"  annotations: {{networking.istio.io/exportTo: {annotation}}}\nspec:")
    assert scopes(parse(text).resources[0]) == expected


@pytest.mark.parametrize(
    ("export_to", "expected"),
    [((), {"*", "ns"}), (("*",), {"*"}), ((".",), {"*", "ns"}), (("x", "y"), {"*", "x", "y"})],
)
def test_asking(export_to: tuple[str, ...], expected: set[str]) -> None:
    assert asking_scopes("ns", export_to) == expected
