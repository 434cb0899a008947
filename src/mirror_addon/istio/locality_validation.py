"""Locality settings of a load balancer: Istio's validation (agent/validation.go).

`ValidateLocalityLbSetting` and `ValidateZoneAwareLbSetting` are the sources.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Sequence

from mirror_addon.istio.diagnostics import FieldPath
from mirror_addon.istio.findings import Findings
from mirror_addon.istio.resources.destination_rule import LocalityFailover
from mirror_addon.istio.resources.destination_rule import LocalityLoadBalancerSetting
from mirror_addon.istio.resources.destination_rule import ZoneAwareLoadBalancerSetting

_TOPOLOGY = frozenset({"topology.kubernetes.io/region", "topology.kubernetes.io/zone", "topology.istio.io/subzone"})
_ALL = 100


def validate_locality(
    setting: LocalityLoadBalancerSetting, path: FieldPath, has_outliers: bool, findings: Findings
) -> None:
    """Check `localityLbSetting`. `has_outliers`: the policy has outlierDetection, without which nothing fails over."""
    if setting.distribute and setting.failover:
        findings.error((*path, "distribute"), "cannot be combined with failover; keep one")
        return
    if setting.failover:
        for index, label in enumerate(setting.failover_priority):
            if label in _TOPOLOGY:
                findings.error(
                    (*path, "failoverPriority", index), f"the topology label {label} cannot be combined with failover"
                )
    for index, distribution in enumerate(setting.distribute):
        here: FieldPath = (*path, "distribute", index)
        _validate_weights(distribution.to, (*here, "to"), findings)
        _validate_localities(((name, (*here, "to", name)) for name in distribution.to), findings)
    _validate_localities(
        ((item.from_, (*path, "distribute", index, "from")) for index, item in enumerate(setting.distribute)), findings
    )
    _validate_failover(setting.failover, setting.failover_priority, path, has_outliers, findings)


def validate_zone_aware(
    setting: ZoneAwareLoadBalancerSetting, path: FieldPath, has_outliers: bool, findings: Findings
) -> None:
    """Check `zoneAwareLbSetting`; `has_outliers` as in `validate_locality`."""
    if setting.min_cluster_size is not None and not setting.min_cluster_size:  # an API server refuses it, by the CRD
        findings.error((*path, "minClusterSize"), "must be at least 1; it is 0")
    for index, label in enumerate(setting.failover_priority):
        if label in _TOPOLOGY:
            findings.error(
                (*path, "failoverPriority", index), f"the topology label {label} is always respected; remove it"
            )
    _validate_failover(setting.failover, setting.failover_priority, path, has_outliers, findings)


def _validate_weights(weights: dict[str, int], path: FieldPath, findings: Findings) -> None:
    bad = [name for name, weight in weights.items() if not 1 <= weight <= _ALL]
    for name in bad:
        findings.error((*path, name), f"must be a weight from 1 to {_ALL}; it is {weights[name]}")
    if not bad and sum(weights.values()) != _ALL:
        findings.error(path, f"the weights must be {_ALL} together; they are {sum(weights.values())}")


def _validate_localities(localities: Iterable[tuple[str, FieldPath]], findings: Findings) -> None:
    """Check `region/zone/subzone`: `*` may only be the end, and none may include another."""
    seen: dict[tuple[str, ...], str] = {}
    beginnings: set[tuple[str, ...]] = set()
    for locality, path in localities:
        parts = tuple(locality.split("/", 2))
        if locality.count("*") > 1 or ("*" in locality and not locality.endswith("*")):
            findings.error(path, f"{locality!r:.80}: '*' may only stand once, at the end")
            continue
        if "" in parts:
            findings.error(path, f"{locality!r:.80} has an empty region, zone or subzone")
            continue
        whole = parts[:-1] if parts[-1] == "*" else parts
        covering = next((seen[whole[:end]] for end in range(len(whole) + 1) if whole[:end] in seen), None)
        # `a/*` after `a/b` is accepted by Istio, the reverse is not.
        if covering is not None or (whole == parts and whole in beginnings):
            other = covering or "another one"
            findings.error(path, f"{locality!r:.80} overlaps with {other!r:.80}; remove one")
        seen.setdefault(whole, locality)
        beginnings.update(whole[:end] for end in range(len(whole)))


def _validate_failover(
    failover: Sequence[LocalityFailover],
    priority: Sequence[str],
    path: FieldPath,
    has_outliers: bool,
    findings: Findings,
) -> None:
    if (failover or priority) and not has_outliers:
        name = "failover" if failover else "failoverPriority"
        findings.warning((*path, name), "has no effect without outlierDetection; add it", at_key=True)
    for index, item in enumerate(failover):
        here: FieldPath = (*path, "failover", index)
        if item.from_ == item.to:
            findings.error(here, "from and to must be different regions")
        for name, region in (("from", item.from_), ("to", item.to)):
            if "/" in region:
                findings.error((*here, name), f"{region!r:.80} must be a region only, without zone")
            if "*" in region:
                findings.error((*here, name), f"{region!r:.80} must be one region, without '*'")
