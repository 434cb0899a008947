"""Paths, authorities and header fields as they leave (semantics 1.6, 3)."""

from __future__ import annotations

from envoytools.curated.cases import Case
from envoytools.curated.cases import fielded
from envoytools.curated.cases import get
from envoytools.curated.cases import to_v1
from envoytools.curated.cases import virtual_service
from envoytools.outcome import Sent

_REGEX = r"uriRegexRewrite: {match: '^/service/([^/]+)(/.*)$', rewrite: '/customprefix/\2/\1'}"
REWRITES = [
    *(
        Case(f"{match} -> {rewrite}", to_v1(f"rewrite: {{{rewrite}}}", match), get(*paths))
        for match, rewrite, paths in (
            (
                "{uri: {prefix: /serviceB}}",
                "uri: /",
                ("/serviceB/request/info", "/serviceB", "/serviceB?x=1", "/serviceB/", "/serviceBx", "/serviceB/?x=1"),
            ),
            ("{uri: {prefix: /serviceB/}}", "uri: /", ("/serviceB/request/info", "/serviceB", "/serviceB//")),
            ("{uri: {prefix: /old}}", "uri: /new", ("/old/x?y=1", "/older", "/old?/old")),
            ("{uri: {prefix: /ratings}}", "uri: /v1/bookRatings", ("/ratings/3",)),
            ("{uri: {exact: /foo}}", "uri: /new/path", ("/foo?key=value", "/foo")),
            ("{uri: {regex: '/a/.*'}}", "uri: /b", ("/a/x/y?q=1", "/a/")),
            ("", "uri: /path", ("/headers", "/", "/?q")),
            ("{uri: {prefix: ''}}", "uri: /path", ("/headers", "/")),
            ("{uri: {prefix: /Foo}, ignoreUriCase: true}", "uri: /bar", ("/fOO/x?Y=1", "/FOO")),
            ("{uri: {exact: /Foo}, ignoreUriCase: true}", "uri: /bar", ("/fOO?Y=1",)),
            ("{uri: {prefix: /x}}", "uri: '/y?z=1'", ("/x/1", "/x?q=2")),
            ("{headers: {h: {}}}", "uri: /path", ("/q",)),
            ("", _REGEX, ("/service/update/v1/api", "/service/update/v1/api?q=/service/x/y", "/else")),
            ("", "uriRegexRewrite: {match: one, rewrite: two}", ("/xxx/one/yyy/one/zzz?one=one", "/oneone")),
            ("", "uriRegexRewrite: {match: '(?i)/xxx/', rewrite: /yyy/}", ("/aaa/XxX/bbb",)),
            ("", "uriRegexRewrite: {match: '.*', rewrite: '/z'}", ("/aaa/XxX/bbb", "/?q")),
            ("", r"uriRegexRewrite: {match: 'o*', rewrite: '[\0]'}", ("/foo/o",)),
            ("", r"uriRegexRewrite: {match: '/gone(x?).*', rewrite: '\1'}", ("/gone/x?q", "/a/gone")),
            ("", r"uriRegexRewrite: {match: '(a)|b', rewrite: '<\1>'}", ("/xaxb",)),
            ("{uri: {prefix: /x}}", "uri: /y, authority: new.test", ("/x/1",)),
        )
    ),
    Case(
        "each match has its own prefix",
        virtual_service("""
- match: [{uri: {prefix: /serviceB/}}, {uri: {prefix: /serviceB}}, {uri: {exact: /x}}]
  rewrite: {uri: /}
  route: [{destination: {host: v1}}]
  mirrors: [{destination: {host: m1}}, {destination: {host: m2}}]
"""),
        get("/serviceB/request", "/serviceB", "/serviceB?q", "/x", "/x?q=1"),
    ),
    *(
        Case(
            f"authority, suffix {suffix!r}",
            to_v1("rewrite: {authority: 'new.test:81'}"),
            (Sent(), Sent(host="a.test:8080"), Sent(host="A.Test")),
            suffix=suffix,
        )
        for suffix in ("-shadow", "")
    ),
]
HEADERS = [
    *(
        Case(
            f"headers {fields}",
            to_v1(f"headers: {fields}"),
            fielded(
                (),
                (("x", "1"),),
                (("X", "1"), ("x", "2")),
                (("y", "1"), ("z", "2")),
            ),
        )
        for fields in (
            "{request: {set: {x: a}}}",
            "{request: {add: {x: a}}}",
            "{request: {remove: [x]}}",
            "{request: {set: {x: a}, add: {x: b}, remove: [x, 'Y']}}",
            "{request: {set: {X: a, y: b, z: ''}, add: {y: c, q: '100%%', empty: ''}}}",
            "{request: {set: {Host: new.test}}}",
            "{request: {add: {':authority': other.test}}}",
            "{response: {set: {x-upstream: a}, add: {x: b}}}",
            "{response: {add: {x-upstream: a}, remove: [X-Upstream]}}",
            "{response: {remove: [x-upstream]}}",
        )
    ),
    Case(
        "one destination: its operations come after the route's in one pass",
        virtual_service("""
- route:
  - destination: {host: v1}
    headers: {request: {set: {a: dest, b: dest}, remove: [c]}, response: {set: {x-upstream: dest}, add: {r: dest}}}
  headers: {request: {set: {a: route}, add: {b: route, c: route}}, response: {add: {x-upstream: route, r: route}}}
  mirror: {host: m1}
"""),
        fielded((), (("a", "1"), ("b", "2"), ("c", "3"))),
    ),
    Case(
        "several destinations: each has a pass before the route's",
        virtual_service("""
- route:
  - destination: {host: v1}
    weight: 1
    headers: {request: {set: {a: dest, b: dest}, remove: [c]}, response: {set: {x-upstream: dest}, add: {r: dest}}}
  - destination: {host: v2}
    weight: 0
  - destination: {host: v3}
    weight: 1
    headers: {request: {set: {host: dest.test}, add: {a: three}}}
  headers: {request: {set: {a: route}, add: {b: route, c: route}}, response: {add: {x-upstream: route, r: route}}}
  mirror: {host: m1}
"""),
        fielded((), (("a", "1"), ("b", "2"), ("c", "3"))) * 3,
        draws=(0, 1),
    ),
    Case(
        "Host: rewrite beats route beats destination",
        virtual_service("""
- match: [{uri: {prefix: /1}}]
  rewrite: {authority: rewrite.test}
  route: [{destination: {host: v1}, headers: {request: {set: {Host: dest.test}}}}]
  mirror: {host: m1}
- match: [{uri: {prefix: /2}}]
  headers: {request: {set: {Host: route.test}}}
  route: [{destination: {host: v1}, headers: {request: {set: {host: dest.test}}}}]
- match: [{uri: {prefix: /3}}]
  route: [{destination: {host: v1}, headers: {request: {add: {host: dest.test}}}}]
  mirror: {host: m1}
"""),
        get("/1", "/2", "/3"),
    ),
    Case(
        "header operations do not change what was matched",
        virtual_service("""
- match: [{headers: {x: {exact: a}}}]
  route: [{destination: {host: v1}}]
  headers: {request: {set: {x: b}}}
  mirror: {host: m1}
- route: [{destination: {host: v2}}]
"""),
        fielded((("x", "a"),), (("x", "b"),)),
    ),
]
