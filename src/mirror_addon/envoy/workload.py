"""The processor as a workload: Deployment, Service, HorizontalPodAutoscaler."""

from __future__ import annotations

from collections.abc import Sequence

from mirror_addon.envoy.in_cluster import InCluster
from mirror_addon.envoy.values import Message

METRICS_PORT = 9100
RULES_FOLDER = "/etc/mirror-addon/rules"
RECORD_FOLDER = "/var/lib/mirror-addon"
RECORD = f"{RECORD_FOLDER}/day=%Y-%m-%d/mirror={{target}}/{{host}}.jsonl"
"""A folder for each day and target; the host is the pod."""
_DRAIN = 30


def rules_config(service: InCluster) -> str:
    """Return the name of the ConfigMap with the rules."""
    return f"{service.name}-rules"


def deployment(service: InCluster, image: str, endpoints: Sequence[str], replicas: int | None) -> Message:
    """Return the Deployment.

    `endpoints`: values of `mirror_endpoints`, where the mirrors are in the cluster. `replicas`: None where an
    autoscaler decides.
    """
    container = _container(service, image, endpoints)
    volumes = [
        {"name": "rules", "configMap": {"name": rules_config(service)}},
        {"name": "records", "emptyDir": {"sizeLimit": "10Gi"}},
        {"name": "tmp", "emptyDir": {}},
    ]
    labels = {"app": service.name}
    annotations = {"prometheus.io/scrape": "true", "prometheus.io/port": str(METRICS_PORT)}
    pod = {
        "metadata": {"labels": labels, "annotations": annotations},
        "spec": {
            "terminationGracePeriodSeconds": _DRAIN,
            "securityContext": {"fsGroup": 1000},
            "containers": [container],
            "volumes": volumes,
        },
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": service.metadata(),
        "spec": {
            **({} if replicas is None else {"replicas": replicas}),
            "selector": {"matchLabels": labels},
            "template": pod,
        },
    }


def kubernetes_service(service: InCluster) -> Message:
    """Return the Service. Its port's name tells Istio that it is gRPC."""
    ports = [
        {"name": "grpc-ext-proc", "appProtocol": "grpc", "port": service.port, "targetPort": "grpc"},
        {"name": "http-metrics", "port": METRICS_PORT, "targetPort": "metrics"},
    ]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": service.metadata(),
        "spec": {"selector": {"app": service.name}, "ports": ports},
    }


def autoscaler(service: InCluster, least: int, most: int) -> Message:
    """Return the HorizontalPodAutoscaler. Decoding and comparing are work of the processor's CPU."""
    cpu = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": service.metadata(),
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": service.name},
            "minReplicas": least,
            "maxReplicas": most,
            "metrics": [{"type": "Resource", "resource": cpu}],
        },
    }


def _container(service: InCluster, image: str, endpoints: Sequence[str]) -> Message:
    arguments = ["processor", "--listen", f"0.0.0.0:{service.port}", "--rules", RULES_FOLDER]
    arguments += ["--record", RECORD, "--metrics", f"0.0.0.0:{METRICS_PORT}"]
    arguments += [part for each in endpoints for part in ("--set", f"mirror_endpoints={each}")]
    alive = {"grpc": {"port": service.port}}
    return {
        "name": "processor",
        "image": image,
        "args": arguments,
        "ports": [
            {"name": "grpc", "containerPort": service.port},
            {"name": "metrics", "containerPort": METRICS_PORT},
        ],
        "readinessProbe": {**alive, "periodSeconds": 2, "failureThreshold": 2},
        "livenessProbe": {**alive, "periodSeconds": 10, "failureThreshold": 3},
        "resources": {"requests": {"cpu": "500m", "memory": "256Mi"}, "limits": {"memory": "1Gi"}},
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 1000,
            "readOnlyRootFilesystem": True,
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "volumeMounts": [
            {"name": "rules", "mountPath": RULES_FOLDER, "readOnly": True},
            {"name": "records", "mountPath": RECORD_FOLDER},
            {"name": "tmp", "mountPath": "/tmp"},
        ],
    }
