from __future__ import annotations

import pytest

from mirror_addon.envoy.in_cluster import InCluster
from mirror_addon.envoy.in_cluster import in_cluster


@pytest.mark.parametrize(
    ("text", "namespace"),
    [
        ("processor", "default"),
        ("processor.mirror", "mirror"),
        ("processor.mirror.svc", "mirror"),
        ("processor.mirror.svc.cluster.local", "mirror"),
    ],
)
def test_names_of_a_service(text: str, namespace: str) -> None:
    found = in_cluster(text, 9090, "default", "cluster.local")
    assert found == InCluster("processor", namespace, 9090, "cluster.local")
    assert found.host == f"processor.{namespace}.svc.cluster.local"
    assert found.cluster == f"outbound|9090||processor.{namespace}.svc.cluster.local"
    assert found.metadata() == {"name": "processor", "namespace": namespace}


@pytest.mark.parametrize("text", ["a.b.c", "Processor", "127.0.0.1", "a..svc", "-a", "a_b", f"{'a' * 64}.b"])
def test_other_names(text: str) -> None:
    with pytest.raises(ValueError, match=r"NAME\.NAMESPACE:PORT"):
        in_cluster(text, 9090, "default", "cluster.local")
