"""DestinationRule: Istio's validation of the object and its subsets."""

from __future__ import annotations

from mirror_addon.istio.diagnostics import FieldPath
from mirror_addon.istio.documents import Resource
from mirror_addon.istio.findings import Findings
from mirror_addon.istio.names import domain_problem
from mirror_addon.istio.names import is_dns_label
from mirror_addon.istio.names import validate_labels
from mirror_addon.istio.names import validate_selector
from mirror_addon.istio.resources.destination_rule import ClientTLSSettings
from mirror_addon.istio.resources.destination_rule import DestinationRuleSpec
from mirror_addon.istio.resources.destination_rule import TrafficPolicy
from mirror_addon.istio.traffic_policy_validation import validate_traffic_policy
from mirror_addon.istio.values import check_export_to

NO_CA_FOR_DESTINATION = "IST0128"
NO_CA_FOR_PORT = "IST0129"


def validate_destination_rule(resource: Resource[DestinationRuleSpec], findings: Findings) -> None:
    spec = resource.spec
    if problem := domain_problem(spec.host, True):
        findings.error(("spec", "host"), f"host {spec.host!r:.80} {problem}; name a service")
    if spec.traffic_policy is not None:
        here: FieldPath = ("spec", "trafficPolicy")
        validate_traffic_policy(spec.traffic_policy, here, resource.namespace, findings)
        _warn_without_ca(spec, spec.traffic_policy, here, findings)
    first: dict[str, int] = {}
    for index, subset in enumerate(spec.subsets):
        here = ("spec", "subsets", index)
        if not is_dns_label(subset.name):
            what = f"{subset.name!r:.80} is not a subset name (DNS-1123 label)" if subset.name else "name is missing"
            findings.error((*here, "name"), f"{what}; use letters, digits and '-'")
        elif first.setdefault(subset.name, index) != index:
            findings.error(
                (*here, "name"), f"the subset {subset.name!r} is repeated; the first is subsets[{first[subset.name]}]"
            )
        validate_labels(subset.labels, (*here, "labels"), findings)
        if subset.traffic_policy is not None:
            validate_traffic_policy(subset.traffic_policy, (*here, "trafficPolicy"), resource.namespace, findings)
    check_export_to(spec.export_to, resource.namespace, ("spec",), findings)
    if spec.workload_selector is not None:
        validate_selector(spec.workload_selector.match_labels, ("spec", "workloadSelector"), "matchLabels", findings)
        if any(name not in (".", resource.namespace) for name in spec.export_to):
            findings.error(
                ("spec", "exportTo"), "with a workloadSelector a rule applies in its own namespace only; write ['.']"
            )


def _warn_without_ca(spec: DestinationRuleSpec, policy: TrafficPolicy, path: FieldPath, findings: Findings) -> None:
    """Warn as istio `analyzers/destinationrule/ca-certificates.go`: of `trafficPolicy`, not of the subsets' own."""
    if policy.tls is not None and _lacks_ca(policy.tls, spec):
        findings.warning((*path, "tls"), _no_ca(policy.tls), code=NO_CA_FOR_DESTINATION, at_key=True)
    for index, port in enumerate(policy.port_level_settings):
        if port.tls is not None and _lacks_ca(port.tls, spec):
            here = (*path, "portLevelSettings", index, "tls")
            findings.warning(here, _no_ca(port.tls), code=NO_CA_FOR_PORT, at_key=True)


def _lacks_ca(tls: ClientTLSSettings, spec: DestinationRuleSpec) -> bool:
    by_credential = tls.credential_name and spec.workload_selector is not None
    return tls.mode in ("SIMPLE", "MUTUAL") and not tls.ca_certificates and not by_credential


def _no_ca(tls: ClientTLSSettings) -> str:
    if tls.insecure_skip_verify:
        return (
            f"TLS mode {tls.mode} with insecureSkipVerify: any certificate of the server is accepted; name a CA file "
            "in caCertificates instead"
        )
    if tls.credential_name:
        return (
            f"TLS mode {tls.mode} with credentialName, which sidecars use only in a rule with a workloadSelector; add "
            "one, or name a CA file in caCertificates"
        )
    return (
        f"TLS mode {tls.mode} without caCertificates: the server's certificate is verified with the system's roots; "
        "name a CA file"
    )
