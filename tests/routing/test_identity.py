from __future__ import annotations

from mirror_addon.routing.identity import Identity


def test_the_default_is_a_gateway_that_takes_everything() -> None:
    identity = Identity()
    assert not identity.is_sidecar
    assert identity.serves(("any",), "anywhere")
    assert identity.serves((), "anywhere")
    assert identity.sees((".",), "anywhere")


def test_mesh_alone_is_a_sidecar() -> None:
    assert Identity(gateways=("mesh",)).is_sidecar
    assert not Identity(gateways=("mesh", "edge")).is_sidecar
    assert not Identity(gateways=("edge",)).is_sidecar


def test_gateways_alone() -> None:
    assert Identity(gateways=("edge",)).is_gateway
    assert not Identity(gateways=("mesh", "edge")).is_gateway
    assert not Identity().is_gateway


def test_the_gateways_that_a_document_names() -> None:
    identity = Identity(gateways=("mesh", "edge", "infra/gate"))
    assert identity.shared(("edge", "./edge", "gate", "infra/gate"), "default") == ("default/edge", "infra/gate")
    assert identity.shared(("gate",), "infra") == ("infra/gate",)
    assert identity.shared((), "infra") == ("mesh",)
    assert Identity().shared(("edge",), "default") == ()


def test_labels() -> None:
    identity = Identity(labels=(("app", "web"),))
    assert identity.has_labels({})
    assert identity.has_labels({"app": "web"})
    assert not identity.has_labels({"app": "web", "v": "1"})
