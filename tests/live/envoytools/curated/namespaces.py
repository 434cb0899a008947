"""Rule sets of several namespaces, servers of Gateways, and services with other names (semantics 2.2, 2.3, 4).

`$v1` stands for the port of the recorder v1.
"""

from __future__ import annotations

from envoytools.curated.cases import Case
from envoytools.outcome import Sent

HEAD = "apiVersion: networking.istio.io/v1\n"


def entry(namespace: str, at: str, extra: str = "", host: str = "api.test", subset: str = "") -> str:
    labels = f", labels: {{version: v{subset}}}" if subset else ""
    return (
        f"{HEAD}kind: ServiceEntry\nmetadata: {{name: {at}, namespace: {namespace}}}\nspec: {{hosts: [{host}], "
        "resolution: STATIC, ports: [{number: 80, name: http, protocol: HTTP}], "
        f"endpoints: [{{address: 127.0.0.1, ports: {{http: ${at}}}{labels}}}]{extra}}}\n---\n"
    )


def service(name: str, spec: str, namespace: str = "default") -> str:
    return (
        f"apiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: {namespace}}}\n"
        f"spec: {{ports: [{{name: http, port: 80}}], {spec}}}\n---\n"
    )


def gateway(*servers: str, name: str = "edge", namespace: str = "default") -> str:
    named = [text.replace("$name", f"n{number}") for number, text in enumerate(servers)]
    return (
        f"{HEAD}kind: Gateway\nmetadata: {{name: {name}, namespace: {namespace}}}\n"
        f"spec: {{servers: [{', '.join(named)}]}}\n---\n"
    )


def server(hosts: str, port: int = 80, tls: str = "") -> str:
    return f"{{port: {{number: {port}, name: $name, protocol: HTTP}}, hosts: [{hosts}]{tls and f', tls: {tls}'}}}"


def routes(http: str, hosts: str = "[a.test]", gateways: str = "[mesh]", name: str = "x", extra: str = "") -> str:
    namespace, slash, own = name.rpartition("/")
    metadata = f"{{name: {own}, namespace: {namespace if slash else 'default'}}}"
    spec = f"{{hosts: {hosts}, gateways: {gateways}, http: {http}{extra}}}"
    return f"{HEAD}kind: VirtualService\nmetadata: {metadata}\nspec: {spec}\n---\n"


TO_API = "[{route: [{destination: {host: api.test}}], mirror: {host: m1}}]"
SUBSETS = (
    f"{HEAD}kind: DestinationRule\nmetadata: {{name: d, namespace: %s}}\n"
    "spec: {host: api.test, subsets: [{name: s, labels: {version: v%s}}]%s}\n---\n"
)
TO_SUBSET = "[{route: [{destination: {host: api.test, subset: s}}]}]"
A = (Sent(), Sent(path="/x?y"), Sent("POST", body=b"abc"))
MESH = {"gateways": ("mesh",)}
EDGE = {"gateways": ("edge",)}
REDIRECT = "{httpsRedirect: true}"
HTTPS = (
    *A,
    Sent(path="/a/../b//c?q=%7E"),
    Sent("HEAD"),
    Sent(host="a.test:80"),
    Sent(host="A.Test"),
    Sent(headers=(("x-forwarded-proto", "https"),)),
    Sent(headers=(("content-type", "application/grpc"),)),
)


def hosts(*names: str) -> tuple[Sent, ...]:
    return tuple(Sent(host=name) for name in names)


def numbered(*gateways: str) -> str:
    """Two virtual services of different namespaces for three hosts."""
    return "".join(
        routes(
            f"[{{directResponse: {{status: {status}}}}}]",
            "[a.test, b.test, '*.c.test']",
            f"[{', '.join(gateways)}]",
            f"{namespace}/x",
        )
        for namespace, status in (("default", 201), ("two", 202))
    )


