"""The `mirror_*` options: their names, types, defaults and help texts, and how their values become `Settings`.

Theory of operation. `OPTIONS` is the one list of options. `MirrorAddon.load` declares each of them to mitmproxy; the
command line, the README's table and the tests read the same list. Numbers, enums, sizes and durations are declared as
text and parsed here, because mitmproxy removes a whole addon, without any message, if it cannot convert a value itself.

`parse_settings` makes one immutable `Settings` of all values when the addon starts. When options change,
`update_settings` parses those that changed and makes another `Settings`; every part of the addon that keeps values of
its own is then given the new one. `values` has the functions that parse one text each. An option that cannot be parsed
raises `OptionError`, which names the option, its value, and what to write instead; the values before it stay in force.

This room is pure and does not import mitmproxy. It takes no file into account: whether a path can be read or written is
checked by those who use it.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace
from datetime import datetime
from typing import Any

from mirror_addon.compare.redaction import DEFAULT_REDACTED
from mirror_addon.options import values
from mirror_addon.options.nearby import did_you_mean
from mirror_addon.options.sandbox import SANDBOX_OPTIONS
from mirror_addon.options.values import EndpointOverride
from mirror_addon.options.values import MirrorURL

NORMALIZATIONS = ("NONE", "BASE", "MERGE_SLASHES", "DECODE_AND_MERGE_SLASHES")

SHOWN = 300
"""Characters of a value or name that an error message repeats."""

COMPARE_FILE = "compare.yaml"
"""The default file with rules of comparison. It may be missing."""


class OptionError(ValueError):
    """A value that an option cannot have: `NAME=VALUE: what is wrong; what to write`."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The values of all options. Times are in seconds, sizes in bytes."""

    rules: tuple[str, ...]
    endpoints: tuple[EndpointOverride, ...]
    to: tuple[MirrorURL, ...]
    namespace: str
    gateways: tuple[str, ...]
    strict: bool
    use_remote_address: bool
    enabled: bool
    host_suffix: str
    request_id: bool
    proxy_headers: str
    strip_hop_by_hop: bool
    path_normalization: str
    methods: frozenset[bytes] | None
    """Upper case; None: all."""
    expires: float | datetime | None
    """Seconds from the start of the run, or a moment."""
    timeout: float
    concurrency: int
    workers: int
    queue: int
    max_body: int
    responses: str
    record: str
    """Path of the record; empty: none."""
    record_bodies: bool
    record_rotate: int | None
    control: float
    """From 0 to 1."""
    redact: frozenset[bytes]
    """Header names in lower case."""
    compare: str
    """Path of the file with rules of comparison. It need not exist if it is the default."""
    pairs: int
    sample_seed: bytes
    web_port: int | None
    drain: float
    fast_hooks: bool
    protos: tuple[str, ...]
    """Paths of types of messages."""
    reflection: bool
    sandbox: tuple[int, ...]
    """Ports at which mirrors' calls arrive."""
    sandbox_unknown: str
    sandbox_timing: bool
    rerun: bool
    twin: bool


@dataclass(frozen=True, slots=True)
class Option:
    """One option as mitmproxy shows it. `kind` is text, a list of texts or bool; `parse` raises ValueError."""

    name: str
    kind: Any
    default: Any
    parse: Callable[[Any], Any]
    help: str


