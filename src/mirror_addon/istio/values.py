"""Checks of single values that several kinds of object share."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence

import re2

from mirror_addon.istio.diagnostics import FieldPath
from mirror_addon.istio.findings import Findings
from mirror_addon.istio.names import domain_problem
from mirror_addon.istio.names import is_dns_label
from mirror_addon.istio.resources.messages import Percent
from mirror_addon.istio.resources.messages import PortSelector

MAX_PORT = 65535
MAX_REGEX = 1024
_TOKEN = re.compile(r"[-!#$%&'*+.^_`|~0-9A-Za-z]+")
_QUIET = re2.Options()
_QUIET.log_errors = False


@functools.lru_cache(maxsize=65536)
def regex_problem(text: str) -> str | None:
    """Why Istio refuses a regular expression (RE2's syntax, at most 1024 characters), or None."""
    if not text:
        return "an empty regex is refused; leave the condition out, or write '.*'"
    if len(text) > MAX_REGEX:
        return f"a regex has at most {MAX_REGEX} characters, this one has {len(text)}"
    try:
        re2.compile(text, _QUIET)
    except re2.error as error:
        reason = error.args[0] if error.args else "unknown"
        reason = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
        return f"{text!r:.100} is no RE2 regex: {reason}"
    return None


def is_token(text: str) -> bool:
    """RFC 9110's token, the form of a header's name."""
    return _TOKEN.fullmatch(text) is not None


def duration_problem(seconds: float) -> str | None:
    """Why Istio refuses a duration: shorter than 1 ms, or not of whole milliseconds."""
    if seconds < 0.001:
        return "must be at least 1ms; leave the field out to have none"
    if round(seconds * 1e9) % 1_000_000:
        return "must be of whole milliseconds"
    return None


def check_duration(seconds: float | None, path: FieldPath, findings: Findings) -> None:
    if seconds is not None and (problem := duration_problem(seconds)):
        findings.error(path, problem)


def check_port(number: int, path: FieldPath, findings: Findings) -> None:
    if not 1 <= number <= MAX_PORT:
        findings.error(path, f"must be a port from 1 to {MAX_PORT}; it is {number}")


def check_selector(port: PortSelector | None, path: FieldPath, findings: Findings) -> None:
    """`port: {number: ...}`, present or not."""
    if port is not None:
        check_port(port.number, (*path, "number"), findings)


def check_mirror_percent(percent: Percent | None, path: FieldPath, findings: Findings) -> None:
    """Of mirrors: any value from 0 to 100."""
    if percent is not None and not 0 <= percent.value <= 100:
        findings.error((*path, "value"), f"must be from 0 to 100; it is {percent.value:g}")


def check_fault_percent(percent: Percent | None, path: FieldPath, findings: Findings) -> None:
    """Of faults: 0, or 0.0001 to 100."""
    if percent is not None and percent.value != 0 and not 0.0001 <= percent.value <= 100:
        findings.error((*path, "value"), f"must be 0, or from 0.0001 to 100; it is {percent.value:g}")


def check_one_of(given: Sequence[str], path: FieldPath, findings: Findings) -> None:
    """Of a proto oneof's members at most one may be there; `given` are those that are."""
    if len(given) > 1:
        findings.error(path, f"only one of {', '.join(given)} may stand here; keep one")


def check_export_to(export_to: Sequence[str], namespace: str, path: FieldPath, findings: Findings) -> None:
    seen: set[str] = set()
    for index, name in enumerate(export_to):
        here = (*path, "exportTo", index)
        if name == "~":
            findings.error(here, "'~' (nobody) is for Services only; write '.' for the own namespace")
        elif name not in (".", "*") and not is_dns_label(name):
            findings.error(here, f"{name!r:.80} is no namespace; write '.', '*' or a namespace's name")
        full = namespace if name == "." else name
        if full in seen:
            findings.error(here, f"{name!r:.80} stands here twice; remove one")
        seen.add(full)
    if "*" in seen and len(seen) > 1:
        findings.error((*path, "exportTo"), "'*' includes all others; remove them or '*'")


def check_gateway_names(names: Sequence[str], path: FieldPath, findings: Findings) -> None:
    """Istio stops looking at the first name without `/` (`validateGatewayNames`), and so does this."""
    for index, name in enumerate(names):
        here = (*path, "gateways", index)
        namespace, slash, short = name.partition("/")
        if not slash:
            if problem := domain_problem(name):
                findings.error(here, f"{name!r:.80} {problem}; write NAMESPACE/NAME, or mesh")
            elif "." in name:
                parts = name.split(".")
                findings.warning(here, f"the dotted form of a gateway's name is old; write '{parts[1]}/{parts[0]}'")
            return
        for part, what in ((namespace, "namespace"), (short, "name")):
            if not is_dns_label(part):
                findings.error(here, f"{part!r:.80} is no {what} (DNS-1123 label); write NAMESPACE/NAME, or mesh")
