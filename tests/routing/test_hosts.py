from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mirror_addon.routing.decision import Action
from mirror_addon.routing.decision import Request
from mirror_addon.routing.hosts import HostTable
from mirror_addon.routing.identity import Identity
from mirror_addon.routing.table import RouteTable

Build = Callable[..., RouteTable]
Ask = Callable[..., Request]
Text = Callable[..., str]

SIDECAR = Identity(gateways=("mesh",), use_remote_address=False)


def named(name: str, route: Any, *matches: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "match": list(matches), "route": route}


def rule_name(table: RouteTable, request: Request) -> str | None:
    decision = table.route(request, 0)
    return decision.rule.name if decision.rule else None


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("a.foo.com", "exact"),
        ("A.Foo.COM", "exact"),
        ("a.foo.com:8080", "exact"),
        ("b.foo.com", "wild"),
        ("a.b.foo.com", "wild"),
        ("x.b.foo.com", "wild"),
        ("x.long.foo.com", "longer"),
        ("foo.com", "any"),
        (".foo.com", "any"),
        ("x-bar.foo.com", "dash"),
        ("bar.com", "any"),
        ("a.foo.com.", "any"),
        ("", "any"),
    ],
)
def test_the_most_specific_host_wins(
    asked: str, expected: str, build: Build, ask: Ask, virtual_service: Text, to_v1: Any
) -> None:
    hosts = {"any": "*", "wild": "*.foo.com", "dash": "*-bar.foo.com", "longer": "*.long.foo.com", "exact": "a.foo.com"}
    texts = [
        virtual_service([named(name, to_v1)], hosts=[host], name=name, gateways=["edge"])
        for name, host in hosts.items()
    ]
    assert rule_name(build(*texts), ask("/", asked)) == expected


def test_no_fall_through_to_a_less_specific_host(build: Build, ask: Ask, virtual_service: Text, to_v1: Any) -> None:
    table = build(
        virtual_service([named("a", to_v1, {"uri": {"prefix": "/a"}})], hosts=["a.foo.com"], name="a"),
        virtual_service([named("wild", to_v1)], hosts=["*.foo.com"], name="wild"),
    )
    decision = table.route(ask("/b", "a.foo.com"), 0)
    assert decision.action is Action.NOT_FOUND
    assert decision.response is not None
    assert (decision.response.status, decision.response.body) == (404, b"")


def test_an_unknown_host_passes_through_untouched(build: Build, ask: Ask, to_v1: Any) -> None:
    request = ask("/a/../b", "other.com", ("X-Forwarded-For", "1"), ("x-forwarded-for", "2"), client=b"9.9.9.9")
    decision = build([{"route": to_v1}], identity=Identity()).route(request, 0)
    assert decision.action is Action.PASSTHROUGH
    assert decision.request == ask(
        "/a/../b", "other.com", ("X-Forwarded-For", "1"), ("x-forwarded-for", "2"), client=b"9.9.9.9"
    )
    assert decision.mirrors == ()
    assert decision.rule is None


@pytest.mark.parametrize(
    "asked",
    [
        "svc.default.svc.cluster.local",
        "svc.default.svc.cluster.local.",
        "svc.default.svc",
        "svc.default",
        "svc",
        "SVC:80",
    ],
)
def test_a_service_is_reached_by_its_aliases(
    asked: str, build: Build, ask: Ask, virtual_service: Text, to_v1: Any
) -> None:
    table = build(virtual_service([named("s", to_v1)], hosts=["svc"]))
    assert rule_name(table, ask("/", asked)) == "s"


def test_the_shortest_alias_is_for_the_own_namespace(build: Build, ask: Ask, virtual_service: Text, to_v1: Any) -> None:
    text = virtual_service([named("s", to_v1)], hosts=["svc"], namespace="prod")
    table = build(text)
    assert rule_name(table, ask("/", "svc")) is None
    assert rule_name(table, ask("/", "svc.prod")) == "s"


def test_a_dotted_short_name_is_taken_literally(build: Build, ask: Ask, virtual_service: Text, to_v1: Any) -> None:
    table = build(virtual_service([named("s", to_v1)], hosts=["svc.prod"]))
    assert rule_name(table, ask("/", "svc.prod")) == "s"
    assert rule_name(table, ask("/", "svc.prod.svc.cluster.local")) is None


