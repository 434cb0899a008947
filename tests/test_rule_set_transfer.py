"""A table that has travelled decides, explains and exports as before. tests/live/test_envoy_differential asks Envoy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mirror_addon import rule_set_transfer
from mirror_addon.envoy.bootstrap import Address
from mirror_addon.envoy.bootstrap import ExportOptions
from mirror_addon.envoy.bootstrap import translate
from mirror_addon.listing import rule_lines
from mirror_addon.options import OPTIONS
from mirror_addon.options import parse_settings
from mirror_addon.routing.clusters import ORIGINAL_DESTINATION
from mirror_addon.routing.decision import Request
from mirror_addon.routing.normalization import LEVELS
from mirror_addon.routing.trace import explain
from mirror_addon.rule_set import RuleSet
from mirror_addon.rule_set import load_rule_set
from mirror_addon.rule_set_transfer import pack
from mirror_addon.rule_set_transfer import unpack

RULES = r"""
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: everything
  annotations:
    mirror-addon/set-headers: '{"X-Mirror-Shadow": "1"}'
    mirror-addon/methods: GET,POST
    mirror-addon/sample-by: header:x-user
    mirror-addon/when: "~m GET"
    mirror-addon/max-rps: "5"
spec:
  hosts: [a.test, "*.b.test"]
  http:
  - name: conditions
    match:
    - uri: {exact: /conditions}
      method: {exact: GET}
      scheme: {regex: https?}
      authority: {prefix: a.}
      headers: {x-one: {exact: "1"}, x-two: {prefix: t}, x-three: {regex: "t.+e"}, x-four: {}}
      withoutHeaders: {x-not: {exact: "1"}, x-none: {}}
      queryParams: {q: {exact: "1"}, r: {regex: "[0-9]+"}, s: {regex: "*"}}
      port: 80
    rewrite: {uri: /done, authority: other.test}
    route: [{destination: {host: up, subset: v1}, headers: {request: {set: {x-a: "1"}, remove: [x-one]}}}]
    mirrors: [{destination: {host: up, subset: v2}, percentage: {value: 50}}]
  - match: [{uri: {prefix: /prefix/}}, {uri: {prefix: /PREFIX/}, ignoreUriCase: true}]
    rewrite: {uri: /}
    timeout: 2s
    route:
    - {destination: {host: up, subset: v1}, weight: 30}
    - {destination: {host: up, subset: v2}, weight: 70, headers: {response: {add: {x-b: "2"}}}}
    mirror: {host: up, subset: v2}
    mirrorPercentage: {value: 12.5}
  - match: [{uri: {regex: "/regex/([a-z]+)/.*"}}]
    rewrite: {uriRegexRewrite: {match: "/regex/([a-z]+)/(.*)", rewrite: "/\\2/\\1"}}
    route: [{destination: {host: up}}]
  - {match: [{uri: {regex: "/r/1.*"}}], directResponse: {status: 201}}
  - {match: [{uri: {regex: "/r/2.*"}}], directResponse: {status: 202, body: {string: two}}}
  - {match: [{uri: {regex: "/r/3.*"}}], directResponse: {status: 203}}
  - {match: [{uri: {regex: "/r/4.*"}}], directResponse: {status: 404}}
  - {match: [{uri: {regex: "/r/5.*"}}], directResponse: {status: 205}}
  - {match: [{uri: {regex: "/r/(6|7)"}}], directResponse: {status: 206}}
  - {match: [{uri: {prefix: /old}}], redirect: {prefixRewrite: /new, redirectCode: 308}}
  - match: [{uri: {prefix: /fault}}]
    fault: {delay: {fixedDelay: 5ms, percentage: {value: 50}}, abort: {httpStatus: 555, percentage: {value: 50}}}
    route: [{destination: {host: up, subset: v1}}]
  - match: [{uri: {prefix: /cors}}]
    corsPolicy: {allowOrigins: [{exact: "http://x.test"}, {regex: ".*y.*"}], allowMethods: [GET]}
    route: [{destination: {host: sticky}}]
  - match: [{uri: {prefix: /delegated}}]
    delegate: {name: inner}
  - match: [{uri: {prefix: /outside}}]
    route: [{destination: {host: out.test}}]
    mirror: {host: out.test}
  - match: [{uri: {prefix: /nowhere}}]
    route: [{destination: {host: nobody}}]
  - {match: [{uri: {prefix: /labelled}, sourceLabels: {app: a}}], directResponse: {status: 299}}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: inner}
spec:
  http:
  - match: [{uri: {prefix: /delegated/deeper}}]
    route: [{destination: {host: tls.test}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: small}
spec: {hosts: ["small.test"], http: [{match: [{port: 8080}], directResponse: {status: 207}}]}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: up}
spec:
  host: up
  trafficPolicy: {loadBalancer: {simple: ROUND_ROBIN}}
  subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: sticky}
