from __future__ import annotations

from typing import Any

from sandboxtools import Writer

from mirror_addon.compare.twin_values import Translation
from mirror_addon.mirroring.call_comparison import CallComparison
from mirror_addon.sandbox.call import CallRequest


def post(body: bytes, query: bytes = b"") -> CallRequest:
    return CallRequest(b"POST", b"http", b"pay.test", b"/charges", query, b"application/json", b"", body)


async def test_small_and_large_calls() -> None:
    comparison = CallComparison(Writer())  # type: ignore[arg-type]
    pad = b" " * 10_000
    for space in (b"", pad):
        call = await comparison.compare(post(b'{"a": 1}' + space), post(b'{"a": 2}'))
        assert [(each.path, each.primary, each.shadow) for each in call.differences] == [("$.a", 1, 2)]


async def test_the_rules_in_force() -> None:
    writer: Any = Writer()
    comparison = CallComparison(writer)
    one, other = post(b'{"a": 1}'), post(b'{"a": 2}')
    assert (await comparison.compare(one, other)).state == "different"
    writer.comparison_rules = "rules: [{path: $.a, ignore: true}]"
    assert (await comparison.compare(one, other)).state == "answered"
    writer.comparison_rules = "rules: ["
    assert (await comparison.compare(one, other)).state == "different"


async def test_what_is_redacted() -> None:
    comparison = CallComparison(Writer(redact="$.card,query:token"))  # type: ignore[arg-type]
    one, other = post(b'{"card": "1111"}', b"token=aaaa&n=1"), post(b'{"card": "2222"}', b"token=bbbb&n=2")
    call = await comparison.compare(one, other)
    assert call.state == "different" and [each.path for each in call.differences] == [
        "query:token", "query:n", "$.card",
    ]  # fmt: skip
    text = str(call)
    assert not any(secret in text for secret in ("aaaa", "bbbb", "1111", "2222"))
    assert "aaaa" not in comparison.url(one) and comparison.url(one).endswith("&n=1")


async def test_differences_have_what_the_mirror_sent() -> None:
    comparison = CallComparison(Writer())  # type: ignore[arg-type]
    twin = [Translation("$.order_id", "1008", "2001", "p1"), Translation("path[1]", "1008", "2001", "p1")]
    one, other = (post(b'{"order_id": %d}' % id)._replace(path=b"/orders/%d" % id) for id in (1007, 1008))
    call = await comparison.compare(one, other, twin)
    assert [(each.path, each.primary, each.shadow) for each in call.differences] == [
        ("path[1]", "1007", "2001"), ("$.order_id", 1007, 2001),
    ]  # fmt: skip


async def test_whether_a_translated_uuid_stands_for_a_number_or_a_text_is_not_known() -> None:
    comparison = CallComparison(Writer())  # type: ignore[arg-type]
    for own, state in (("0b5f-a", "answered"), ("2001", "different")):
        twin = [Translation("$.order_id", "1007", own, "p1")]
        call = await comparison.compare(post(b'{"order_id": "1007"}'), post(b'{"order_id": 1007}'), twin)
        assert call.state == state