def test_addresses_of_a_service_entry_are_names_of_its_host(
    build: Build, ask: Ask, virtual_service: Text, to_v1: Any
) -> None:
    entry = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: ext}
spec: {hosts: [ext.com], addresses: [10.1.2.3, 10.9.0.0/16], ports: [{number: 80, name: http}], resolution: STATIC}
"""
    table = build(entry, virtual_service([named("e", to_v1)], hosts=["ext.com"]))
    assert rule_name(table, ask("/", "10.1.2.3:80")) == "e"
    assert rule_name(table, ask("/", "ext.com.")) == "e"
    assert rule_name(table, ask("/", "10.9.0.1")) is None


def test_addresses_may_be_hosts(build: Build, ask: Ask, virtual_service: Text, to_v1: Any) -> None:
    table = build(virtual_service([named("ip", to_v1)], hosts=["10.0.0.1", "::1"]))
    assert rule_name(table, ask("/", "10.0.0.1:8080")) == "ip"
    assert rule_name(table, ask("/", "[::1]:8080")) == "ip"


class TestSeveralVirtualServices:
    """Several virtual services of one host."""

    @pytest.fixture
    def texts(self, virtual_service: Text, to_v1: Any) -> list[str]:
        late = virtual_service(
            [named("late", to_v1, {"uri": {"prefix": "/a"}}), named("late rest", to_v1)],
            name="a",
            created="2024-01-02T00:00:00Z",
        )
        early = virtual_service(
            [named("early", to_v1, {"uri": {"prefix": "/ab"}}), named("early rest", to_v1)],
            name="b",
            created="2024-01-01T00:00:00Z",
        )
        return [late, early]

    @pytest.mark.parametrize(
        ("path", "expected"), [("/a", "late"), ("/abc", "early"), ("/x", "early rest"), ("/ab", "early")]
    )
    def test_a_gateway_merges_them_and_puts_catch_alls_last(
        self, path: str, expected: str, texts: list[str], build: Build, ask: Ask
    ) -> None:
        assert rule_name(build(*texts), ask(path)) == expected

    @pytest.mark.parametrize(("path", "expected"), [("/a", "early rest"), ("/abc", "early"), ("/x", "early rest")])
    def test_in_a_sidecar_the_first_has_the_host(
        self, path: str, expected: str, texts: list[str], build: Build, ask: Ask
    ) -> None:
        assert rule_name(build(*texts, identity=SIDECAR), ask(path)) == expected

    def test_same_time_goes_by_name_then_namespace(
        self, build: Build, ask: Ask, virtual_service: Text, to_v1: Any
    ) -> None:
        texts = [
            virtual_service([named("b/1", to_v1)], name="b", namespace="n1"),
            virtual_service([named("a/2", to_v1)], name="a", namespace="n2"),
            virtual_service([named("a/1", to_v1)], name="a", namespace="n1"),
        ]
        assert rule_name(build(*texts), ask()) == "a/1"


def test_nothing_is_made_after_a_catch_all(build: Build, ask: Ask, to_v1: Any) -> None:
    table = build([named("all", to_v1, {"uri": {"prefix": "/"}}), named("x", to_v1, {"uri": {"prefix": "/x"}})])
    assert rule_name(table, ask("/x")) == "all"


def test_order_is_the_documents_and_not_by_specificity(build: Build, ask: Ask, to_v1: Any) -> None:
    table = build([named("short", to_v1, {"uri": {"prefix": "/a"}}), named("long", to_v1, {"uri": {"exact": "/a/b"}})])
    assert rule_name(table, ask("/a/b")) == "short"


class TestPort:
    """`match.port` is the listener's and decides before anything is matched."""

    def test_it_is_not_the_host_headers(self, build: Build, ask: Ask, to_v1: Any) -> None:
        table = build([named("p", to_v1, {"port": 8080}), named("rest", to_v1)])
        assert rule_name(table, ask("/", "example.com:80", port=8080)) == "p"
        assert rule_name(table, ask("/", "example.com:8080", port=80)) == "rest"

    def test_a_host_without_rules_for_the_port_is_not_claimed(
        self, build: Build, ask: Ask, virtual_service: Text, to_v1: Any
    ) -> None:
        exact = virtual_service([named("p", to_v1, {"port": 8080})], hosts=["a.foo.com"], name="a")
        assert build(exact).route(ask("/", "a.foo.com", port=80), 0).action is Action.PASSTHROUGH
        table = build(exact, virtual_service([named("wild", to_v1)], hosts=["*.foo.com"], name="b"))
        assert rule_name(table, ask("/", "a.foo.com", port=80)) == "wild"
        assert rule_name(table, ask("/", "a.foo.com", port=8080)) == "p"

    def test_a_catch_all_cuts_only_its_own_port(
        self, build: Build, ask: Ask, virtual_service: Text, to_v1: Any
    ) -> None:
        a = virtual_service(
            [named("all 80", to_v1, {"port": 80}), named("a", to_v1, {"uri": {"prefix": "/x"}})], name="a"
        )
        b = virtual_service([named("b", to_v1, {"uri": {"prefix": "/x"}})], name="b")
        table = build(a, b)
        assert rule_name(table, ask("/x", port=80)) == "b"
        assert rule_name(table, ask("/x", port=81)) == "a"


