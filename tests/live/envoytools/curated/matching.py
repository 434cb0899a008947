"""Which rule a request meets (semantics 1.3, 2)."""

from __future__ import annotations

from envoytools.curated.cases import Case
from envoytools.curated.cases import conditional
from envoytools.curated.cases import fielded
from envoytools.curated.cases import get
from envoytools.curated.cases import virtual_service
from envoytools.outcome import Sent

PATHS = get(
    "/",
    "/foo",
    "/foo/",
    "/foobar",
    "/foo/bar",
    "/FOO",
    "/Foo/Bar",
    "/foo?x=1",
    "/foo/?x=1",
    "/x/foo",
    "/fo",
    "/foo%2fbar",
    "/f%6fo",
)
VALUES = fielded(
    (),
    (("h", ""),),
    (("h", "x"),),
    (("H", "x"),),
    (("h", "X"),),
    (("h", "xy"),),
    (("h", "x"), ("h", "y")),
    (("h", "y"), ("h", "x")),
    (("h", "y"), ("h", "z")),
    (("h", "x,y"),),
    (("h", "\xe9"),),
    (("h", b"\xc3\xa9"),),
    (("h", "123"),),
    (("h", " x "),),
)
MATCHING = [
    *(
        Case(f"uri {uri}", conditional(f"{{uri: {uri}}}"), PATHS)
        for uri in (
            "{exact: /foo}",
            "{prefix: /foo}",
            "{prefix: ''}",
            "{prefix: /foo/}",
            "{regex: '/foo/?'}",
            "{regex: '/f.*'}",
            "{regex: '.*oo'}",
            "{regex: '(?i)/foo'}",
            "{}",
        )
    ),
    Case("exact, any case", conditional("{uri: {exact: /Foo}, ignoreUriCase: true}"), PATHS),
    Case("prefix, any case", conditional("{uri: {prefix: /FOO}, ignoreUriCase: true}"), PATHS),
    Case("regex, any case", conditional("{uri: {regex: /FOO}, ignoreUriCase: true}"), PATHS),
    *(
        Case(f"{kind} {condition}", conditional(f"{{{kind}: {{h: {condition}}}}}"), VALUES)
        for kind in ("headers", "withoutHeaders")
        for condition in (
            "{}",
            "{exact: x}",
            "{exact: ''}",
            "{prefix: x}",
            "{regex: x}",
            "{regex: '.*'}",
            "{regex: 'x|'}",
            "{regex: '[^,]*'}",
            "{regex: '.'}",
            "{regex: '\\d+'}",
        )
    ),
    Case("withoutHeaders *", conditional("{withoutHeaders: {h: {regex: '*'}}}"), VALUES),
    Case(
        "headers and withoutHeaders",
        conditional("{headers: {h: {prefix: x}}, withoutHeaders: {i: {exact: '1'}, j: {}}}"),
        fielded(
            (("h", "x"),),
            (("h", "x"), ("i", "1")),
            (("h", "x"), ("i", "2")),
            (("h", "x"), ("j", "")),
            (("i", "2"),),
        ),
    ),
    Case(
        "pseudo headers",
        conditional("{headers: {':method': {exact: POST}, ':path': {prefix: /p}, host: {exact: a.test}}}"),
        (
            Sent("POST", "/p?x"),
            Sent("GET", "/p"),
            Sent("POST", "/q"),
            Sent("POST", "/p", "a.test:80"),
            Sent("POST", "/p", "A.test"),
        ),
    ),
    *(
        Case(
            f"method {match}",
            conditional(f"{{method: {match}}}"),
            (Sent("GET"), Sent("POST"), Sent("PUT"), Sent("PURGE"), Sent("HEAD"), Sent("OPTIONS")),
        )
        for match in ("{exact: GET}", "{exact: get}", "{prefix: P}", "{regex: 'P.*T'}", "{}")
    ),
    *(
        Case(f"scheme {match}", conditional(f"{{scheme: {match}}}"), (Sent(),))
        for match in ("{exact: http}", "{exact: https}", "{exact: HTTP}", "{prefix: htt}")
    ),
    *(
        Case(
            f"authority {match}",
            conditional(f"{{authority: {match}}}"),
            (Sent(), Sent(host="a.test:8080"), Sent(host="A.test"), Sent(host="a.test:80"), Sent(host="a.test:")),
        )
        for match in ("{exact: a.test}", "{prefix: a.test}", "{regex: 'a\\.test(:\\d+)?'}", "{exact: 'a.test:8080'}")
    ),
    *(
        Case(
            f"query {match}",
            conditional(f"{{queryParams: {{color: {match}}}}}"),
            get(
                "/",
                "/?color",
                "/?color=",
                "/?color=red",
                "/?color=red&color=blue",
                "/?color=blue&color=red",
                "/?Color=red",
                "/?color=r%65d",
                "/?c=1&color=red",
                "/?color=redder",
                "/?color=a=b",
                "/?&color=red",
                "/?color=123",
                "/?color=a123",
                "/?color=r+d",
                "/?%63olor=red",
                "/?color=red;x=1",
                "/?color=a?color=red",
            ),
        )
        for match in ("{}", "{exact: red}", "{exact: ''}", "{prefix: red}", "{regex: '\\d+'}")
    ),
    Case(
        "list order, then match order; the first wins",
        virtual_service("""
- match: [{uri: {prefix: /a}}, {uri: {exact: /b}}]
  route: [{destination: {host: v1}}]
- match: [{uri: {prefix: /a/longer}}]
  route: [{destination: {host: v2}}]
- match: [{uri: {prefix: /b}}]
  route: [{destination: {host: v3}}]
"""),
        get("/a", "/a/longer", "/b", "/b/", "/c"),
    ),
    Case(
        "nothing after a catch-all",
        virtual_service("""
- match: [{uri: {prefix: /}, port: 80}]
  route: [{destination: {host: v1}}]
- match: [{uri: {prefix: /x}}]
  route: [{destination: {host: v2}}]
"""),
        (
            *get("/", "/x"),
            Sent(host="a.test:8080", path="/x"),
            Sent(host="a.test:8080", path="/y"),
            Sent(host="a.test:80"),
        ),
    ),
    Case(
        "rules for ports",
        virtual_service("""
- match: [{port: 8080, uri: {prefix: /p}}]
  route: [{destination: {host: v1}}]
- match: [{uri: {prefix: /p}}]
  route: [{destination: {host: v2}}]
""")
        + virtual_service(
            "- match: [{port: 9090}]\n  route: [{destination: {host: v3}}]", hosts="[b.a.test]", name="ports"
        )
        + virtual_service("- route: [{destination: {host: v1}}]", hosts="['*.a.test']", name="wild"),
        tuple(
            Sent(path=path, host=host)
            for host in ("a.test", "a.test:80", "a.test:8080", "a.test:9090", "b.a.test", "b.a.test:9090", "b.a.test:1")
            for path in ("/p", "/q")
        ),
    ),
    Case(
        "hosts",
        virtual_service("- route: [{destination: {host: v1}}]", hosts="[a.test]", name="one")
        + virtual_service("- route: [{destination: {host: v2}}]", hosts="['*.test']", name="two")
        + virtual_service("- route: [{destination: {host: v3}}]", hosts="['*.b.test', '*-c.test']", name="three")
        + virtual_service(
            "- match: [{uri: {prefix: /only}}]\n  route: [{destination: {host: v1}}]", hosts="['*']", name="z"
        ),
        (
            *tuple(
                Sent(host=host)
                for host in (
                    "a.test",
                    "A.TEST",
                    "a.test:8080",
                    "a.test.",
                    "x.test",
                    "b.test",
                    "x.b.test",
                    "x.y.b.test",
                    "x-c.test",
                    "-c.test",
                    ".b.test",
                    "test",
                    "[::1]",
                    "[::1]:80",
                    "127.0.0.1:81",
                    "else",
                )
            ),
            Sent(host="else", path="/only"),
        ),
    ),
    Case(
        "documents of one host are merged by name, catch-alls last",
        virtual_service("- route: [{destination: {host: v1}}]", name="a")
        + virtual_service("- match: [{uri: {prefix: /two}}]\n  route: [{destination: {host: v2}}]", name="b"),
        get("/", "/two"),
    ),
    Case(
        "delegates",
        virtual_service(
            """
- match: [{uri: {prefix: /d}, headers: {h: {exact: x}}}]
  delegate: {name: inner}
  rewrite: {uri: /rewritten}
  mirror: {host: m1}
- match: [{uri: {prefix: /e}}]
  delegate: {name: inner}
- match: [{uri: {prefix: /f}}]
  delegate: {name: missing}
""",
            name="outer",
        )
        + virtual_service(
            """
- match: [{uri: {prefix: /d/1}}, {uri: {prefix: /e/1}}]
  route: [{destination: {host: v1}}]
- match: [{queryParams: {q: {exact: '1'}}}]
  route: [{destination: {host: v2}}]
  rewrite: {uri: /own}
- route: [{destination: {host: v3}}]
""",
            hosts="[]",
            name="inner",
        ),
        (
            *get("/d/1", "/d/2", "/d/2?q=1", "/e/1", "/e/2?q=1", "/e/2", "/f", h="x"),
            *get("/d/1", "/d/2?q=1", "/e/1"),
        ),
    ),
]