NAMESPACES = [
    *(
        Case(f"services {name}", documents + routes(TO_API), A, identity=identity)
        for name, documents, identity in (
            ("own", entry("two", "v2") + entry("default", "v1"), MESH),
            ("oldest", entry("two", "v2") + entry("one", "v1"), MESH),
            ("private", entry("default", "v1", ", exportTo: ['.']") + entry("one", "v2", ", exportTo: ['.']"), MESH),
            ("by name", entry("a", "v2") + entry("b", "v1", ", exportTo: [default]"), MESH),
            ("for nobody", entry("default", "v2", ", exportTo: ['~']") + entry("b", "v1"), MESH),
            ("none visible", entry("a", "v2", ", exportTo: [b]"), MESH),
            ("one namespace", entry("a", "v1") + entry("a", "v2", ", exportTo: ['.']"), MESH),
            ("on a gateway", entry("two", "v2") + entry("a", "v1"), {"gateways": ("mesh", "edge")}),
        )
    ),
    *(
        Case(
            f"DestinationRule of {', '.join(of)}",
            entry("svc", "v1", "", "api.test", "1")
            + entry("svc", "v2", "", "api.test", "2").replace("name: v2", "name: w")
            + "".join(SUBSETS % (namespace, number, extra) for namespace, number, extra in rules)
            + routes(TO_SUBSET),
            A,
            identity=MESH,
        )
        for of, rules in (
            (("client", "service"), [("default", 1, ""), ("svc", 2, "")]),
            (("service", "root"), [("istio-system", 1, ""), ("svc", 2, "")]),
            (("root",), [("istio-system", 1, ""), ("svc", 2, ", exportTo: ['.']")]),
            (("others",), [("elsewhere", 1, "")]),
        )
    ),
    Case(
        "private virtual services",
        routes("[{directResponse: {status: 201}}]", name="a")
        + routes("[{directResponse: {status: 202}}]", name="b", extra=", exportTo: ['.']")
        + routes("[{directResponse: {status: 203}}]", name="two/c", extra=", exportTo: ['.']"),
        A,
        identity=MESH,
    ),
    Case(
        "aliases",
        service("old", "type: ExternalName, externalName: new.default.svc.cluster.local")
        + service("older", "type: ExternalName, externalName: old.two.svc.cluster.local", "two")
        + service("old", "type: ExternalName, externalName: new.default.svc.cluster.local", "two")
        + entry("default", "v1", "", "new.default.svc.cluster.local")
        + routes("[{route: [{destination: {host: old}}], mirror: {host: m1}}]", "[new]", name="p")
        + routes("[{route: [{destination: {host: older.two.svc.cluster.local}}]}]", name="o"),
        (*hosts("new", "old", "old.default:80", "older.two", "older.two.svc.cluster.local.", "OLD.two.svc"), Sent()),
        identity=MESH,
    ),
    Case(
        "instances of a headless service",
        service("st", "clusterIP: None")
        + routes("[{route: [{destination: {host: v1}}], mirror: {host: m1}}]", "[st]", name="a")
        + routes("[{directResponse: {status: 202}}]", "[st-1.st.default.svc.cluster.local]", name="b"),
        hosts("st", "st-0.st", "st-0.st:12345", "a.b.st.default", "st-0.st.default.svc.cluster.local.",
              "st-1.st.default.svc.cluster.local"),
        identity=MESH,
    ),
    Case(
        "a wildcard with the names of its services",
        service("own", "clusterIP: 10.9.9.9")
        + routes("[{directResponse: {status: 201}}]", "['*.default.svc.cluster.local']", name="a")
        + routes("[{directResponse: {status: 202}}]", "[own.default.svc.cluster.local]", name="b")
        + service("other", "clusterIP: None"),
        hosts("own", "own.default", "other", "x.other", "other.default.svc", "zzz.default.svc.cluster.local"),
        identity=MESH,
    ),
]  # fmt: skip
GATEWAYS = [
    *(
        Case(f"servers {servers}", gateway(*servers) + numbered("default/edge"), requests, identity=EDGE)
        for servers, requests in (
            ([server("a.test")], hosts("a.test", "b.test", "x.c.test", "other.test")),
            ([server("'*'")], hosts("a.test", "b.test", "x.c.test", "c.test", "other.test")),
            ([server("./a.test, two/b.test")], hosts("a.test", "b.test", "x.c.test")),
            ([server("x.c.test, '*.y.c.test'")], hosts("x.c.test", "y.c.test", "a.y.c.test", "a.test")),
            ([server("'*'", tls=REDIRECT)], HTTPS + hosts("other.test", "[::1]", "x.c.test:80")),
            ([server("a.test", tls=REDIRECT)], HTTPS),
            ([server("a.test", tls=REDIRECT), server("b.test")], hosts("a.test", "b.test", "other.test")),
            ([server("'*'"), server("'*'", 8080)], hosts("a.test", "a.test:8080", "z.test:8080")),
            ([server("a.test"), server("b.test", 8080)], hosts("a.test", "b.test:8080", "b.test", "a.test:8080")),
            ([server("a.test", tls=REDIRECT), server("a.test", 8080)], hosts("a.test", "a.test:8080", "b.test:8080")),
        )
    ),
    Case(
        "two gateways",
        gateway(server("a.test"), server("'*'", 8080))
        + gateway(server("b.test, a.test"), name="other", namespace="two")
        + numbered("default/edge")
        + routes(
            "[{match: [{gateways: [two/other]}], directResponse: {status: 203}}, {directResponse: {status: 204}}]",
            "[a.test]",
            "[default/edge, two/other]",
            "three/z",
        ),
        hosts("a.test", "b.test", "a.test:8080", "b.test:8080"),
        identity={"gateways": ("edge", "two/other")},
    ),
]
