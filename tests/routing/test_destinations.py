"""From DestinationRule, ServiceEntry, WorkloadEntry and Kubernetes Service to clusters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mirror_addon.routing.clusters import ORIGINAL_DESTINATION
from mirror_addon.routing.clusters import Cluster
from mirror_addon.routing.clusters import Endpoint
from mirror_addon.routing.decision import Request
from mirror_addon.routing.identity import Identity
from mirror_addon.routing.table import RouteTable
from mirror_addon.routing.trace import rules

Build = Callable[..., RouteTable]
Ask = Callable[..., Request]
HEAD = "apiVersion: networking.istio.io/v1\n"


def entry(spec: str, name: str = "e", namespace: str = "default") -> str:
    return f"{HEAD}kind: ServiceEntry\nmetadata: {{name: {name}, namespace: {namespace}}}\nspec: {spec}\n"


def rule(spec: str, name: str = "d", namespace: str = "default") -> str:
    return f"{HEAD}kind: DestinationRule\nmetadata: {{name: {name}, namespace: {namespace}}}\nspec: {spec}\n"


def workload(spec: str, name: str, labels: str = "{}", namespace: str = "default") -> str:
    metadata = f"{{name: {name}, namespace: {namespace}, labels: {labels}}}"
    return f"{HEAD}kind: WorkloadEntry\nmetadata: {metadata}\nspec: {spec}\n"


def service(spec: str, name: str = "k8s", namespace: str = "default") -> str:
    return f"apiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: {namespace}}}\nspec: {spec}\n"


@pytest.fixture
def cluster(build: Build, ask: Ask) -> Callable[..., Cluster]:
    """`cluster(destination, *documents)`: what a route to `destination` leads to."""

    def find(destination: dict[str, Any], *documents: str, port: int = 80, **options: Any) -> Cluster:
        table = build([{"route": [{"destination": destination}]}], *documents, **options)
        found = table.route(ask(port=port), 0).cluster
        assert found is not None
        return found

    return find


def addresses(cluster: Cluster) -> list[str]:
    return list(map(str, cluster.endpoints))


FOO = "{hosts: [foo.com], ports: [{number: 80, name: http}], resolution: STATIC, endpoints: %s}"


class TestPorts:
    """A Unix socket has no port; else it is the endpoint's by name, else targetPort, else the service's number."""

    @pytest.mark.parametrize(
        ("port", "endpoint", "expected"),
        [
            ("{number: 80, name: http}", "{address: 10.0.0.1}", "10.0.0.1:80"),
            ("{number: 80, name: http, targetPort: 8080}", "{address: 10.0.0.1}", "10.0.0.1:8080"),
            (
                "{number: 80, name: http, targetPort: 8080}",
                "{address: 10.0.0.1, ports: {http: 9090}}",
                "10.0.0.1:9090",
            ),
            ("{number: 80, name: http}", "{address: 10.0.0.1, ports: {other: 9090}}", "10.0.0.1:80"),
            ("{number: 80, name: http}", "{address: 'unix:///tmp/s'}", "unix:///tmp/s"),
            ("{number: 80, name: http}", "{address: '::1'}", "[::1]:80"),
        ],
    )
    def test_endpoint_port(self, port: str, endpoint: str, expected: str, cluster: Callable[..., Cluster]) -> None:
        text = entry(f"{{hosts: [foo.com], ports: [{port}], resolution: STATIC, endpoints: [{endpoint}]}}")
        assert addresses(cluster({"host": "foo.com"}, text)) == [expected]

    @pytest.mark.parametrize(
        ("written", "protocol"),
        [("HTTP2", "http2"), ("grpc", "grpc"), ("", "http"), ("h2c", "http2"), ("kubernetes.io/h2c", "http2")],
    )
    def test_protocol(self, written: str, protocol: str, cluster: Callable[..., Cluster]) -> None:
        text = entry(f"{{hosts: [foo.com], ports: [{{number: 80, name: p, protocol: '{written}'}}], resolution: DNS}}")
        found = cluster({"host": "foo.com"}, text)
        assert (found.protocol, found.detects_protocol) == (protocol, written == "")


class TestResolution:
    @pytest.mark.parametrize("resolution", ["DNS", "DNS_ROUND_ROBIN"])
    def test_dns_without_endpoints_is_the_host_itself(self, resolution: str, cluster: Callable[..., Cluster]) -> None:
        text = entry(f"{{hosts: [foo.com], ports: [{{number: 8080, name: http}}], resolution: {resolution}}}")
        found = cluster({"host": "foo.com"}, text)
        assert addresses(found) == ["foo.com:8080"]

    def test_it_has_no_labels(self, cluster: Callable[..., Cluster]) -> None:
        text = entry("{hosts: [foo.com], ports: [{number: 80, name: http}], resolution: DNS}")
        subsets = rule("{host: foo.com, subsets: [{name: v1, labels: {version: v1}}, {name: all}]}")
        assert addresses(cluster({"host": "foo.com", "subset": "v1"}, text, subsets)) == []
        assert addresses(cluster({"host": "foo.com", "subset": "all"}, text, subsets)) == ["foo.com:80"]

    def test_static_without_endpoints_has_none(self, cluster: Callable[..., Cluster]) -> None:
        found = cluster({"host": "foo.com"}, entry(FOO % "[]"))
        assert addresses(found) == []
        assert "ServiceEntry foo.com gives no endpoints" in found.missing

    def test_none_is_the_original_destination(self, cluster: Callable[..., Cluster]) -> None:
        found = cluster(
            {"host": "foo.com"}, entry("{hosts: [foo.com], ports: [{number: 80, name: http}], resolution: NONE}")
        )
        assert found.endpoints == (ORIGINAL_DESTINATION,)
        assert str(found.pick(0)) == "original destination"

    def test_dynamic_dns_is_the_requests_host(self, build: Build, ask: Ask) -> None:
        text = entry("{hosts: ['*.foo.com'], ports: [{number: 8080, name: http}], resolution: DYNAMIC_DNS}")
        http = {"route": [{"destination": {"host": "*.foo.com"}}], "rewrite": {"authority": "a.foo.com:99"}}
        decision = build([http], text).route(ask(), 0)
        assert decision.endpoint == Endpoint("a.foo.com", 8080)

    def test_a_wildcard_entry_makes_no_cluster_for_what_it_covers(self, cluster: Callable[..., Cluster]) -> None:
        text = entry("{hosts: ['*.foo.com'], ports: [{number: 80, name: http}], resolution: DNS}")
        assert "declares a.foo.com" in cluster({"host": "a.foo.com"}, text).missing


class TestSubsets:
    ENDPOINTS = (
        "[{address: 10.0.0.1, labels: {v: '1', zone: a}}, {address: 10.0.0.2, labels: {v: '2', zone: a}},"
        " {address: 10.0.0.3}]"
    )

    @pytest.mark.parametrize(
        ("labels", "expected"),
        [
            ("{v: '1'}", ["10.0.0.1:80"]),
            ("{zone: a}", ["10.0.0.1:80", "10.0.0.2:80"]),
            ("{v: '1', zone: b}", []),
            ("{}", ["10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"]),
        ],
    )
    def test_labels(self, labels: str, expected: list[str], cluster: Callable[..., Cluster]) -> None:
        texts = (entry(FOO % self.ENDPOINTS), rule(f"{{host: foo.com, subsets: [{{name: s, labels: {labels}}}]}}"))
        assert addresses(cluster({"host": "foo.com", "subset": "s"}, *texts)) == expected

    def test_several_rules_add_up_and_the_first_wins(self, cluster: Callable[..., Cluster]) -> None:
        texts = (
            entry(FOO % self.ENDPOINTS),
            rule("{host: foo.com, subsets: [{name: s, labels: {v: '1'}}]}", "a"),
            rule("{host: foo.com, subsets: [{name: s, labels: {v: '2'}}, {name: t, labels: {v: '2'}}]}", "b"),
        )
        assert addresses(cluster({"host": "foo.com", "subset": "s"}, *texts)) == ["10.0.0.1:80"]
        assert addresses(cluster({"host": "foo.com", "subset": "t"}, *texts)) == ["10.0.0.2:80"]

    def test_topology_labels(self, cluster: Callable[..., Cluster]) -> None:
        endpoint = "[{address: 10.0.0.1, locality: eu/west/a, network: n1}, {address: 10.0.0.2}]"
        labels = "{topology.kubernetes.io/zone: west, topology.istio.io/network: n1}"
        texts = (entry(FOO % endpoint), rule(f"{{host: foo.com, subsets: [{{name: s, labels: {labels}}}]}}"))
        assert addresses(cluster({"host": "foo.com", "subset": "s"}, *texts)) == ["10.0.0.1:80"]


class TestWhichRule:
    ENTRY = entry(FOO % "[{address: 10.0.0.1}]", namespace="svc-ns")

    def of(self, namespace: str, host: str = "foo.com", mode: str = "ROUND_ROBIN", extra: str = "") -> str:
        return rule(f"{{host: '{host}', trafficPolicy: {{loadBalancer: {{simple: {mode}}}}}{extra}}}", mode, namespace)

    @pytest.mark.parametrize(
        ("namespaces", "expected"),
        [
            (["svc-ns"], "svc-ns"),
            (["istio-system"], "istio-system"),
            (["elsewhere"], None),
            (["svc-ns", "istio-system"], "svc-ns"),
            (["svc-ns", "istio-system", "default"], "default"),
        ],
    )
    def test_namespace(self, namespaces: list[str], expected: str | None, cluster: Callable[..., Cluster]) -> None:
        modes = dict(zip(namespaces, ["RANDOM", "ROUND_ROBIN", "PASSTHROUGH"], strict=False))
        texts = [self.of(namespace, mode=mode) for namespace, mode in modes.items()]
        found = cluster({"host": "foo.com"}, self.ENTRY, *texts)
        assert found.balancer == (modes[expected] if expected else "LEAST_REQUEST")

    @pytest.mark.parametrize(
        ("hosts", "expected"),
        [
            (["*.com", "foo.com"], "foo.com"),
            (["*", "*.com"], "*.com"),
            (["*o.com", "*.com"], "*o.com"),
            (["bar.com"], None),
        ],
    )
    def test_host(self, hosts: list[str], expected: str | None, cluster: Callable[..., Cluster]) -> None:
        modes = dict(zip(hosts, ["RANDOM", "ROUND_ROBIN"], strict=False))
        texts = [self.of("default", host, mode) for host, mode in modes.items()]
        found = cluster({"host": "foo.com"}, self.ENTRY, *texts)
        assert found.balancer == (modes[expected] if expected else "LEAST_REQUEST")

    def test_a_short_host_is_of_its_own_namespace(self, cluster: Callable[..., Cluster]) -> None:
        assert cluster({"host": "svc"}, self.of("default", "svc")).balancer == "ROUND_ROBIN"
        assert cluster({"host": "svc"}, self.of("other", "svc")).balancer == "LEAST_REQUEST"

    @pytest.mark.parametrize(
        ("extra", "applies"),
        [
            (", exportTo: ['.']", False),
            (", exportTo: [default]", True),
            (", exportTo: ['~']", False),
            (", exportTo: ['*']", True),
            (", workloadSelector: {matchLabels: {app: web}}", False),
        ],
    )
    def test_visibility(self, extra: str, applies: bool, cluster: Callable[..., Cluster]) -> None:
        identity = Identity(gateways=("mesh",), labels=(("app", "web"),))
        found = cluster({"host": "foo.com"}, self.ENTRY, self.of("svc-ns", extra=extra), identity=identity)
        assert (found.balancer == "ROUND_ROBIN") is applies

    @pytest.mark.parametrize(
        ("extra", "applies"),
        [
            (", exportTo: ['.']", True),
            (", exportTo: [default]", True),
            (", exportTo: [other]", False),
            (", workloadSelector: {matchLabels: {app: no}}", False),
            (", workloadSelector: {matchLabels: {app: web}}", True),
        ],
    )
    def test_visibility_in_the_own_namespace(self, extra: str, applies: bool, cluster: Callable[..., Cluster]) -> None:
        identity = Identity(gateways=("mesh",), labels=(("app", "web"),))
        found = cluster({"host": "foo.com"}, self.ENTRY, self.of("default", extra=extra), identity=identity)
        assert (found.balancer == "ROUND_ROBIN") is applies

    def test_a_rule_for_others_hides_a_less_specific_one(self, cluster: Callable[..., Cluster]) -> None:
        texts = (self.of("svc-ns", "*.com", "RANDOM"), self.of("svc-ns", extra=", exportTo: [other]"))
        identity = Identity(gateways=("mesh",))
        assert cluster({"host": "foo.com"}, self.ENTRY, *texts, identity=identity).balancer == "LEAST_REQUEST"

    def test_a_proxy_in_the_root_namespace_prefers_the_services(self, cluster: Callable[..., Cluster]) -> None:
        identity = Identity(namespace="istio-system", gateways=("mesh",))
        exported = (self.of("istio-system", mode="RANDOM"), self.of("svc-ns"))
        assert cluster({"host": "foo.com"}, self.ENTRY, *exported, identity=identity).balancer == "ROUND_ROBIN"
        private = (self.of("istio-system", mode="RANDOM", extra=", exportTo: ['.']"), self.of("svc-ns"))
        assert cluster({"host": "foo.com"}, self.ENTRY, *private, identity=identity).balancer == "RANDOM"


class TestTrafficPolicy:
    ENTRY = entry(
        "{hosts: [foo.com], ports: [{number: 80, name: http}, {number: 81, name: b}], resolution: DNS,"
        " subjectAltNames: [san.foo.com]}"
    )

    def find(self, cluster: Callable[..., Cluster], policy: str, subset: str = "", port: int = 80) -> Cluster:
        spec = f"{{host: foo.com, trafficPolicy: {policy}, subsets: [{{name: s{subset}}}]}}"
        destination = {"host": "foo.com", "subset": "s", "port": {"number": port}}
        return cluster(destination, self.ENTRY, rule(spec))

    @pytest.mark.parametrize("mode", ["DISABLE", "ISTIO_MUTUAL"])
    def test_plain_text(self, mode: str, cluster: Callable[..., Cluster]) -> None:
        assert self.find(cluster, f"{{tls: {{mode: {mode}}}}}").tls is None

    def test_simple_tls(self, cluster: Callable[..., Cluster]) -> None:
        tls = self.find(cluster, "{tls: {mode: SIMPLE, sni: x, caCertificates: /ca, insecureSkipVerify: true}}").tls
        assert tls is not None
        assert (tls.sni, tls.ca_certificates, tls.insecure_skip_verify) == ("x", "/ca", True)
        assert tls.subject_alt_names == ("san.foo.com",)

    def test_mutual_tls(self, cluster: Callable[..., Cluster]) -> None:
        policy = "{tls: {mode: MUTUAL, clientCertificate: /c, privateKey: /k, subjectAltNames: [a]}}"
        tls = self.find(cluster, policy).tls
        assert tls is not None
        assert (tls.client_certificate, tls.private_key, tls.subject_alt_names) == ("/c", "/k", ("a",))

    def test_a_subset_overrides_block_by_block(self, cluster: Callable[..., Cluster]) -> None:
        own = ", trafficPolicy: {loadBalancer: {simple: RANDOM}}"
        found = self.find(cluster, "{tls: {mode: SIMPLE}, loadBalancer: {simple: ROUND_ROBIN}}", own)
        assert found.balancer == "RANDOM"
        assert found.tls is not None

    def test_settings_of_a_port_inherit_nothing(self, cluster: Callable[..., Cluster]) -> None:
        policy = (
            "{tls: {mode: SIMPLE}, loadBalancer: {simple: RANDOM},"
            " portLevelSettings: [{port: {number: 81}, loadBalancer: {simple: ROUND_ROBIN}}]}"
        )
        found = self.find(cluster, policy, port=81)
        assert (found.balancer, found.tls) == ("ROUND_ROBIN", None)
        found = self.find(cluster, policy, port=80)
        assert found.balancer == "RANDOM"
        assert found.tls is not None

    @pytest.mark.parametrize(
        ("simple", "expected"),
        [
            ("UNSPECIFIED", "LEAST_REQUEST"),
            ("LEAST_CONN", "LEAST_REQUEST"),
            ("LEAST_REQUEST", "LEAST_REQUEST"),
            ("RANDOM", "RANDOM"),
            ("ROUND_ROBIN", "ROUND_ROBIN"),
        ],
    )
    def test_load_balancer(self, simple: str, expected: str, cluster: Callable[..., Cluster]) -> None:
        assert self.find(cluster, f"{{loadBalancer: {{simple: {simple}}}}}").balancer == expected

    def test_passthrough_is_the_original_destination(self, cluster: Callable[..., Cluster]) -> None:
        found = self.find(cluster, "{loadBalancer: {simple: PASSTHROUGH}}")
        assert found.endpoints == (ORIGINAL_DESTINATION,)

    def test_connection_pool(self, cluster: Callable[..., Cluster]) -> None:
        policy = "{connectionPool: {tcp: {connectTimeout: 250ms}, http: {h2UpgradePolicy: UPGRADE}}}"
        found = self.find(cluster, policy)
        assert (found.connect_timeout, found.protocol) == (0.25, "http2")


class TestWorkloads:
    ENTRY = (
        "{hosts: [foo.com], ports: [{number: 80, name: http}], resolution: %s, workloadSelector: {labels: {app: foo}}}"
    )

    def test_selected_by_labels_in_the_same_namespace(self, cluster: Callable[..., Cluster]) -> None:
        texts = (
            entry(self.ENTRY % "STATIC"),
            workload("{address: 10.0.0.1, labels: {app: foo}, ports: {http: 8080}}", "a"),
            workload("{address: 10.0.0.2, labels: {app: bar}}", "b"),
            workload("{address: 10.0.0.3}", "c", "{app: foo}"),
            workload("{address: 10.0.0.4, labels: {app: foo}}", "d", "{app: bar}"),
            workload("{address: 10.0.0.5, labels: {app: foo}}", "e", namespace="other"),
        )
        assert addresses(cluster({"host": "foo.com"}, *texts)) == ["10.0.0.1:8080", "10.0.0.3:80"]

    @pytest.mark.parametrize(("resolution", "expected"), [("STATIC", []), ("DNS", ["w.example.com:80"])])
    def test_names_join_dns_services_only(
        self, resolution: str, expected: list[str], cluster: Callable[..., Cluster]
    ) -> None:
        texts = (
            entry(self.ENTRY % resolution),
            workload("{address: w.example.com, labels: {app: foo}}", "a"),
        )
        assert addresses(cluster({"host": "foo.com"}, *texts)) == expected

    def test_a_kubernetes_service_selects_them_too(self, cluster: Callable[..., Cluster]) -> None:
        texts = (
            service("{selector: {app: foo}, ports: [{name: http, port: 80, targetPort: 8080}]}"),
            workload("{address: 10.0.0.1, labels: {app: foo}}", "a"),
        )
        assert addresses(cluster({"host": "k8s"}, *texts)) == ["10.0.0.1:8080"]


class TestKubernetesService:
    def test_it_gives_name_and_port_but_no_endpoints(self, cluster: Callable[..., Cluster]) -> None:
        found = cluster({"host": "k8s"}, service("{ports: [{name: grpc-a, port: 9090}]}"), port=80)
        assert (found.host, found.port, found.protocol) == ("k8s.default.svc.cluster.local", 9090, "grpc")
        assert "Service k8s.default.svc.cluster.local gives no endpoints" in found.missing

    def test_beside_a_service_entry_of_its_name(self, cluster: Callable[..., Cluster]) -> None:
        text = entry(
            "{hosts: [k8s.default.svc.cluster.local], ports: [{number: 80, name: http}], resolution: STATIC,"
            " endpoints: [{address: 127.0.0.1, ports: {http: 9001}}]}"
        )
        found = cluster({"host": "k8s"}, service("{ports: [{name: web, port: 80, targetPort: web}]}"), text)
        assert addresses(found) == ["127.0.0.1:9001"]

    @pytest.mark.parametrize(
        ("port", "protocol"),
        [
            ("name: http", "http"),
            ("name: http2-x", "http2"),
            ("name: grpc-web-x", "grpc-web"),
            ("name: https", "https"),
            ("name: web", "http"),
            ("name: http, appProtocol: grpc", "grpc"),
            ("name: web, appProtocol: kubernetes.io/h2c", "http2"),
        ],
    )
    def test_protocol(self, port: str, protocol: str, cluster: Callable[..., Cluster]) -> None:
        assert cluster({"host": "k8s"}, service(f"{{ports: [{{{port}, port: 80}}]}}")).protocol == protocol


class TestExternalName:
    """An ExternalName Service is an alias (`route.go`, `GetDestinationCluster`)."""

    REAL = entry(
        "{hosts: [real.com], ports: [{number: 80, name: http}, {number: 90, name: b}], resolution: STATIC,"
        " endpoints: [{address: 10.0.0.1}]}"
    )

    def alias(self, name: str = "k8s", to: str = "real.com", ports: str = "[{name: http, port: 80}]") -> str:
        return service(f"{{type: ExternalName, externalName: {to}, ports: {ports}}}", name)

    def test_a_route_to_it_goes_to_what_it_stands_for(self, cluster: Callable[..., Cluster]) -> None:
        found = cluster({"host": "k8s"}, self.alias(), self.REAL)
        assert (found.host, found.label, addresses(found)) == ("real.com", "k8s", ["10.0.0.1:80"])

    @pytest.mark.parametrize(
        ("ports", "port", "expected"),
        [
            ("[{name: http, port: 90, targetPort: 80}]", None, ["10.0.0.1:90"]),  # its only port, as it is
            ("[{name: a, port: 80}, {name: b, port: 90}]", None, ["10.0.0.1:80"]),  # the listener's
            ("[{name: http, port: 80}]", 90, ["10.0.0.1:90"]),
            ("[{name: http, port: 81}]", None, []),
        ],
    )
    def test_ports(self, ports: str, port: int | None, expected: list[str], cluster: Callable[..., Cluster]) -> None:
        destination = {"host": "k8s"} | ({"port": {"number": port}} if port else {})
        assert addresses(cluster(destination, self.alias(ports=ports), self.REAL)) == expected

    def test_subsets_are_those_of_what_it_stands_for(self, cluster: Callable[..., Cluster]) -> None:
        texts = (self.alias(), self.REAL, rule("{host: real.com, subsets: [{name: s}]}"), rule("{host: k8s}", "own"))
        assert addresses(cluster({"host": "k8s", "subset": "s"}, *texts)) == ["10.0.0.1:80"]

    def test_one_step_only(self, cluster: Callable[..., Cluster]) -> None:
        found = cluster({"host": "a"}, self.alias("a", "k8s.default.svc.cluster.local"), self.alias(), self.REAL)
        assert addresses(found) == []
        assert "k8s.default.svc.cluster.local is an ExternalName Service for real.com" in found.missing

    def test_what_it_stands_for_is_not_declared(self, cluster: Callable[..., Cluster]) -> None:
        found = cluster({"host": "k8s"}, self.alias())
        assert addresses(found) == []
        assert "no ServiceEntry or Service declares real.com" in found.missing

    def test_an_endpoint_of_its_own(self, cluster: Callable[..., Cluster]) -> None:
        overrides = {("k8s.default.svc.cluster.local", ""): Endpoint("127.0.0.1", 7)}
        assert addresses(cluster({"host": "k8s"}, self.alias(), endpoint_overrides=overrides)) == ["127.0.0.1:7"]


def test_a_service_of_another_namespace_only(cluster: Callable[..., Cluster]) -> None:
    text = entry(FOO % "[{address: 10.0.0.1}]" + "", namespace="other").replace("hosts:", "exportTo: ['.'], hosts:")
    found = cluster({"host": "foo.com"}, text, identity=Identity(gateways=("mesh",)))
    assert "foo.com of namespace other is not exported to default" in found.missing


class TestOverrides:
    HOST = "svc.default.svc.cluster.local"

    @pytest.mark.parametrize(
        ("overrides", "expected"),
        [
            ({(HOST, "v1"): Endpoint("127.0.0.1", 7)}, "127.0.0.1:7"),
            ({(HOST, "v2"): Endpoint("127.0.0.1", 7)}, "127.0.0.1:9001"),
            ({(HOST, ""): Endpoint("127.0.0.1", 8)}, "127.0.0.1:8"),
            ({(HOST, ""): Endpoint("127.0.0.1", 8), (HOST, "v1"): Endpoint("127.0.0.1", 7)}, "127.0.0.1:7"),
        ],
    )
    def test_they_win(
        self, overrides: dict[tuple[str, str], Endpoint], expected: str, cluster: Callable[..., Cluster]
    ) -> None:
        found = cluster({"host": "svc", "subset": "v1"}, endpoint_overrides=overrides)
        assert addresses(found) == [expected]

    def test_for_a_host_that_nothing_declares(self, cluster: Callable[..., Cluster]) -> None:
        found = cluster(
            {"host": "gone.com", "subset": "x"}, endpoint_overrides={("gone.com", "x"): Endpoint("127.0.0.1", 7)}
        )
        assert (addresses(found), found.missing) == (["127.0.0.1:7"], "")


def test_label_is_the_host_as_written(cluster: Callable[..., Cluster]) -> None:
    assert cluster({"host": "svc", "subset": "v1"}).label == "svc/v1"
    assert cluster({"host": "svc"}).label == "svc"


def test_a_destination_is_one_cluster_in_all_rules(build: Build, ask: Ask) -> None:
    to_v2 = {"host": "svc", "subset": "v2"}
    table = build([{"route": [{"destination": to_v2}], "mirror": to_v2}])
    decision = table.route(ask(), 0)
    assert decision.cluster is decision.mirrors[0].cluster


def test_a_destination_without_a_port_is_a_cluster_for_each_port(build: Build, ask: Ask) -> None:
    text = entry(
        "{hosts: [two.com], ports: [{number: 80, name: http}, {number: 81, name: http-b}], resolution: STATIC,"
        " endpoints: [{address: 10.0.0.1}]}"
    )
    table = build([{"route": [{"destination": {"host": "two.com"}}], "mirror": {"host": "two.com"}}], text)
    first, again, other = (table.route(ask(port=port), 0) for port in (80, 80, 81))
    assert first.cluster is again.cluster is first.mirrors[0].cluster
    assert [str(decision.endpoint) for decision in (first, other)] == ["10.0.0.1:80", "10.0.0.1:81"]
    ((view,),) = (rule.mirrors for rule in rules(table))
    assert str(view) == "two.com 100 % -> 10.0.0.1:80"