OPTIONS = (
    Option(
        "mirror_rules",
        Sequence[str],
        ["rules"],
        values.each(values.some_text),
        "Istio and Gateway API YAML: files and folders. Reloaded when they change.",
    ),
    Option(
        "mirror_endpoints",
        Sequence[str],
        [],
        values.each(values.endpoint_override),
        "Where a destination listens, HOST[:PORT][/SUBSET]=ADDRESS:PORT. Wins over the YAML.",
    ),
    Option(
        "mirror_to",
        Sequence[str],
        [],
        values.each(values.parse_mirror_url),
        "URLs to mirror to, without YAML: requests that match no rule pass through unchanged and are mirrored there. "
        "With a filter as in map_remote, the first character separates: #~d shop.test#http://localhost:9002.",
    ),
    Option(
        "mirror_namespace", str, "default", values.namespace, "Namespace of this proxy and of documents without one."
    ),
    Option(
        "mirror_gateways",
        Sequence[str],
        [],
        values.each(values.some_text),
        "Gateways this proxy acts as, 'mesh' included. Decides which virtual services apply. Empty: all.",
    ),
    Option(
        "mirror_use_remote_address",
        bool,
        True,
        bool,
        "As an edge, append the client's address to the primary's X-Forwarded-For. As a sidecar (false), leave it.",
    ),
    Option(
        "mirror_strict",
        bool,
        True,
        bool,
        "One document that Istio would refuse is an error. Off: it is left out and named, the others are in force.",
    ),
    Option("mirror_enabled", bool, True, bool, "Send shadows. Off: route requests, mirror none."),
    Option(
        "mirror_host_suffix",
        str,
        "-shadow",
        values.host_suffix,
        "Appended to the shadow's Host. Empty imitates Istio 1.28 and newer.",
    ),
    Option(
        "mirror_request_id",
        bool,
        False,
        bool,
        "Add an x-request-id to routed requests that have none, the same for primary and shadow.",
    ),
    Option(
        "mirror_proxy_headers",
        str,
        "none",
        values.one_of("none", "istio"),
        "Header fields that the mesh's proxies add: none, or istio (x-forwarded-proto, x-request-id, x-envoy-*).",
    ),
    Option(
        "mirror_strip_hop_by_hop",
        bool,
        False,
        bool,
        "Remove hop-by-hop fields from routed requests, as Envoy does. Shadows never have them.",
    ),
    Option(
        "mirror_path_normalization",
        str,
        "BASE",
        values.one_of(*NORMALIZATIONS),
        "Normalization of paths of routed requests, as in Istio: NONE, BASE, MERGE_SLASHES, DECODE_AND_MERGE_SLASHES.",
    ),
    Option(
        "mirror_methods",
        str,
        "all",
        values.methods,
        "Methods that are mirrored: all, safe (GET, HEAD, OPTIONS), or names with commas.",
    ),
    Option(
        "mirror_expires",
        str,
        "",
        values.expiry,
        "Duration (2h) or time (RFC 3339) after which nothing is mirrored.",
    ),
    Option(
        "mirror_timeout",
        str,
        "30s",
        values.positive_duration,
        "Timeout of a whole shadow, from connect to last byte, if its route has none.",
    ),
    Option(
        "mirror_concurrency",
        str,
        "256",
        values.count,
        "Shadows in flight for each mirror target and worker.",
    ),
    Option("mirror_workers", str, "1", values.count, "Worker processes that send shadows."),
    Option(
        "mirror_queue",
        str,
        "64MiB",
        values.size,
        "Bytes of shadows that may wait in proxy, pipe and worker together. Beyond that they are dropped and counted.",
    ),
    Option("mirror_max_body", str, "64MiB", values.size, "Requests with a larger body are counted and not mirrored."),
    Option(
        "mirror_responses",
        str,
        "auto",
        values.one_of("auto", "keep", "discard"),
        "Responses of mirrors: keep (up to a limit), discard, or auto: keep if there is a view, a record or a page.",
    ),
    Option(
        "mirror_record",
        str,
        "",
        values.record_path,
        "File that gets a JSON line for each shadow, with status and time of both responses and their differences. "
        "%Y %m %d %H {target} {host} {pid} in its path make a file for each.",
    ),
    Option("mirror_record_bodies", bool, False, bool, "Record header fields and bodies too, for replay and for tests."),
    Option(
        "mirror_record_rotate",
        str,
        "",
        values.optional(values.size),
        "Start another file when the record has this size (100MiB). Empty: never.",
    ),
    Option(
        "mirror_control",
        str,
        "0%",
        values.percentage,
        "Share of GET and HEAD requests that are sent to the primary a second time, to learn how its responses vary.",
    ),
    Option(
        "mirror_redact",
        str,
        ",".join(DEFAULT_REDACTED),
        values.redacted,
        "Header fields, $.path, form:FIELD and query:NAME whose values are left out of records, reports and pages.",
    ),
    Option(
        "mirror_compare",
        str,
        COMPARE_FILE,
        values.some_text,
        "File with rules of comparison: what to ignore, and which values are close enough.",
    ),
    Option("mirror_pairs", str, "1000", values.count, "Shadows that a view keeps. Older ones are removed from it."),
    Option(
        "mirror_sample_seed",
        str,
        "mirror-addon",
        str.encode,
        "Seed of sampling by user (mirror-addon/sample-by). Another seed selects other users.",
    ),
    Option(
        "mirror_web_port",
        str,
        "",
        values.optional(values.listening_port),
        "Port of 127.0.0.1 for the live page, which is also http://mirror-addon.test/ through the proxy.",
    ),
    Option("mirror_drain", str, "2s", values.duration, "How long shadows may take to finish at shutdown."),
    Option(
        "mirror_fast_hooks",
        bool,
        True,
        bool,
        "Let mitmproxy call only the addons that have a hook, which saves some 40 % of a request's time. Off: all.",
    ),
    Option(
        "mirror_protos",
        Sequence[str],
        [],
        values.each(values.some_text),
        "Types of gRPC and protobuf messages: .proto files, folders, descriptor sets. Without: fields have numbers.",
    ),
    Option(
        "mirror_reflection",
        bool,
        False,
        bool,
        "Ask the primary by gRPC server reflection, once, for the types that mirror_protos does not have.",
    ),
    *(Option(*each) for each in SANDBOX_OPTIONS),
    Option(
        "mirror_rerun",
        bool,
        False,
        bool,
        "When a mirror responds again after a restart, send it the newest differing GET, HEAD and OPTIONS once more.",
    ),
    Option(
        "mirror_twin",
        bool,
        False,
        bool,
        "Keep the mirror's state in step: its own ids, tokens and cookies take the primary's place in later shadows.",
    ),
)

