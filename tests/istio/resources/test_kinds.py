from __future__ import annotations

import typing

from mirror_addon.istio.resources.kinds import ISTIO_KINDS
from mirror_addon.istio.resources.kinds import KUBERNETES_KINDS
from mirror_addon.istio.resources.kinds import SKIPPED_ISTIO_KINDS
from mirror_addon.istio.resources.kinds import UNREAD_KINDS
from mirror_addon.istio.resources.kinds import Spec
from mirror_addon.istio.resources.kubernetes_config_map import AuthoritiesSpec


def test_the_union_has_the_types_of_all_kinds() -> None:
    """A ConfigMap is one of two types, by what it holds."""
    assert set(typing.get_args(Spec)) == {*ISTIO_KINDS.values(), *KUBERNETES_KINDS.values(), AuthoritiesSpec}
    assert not set(ISTIO_KINDS) & set(SKIPPED_ISTIO_KINDS)
    assert not set(KUBERNETES_KINDS) & set(UNREAD_KINDS)