class TestProxyFilters:
    """What depends on the proxy's identity."""

    @pytest.mark.parametrize(
        ("gateways", "own", "expected"),
        [
            (None, ("mesh",), True),
            (["mesh"], ("mesh",), True),
            (["edge"], ("mesh",), False),
            (["edge"], ("edge",), True),
            (["edge"], ("default/edge",), True),
            (["other/edge"], ("edge",), False),
            (["edge", "mesh"], ("mesh",), True),
            (None, ("edge",), False),
            (["ingressgateway.istio-system.svc.cluster.local"], ("istio-system/ingressgateway",), True),
            (["edge"], (), True),
        ],
    )
    def test_gateways_of_a_virtual_service(
        self,
        gateways: Any,
        own: tuple[str, ...],
        expected: bool,
        build: Build,
        ask: Ask,
        virtual_service: Text,
        to_v1: Any,
    ) -> None:
        table = build(virtual_service([named("r", to_v1)], gateways=gateways), identity=Identity(gateways=own))
        assert (rule_name(table, ask()) == "r") is expected

    @pytest.mark.parametrize(
        ("match", "expected"),
        [
            ({"sourceLabels": {"app": "web"}}, True),
            ({"sourceLabels": {"app": "web", "tier": "x"}}, False),
            ({"sourceNamespace": "default"}, True),
            ({"sourceNamespace": "other"}, False),
            ({"gateways": ["mesh"]}, True),
            ({"gateways": ["edge"]}, False),
            ({"gateways": ["mesh"], "sourceLabels": {"app": "no"}, "sourceNamespace": "other"}, True),
        ],
    )
    def test_filters_of_a_match(
        self, match: dict[str, Any], expected: bool, build: Build, ask: Ask, to_v1: Any
    ) -> None:
        identity = Identity(gateways=("mesh",), labels=(("app", "web"), ("v", "1")))
        table = build([named("r", to_v1, match), named("rest", to_v1)], identity=identity)
        assert rule_name(table, ask()) == ("r" if expected else "rest")

    def test_without_labels_source_labels_never_match(self, build: Build, ask: Ask, to_v1: Any) -> None:
        table = build([named("r", to_v1, {"sourceLabels": {"a": "b"}})])
        assert table.route(ask(), 0).action is Action.PASSTHROUGH

    @pytest.mark.parametrize(
        ("export_to", "own", "expected"),
        [(["."], ("mesh",), False), (["*"], ("mesh",), True), (["default"], ("mesh",), True), (["."], (), True)],
    )
    def test_export_to(
        self,
        export_to: list[str],
        own: tuple[str, ...],
        expected: bool,
        build: Build,
        ask: Ask,
        virtual_service: Text,
        to_v1: Any,
    ) -> None:
        text = virtual_service([named("r", to_v1)], namespace="prod", exportTo=export_to)
        assert (rule_name(build(text, identity=Identity(gateways=own)), ask()) == "r") is expected


def test_a_virtual_service_without_http_claims_nothing(build: Build, ask: Ask, virtual_service: Text) -> None:
    text = virtual_service([], tcp=[{"route": [{"destination": {"host": "svc"}}]}])
    assert build(text).route(ask(), 0).action is Action.PASSTHROUGH