BY_NAME: Mapping[str, Option] = {option.name: option for option in OPTIONS}


def parse_option(name: str, value: Any) -> Any:
    """Return the parsed value of option `name`. Raises OptionError."""
    try:
        return BY_NAME[name].parse(value)
    except ValueError as error:
        raise OptionError(_refusal(BY_NAME[name], value, str(error))) from None


def _refusal(option: Option, value: Any, problem: str) -> str:
    """Why an option cannot have a value. Of a list, the item is shown that cannot be parsed."""
    items = value if isinstance(value, (list, tuple)) else [value]
    for item in items:
        parse: Callable[[Any], Any] = option.parse if items is not value else lambda text: option.parse([text])
        try:
            parse(item)
        except ValueError:
            problem = problem.replace(item, shown(item)) if len(item) > SHOWN else problem
            return f"{option.name}={shown(item)}: {problem}{did_you_mean(parse, item)}"
    return f"{option.name}={shown(' '.join(map(str, items)))}: {problem}"


def shown(text: str) -> str:
    """A name or a value for a message: not more than its beginning."""
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


def parse_settings(texts: Mapping[str, Any]) -> Settings:
    """Parse all options, whose values are given by name. Raises OptionError for the first that cannot be parsed."""
    return Settings(
        **{option.name.removeprefix("mirror_"): parse_option(option.name, texts[option.name]) for option in OPTIONS}
    )


def update_settings(settings: Settings, texts: Mapping[str, Any]) -> Settings:
    """Return `settings` with the options in `texts` replaced by newly parsed values. Raises OptionError."""
    changed = {name.removeprefix("mirror_"): parse_option(name, text) for name, text in texts.items()}
    return replace(settings, **changed)
