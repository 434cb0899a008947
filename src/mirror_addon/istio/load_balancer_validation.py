"""LoadBalancerSettings: Istio's validation of how an endpoint is chosen."""

from __future__ import annotations

from mirror_addon.istio.diagnostics import FieldPath
from mirror_addon.istio.findings import Findings
from mirror_addon.istio.local_reply_validation import DEPRECATED
from mirror_addon.istio.locality_validation import validate_locality
from mirror_addon.istio.locality_validation import validate_zone_aware
from mirror_addon.istio.resources.destination_rule import ConsistentHashLB
from mirror_addon.istio.resources.destination_rule import HTTPCookie
from mirror_addon.istio.resources.destination_rule import LoadBalancerSettings
from mirror_addon.istio.resources.destination_rule import WarmupConfiguration
from mirror_addon.istio.values import check_duration
from mirror_addon.istio.values import check_one_of

_MAX_MAGLEV_TABLE = 5_000_011


def validate_load_balancer(
    balancer: LoadBalancerSettings, path: FieldPath, has_outliers: bool, findings: Findings
) -> None:
    """Check a load balancer. `has_outliers`: the same policy has outlierDetection."""
    members = (
        ("simple", balancer.simple),
        ("consistentHash", balancer.consistent_hash),
        ("backendUtilization", balancer.backend_utilization),
    )
    check_one_of([name for name, there in members if there is not None], path, findings)
    if balancer.simple == "LEAST_CONN":
        findings.warning((*path, "simple"), "is deprecated; write LEAST_REQUEST", code=DEPRECATED)
    elif balancer.simple == "PASSTHROUGH":
        findings.info((*path, "simple"), "not emulated: PASSTHROUGH (the request's own address is not kept)")
    if balancer.consistent_hash is not None:
        _validate_consistent_hash(balancer.consistent_hash, (*path, "consistentHash"), findings)
    if balancer.locality_lb_setting is not None and balancer.zone_aware_lb_setting is not None:
        findings.error((*path, "localityLbSetting"), "cannot be combined with zoneAwareLbSetting; keep one")
    if balancer.locality_lb_setting is not None:
        validate_locality(balancer.locality_lb_setting, (*path, "localityLbSetting"), has_outliers, findings)
    if balancer.zone_aware_lb_setting is not None:
        validate_zone_aware(balancer.zone_aware_lb_setting, (*path, "zoneAwareLbSetting"), has_outliers, findings)
    for name, value in (
        ("localityLbSetting", balancer.locality_lb_setting),
        ("zoneAwareLbSetting", balancer.zone_aware_lb_setting),
        ("backendUtilization", balancer.backend_utilization),
        ("warmup", balancer.warmup),
    ):
        if value is not None:
            findings.info((*path, name), f"not emulated: {name}", at_key=True)
    if balancer.warmup is not None:
        _validate_warmup(balancer.warmup, (*path, "warmup"), findings)
    if balancer.warmup_duration_secs is not None:
        here = (*path, "warmupDurationSecs")
        check_duration(balancer.warmup_duration_secs, here, findings)
        findings.warning(here, "is deprecated; write warmup: {duration: ...}", code=DEPRECATED, at_key=True)


def _validate_consistent_hash(chosen: ConsistentHashLB, path: FieldPath, findings: Findings) -> None:
    keys = (
        ("httpHeaderName", chosen.http_header_name),
        ("httpCookie", chosen.http_cookie),
        ("useSourceIp", chosen.use_source_ip),
        ("httpQueryParameterName", chosen.http_query_parameter_name),
    )
    check_one_of([name for name, there in keys if there is not None], path, findings)
    algorithms = (("ringHash", chosen.ring_hash), ("maglev", chosen.maglev))
    given = [name for name, there in algorithms if there is not None]
    check_one_of(given, path, findings)
    if chosen.http_cookie is not None:
        _validate_cookie(chosen.http_cookie, (*path, "httpCookie"), findings)
    if chosen.minimum_ring_size:
        here = (*path, "minimumRingSize")
        if given:
            findings.error(here, f"cannot be combined with {given[0]}; write it there")
        findings.warning(here, "is deprecated; write ringHash: {minimumRingSize: ...}", at_key=True)
    if chosen.maglev is not None:
        size = chosen.maglev.table_size
        if not (0 < size < _MAX_MAGLEV_TABLE and _is_prime(size)):
            what = f"it is {size}" if size else "it is missing"
            findings.error((*path, "maglev", "tableSize"), f"must be a prime below {_MAX_MAGLEV_TABLE:,}; {what}")


def _validate_cookie(cookie: HTTPCookie, path: FieldPath, findings: Findings) -> None:
    if not cookie.name:
        findings.error(path, "name is missing; name the cookie")
    seen: set[str] = set()
    for index, attribute in enumerate(cookie.attributes):
        here = (*path, "attributes", index, "name")
        if not attribute.name:
            findings.error(here, "a cookie attribute needs a name")
        elif attribute.name in seen:
            findings.error(here, f"the attribute {attribute.name!r:.80} is repeated; remove one")
        seen.add(attribute.name)


def _validate_warmup(warmup: WarmupConfiguration, path: FieldPath, findings: Findings) -> None:
    if warmup.duration is None:
        findings.error(path, "duration is missing; set it")
    check_duration(warmup.duration, (*path, "duration"), findings)
    if warmup.minimum_percent is not None and not 0 <= warmup.minimum_percent <= 100:
        findings.error((*path, "minimumPercent"), f"must be from 0 to 100; it is {warmup.minimum_percent:g}")
    if warmup.aggression is not None and warmup.aggression <= 0:
        findings.error((*path, "aggression"), f"must be above 0; it is {warmup.aggression:g}")


def _is_prime(number: int) -> bool:
    """Return what Envoy takes for a prime: 1 is one."""
    return all(number % divisor for divisor in range(2, int(number**0.5) + 1))
