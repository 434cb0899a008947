"""Export of a route table as an Envoy configuration, for `mirror-addon envoy` (`envoy -c FILE`).

Theory of operation. The export translates the compiled table of `routing/`, not the YAML, so that both decide from the
same merged and filtered rules. It is the part of Istio's pilot that makes Envoy's resources, and uses Istio's names
and defaults. Pure: a table goes in, dictionaries in protobuf's JSON form come out. Nothing here runs for a request.

`translate` walks the table once. `virtual_hosts` makes a RouteConfiguration; for each entry `matches` makes the
RouteMatch, `actions` the action with its mirrors, `header_mutations` and `retries` parts of it, `filters` the settings
of the CORS and fault filters. `clusters` collects the clusters that the actions name. `notes` collects what Envoy will
do differently from the addon, which the command prints to stderr. `yaml_text` writes the result.

An `Export` is written as one file (`bootstrap`), or as a bootstrap plus files for routes and clusters, which Envoy
reads again when they are replaced (`dynamic_bootstrap`, `discovery_response`). Field names are those of Envoy's v3 API
(`envoy/config/route/v3/route_components.proto`, `envoy/config/cluster/v3/cluster.proto` and their neighbours).
"""

from __future__ import annotations

from dataclasses import dataclass

from mirror_addon.envoy.actions import SUFFIX
from mirror_addon.envoy.actions import Actions
from mirror_addon.envoy.clusters import UsedClusters
from mirror_addon.envoy.clusters import forward_proxy_filter
from mirror_addon.envoy.copies import Copies
from mirror_addon.envoy.filters import http_filters
from mirror_addon.envoy.notes import Notes
from mirror_addon.envoy.processor import Processors
from mirror_addon.envoy.processor import processor_clusters
from mirror_addon.envoy.processor import processor_filter
from mirror_addon.envoy.route_names import RouteNames
from mirror_addon.envoy.values import Message
from mirror_addon.envoy.values import duration
from mirror_addon.envoy.values import socket_address
from mirror_addon.envoy.values import typed
from mirror_addon.envoy.virtual_hosts import ROUTES
from mirror_addon.envoy.virtual_hosts import RouteConfiguration
from mirror_addon.routing.table import RouteTable

_NORMALIZATION: dict[str, Message] = {
    "NONE": {"normalize_path": False},
    "BASE": {"normalize_path": True},
    "MERGE_SLASHES": {"normalize_path": True, "merge_slashes": True},
    "DECODE_AND_MERGE_SLASHES": {
        "normalize_path": True,
        "merge_slashes": True,
        "path_with_escaped_slashes_action": "UNESCAPE_AND_FORWARD",
    },
}
_NODE = {"id": "mirror-addon", "cluster": "mirror-addon"}


@dataclass(frozen=True, slots=True)
class Address:
    """Where Envoy listens: an IP address and a port; 0 means a free port."""

    host: str
    port: int

    def names(self) -> list[str]:
        """Return the authorities that lead to this address."""
        if not self.port:
            return []
        bracketed = f"[{self.host}]" if ":" in self.host else self.host
        hosts = dict.fromkeys((bracketed, "localhost", "127.0.0.1", "[::1]"))
        return [name for host in hosts for name in ((f"{host}:{self.port}", host)[: 1 + (self.port == 80)])]


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """The options of an export.

    `mirroring`: whether mirrors are exported. `host_suffix` is appended to a shadow's Host. `request_id`: requests
    without an x-request-id get one.
    """

    listen: Address = Address("127.0.0.1", 8080)
    admin: Address | None = None
    mirroring: bool = True
    host_suffix: str = SUFFIX
    request_id: bool = False
    processors: Processors | None = None
    """Where copies of mirrored exchanges go, in place of mirrors of Envoy's own."""


