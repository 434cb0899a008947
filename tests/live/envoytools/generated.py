"""Rule sets and requests made by hypothesis, of few words, so that they meet."""

from __future__ import annotations

import json
from typing import Any

from envoytools.outcome import Sent
from hypothesis import strategies as st

SEGMENTS = ("", "a", "b", "A", "ab", "a.b", "%61", "%2f", "..", ".", "a~", "x(y)")
VALUES = ("", "x", "X", "xy", "x,y", "y", "1", "é", "a b")
NAMES = ("h", "H-Two", "x-forwarded-for", "accept", "cookie")
PARAMS = ("q", "Q", "r")
REGEXES = ("", "x", "x|y", ".*", "[^,]*", "x.?", "(?i)X", r"\d+", ".", "(a|b)*", r"\w+")
PATH_REGEXES = ("/a.*", "/(a|b)/?", "/[^/]*", ".*b", "(?i)/A", r"/\w+/.*", "/")

_paths = st.lists(st.sampled_from(SEGMENTS), max_size=3).map(lambda segments: "/" + "/".join(segments))
_prefixes = _paths.flatmap(lambda path: st.integers(1, len(path)).map(lambda end: path[:end]))


def _optional(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields)


def _one(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.one_of([value.map(lambda value, name=name: {name: value}) for name, value in fields.items()])


_values = st.sampled_from(VALUES)
_nonempty = st.sampled_from(VALUES[1:])
_string = st.one_of(
    st.just({}),
    _one(exact=_values, prefix=_nonempty, regex=st.sampled_from(REGEXES[1:])),
)
_uri = _one(
    exact=_paths, prefix=st.one_of(_prefixes, st.sampled_from(("/", "/a", "/b"))), regex=st.sampled_from(PATH_REGEXES)
)
_match = st.one_of(
    _optional(uri=_uri, ignoreUriCase=st.booleans()),
    st.fixed_dictionaries(
        {"uri": _uri},
        optional={
            "headers": st.dictionaries(st.sampled_from(NAMES), _string, min_size=1, max_size=2),
            "withoutHeaders": st.dictionaries(st.sampled_from(NAMES), _string, min_size=1, max_size=2),
            "queryParams": st.dictionaries(st.sampled_from(PARAMS), _string, min_size=1, max_size=1),
            "method": _one(exact=st.sampled_from(("GET", "POST", "get")), regex=st.just("GET|PUT")),
            "authority": _one(exact=st.sampled_from(("a.test", "a.test:8080")), prefix=st.just("a.")),
            "ignoreUriCase": st.booleans(),
        },
    ),
    _optional(
        headers=st.dictionaries(st.sampled_from(NAMES), _string, min_size=1, max_size=1),
        withoutHeaders=st.dictionaries(st.sampled_from(NAMES), _string, min_size=1, max_size=1),
        queryParams=st.dictionaries(st.sampled_from(PARAMS), _string, min_size=1, max_size=1),
    ),
)
_operations = _optional(
    set=st.dictionaries(st.sampled_from(("h", "H-Two", "z", "accept")), _nonempty.filter(str.isascii), max_size=2),
    add=st.dictionaries(st.sampled_from(("h", "h-two", "y", "accept")), _nonempty.filter(str.isascii), max_size=2),
    remove=st.lists(st.sampled_from(("h", "H-TWO", "y", "cookie")), max_size=2),
)
_headers = _optional(request=_operations, response=_operations)
_rewrite = st.one_of(
    _optional(uri=_prefixes, authority=st.sampled_from(("new.test", "new.test:81"))).filter(bool),
    st.fixed_dictionaries(
        {
            "uriRegexRewrite": st.fixed_dictionaries(
                {
                    "match": st.sampled_from(("a", "^/(.*)$", "(a)|(b)", "/+", "x?")),
                    "rewrite": st.sampled_from((r"/\0", "/n")),
                }
            )
        }
    ),
)
_percentage = st.sampled_from((0, 0.00001, 50, 100)).map(lambda value: {"value": value})
_mirrors = st.one_of(
    st.fixed_dictionaries(
        {"mirror": st.sampled_from(("m1", "m2", "nowhere")).map(lambda host: {"host": host})},
        optional={"mirrorPercentage": _percentage, "mirrorPercent": st.sampled_from((0, 50, 100))},
    ),
    st.lists(
        st.fixed_dictionaries(
            {"destination": st.sampled_from(("m1", "m2")).map(lambda host: {"host": host})},
            optional={"percentage": _percentage},
        ),
        max_size=3,
    ).map(lambda mirrors: {"mirrors": mirrors}),
)
_weights = st.sampled_from(((50, 50), (100, 0), (1, 1), (30, 70)))


def _destination(host: str) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({"destination": st.just({"host": host})}, optional={"headers": _headers})


_destinations = st.one_of(
    st.sampled_from(("v1", "v2", "v3")).flatmap(_destination).map(lambda item: [item]),
    st.tuples(_destination("v1"), _destination("v2"), _weights).map(
        lambda made: [{**made[0], "weight": made[2][0]}, {**made[1], "weight": made[2][1]}]
    ),
)
_hundred = {"percentage": {"value": 100}}
_cors = _optional(
    allowOrigins=st.lists(
        _one(exact=st.sampled_from(("x", "*")), prefix=st.just("x"), regex=st.just("x.*")), max_size=2
    ),
    allowMethods=st.sampled_from((["GET"], ["GET", "PUT"], ["*"])),
    allowHeaders=st.sampled_from((["h"], ["h", "i"], ["*"])),
    exposeHeaders=st.just(["h"]),
    maxAge=st.just("1m"),
    allowCredentials=st.booleans(),
    unmatchedPreflights=st.sampled_from(("FORWARD", "IGNORE")),
)
_fault = st.sampled_from(
    (
        {"abort": {"httpStatus": 418, **_hundred}},
        {"abort": {"grpcStatus": "NOT_FOUND", **_hundred}},
        {"abort": {"httpStatus": 503}},
    )
)
_action = st.one_of(
    st.tuples(
        st.fixed_dictionaries(
            {"route": _destinations}, optional={"rewrite": _rewrite, "headers": _headers, "fault": _fault}
        ),
        _mirrors,
    ).map(lambda parts: parts[0] | parts[1]),
    st.fixed_dictionaries(
        {
            "redirect": _optional(
                uri=_prefixes,
                authority=st.just("r.test"),
                scheme=st.sampled_from(("http", "https")),
                port=st.sampled_from((80, 443, 8443)),
                redirectCode=st.sampled_from((301, 302, 307)),
            ).filter(lambda redirect: set(redirect) - {"redirectCode"})
        },
        optional={"headers": _headers},
    ),
    st.fixed_dictionaries(
        {
            "directResponse": st.fixed_dictionaries(
                {"status": st.sampled_from((200, 204, 404))}, optional={"body": st.just({"string": "b"})}
            )
        },
        optional={"headers": _headers},
    ),
)
_matched = st.tuples(
    st.fixed_dictionaries({"match": st.lists(_match, min_size=1, max_size=2)}, optional={"corsPolicy": _cors}), _action
).map(lambda parts: parts[0] | parts[1])
_last = st.tuples(_optional(corsPolicy=_cors), _action).map(lambda parts: parts[0] | parts[1])


@st.composite
def rule_sets(draw: st.DrawFn) -> str:
    """One virtual service of up to four rules with matches, and often one for the rest; JSON, which is YAML."""
    http = draw(st.lists(_matched, min_size=1, max_size=4))
    if draw(st.booleans()):
        http.append(draw(_last))
    document = {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": "generated"},
        "spec": {"hosts": ["a.test"], "gateways": ["gate"], "http": http},
    }
    return json.dumps(document)


_fields = st.lists(
    st.one_of(
        st.tuples(
            st.sampled_from(("h", "H", "h-two", "accept")),
            st.sampled_from(("", "x", "X", "xy", "x,y", "y", "1", b"\xc3\xa9", "a b")),
        ),
        st.tuples(st.just("cookie"), st.sampled_from(("x", "x=1; y=2"))),
        st.tuples(st.just("x-forwarded-for"), st.sampled_from(("x", "10.0.0.1, 10.0.0.2"))),
        st.tuples(st.just("origin"), st.sampled_from(("x", "xy", "null"))),
        st.tuples(st.just("access-control-request-method"), st.sampled_from(("GET", "PUT"))),
        st.tuples(st.just("access-control-request-headers"), st.just("h")),
        st.tuples(st.just("content-type"), st.sampled_from(("application/grpc", "text/html"))),
    ),
    max_size=4,
).map(tuple)
_query = st.lists(
    st.tuples(st.sampled_from(PARAMS), st.sampled_from(("", "=", "=x", "=xy", "=%78", "=1"))).map("".join), max_size=2
).map(lambda pairs: "?" + "&".join(pairs) if pairs else "")

requests = st.builds(
    Sent,
    method=st.sampled_from(("GET", "GET", "POST", "HEAD", "OPTIONS", "PUT")),
    path=st.tuples(_paths, _query).map("".join),
    host=st.sampled_from(("a.test", "a.test", "a.test:8080", "A.test", "a.test:80")),
    headers=_fields,
)

DRAWS = (*range(100), *range(500_000, 500_100))
"""All that weights and percentages of these rule sets can come out as."""
