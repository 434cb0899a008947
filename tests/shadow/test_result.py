from __future__ import annotations

from mirror_addon.shadow.frames import Report
from mirror_addon.shadow.result import ShadowResult
from mirror_addon.shadow.result import result_of


def report(**more: object) -> Report:
    values: dict[str, object] = dict.fromkeys(Report._fields)
    return Report(**values | more)  # type: ignore[arg-type]


def test_without_a_report_there_is_only_the_outcome() -> None:
    assert result_of("1/2", "b/v2", "dropped", "queue_full", None, b"x") == ShadowResult(
        "1/2", "b/v2", "dropped", "queue_full"
    )


def test_every_value_of_a_report_is_in_the_result() -> None:
    given = report(
        detail="why", status=200, http_version="HTTP/2", headers=((b"a", b"1"),), kept=True, bytes=9, truncated=True,
        connect_ms=1.0, first_byte_ms=2.0, total_ms=3.0,
    )  # fmt: skip
    found = result_of("1/2", "b/v2", "failed", "reset", given, b"body")
    assert (found.id, found.label, found.outcome, found.reason) == ("1/2", "b/v2", "failed", "reset")
    for name in set(Report._fields) & set(ShadowResult.__slots__):
        assert getattr(found, name) == getattr(given, name), name
    assert found.body == b"body"


def test_a_body_that_was_not_kept_is_not_an_empty_one() -> None:
    assert result_of("1/2", "b/v2", "sent", "", report(kept=False, bytes=4), b"").body is None
    assert result_of("1/2", "b/v2", "sent", "", report(kept=True, bytes=0), b"").body == b""
