from __future__ import annotations

import pytest

from mirror_addon.istio.parsing import Source
from mirror_addon.istio.parsing import parse_sources
from mirror_addon.routing.decision import Rule
from mirror_addon.routing.identity import Identity
from mirror_addon.routing.table import RouteTable
from mirror_addon.routing.trace import rules
from mirror_addon.rules.names import UnknownRule
from mirror_addon.rules.names import find_rules

A0 = Rule("default/a", "http[0]", "", "a.yaml:8")
A1 = Rule("default/a", "http[1]", "checkout", "a.yaml:12")
B0 = Rule("team/b", "http[0]", "", "b.yaml:8")
OTHER_B = Rule("other/b", "http[0]", "", "c.yaml:8")
TO = Rule("", "mirror_to", "", "")
RULES = [A0, A1, B0, TO]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("default/a http[0]", [A0]),
        ("default/a/http[0]", [A0]),
        ("  default/a   http[0] ", [A0]),
        ("default/a http[1] checkout", [A1]),
        ("default/a checkout", [A1]),
        ("default/a/checkout", [A1]),
        ("checkout", [A1]),
        ("a http[1]", [A1]),
        ("default/a", [A0, A1]),
        ("a", [A0, A1]),
        ("b", [B0]),
        ("mirror_to", [TO]),
    ],
)
def test_a_rule_answers_to_all_its_names(text: str, found: list[Rule]) -> None:
    assert find_rules(text, RULES) == found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("default/a http[2]", "did you mean 'default/a http\\[[01]\\]'"),
        ("chekout", r"did you mean 'default/a http\[1\]'"),
        ("zzzzzzzz", r"there are default/a http\[0\], default/a http\[1\], team/b http\[0\], mirror_to"),
        ("http[0]", "did you mean|there are"),
        ("", "there are"),
    ],
)
def test_what_is_unknown_gets_a_suggestion(text: str, said: str) -> None:
    with pytest.raises(UnknownRule, match=said):
        find_rules(text, RULES)


def test_a_short_name_of_two() -> None:
    with pytest.raises(UnknownRule, match=r"other/b http\[0\] or team/b http\[0\]; say which"):
        find_rules("b", [B0, OTHER_B])
    assert find_rules("team/b", [B0, OTHER_B]) == [B0]


def test_where_nothing_mirrors() -> None:
    with pytest.raises(UnknownRule, match="no rule mirrors anything"):
        find_rules("a", [])


def test_many_rules_are_not_all_named() -> None:
    many = [Rule(f"default/service-{number}", "http[0]", "", "") for number in range(100)]
    with pytest.raises(UnknownRule, match="and 95 more"):
        find_rules("zzzzzzzz", many)


TEAMS = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: one, namespace: prod}
spec:
  hosts: [one.test, www.one.test]
  http:
  - match: [{uri: {prefix: /a}}]
    route: [{destination: {host: b, subset: v1}}]
    mirror: {host: b, subset: v2}
  - route: [{destination: {host: b, subset: v1}}]
    mirror: {host: c}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: two, namespace: test}
spec:
  hosts: [two.test]
  http:
  - route: [{destination: {host: b, subset: v1}}]
    mirror: {host: b, subset: v2}
"""


@pytest.fixture(scope="module")
def table() -> RouteTable:
    return RouteTable.build(parse_sources([Source("teams.yaml", TEAMS.encode())]).resources, Identity())


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("one.test", ["prod/one http[0]", "prod/one http[1]"]),
        ("www.one.test", ["prod/one http[0]", "prod/one http[1]"]),
        ("c", ["prod/one http[1]"]),
        ("b.prod.svc.cluster.local/v2", ["prod/one http[0]"]),
        ("b.test.svc.cluster.local/v2", ["test/two http[0]"]),
    ],
)
def test_hosts_and_mirrors_stand_for_their_rules(table: RouteTable, text: str, found: list[str]) -> None:
    assert [str(rule) for rule in find_rules(text, table.mirroring, lambda: rules(table))] == found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("b/v2", r"may be b\.prod\S* or b\.test\S*; say which"),
        ("tow.test", r"did you mean 'test/two http\[0\]'"),
        ("x" * 10_000, "there are prod/one"),
    ],
)
def test_hosts_and_mirrors_that_are_not_there(table: RouteTable, text: str, said: str) -> None:
    with pytest.raises(UnknownRule, match=said):
        find_rules(text, table.mirroring, lambda: rules(table))


@pytest.mark.parametrize("text", ["tow.test", "prod/one http[2]", "tow"])
def test_what_is_advised_works(table: RouteTable, text: str) -> None:
    with pytest.raises(UnknownRule) as caught:
        find_rules(text, table.mirroring, lambda: rules(table))
    advised = str(caught.value).partition("did you mean '")[2].removesuffix("'?")
    assert find_rules(advised, table.mirroring)


SHOP = Rule("", "rules[0]", "cart", "r.yaml:8", route="team/shop")
SAME = Rule("team/shop", "http[0]", "", "r.yaml:20")


@pytest.mark.parametrize(
    "text",
    ["team/shop rules[0]", "team/shop/rules[0]", "shop rules[0]", "shop cart", "cart", "team/shop rules[0] cart"],
)
def test_rules_of_the_gateway_api(text: str) -> None:
    assert find_rules(text, [*RULES, SHOP, SAME]) == [SHOP]


def test_a_route_and_a_virtual_service_of_one_name_are_both_meant() -> None:
    assert find_rules("team/shop", [*RULES, SHOP, SAME]) == [SHOP, SAME]
