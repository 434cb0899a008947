"""Sets of HTTPRoutes made by hypothesis; the requests are those of `generated`."""

from __future__ import annotations

import json
from typing import Any

from envoytools.generated import PATH_REGEXES
from envoytools.generated import REGEXES
from hypothesis import strategies as st

_SEGMENTS = ("a", "b", "A", "ab", "a.b", "x(y)")
_paths = st.lists(st.sampled_from(_SEGMENTS), max_size=3).map(lambda segments: "/" + "/".join(segments))
_values = st.sampled_from(("x", "X", "xy", "1"))


def _optional(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields)


def _by_name(names: tuple[str, ...]) -> st.SearchStrategy[list[dict[str, Any]]]:
    condition = st.one_of(
        st.fixed_dictionaries({"value": _values}),
        st.fixed_dictionaries({"value": st.sampled_from(REGEXES[1:]), "type": st.just("RegularExpression")}),
    )
    found = st.dictionaries(st.sampled_from(names), condition, min_size=1, max_size=2)
    return found.map(lambda table: [{"name": name, **fields} for name, fields in table.items()])


_path = st.one_of(
    st.fixed_dictionaries({"value": _paths}),
    st.fixed_dictionaries({"value": st.sampled_from(("/a/", "/a", "/ab", "/"))}),
    st.fixed_dictionaries({"type": st.just("Exact"), "value": _paths}),
    st.fixed_dictionaries({"type": st.just("RegularExpression"), "value": st.sampled_from(PATH_REGEXES)}),
)
_match = _optional(
    path=_path,
    method=st.sampled_from(("GET", "POST", "PUT")),
    headers=_by_name(("h", "accept")),
    queryParams=_by_name(("q", "r")),
)
_headers = st.dictionaries(st.sampled_from(("h", "z", "accept")), _values, max_size=2).map(
    lambda table: [{"name": name, "value": value} for name, value in table.items()]
)
_modifier = _optional(set=_headers, add=_headers, remove=st.lists(st.sampled_from(("h", "y")), max_size=1))
_request_modifier = _modifier.map(lambda fields: {"type": "RequestHeaderModifier", "requestHeaderModifier": fields})
_response_modifier = _modifier.map(lambda fields: {"type": "ResponseHeaderModifier", "responseHeaderModifier": fields})
_backends = st.lists(
    st.fixed_dictionaries(
        {"name": st.sampled_from(("v1", "v2", "gone")), "port": st.just(80)},
        optional={"weight": st.sampled_from((0, 1, 3)), "filters": st.lists(_request_modifier, max_size=1)},
    ),
    max_size=3,
)
_mirror = st.builds(
    lambda name, share: {"type": "RequestMirror", "requestMirror": {"backendRef": {"name": name, "port": 80}, **share}},
    st.sampled_from(("m1", "m2", "gone")),
    st.sampled_from(({}, {"percent": 0}, {"percent": 100}, {"fraction": {"numerator": 50, "denominator": 100}})),
)


@st.composite
def _rule(draw: st.DrawFn) -> dict[str, Any]:
    matches = draw(st.lists(_match, min_size=1, max_size=3))
    filters = draw(st.lists(_mirror, max_size=2))
    filters += draw(st.lists(_request_modifier, max_size=1)) + draw(st.lists(_response_modifier, max_size=1))
    modifiers = [{"type": "ReplaceFullPath", "replaceFullPath": draw(_paths)}]
    if len(matches) == 1 and matches[0].get("path", {}).get("type", "PathPrefix") == "PathPrefix":
        modifiers.append({"type": "ReplacePrefixMatch", "replacePrefixMatch": draw(st.one_of(_paths, st.just("")))})
    modifier = {"path": draw(st.sampled_from(modifiers))}
    kind = draw(st.sampled_from(("plain", "plain", "rewrite", "redirect")))
    if kind == "rewrite":
        filters.append(
            {"type": "URLRewrite", "urlRewrite": {**modifier, **draw(_optional(hostname=st.just("new.test")))}}
        )
    if kind == "redirect":
        # Without scheme and port it is the listener's port, of which the export, for any port, knows nothing.
        optional = {"port": st.just(8443), "hostname": st.just("b.test")}
        more = draw(st.fixed_dictionaries({"scheme": st.sampled_from(("http", "https"))}, optional=optional))
        filters.append({"type": "RequestRedirect", "requestRedirect": {**modifier, **more}})
        return {"matches": matches, "filters": filters}
    return {"matches": matches, "filters": filters, "backendRefs": draw(_backends)}


@st.composite
def route_sets(draw: st.DrawFn) -> str:
    """One to three HTTPRoutes of a.test and of wildcards, with up to three rules each; JSON, which is YAML."""
    documents = [
        {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "HTTPRoute",
            "metadata": {"name": f"r{index}"},
            "spec": {
                "parentRefs": [{"name": "gate"}],
                "hostnames": draw(st.sampled_from((["a.test"], ["a.test"], ["a.test", "*.test"], ["*.test"]))),
                "rules": draw(st.lists(_rule(), min_size=1, max_size=3)),
            },
        }
        for index in range(draw(st.integers(1, 3)))
    ]
    return "\n---\n".join(map(json.dumps, documents))
