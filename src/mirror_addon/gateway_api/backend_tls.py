"""BackendTLSPolicies as DestinationRules: TLS to a Service, verified by the policy's own host name.

Istio generates a DestinationRule for each target, from all its policies, the oldest first (istio
`pilot/pkg/config/kube/gateway/backend_policies.go`). It has no creation time, so it precedes those of a team.

The certificates of authorities stand in ConfigMaps, in the key `ca.crt` (`apis/v1/backendtlspolicy_types.go`): they are
read from the documents. Where the documents have none of the ConfigMaps, those of the system are used, and `check` says
so: a ConfigMap that is not in the files may well be on the cluster. One that has no certificate fails all connections.
"""

from __future__ import annotations

import itertools
import re
import ssl
from collections.abc import Iterable
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field
from typing import Any

from mirror_addon.gateway_api.precedence import oldest_first
from mirror_addon.gateway_api.reasons import BACKEND_NOT_FOUND
from mirror_addon.gateway_api.reasons import CONFLICTED
from mirror_addon.gateway_api.reasons import INVALID_CA
from mirror_addon.gateway_api.reasons import INVALID_KIND
from mirror_addon.gateway_api.reasons import UNSUPPORTED_VALUE
from mirror_addon.gateway_api.resources.backend_tls_policy import BackendTLSPolicySpec
from mirror_addon.gateway_api.resources.backend_tls_policy import BackendTLSPolicyValidation
from mirror_addon.gateway_api.resources.backend_tls_policy import PolicyTargetReference
from mirror_addon.gateway_api.resources.references import LocalObjectReference
from mirror_addon.istio.documents import Resource
from mirror_addon.istio.findings import Findings
from mirror_addon.istio.names import DOMAIN_SUFFIX
from mirror_addon.istio.resources.destination_rule import ClientTLSSettings
from mirror_addon.istio.resources.destination_rule import DestinationRuleSpec
from mirror_addon.istio.resources.destination_rule import PortTrafficPolicy
from mirror_addon.istio.resources.destination_rule import TrafficPolicy
from mirror_addon.istio.resources.kinds import ISTIO_GROUP
from mirror_addon.istio.resources.kubernetes_config_map import CA_KEY
from mirror_addon.istio.resources.kubernetes_config_map import AuthoritiesSpec
from mirror_addon.istio.resources.kubernetes_service import KubernetesServiceSpec
from mirror_addon.istio.resources.messages import PortSelector
from mirror_addon.istio.resources.service_entry import ServiceEntrySpec

Target = tuple[str, str, str]
"""Kind, namespace and name of a Service or ServiceEntry."""
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)

_NONE = "no certificate"
"""Instead of a text without any: it cannot be used, so that connections fail."""


class PolicyTLSSettings(ClientTLSSettings):
    """TLS settings of a BackendTLSPolicy."""

    ca_pem: str = ""
    """The certificates of authorities themselves, where `ca_certificates` of Istio names a file."""


@dataclass(slots=True)
class _Settings:
    """TLS settings of one target: for all its ports, and by the name of one."""

    policy: Resource[BackendTLSPolicySpec]
    whole: PolicyTLSSettings | None = None
    sections: dict[str, PolicyTLSSettings] = field(default_factory=dict)


