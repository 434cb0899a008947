"""Rule sets of several namespaces with Gateways, aliases and instance names, made by hypothesis."""

from __future__ import annotations

from envoytools.curated.namespaces import entry
from envoytools.curated.namespaces import gateway
from envoytools.curated.namespaces import routes
from envoytools.curated.namespaces import server
from envoytools.curated.namespaces import service
from envoytools.outcome import Sent
from hypothesis import strategies as st

NAMESPACES = ("default", "one", "two")
_namespace = st.sampled_from(NAMESPACES)
_export_to = st.sampled_from(
    ("", "", ", exportTo: ['*']", ", exportTo: ['.']", ", exportTo: [one]", ", exportTo: [default]")
)
_host = st.sampled_from(
    ("a.test", "b.test", "'*.test'", "x.c.test", "'*.c.test'", "new", "st", "old", "st-0.st.one.svc.cluster.local")
)
_server = st.builds(
    server,
    st.lists(
        st.tuples(
            st.sampled_from(("", "", "./", "*/", "one/")), st.sampled_from(("*", "a.test", "*.test", "*.c.test"))
        ),
        min_size=1,
        max_size=2,
        unique_by=lambda pair: pair[1],
    ).map(lambda pairs: ", ".join(f"'{owner}{host}'" for owner, host in pairs)),
    st.sampled_from((80, 80, 8080)),
    st.sampled_from(("", "", "{httpsRedirect: true}")),
)
_gateway = st.builds(
    lambda servers, name, namespace: gateway(*servers, name=name, namespace=namespace),
    st.lists(_server, min_size=1, max_size=2),
    st.sampled_from(("edge", "other")),
    st.sampled_from(("default", "one")),
)
_match = st.sampled_from(
    (
        "",
        "",
        "match: [{uri: {prefix: /a}}], ",
        "match: [{port: 8080}], ",
        "match: [{gateways: [mesh]}], ",
        "match: [{gateways: [default/edge]}], ",
        "match: [{sourceNamespace: one}, {uri: {exact: /}}], ",
    )
)
_action = st.one_of(
    st.sampled_from(("api.test", "new", "old", "old.one.svc.cluster.local", "v1")).map(
        lambda host: f"route: [{{destination: {{host: {host}}}}}], mirror: {{host: m1}}"
    ),
    st.sampled_from((201, 202, 203)).map(lambda status: f"directResponse: {{status: {status}}}"),
)
_rules = st.lists(st.tuples(_match, _action), min_size=1, max_size=3).map(
    lambda rules: f"[{', '.join(f'{{{match}{action}}}' for match, action in rules)}]"
)
_bound = st.sampled_from(
    ("[mesh]", "[default/edge]", "[default/edge, mesh]", "[one/other, default/edge]", "[one/other]", "[nowhere/gate]")
)


@st.composite
def rule_sets(draw: st.DrawFn) -> str:
    """Services, aliases, Gateways and virtual services; object names are in order of their text."""
    parts = []
    for number, at in enumerate(draw(st.lists(st.sampled_from(("v1", "v2", "v3")), max_size=3, unique=True))):
        host = "api.test" if number < 2 else draw(st.sampled_from(("api.test", "new.default.svc.cluster.local")))
        parts.append(entry(draw(_namespace), at, draw(_export_to), host))
    for namespace in draw(st.lists(_namespace, max_size=2, unique=True)):
        target = draw(st.sampled_from(("new.default.svc.cluster.local", "old.one.svc.cluster.local", "api.test")))
        parts.append(service("old", f"type: ExternalName, externalName: {target}", namespace))
    if draw(st.booleans()):
        parts.append(service("st", f"clusterIP: {draw(st.sampled_from(('None', '10.9.9.9')))}", "one"))
    parts += draw(st.lists(_gateway, max_size=2, unique_by=lambda text: text.split("spec:")[0]))
    for number in range(draw(st.integers(1, 4))):
        hosts = draw(st.lists(_host, min_size=1, max_size=2, unique=True))
        name = f"{draw(_namespace)}/x{number}"
        parts.append(routes(draw(_rules), f"[{', '.join(hosts)}]", draw(_bound), name, draw(_export_to)))
    return "".join(parts)


requests = st.builds(
    Sent,
    method=st.sampled_from(("GET", "HEAD", "POST")),
    path=st.sampled_from(("/", "/a", "/a/../b?x")),
    host=st.tuples(
        st.sampled_from(
            ("a.test", "A.test", "b.test", "x.c.test", "new", "new.default", "old", "old.one", "old.two.svc", "st.one",
             "st-0.st.one", "st-0.st.one.svc.cluster.local", "other.test")
        ),
        st.sampled_from(("", "", ":80", ":8080")),
    ).map("".join),
    headers=st.sampled_from(((), (("x-forwarded-proto", "https"),))),
)  # fmt: skip

identities = st.fixed_dictionaries(
    {
        "namespace": st.sampled_from(("default", "one")),
        "gateways": st.sampled_from(
            ((), ("mesh",), ("default/edge",), ("default/edge", "one/other"), ("mesh", "default/edge"))
        ),
    }
)