def test_the_table_of_hosts() -> None:
    table = HostTable({"a.test": 1, "*.test": 2, "*.b.test": 3, "::1": 4, "*": 5})
    table.add_alias("alias", 1)
    table.add_alias("a.test", 9)
    assert dict(table.items()) == {b"a.test": 1, b"alias": 1, b"*.test": 2, b"*.b.test": 3, b"[::1]": 4, b"*": 5}
    assert table.candidates(b"x.b.test:80") == [3, 2, 5]
    assert table.candidates(b"A.test") == [1, 2, 5]
    assert table.candidates(b"other") == [5]
    for authority in (b"x.b.test:80", b"A.test", b"[::1]", b"[::1]:80", b".test", b"b.test", b"other"):
        assert table.find(authority) == table.candidates(authority)[0]


def test_a_table_without_a_value_for_every_host() -> None:
    table = HostTable({"*.test": 2})
    assert list(table.items()) == [(b"*.test", 2)]
    assert (table.candidates(b"a.other"), table.find(b"a.other")) == ([], None)
    assert (table.candidates(b"long.name"), table.find(b"x")) == ([], None)


def service(name: str, spec: str, namespace: str = "default") -> str:
    return (
        f"apiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: {namespace}}}\n"
        f"spec: {{ports: [{{name: http, port: 80}}], {spec}}}\n"
    )


