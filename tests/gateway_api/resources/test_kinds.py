"""The kinds that are read, and those that are named."""

from __future__ import annotations

from mirror_addon.gateway_api.resources.kinds import READ
from mirror_addon.gateway_api.resources.kinds import UNREAD
from mirror_addon.gateway_api.resources.kinds import VENDORS
from mirror_addon.gateway_api.resources.references import GROUP


def test_no_kind_is_both() -> None:
    assert not {(GROUP, kind) for kind in READ} & set(UNREAD)
    assert GROUP not in VENDORS


def test_every_kind_is_read_in_the_version_that_is_current() -> None:
    assert [kind for kind, (_, versions) in READ.items() if versions[0] != "v1"] == []