spec: {host: sticky, trafficPolicy: {loadBalancer: {consistentHash: {httpCookie: {name: c, ttl: 1s}}}}}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: tls}
spec:
  host: tls.test
  trafficPolicy: {tls: {mode: SIMPLE, sni: other.test}, connectionPool: {tcp: {connectTimeout: 1s}}}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: up}
spec:
  hosts: [up.default.svc.cluster.local, sticky.default.svc.cluster.local, tls.test]
  resolution: STATIC
  ports: [{number: 80, name: http, protocol: HTTP}]
  endpoints:
  - {address: 127.0.0.1, ports: {http: 9001}, labels: {version: v1}}
  - {address: 127.0.0.2, ports: {http: 9001}, labels: {version: v1}, weight: 3}
  - {address: 127.0.0.3, ports: {http: 9002}, labels: {version: v2}}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: out}
spec: {hosts: [out.test], resolution: NONE, ports: [{number: 80, name: http, protocol: HTTP}]}
"""

ALL = ((b"x-one", b"1"), (b"x-two", b"two"), (b"x-three", b"three"), (b"x-four", b""))
USER = (
    (b"x-user", b"17"),
    (b"origin", b"http://x.test"),
    (b"access-control-request-method", b"GET"),
    (b"cookie", b"c=1"),
)
HOSTS = (
    (b"a.test", 80),
    (b"x.b.test", 80),
    (b"elsewhere.test", 80),
    (b"a.test:8080", 8080),
    (b"small.test", 8080),
)
REQUESTS = [
    Request(method, b"http", host, path, headers, port, b"192.0.2.9")
    for method in (b"GET", b"POST", b"OPTIONS")
    for host, port in (
        (b"a.test", 80),
        (b"x.b.test", 80),
        (b"elsewhere.test", 80),
        (b"a.test:8080", 8080),
        (b"small.test", 8080),
    )
    for path in (
        b"/conditions?q=1&r=23&s=",
        b"/prefix/x?y",
        b"/Prefix/x",
        b"/regex/abc/def?g",
        b"/regex/a/../b/c//d",
        *(b"/r/%dx" % number for number in range(1, 8)),
        b"/old/x?y",
        b"/fault",
        b"/cors",
        b"/delegated/deeper/x",
        b"/delegated",
        b"/outside",
        b"/nowhere",
        b"/none",
    )
    for headers in ((), ALL, USER)
]
DRAWS = (0, 12, 31, 77, 499_999, 2**63 + 5)


def loaded(tmp_path: Path, **options: Any) -> RuleSet:
    values = {option.name: option.default for option in OPTIONS} | {f"mirror_{name}": options[name] for name in options}
    (tmp_path / "all.yaml").write_text(RULES)
    made = load_rule_set(parse_settings(values | {"mirror_rules": [str(tmp_path)]}), b"192.0.2.1")
    assert not made.refused
    return made


@pytest.mark.parametrize("level", LEVELS)
def test_a_table_that_has_travelled_is_the_same(tmp_path: Path, level: str) -> None:
    made = loaded(tmp_path, path_normalization=level, to=["http://127.0.0.1:9/base"], sample_seed="x")
    come = unpack(pack(made))
    again = unpack(pack(come))
    assert (come.diagnostics, come.refused, come.documents, come.rules) == (
        made.diagnostics,
        made.refused,
        made.documents,
        made.rules,
    )
    assert (come.mirrors, come.unsafe) == (made.mirrors, made.unsafe) and made.mirrors and made.unsafe
    seen = set()
    for request in REQUESTS:
        for draw in DRAWS:
            decisions = [each.table.route(request, draw) for each in (made, come, again)]
            assert repr(decisions[0]) == repr(decisions[1]) == repr(decisions[2])
            seen.add(decisions[0].action)
        for each in (come, again):
            assert explain(each.table, request, 7) == explain(made.table, request, 7)
    assert len(seen) == 8, "every action"
    for each in (come, again):
        assert list(rule_lines(each.table)) == list(rule_lines(made.table))


def test_what_was_compiled_is_there_when_somebody_asks(tmp_path: Path) -> None:
    made = loaded(tmp_path)
    come = unpack(pack(made))
    options = ExportOptions(Address("127.0.0.1", 1), Address("127.0.0.1", 2))
    assert translate(come.table, options) == translate(made.table, options)


def test_the_original_destination_is_one(tmp_path: Path) -> None:
    come = unpack(pack(loaded(tmp_path)))
    outside = Request(b"GET", b"http", b"a.test", b"/outside", (), 80)
    decision = come.table.route(outside, 0)
    assert decision.endpoint is ORIGINAL_DESTINATION
    assert decision.mirrors[0].skipped == "no_endpoint"


def test_it_comes_in_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packed = pack(loaded(tmp_path))
    breaths: list[None] = []
    monkeypatch.setattr(rule_set_transfer, "breathe", lambda: breaths.append(None))
    come = unpack(packed)
    assert len(breaths) >= len(come.table.pieces()) / rule_set_transfer._STEP


def test_other_bytes_are_refused() -> None:
    with pytest.raises(Exception, match=r".+"):
        unpack(b"no pickle")