class TestOtherNames:
    """The names of services beside their own (`httproute.go`, `generateVirtualHostDomains`)."""

    @pytest.mark.parametrize(
        ("host", "claimed"),
        [
            ("st", True),
            ("st-0.st", True),
            ("st-0.st:12345", True),
            ("ST-0.ST.default", True),
            ("st-0.st.default.svc", True),
            ("st-0.st.default.svc.cluster.local", True),
            ("st-0.st.default.svc.cluster.local.", True),
            ("a.b.st", True),
            (".st", False),
            ("st-0.other.default", False),
            ("st-0", False),
        ],
    )
    @pytest.mark.parametrize("headless", [True, False])
    def test_instances_of_a_headless_service(
        self, host: str, claimed: bool, headless: bool, build: Build, ask: Ask, virtual_service: Text, to_v1: Any
    ) -> None:
        texts = (
            service("st", f"clusterIP: {'None' if headless else '10.9.9.9'}"),
            virtual_service([named("st", to_v1)], hosts=["st"]),
        )
        expected = "st" if claimed and (headless or host == "st") else None
        assert rule_name(build(*texts, identity=SIDECAR), ask("/", host)) == expected

    @pytest.mark.parametrize(
        ("spec", "expected"),
        [
            ("clusterIP: 10.9.9.9", {"10.9.9.9"}),
            ("clusterIP: 10.9.9.9, clusterIPs: [10.9.9.9]", {"10.9.9.9"}),
            ('clusterIP: 10.9.9.9, clusterIPs: [10.9.9.9, "fd00::9"]', {"10.9.9.9", "[fd00::9]"}),
            ("clusterIPs: [10.9.9.9]", set()),
            ("clusterIP: None, clusterIPs: [None]", set()),
            ("type: ExternalName, externalName: out.example, clusterIP: 10.9.9.9", set()),
        ],
    )
    @pytest.mark.parametrize("host", ["10.9.9.9", "[fd00::9]", "None"])
    def test_the_addresses_of_a_service_in_its_cluster(
        self, spec: str, expected: set[str], host: str, build: Build, ask: Ask, virtual_service: Text, to_v1: Any
    ) -> None:
        table = build(service("st", spec), virtual_service([named("st", to_v1)], hosts=["st"]), identity=SIDECAR)
        assert rule_name(table, ask("/", f"{host}:8080")) == ("st" if host in expected else None)

    def test_an_instance_that_a_virtual_service_names(
        self, build: Build, ask: Ask, virtual_service: Text, to_v1: Any
    ) -> None:
        table = build(
            service("st", "clusterIP: None"),
            virtual_service([named("all", to_v1)], hosts=["st"], name="a"),
            virtual_service([named("one", to_v1)], hosts=["st-0.st.default.svc.cluster.local"], name="b"),
        )
        found = [rule_name(table, ask("/", f"st-{number}.st.default.svc.cluster.local")) for number in (0, 1)]
        assert found == ["one", "all"]

    ALIASES = (
        service("old", "type: ExternalName, externalName: svc.default.svc.cluster.local"),
        service("older", "type: ExternalName, externalName: old.default.svc.cluster.local", "legacy"),
    )

    @pytest.mark.parametrize(
        ("host", "claimed"),
        [
            ("svc", True),
            ("old", True),
            ("old.default", True),
            ("old.default.svc.cluster.local:80", True),
            ("old.default.svc.cluster.local.", True),
            ("older.legacy", True),
            ("older.legacy.svc", True),
            ("older", False),
        ],
    )
    def test_external_names(
        self, host: str, claimed: bool, build: Build, ask: Ask, virtual_service: Text, to_v1: Any
    ) -> None:
        table = build(*self.ALIASES, virtual_service([named("svc", to_v1)], hosts=["svc"]))
        assert rule_name(table, ask("/", host)) == ("svc" if claimed else None)

    @pytest.mark.parametrize(
        ("identity", "first", "expected"),
        [
            (SIDECAR, "alias", "alias"),
            (SIDECAR, "target", "target"),
            (Identity(), "target", "alias"),
        ],
    )
    def test_a_virtual_service_for_the_alias_itself(
        self, identity: Identity, first: str, expected: str, build: Build, ask: Ask, virtual_service: Text, to_v1: Any
    ) -> None:
        """In a sidecar the older of the two has the alias's names."""
        hosts = {"alias": "old", "target": "svc"}
        texts = [
            virtual_service([named(name, to_v1)], hosts=[host], name=("a" if name == first else "b"))
            for name, host in hosts.items()
        ]
        table = build(*self.ALIASES, *texts, identity=identity)
        assert rule_name(table, ask("/", "old.default.svc.cluster.local")) == expected
        assert rule_name(table, ask("/", "svc")) == "target"

    @pytest.mark.parametrize(
        ("host", "expected"),
        [
            ("svc", "wild"),
            ("svc.default", "wild"),
            ("own", "own"),
            ("own.default", "own"),
            ("unknown.default.svc.cluster.local", "wild"),
            ("unknown", None),
            ("default", None),
        ],
    )
    def test_a_wildcard_claims_the_services_that_it_covers(
        self, host: str, expected: str | None, build: Build, ask: Ask, virtual_service: Text, to_v1: Any
    ) -> None:
        table = build(
            service("own", "clusterIP: 10.9.9.9"),
            virtual_service([named("wild", to_v1)], hosts=["*.default.svc.cluster.local"], name="a"),
            virtual_service([named("own", to_v1)], hosts=["own"], name="b"),
            identity=SIDECAR,
        )
        assert rule_name(table, ask("/", host)) == expected


@pytest.mark.parametrize(
    ("export_to", "expected"),
    [
        ((None, ["."]), "b"),
        ((None, ["default", "x"]), "b"),
        ((["."], None), "a"),
        ((None, None), "a"),
        ((None, ["*"]), "a"),
    ],
)
def test_what_is_exported_to_the_own_namespace_comes_first(
    export_to: tuple[Any, Any], expected: str, build: Build, ask: Ask, virtual_service: Text, to_v1: Any
) -> None:
    texts = [
        virtual_service([named(name, to_v1)], name=name, exportTo=exported)
        for name, exported in zip("ab", export_to, strict=True)
    ]
    assert rule_name(build(*texts, identity=SIDECAR), ask()) == expected
    assert rule_name(build(*texts, identity=Identity()), ask()) == "a"


def test_own_then_exported_by_name_then_public(build: Build, ask: Ask, virtual_service: Text, to_v1: Any) -> None:
    texts = {
        "public": virtual_service([named("public", to_v1)], name="a"),
        "named": virtual_service([named("named", to_v1)], name="b", namespace="x", exportTo=["default"]),
        "own": virtual_service([named("own", to_v1)], name="c", exportTo=["."]),
    }
    assert rule_name(build(*texts.values(), identity=SIDECAR), ask()) == "own"
    del texts["own"]
    assert rule_name(build(*texts.values(), identity=SIDECAR), ask()) == "named"
