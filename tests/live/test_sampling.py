"""Shares of real traffic: what is mirrored is a share of what comes, and one draw decides for all mirrors of a rule."""

from __future__ import annotations

import math
from pathlib import Path

from livetools.client import Client
from livetools.proxy import Proxy
from livetools.recorder import Recorder
from livetools.worked_example import HOST
from livetools.worked_example import request

COUNT = 1200
RULES = """\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shares}
spec:
  hosts: [istio.gateway.xxxx.tech]
  http:
  - route: [{destination: {host: here, subset: v1}}]
    mirrors:
    - {destination: {host: here, subset: v2}, percentage: {value: 30}}
    - {destination: {host: here, subset: v3}, percentage: {value: 60}}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: here}
spec:
  host: here
  subsets: [{name: v1, labels: {v: "1"}}, {name: v2, labels: {v: "2"}}, {name: v3, labels: {v: "3"}}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: here}
spec:
  hosts: [here.default.svc.cluster.local]
  resolution: STATIC
  ports: [{number: 80, name: http, protocol: HTTP}]
  endpoints:
  - {address: 127.0.0.1, labels: {v: "1"}, ports: {http: %d}}
  - {address: 127.0.0.1, labels: {v: "2"}, ports: {http: %d}}
  - {address: 127.0.0.1, labels: {v: "3"}, ports: {http: %d}}
"""


def plausible(found: int, share: float) -> bool:
    """Within 7 standard deviations of a binomial distribution: wrong once in 10**11 runs."""
    return abs(found - share * COUNT) < 7 * math.sqrt(COUNT * share * (1 - share))


def test_two_mirrors_of_a_rule_share_one_draw(confdir: Path, tmp_path: Path, v1: Recorder, v2: Recorder) -> None:
    with Recorder() as v3:
        (tmp_path / "rules.yaml").write_text(RULES % (v1.port, v2.port, v3.port))
        arguments = ("--mode", "reverse:http://127.0.0.1:9", "--set", f"mirror_rules={tmp_path}")
        with Proxy(confdir, *arguments) as proxy:
            with Client(proxy.address) as client:
                for number in range(COUNT):
                    assert client.exchange(request(b"GET /%d" % number)).status == 200
            assert proxy.interrupt() == 0
        few, many = ({shadow.target for shadow in mirror.received} for mirror in (v2, v3))
        assert all(shadow.value(b"host") == HOST + b"-shadow" for shadow in v2.received + v3.received)
    assert plausible(len(few), 0.3), len(few)
    assert plausible(len(many), 0.6), len(many)
    assert few < many
    assert proxy.totals["sent"] == len(few) + len(many)
    assert proxy.totals["skipped.percent"] == 2 * COUNT - len(few) - len(many)
