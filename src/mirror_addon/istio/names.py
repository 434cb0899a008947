"""Validates the names of domains, labels and namespaces, and resolves short host names.

The rules are those of istio `pkg/config/labels/instance.go` and `pkg/config/validation/agent/validation.go`: names are
ASCII and DNS-1123, with upper case allowed.
"""

from __future__ import annotations

import functools
import ipaddress
import re
from collections.abc import Mapping

from mirror_addon.istio.diagnostics import FieldPath
from mirror_addon.istio.findings import Findings

DOMAIN_SUFFIX = "cluster.local"
_DNS_LABEL = r"[a-zA-Z0-9](?:[-a-zA-Z0-9]*[a-zA-Z0-9])?"
_LABEL = re.compile(_DNS_LABEL)
_WILDCARD_LABEL = re.compile(rf"\*|(?:\*|\*-)?{_DNS_LABEL}")
_QUALIFIED = re.compile(r"(?:[A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_KEY_PREFIX = re.compile(rf"{_DNS_LABEL}(?:\.{_DNS_LABEL})*")
_LONGEST_LABEL = 63
_INT64 = 2**63
_LONGEST_DOMAIN = 255
_LONGEST_KEY_PREFIX = 253


def is_ip(text: str) -> bool:
    """Return whether `text` is an IPv4 or IPv6 address; a zone is accepted, as by Go's `netip.ParseAddr`."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def is_subnet(text: str) -> bool:
    """Return whether `text` is an IP address or a CIDR block (`ValidateIPSubnet`)."""
    address, slash, length = text.partition("/")
    if not slash:
        return is_ip(text)
    if not (length.isascii() and length.isdecimal() and str(int(length[:4])) == length):
        return False
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return "%" not in address


def is_dns_label(text: str) -> bool:
    """Return whether `text` is what Istio takes for a DNS-1123 label: upper case is allowed.

    It is the form of the names of subsets, ports, gateways and namespaces (istio `pkg/config/labels/instance.go`).
    """
    return len(text) <= _LONGEST_LABEL and _LABEL.fullmatch(text) is not None


@functools.lru_cache(maxsize=65536)
def domain_problem(text: str, wildcard: bool = False) -> str | None:
    """Return why `text` is not a domain name, or None. With `wildcard` its first label may begin with `*`.

    Source: `ValidateFQDN` and `ValidateWildcardDomain` of istio `pkg/config/validation/agent/validation.go`.
    """
    if not text:
        return "is empty"
    if len(text) > _LONGEST_DOMAIN:
        return f"is longer than {_LONGEST_DOMAIN} characters"
    if not wildcard:
        return _labels_problem(text)
    first, dot, rest = text.partition(".")
    if not (_WILDCARD_LABEL.fullmatch(first) and len(first) <= _LONGEST_LABEL):
        if first.startswith("*"):
            return f"{first!r:.80} is not a wildcard: '*' may only begin the first label"
        return _label_problem(first)
    problem = _labels_problem(rest) if dot else None
    return "'*' may only begin the first label" if problem and "*" in rest else problem


def _labels_problem(text: str) -> str | None:
    labels = text.split(".")
    if labels[-1].isdecimal() and int(labels[-1]) < _INT64:
        return "an IP address or a number is not a domain name"
    if len(labels) > 1 and not labels[-1]:
        labels.pop()  # an unambiguous name: `istio.io.`
    return next((_label_problem(label) for label in labels if not is_dns_label(label)), None) if text else None


def _label_problem(label: str) -> str:
    return f"the label {label!r:.80} is not a DNS name (letters, digits, '-', at most {_LONGEST_LABEL})"


def sni_domain_problem(text: str) -> str | None:
    """Return why `text` is neither a domain name, with or without wildcard, nor a gateway's own SNI name.

    Such a name is `outbound_.PORT_.SUBSET_.HOST` (`ValidateWildcardDomainForVirtualServiceBoundToGateway`).
    """
    if not text.startswith("outbound_"):
        return domain_problem(text, True)
    if len(text) > _LONGEST_DOMAIN:
        return f"is longer than {_LONGEST_DOMAIN} characters"
    _, port, _, host, *_ = (*text.split("_"), "", "", "")
    if not (re.search("[0-9]", port) and re.search("[a-zA-Z]", host)):
        return "is not of the form outbound_.PORT_.SUBSET_.HOST"
    return None


def covers(pattern: str, host: str) -> bool:
    """Return whether every host that `host` stands for is one of `pattern` (istio `host.Name.SubsetOf`)."""
    if not pattern.startswith("*"):
        return pattern == host
    if host.startswith("*"):
        return len(host) >= len(pattern) and host[1:].endswith(pattern[1:])
    return host.endswith(pattern[1:])


def resolve_short_name(host: str, namespace: str) -> str:
    """Return the full host of a short name in its object's namespace; names with a dot, `*` and IPs are literal.

    Source: istio `pilot/pkg/model/config.go`, `ResolveShortnameToFQDN`.
    """
    if not host or "." in host or host.startswith("*") or ":" in host:
        return host
    return f"{host}.{namespace}.svc.{DOMAIN_SUFFIX}"


def validate_labels(
    labels: Mapping[str, str], path: FieldPath, findings: Findings, *, kubernetes: bool = False
) -> None:
    """Check label keys and values by Istio's rules, or by the stricter ones that `kubernetes` has for metadata."""
    for key, value in labels.items():
        prefix, slash, name = key.rpartition("/")
        good_prefix = not slash or (len(prefix) <= _LONGEST_KEY_PREFIX and _KEY_PREFIX.fullmatch(prefix))
        if kubernetes and prefix != prefix.lower():
            good_prefix = False
        if not (good_prefix and len(name) <= _LONGEST_LABEL and _QUALIFIED.fullmatch(name)):
            findings.error(
                (*path, key),
                f"{key!r:.80} is not a label key ([prefix/]name; letters, digits, '-', '_', '.', at most 63)",
                at_key=True,
            )
        if value and not (_QUALIFIED.fullmatch(value) and (len(value) <= _LONGEST_LABEL or not kubernetes)):
            findings.error(
                (*path, key), f"{value!r:.80} is not a label value (letters, digits, '-', '_', '.', at most 63)"
            )


def validate_selector(labels: Mapping[str, str], path: FieldPath, field: str, findings: Findings) -> None:
    """Check the labels of a workload selector, which stand in its `field`: no empty key, and no `*`."""
    if not labels:
        findings.warning(path, "has no labels, so it selects everything in the namespace; add labels", at_key=True)
    for key, value in labels.items():
        if not key or "*" in key or "*" in value:
            findings.error((*path, field, key), "a selector cannot have empty keys or '*'", at_key=True)
