"""What the people who run a cluster have to know of the exported resources, as a comment above them."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from mirror_addon.envoy.in_cluster import InCluster
from mirror_addon.envoy.processor import SHARE_KEY
from mirror_addon.envoy.workload import METRICS_PORT
from mirror_addon.envoy.workload import rules_config

_WIDTH = 118
# A line is a paragraph; one that begins with `- ` is an item, one that begins with `$ ` a command.
_WHAT = """\
Envoy shows a copy of each exchange that the rules mirror to {name} (namespace {namespace}). That sends the shadow to \
the mirror, and compares its response with the primary's, which is what the client gets, always.

BEFORE IT IS APPLIED
- The rules with their mirrors, and the DestinationRules of the mirrors' subsets, in one folder:
$ kubectl -n {namespace} create configmap {config} --from-file=rules
- The Deployment's image has to be in a registry that the cluster reads (Containerfile).
- No request may be mirrored twice: take {part} out of the {kind} in the cluster ({owners}).
- Records are in an emptyDir and end with the pod; give {name} a volume if they are to stay. They have no \
bodies unless mirror_record_bodies is set.
- Metrics are at port {metrics} of each pod, /metrics.

"""
_ISTIO = """\
CAN IT HURT PRODUCTION?
- A processor that is absent, slow to answer or broken fails no request (failure_mode_allow). Envoy counts these as \
failure_mode_allowed and streams_failed, and streams beyond the limit as upstream_rq_active_overflow.
- A processor that stops reading holds up bodies of more than some 17 MB, until its connection is closed after two \
seconds (connection_keepalive). With the runtime value \
envoy.reloadable_features.grpc_side_stream_flow_control=false it does not, and Envoy needs as \
much memory as passes in that time.
- To switch it off at once, in each proxy until that restarts:
$ pilot-agent request POST 'runtime_modify?{key}=0'
- Or scale {name} to 0. To remove it, delete the EnvoyFilter.

WHAT DOES IT COST?
- About twice the proxy's CPU for what is copied, and its bytes once more on the network. --share copies less. \
What the rules do not mirror is not copied.

WHO SEES THE DATA?
- {name}, all header fields and bodies of mirrored exchanges; its records are without those of mirror_redact. Where it \
has a sidecar, the calls have the mesh's mTLS, and an AuthorizationPolicy in {namespace} can name the callers.

WHAT IS NOT CERTAIN?
- An EnvoyFilter depends on what Istio generates. Both patches are tested with Envoy, not with a running istiod: begin \
with one gateway, and look again at each upgrade (istioctl proxy-config; envoy --mode validate on the bootstrap).
- The proxy must know the Service {host}: see exportTo, and egress of Sidecars. Where it does not, requests pass, \
nothing comes, and failure_mode_allowed grows.
"""
_ENVOY_GATEWAY = """\
WHAT ENVOYEXTENSIONPOLICY CANNOT SAY (Envoy Gateway 1.9)
- Trailers: the end of a response that has some, as each of gRPC, is not shown.
- The deferred close: the end of an exchange may be lost where the processor is slow.
- A share: all exchanges of these routes are copied.
- failOpen lets requests pass without a processor. To switch it off, delete the policy.
"""


def platform_text(service: InCluster, owners: Sequence[str], *, gateway_api: bool) -> str:
    """Return the text. `owners`: the documents whose rules mirror, as `namespace/name`."""
    kind, part = ("routes", "RequestMirror filters") if gateway_api else ("VirtualServices", "mirror and mirrors")
    text = (_WHAT + (_ENVOY_GATEWAY if gateway_api else _ISTIO)).format(
        name=service.name,
        namespace=service.namespace,
        host=service.host,
        config=rules_config(service),
        owners=", ".join(owners),
        kind=kind,
        part=part,
        key=SHARE_KEY,
        metrics=METRICS_PORT,
    )
    return "".join(f"# {line}".rstrip() + "\n" for each in text.splitlines() for line in _wrapped(each) or [""])


def _wrapped(line: str) -> list[str]:
    if line.startswith("$ "):
        return [f"    {line[2:]}"]
    indent = "  " if line.startswith("- ") else ""
    return textwrap.wrap(line, _WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
