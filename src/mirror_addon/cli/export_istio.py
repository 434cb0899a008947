"""`mirror-addon export istio`: the processor in a cluster, as Kubernetes resources."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import click

from mirror_addon._version import __version__
from mirror_addon.cli.console import echo
from mirror_addon.cli.console import write
from mirror_addon.cli.gathered import gathered
from mirror_addon.cli.processor_options import processor_addresses
from mirror_addon.cli.processor_options import share_option
from mirror_addon.cli.processor_options import twin_of
from mirror_addon.cli.rules_option import read_rule_set
from mirror_addon.cli.rules_option import read_settings
from mirror_addon.cli.rules_option import rules_options
from mirror_addon.cli.value_type import value_type
from mirror_addon.envoy.envoy_gateway import extension_policy
from mirror_addon.envoy.envoy_gateway import reference_grant
from mirror_addon.envoy.in_cluster import InCluster
from mirror_addon.envoy.in_cluster import in_cluster
from mirror_addon.envoy.istio_filter import Place
from mirror_addon.envoy.istio_filter import destination_rule
from mirror_addon.envoy.istio_filter import envoy_filter
from mirror_addon.envoy.mirror_services import mirror_services
from mirror_addon.envoy.mirrored import mirrored_domains
from mirror_addon.envoy.mirrored import mirroring_routes
from mirror_addon.envoy.platform_text import platform_text
from mirror_addon.envoy.values import Message
from mirror_addon.envoy.workload import autoscaler
from mirror_addon.envoy.workload import deployment
from mirror_addon.envoy.workload import kubernetes_service
from mirror_addon.envoy.yaml_text import to_yaml
from mirror_addon.options.settings import Settings
from mirror_addon.routing.table import RouteTable
from mirror_addon.rules.files import LoadedRules
from mirror_addon.rules.files import is_there
from mirror_addon.rules.files import load_rules
from mirror_addon.rules.files import rules_paths

_ENVOY_GATEWAY = "envoy-gateway"
_GATEWAY_LABELS = {"istio": "ingressgateway"}
_LEAST = 2


@dataclass(frozen=True, slots=True)
class Target:
    """Where in the cluster requests are seen, and how the processor runs."""

    processor: tuple[str, int]
    at: str
    workload: tuple[tuple[str, str], ...]
    namespace: str
    share: float
    image: str
    max_replicas: int

    def __post_init__(self) -> None:
        if self.at == Place.INBOUND and not self.workload:
            raise ValueError(
                "--at inbound: name the primary's pods, as in --workload app=reviews --workload version=v1"
            )
        if self.at == _ENVOY_GATEWAY and (self.workload or self.namespace or self.share != 1.0):
            raise ValueError(
                "--at envoy-gateway: the policy is for the routes that mirror, in their namespaces, and has no share; "
                "leave out --workload, --namespace and --share"
            )

    def selected(self) -> dict[str, str]:
        if not self.workload and self.at == Place.GATEWAY:
            return dict(_GATEWAY_LABELS)
        return dict(self.workload)


def _label(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise ValueError("write a label as KEY=VALUE, as in istio=ingressgateway")
    return name, value


def _one_address(text: str) -> tuple[str, int]:
    found = processor_addresses(text)
    if len(found) != 1:
        raise ValueError("name one Service, as in mirror-processor.mirror:9090; its pods are found by the mesh")
    return found[0]


@click.command()
@rules_options
@click.option(
    "--processor",
    required=True,
    type=value_type(_one_address),
    metavar="HOST:PORT",
    help="The processor's Service: mirror-processor.mirror:9090 is NAME.NAMESPACE:PORT.",
)
@click.option(
    "--at",
    type=click.Choice([*(place.value for place in Place), _ENVOY_GATEWAY]),
    default="gateway",
    show_default=True,
    help="Whose requests: the gateway's, those that sidecars of callers send, those that the primary's receives; or "
    "an EnvoyExtensionPolicy for Envoy Gateway.",
)
@click.option(
    "--workload",
    type=value_type(_label),
    multiple=True,
    metavar="KEY=VALUE",
    help="A label of the pods whose proxies see them. May be repeated. [default: istio=ingressgateway at the gateway, "
    "at outbound all of the namespace]",
)
@click.option(
    "--namespace",
    default="",
    metavar="NAME",
    help="Of these pods. [default: istio-system at the gateway, else mirror_namespace]",
)
@share_option
@click.option("--image", default=f"mirror-addon:{__version__}", show_default=True, help="The processor's image.")
@click.option("--max-replicas", type=click.IntRange(1, 1000), default=10, show_default=True, help="Of the processor.")
@gathered(target=Target)
def istio(rules: tuple[str, ...], assignments: tuple[str, ...], target: Target) -> None:
    """Print what runs mirror-addon processor in a cluster, and shows it what the rules mirror.

    An EnvoyFilter, a Deployment, Services, a HorizontalPodAutoscaler and a DestinationRule, below a comment that says
    what they do, what they cost and how they are switched off. Nothing is applied.
    """
    settings = read_settings(rules, assignments)
    table = read_rule_set(settings, b"", primary_endpoints=False).table
    try:
        service = in_cluster(*target.processor, settings.namespace, table.identity.domain)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    if not mirroring_routes(table):
        raise click.UsageError(f"No rule in {', '.join(settings.rules)} mirrors anything")
    paths = [path for path in rules_paths(settings.rules) if is_there(path)]
    loaded = load_rules(paths, default_namespace=settings.namespace, strict=settings.strict)
    shown = _seen(target, service, settings, table, loaded)
    owners = list(dict.fromkeys(route.rule.owner for route in mirroring_routes(table)))
    documents = [*_workload(target, service, settings, table, loaded), *shown]
    write(platform_text(service, owners, gateway_api=target.at == _ENVOY_GATEWAY))
    write("---\n".join(map(to_yaml, documents)))


def _workload(
    target: Target, service: InCluster, settings: Settings, table: RouteTable, loaded: LoadedRules
) -> list[Message]:
    """Return the processor's resources, and those that lead to the mirrors."""
    mirrors = mirror_services(table, loaded.resources)
    for note in mirrors.notes:
        _note(note)
    most = target.max_replicas
    if twin := twin_of(settings, loaded.resources):
        _note(f"{twin} needs all exchanges of a client at one processor: there is one replica, and no autoscaler")
        most = 1
    least = min(_LEAST, most)
    scaled = [autoscaler(service, least, most)] if most > least else []
    run = deployment(service, target.image, mirrors.endpoints, None if scaled else least)
    return [run, kubernetes_service(service), *scaled, *mirrors.services]


