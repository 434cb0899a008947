"""The head of a request: what Envoy decided, and whether anything of the exchange is mirrored."""

from __future__ import annotations

import random
import time

from mirror_addon.processor.agreement import Agreed
from mirror_addon.processor.agreement import Told
from mirror_addon.processor.arrived import Arrived
from mirror_addon.processor.arrived import read_request
from mirror_addon.processor.engine import Engine
from mirror_addon.processor.events import CLUSTER_NAME
from mirror_addon.processor.events import PROTOCOL
from mirror_addon.processor.events import ROUTE_NAME
from mirror_addon.processor.events import Head
from mirror_addon.processor.exchange import End
from mirror_addon.processor.mirrored import MirroredExchange
from mirror_addon.processor.routed import Routed
from mirror_addon.processor.routed import Waits
from mirror_addon.routing.decision import Action
from mirror_addon.routing.local_replies import is_grpc


def begin(engine: Engine, head: Head) -> MirroredExchange | None:
    """Decide about a request. None: nothing more of its exchange is needed."""
    agreement = engine.agreement
    assert agreement is not None
    engine.counters.request()
    start, table = time.time(), agreement.table
    arrived = read_request(head, start, edge=table.identity.use_remote_address, facts=table.wants_facts)
    number = random.getrandbits(64)
    told = Told(head.attributes.get(ROUTE_NAME, ""), head.attributes.get(CLUSTER_NAME, ""))
    agreed = agreement.decide(arrived.request, told, number)
    if agreed.strange:
        engine.counts.strange[agreed.strange] += 1
    decision = agreed.decision
    if decision.rule is None:
        engine.counters.unmatched += 1
        engine.unmatched.note(table, arrived.asked, decision)
    if not decision.mirrors:
        return None
    # There is no gRPC over HTTP/1, whatever the content type says.
    grpc = is_grpc(arrived.asked) and not head.attributes.get(PROTOCOL, "").startswith("HTTP/1")
    routed = Routed(arrived.asked, decision, agreed.draw, arrived.client, grpc)
    if arrived.upgrade or decision.request is None:
        engine.skip(routed, "upgrade" if arrived.upgrade else "local_reply")
        return None
    return _mirrored(engine, head, arrived, agreed, told, routed, number, start)


def _mirrored(
    engine: Engine, head: Head, arrived: Arrived, agreed: Agreed, told: Told, routed: Routed, number: int, start: float
) -> MirroredExchange | None:
    decision, skips = agreed.decision, engine.gate.reason_to_skip
    waits = Waits.NOTHING if agreed.final else Waits.CLUSTER
    if decision.action is Action.ROUTE and decision.endpoint is None:
        waits |= Waits.ENDPOINT
    text = decision.rule.annotations.when if decision.rule and decision.rule.annotations is not None else ""
    filtered = None
    if agreed.final and all(skips(routed.request, mirror) for mirror in decision.mirrors):
        engine.skip(routed, "when")  # each has a reason of its own
        return None
    if text:
        from mirror_addon.processor.filtered import Filtered  # imports mitmproxy

        filtered = Filtered(text, arrived, start, body=not head.end)
        wanted = filtered.now()
        if wanted is False:
            engine.skip(routed, "when")
            return None
        if wanted is None:
            waits |= Waits.FILTER
    mirrored = MirroredExchange(engine, arrived, told, routed, number, start, waits, filtered)
    if engine.load.overloaded:
        mirrored.overload()
        mirrored.over(End.LEFT, time.monotonic())
        return None
    mirrored.decide()
    return mirrored if mirrored.wanted else None
