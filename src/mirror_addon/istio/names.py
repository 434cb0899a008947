"""Names: domains, labels, namespaces, and how Istio resolves short ones.

Rules of Istio's `agent/validation.go` (names are ASCII, DNS-1123 with upper case allowed in hosts).
"""

from __future__ import annotations

import functools
import ipaddress
import re
from collections.abc import Mapping

from mirror_addon.istio.diagnostics import FieldPath
from mirror_addon.istio.findings import Findings

DOMAIN_SUFFIX = "cluster.local"
_LABEL = re.compile(r"[a-zA-Z0-9](?:[-a-zA-Z0-9]{0,61}[a-zA-Z0-9])?")
_WILDCARD_LABEL = re.compile(r"\*|(?:\*|\*-)?[a-zA-Z0-9](?:[-a-zA-Z0-9]{0,61}[a-zA-Z0-9])?")
_DNS_1123 = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?")
_QUALIFIED = re.compile(r"[a-zA-Z0-9](?:[-_.a-zA-Z0-9]{0,61}[a-zA-Z0-9])?")
_KEY_PREFIX = re.compile(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*")
_LONGEST_DOMAIN = 255
_LONGEST_KEY_PREFIX = 253


def is_ip(text: str) -> bool:
    """Whether `text` is an IPv4 or IPv6 address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    # Go's parser knows no zones.
    return "%" not in text


def is_dns_label(text: str) -> bool:
    """DNS-1123: the form of subset, port and namespace names."""
    return _DNS_1123.fullmatch(text) is not None


@functools.lru_cache(maxsize=65536)
def domain_problem(text: str, wildcard: bool = False) -> str | None:
    """Why `text` is no domain name (with `wildcard`: nor one with `*` in its first label), or None."""
    if not text:
        return "is empty"
    if len(text) > _LONGEST_DOMAIN:
        return f"is longer than {_LONGEST_DOMAIN} characters"
    labels = text.removesuffix(".").split(".")
    if wildcard and labels[0].startswith("*"):
        if not _WILDCARD_LABEL.fullmatch(labels[0]) or len(labels[0]) > 63:
            return f"{labels[0]!r} is no wildcard: '*' may only begin the first label"
        labels = labels[1:]
    elif "*" in text and wildcard:
        return "'*' may only begin the first label"
    for label in labels:
        if not _LABEL.fullmatch(label):
            return f"the label {label!r:.80} is no DNS name (letters, digits, '-', at most 63)"
    if labels and labels[-1].isdecimal():
        return "an IP address or a number is no domain name"
    return None


def resolve_short_name(host: str, namespace: str) -> str:
    """A short name's full one in its object's namespace; names with a dot, `*` and IPs are literal."""
    if not host or "." in host or host.startswith("*") or ":" in host:
        return host
    return f"{host}.{namespace}.svc.{DOMAIN_SUFFIX}"


def host_matches(pattern: str, host: str) -> bool:
    """Istio's own test whether two hosts, each maybe a wildcard, overlap (`host.Name.Matches`)."""
    if pattern.startswith("*"):
        if host.startswith("*"):
            longer, shorter = (pattern, host) if len(pattern) > len(host) else (host, pattern)
            return longer[1:].endswith(shorter[1:])
        return host.endswith(pattern[1:])
    if host.startswith("*"):
        return pattern.endswith(host[1:])
    return pattern == host


def validate_labels(labels: Mapping[str, str], path: FieldPath, findings: Findings) -> None:
    """Kubernetes' rules for label keys and values."""
    for key, value in labels.items():
        prefix, slash, name = key.rpartition("/")
        good_prefix = not slash or (len(prefix) <= _LONGEST_KEY_PREFIX and _KEY_PREFIX.fullmatch(prefix))
        if not (good_prefix and _QUALIFIED.fullmatch(name)):
            findings.error(
                (*path, key),
                f"{key!r:.80} is no label key ([prefix/]name; letters, digits, '-', '_', '.', at most 63)",
                at_key=True,
            )
        if value and not _QUALIFIED.fullmatch(value):
            findings.error(
                (*path, key), f"{value!r:.80} is no label value (letters, digits, '-', '_', '.', at most 63)"
            )