def _seen(
    target: Target, service: InCluster, settings: Settings, table: RouteTable, loaded: LoadedRules
) -> list[Message]:
    """Return what makes proxies show exchanges to the processor."""
    if target.at == _ENVOY_GATEWAY:
        return _policies(service, table, loaded)
    place = Place(target.at)
    namespace = target.namespace or ("istio-system" if place is Place.GATEWAY else settings.namespace)
    if place is Place.INBOUND:
        for route in mirroring_routes(table):
            if route.http.rewrite is not None or route.http.headers is not None:
                _note(f"{route.rule} changes requests, and at inbound they are seen after that: use --at outbound")
    domains = mirrored_domains(table)
    return [
        destination_rule(service),
        envoy_filter(service, place, namespace, target.selected(), domains, target.share * 100),
    ]


def _policies(service: InCluster, table: RouteTable, loaded: LoadedRules) -> list[Message]:
    names = {route.rule.route for route in mirroring_routes(table)}
    routes: dict[str, list[tuple[str, str]]] = {}
    for each in loaded.resources:
        if each.kind in ("HTTPRoute", "GRPCRoute") and f"{each.namespace}/{each.name}" in names:
            routes.setdefault(each.namespace, []).append((each.kind, each.name))
    if not routes:
        raise click.UsageError("--at envoy-gateway: no HTTPRoute or GRPCRoute of the rules mirrors anything")
    if left := [str(route.rule) for route in mirroring_routes(table) if not route.rule.route]:
        _note(f"Envoy Gateway reads no VirtualService: {', '.join(left)} is left out")
    policies = [extension_policy(service, namespace, routes[namespace]) for namespace in sorted(routes)]
    others: Sequence[str] = sorted(set(routes) - {service.namespace})
    return [*policies, *([reference_grant(service, others)] if others else [])]


def _note(text: str) -> None:
    echo(f"note: {text}", err=True)