class BackendTLSPolicies:
    """All BackendTLSPolicies of a set of documents."""

    def __init__(self, resources: Iterable[Resource[Any]], domain: str = DOMAIN_SUFFIX) -> None:
        resources = list(resources)
        self._domain = domain
        self._targets: dict[Target, Resource[Any]] = {
            (item.kind, item.namespace, item.name): item
            for item in resources
            if isinstance(item.spec, KubernetesServiceSpec | ServiceEntrySpec)
        }
        self._authorities: dict[tuple[str, str], str] = {
            (item.namespace, item.name): item.spec.ca_certificates
            for item in resources
            if isinstance(item.spec, AuthoritiesSpec)
        }
        policies = [item for item in resources if isinstance(item.spec, BackendTLSPolicySpec)]
        self._policies: list[Resource[BackendTLSPolicySpec]] = sorted(policies, key=oldest_first)

    def destination_rules(self) -> list[Resource[Any]]:
        """Return one DestinationRule for each host that the policies are about."""
        found: dict[Target, _Settings] = {}
        for policy in self._policies:
            validation = policy.spec.validation
            for reference in policy.spec.target_refs if validation is not None else ():
                target = _target(reference, policy.namespace)
                if target is not None and validation is not None:
                    settings = found.setdefault(target, _Settings(policy))
                    if reference.section_name is not None:
                        settings.sections.setdefault(reference.section_name, self._client_tls(policy, validation))
                    elif settings.whole is None:
                        settings.whole = self._client_tls(policy, validation)
        return [
            _destination_rule(settings, host, self._ports(target))
            for target, settings in found.items()
            for host in self._hosts(target)
        ]

    def check(self, policy: Resource[BackendTLSPolicySpec], findings: Findings) -> None:
        """Add what is wrong between a policy and its targets."""
        if policy.spec.validation is not None:
            self._check_authorities(policy, policy.spec.validation, findings)
        for index, reference in enumerate(policy.spec.target_refs):
            path = ("spec", "targetRefs", index)
            target = _target(reference, policy.namespace)
            if target is None:
                findings.warning(
                    (*path, "kind"), "only a Service or a ServiceEntry can be a target here", code=UNSUPPORTED_VALUE
                )
                continue
            if target not in self._targets:
                what = f"the {reference.kind} {policy.namespace}/{reference.name} is not among the documents"
                findings.warning((*path, "name"), f"{what}; add it, or correct the name", code=BACKEND_NOT_FOUND)
            elif reference.section_name is not None and reference.section_name not in self._ports(target):
                known = ", ".join(self._ports(target)) or "none"
                findings.error(
                    (*path, "sectionName"),
                    f"{reference.name} has no port of this name; it has: {known}",
                    BACKEND_NOT_FOUND,
                )
            if (older := self._older(policy, reference)) is not None:
                findings.warning(
                    path,
                    f"the older BackendTLSPolicy {older.namespace}/{older.name} has the same target and is used",
                    code=CONFLICTED,
                )

    def _check_authorities(
        self, policy: Resource[BackendTLSPolicySpec], validation: BackendTLSPolicyValidation, findings: Findings
    ) -> None:
        for index, reference in enumerate(validation.ca_certificate_refs):
            path = ("spec", "validation", "caCertificateRefs", index)
            name = f"{policy.namespace}/{reference.name}"
            if not _is_config_map(reference):
                findings.warning(
                    (*path, "kind"),
                    f"only a ConfigMap is read here, with the certificates in {CA_KEY}; write one with those of this "
                    f"{reference.kind}, or wellKnownCACertificates: System",
                    code=INVALID_KIND,
                )
                continue
            text = self._authorities.get((policy.namespace, reference.name))
            if text is None:
                findings.warning(
                    (*path, "name"),
                    f"no ConfigMap {name} with the key {CA_KEY} is among the documents, the system's certificates are "
                    f"used; add what kubectl get configmap {reference.name} -n {policy.namespace} -o yaml prints",
                    code=INVALID_CA,
                )
            elif problem := _problem(text):
                findings.error(
                    (*path, "name"), f"{CA_KEY} of the ConfigMap {name} {problem}: connections fail", INVALID_CA
                )

    def _client_tls(
        self, policy: Resource[BackendTLSPolicySpec], validation: BackendTLSPolicyValidation
    ) -> PolicyTLSSettings:
        """Return the settings: the host name is that of the connection, and of the certificate unless others are
        named."""
        others = tuple(name.hostname or name.uri or "" for name in validation.subject_alt_names)
        references = [each for each in validation.ca_certificate_refs if _is_config_map(each)]
        found = [self._authorities.get((policy.namespace, reference.name)) for reference in references]
        return PolicyTLSSettings(
            mode="SIMPLE",
            sni=validation.hostname,
            subject_alt_names=others or (validation.hostname,),
            ca_pem="\n".join("\n".join(_CERTIFICATE.findall(text)) or _NONE for text in found if text is not None),
        )

    @property
    def policies(self) -> Iterator[Resource[BackendTLSPolicySpec]]:
        """The policies, the oldest first."""
        return iter(self._policies)

    def _older(
        self, policy: Resource[BackendTLSPolicySpec], reference: PolicyTargetReference
    ) -> Resource[BackendTLSPolicySpec] | None:
        before = itertools.takewhile(lambda other: other is not policy, self._policies)
        same = (other for other in before if other.namespace == policy.namespace)
        return next((other for other in same if reference in other.spec.target_refs), None)

    def _hosts(self, target: Target) -> list[str]:
        kind, namespace, name = target
        if kind == "Service":
            return [f"{name}.{namespace}.svc.{self._domain}"]
        entry = self._targets.get(target)
        return list(entry.spec.hosts) if entry is not None else []

    def _ports(self, target: Target) -> dict[str, int]:
        """Return the ports of a target by name."""
        resource = self._targets.get(target)
        if resource is None:
            return {}
        if isinstance(resource.spec, KubernetesServiceSpec):
            return {port.name: port.port for port in resource.spec.ports}
        return {port.name: port.number for port in resource.spec.ports}


def _target(reference: PolicyTargetReference, namespace: str) -> Target | None:
    match (reference.group, reference.kind):
        case ("" | "core", "Service"):
            return ("Service", namespace, reference.name)
        case (group, "ServiceEntry") if group == ISTIO_GROUP:
            return ("ServiceEntry", namespace, reference.name)
    return None


def _is_config_map(reference: LocalObjectReference) -> bool:
    return reference.group in ("", "core") and reference.kind == "ConfigMap"


def _problem(text: str) -> str:
    """Why a text has no certificates that can be used; empty if it has."""
    found = _CERTIFICATE.findall(text)
    for certificate in found:
        try:
            ssl.PEM_cert_to_DER_cert(certificate)
        except ValueError:
            return "has a certificate that is damaged"
    return "" if found else "has no certificate in PEM form"


def _destination_rule(settings: _Settings, host: str, ports: dict[str, int]) -> Resource[DestinationRuleSpec]:
    by_port = tuple(
        PortTrafficPolicy(port=PortSelector(number=ports[name]), tls=tls)
        for name, tls in settings.sections.items()
        if name in ports
    )
    policy = settings.policy
    return Resource(
        kind="DestinationRule",
        api_version=f"{ISTIO_GROUP}/v1",
        name="",
        namespace=policy.namespace,
        labels={},
        annotations={},
        creation_timestamp="",
        spec=DestinationRuleSpec(
            host=host, traffic_policy=TrafficPolicy(tls=settings.whole, port_level_settings=by_port)
        ),
        document=policy.document,
    )