@dataclass(frozen=True, slots=True)
class Export:
    """A translated table. `notes` list what Envoy does differently from the addon."""

    options: ExportOptions
    listener: Message
    """The HttpConnectionManager, without its routes."""
    routes: Message
    clusters: tuple[Message, ...]
    notes: tuple[str, ...]

    def bootstrap(self) -> Message:
        """Return the configuration as one message."""
        listener = _listener(self.options, {**self.listener, "route_config": self.routes})
        resources: Message = {"listeners": [listener]}
        if self.clusters:
            resources["clusters"] = list(self.clusters)
        return {**_common(self.options), "static_resources": resources}

    def dynamic_bootstrap(self, routes_file: str, clusters_file: str) -> Message:
        """Return a bootstrap that reads `routes` and `clusters` from files.

        Envoy reads a file again when another is renamed to its name (`PathConfigSource.path`).
        """
        source = _file_source(routes_file)
        manager = {**self.listener, "rds": {"route_config_name": ROUTES, "config_source": source}}
        return {
            **_common(self.options),
            "dynamic_resources": {"cds_config": _file_source(clusters_file)},
            "static_resources": {"listeners": [_listener(self.options, manager)]},
        }


def translate(table: RouteTable, options: ExportOptions) -> Export:
    """Return the Envoy configuration for a table."""
    notes = Notes()
    clusters = UsedClusters(notes)
    processed = options.processors is not None
    own = options.mirroring and not processed
    actions = Actions(clusters, notes, mirroring=own, host_suffix=options.host_suffix)
    copies = Copies(RouteNames(table), options.mirroring and processed, notes)
    routes = RouteConfiguration(table, actions, notes, options.listen.names(), copies).message()
    made = [*clusters.messages(), *(processor_clusters(options.processors) if options.processors else ())]
    return Export(options, _manager(table, options), routes, tuple(made), tuple(notes))


def discovery_response(version: str, kind: str, resources: list[Message]) -> Message:
    """Return the DiscoveryResponse for a file of resources; `kind` is `RouteConfiguration` or `Cluster`."""
    package = {"RouteConfiguration": "config.route.v3", "Cluster": "config.cluster.v3"}[kind]
    return {"version_info": version, "resources": [typed(f"{package}.{kind}", **each) for each in resources]}


def _manager(table: RouteTable, options: ExportOptions) -> Message:
    return typed(
        "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix="ingress",
        use_remote_address=table.identity.use_remote_address,
        **_NORMALIZATION[table.identity.path_normalization],
        generate_request_id=options.request_id or table.identity.mesh_headers,
        preserve_external_request_id=True,
        server_header_transformation="PASS_THROUGH",
        stream_idle_timeout=duration(0),
        http_protocol_options={"accept_http_10": True},
        upgrade_configs=[{"upgrade_type": "websocket"}],
        http_filters=[
            *http_filters(),
            forward_proxy_filter(),
            *([processor_filter(options.processors)] if options.processors is not None else ()),
            {
                "name": "envoy.filters.http.router",
                "typed_config": typed(
                    "extensions.filters.http.router.v3.Router", suppress_envoy_headers=not table.identity.mesh_headers
                ),
            },
        ],
    )


def _listener(options: ExportOptions, manager: Message) -> Message:
    name = "envoy.filters.network.http_connection_manager"
    return {
        "name": "listener",
        "address": socket_address(options.listen.host, options.listen.port),
        "filter_chains": [{"filters": [{"name": name, "typed_config": manager}]}],
    }


def _common(options: ExportOptions) -> Message:
    """Return what a bootstrap has beside its resources."""
    fields: Message = {"node": _NODE}
    if options.admin is not None:
        fields["admin"] = {"address": socket_address(options.admin.host, options.admin.port)}
    if options.processors is not None:
        # The layer that the administration interface writes to: the share that is copied can be changed there.
        fields["layered_runtime"] = {"layers": [{"name": "admin", "admin_layer": {}}]}
    return fields


def _file_source(path: str) -> Message:
    return {"resource_api_version": "V3", "path_config_source": {"path": path}}
