"""Signed URLs that name the same thing for an equally long time, and those that do not."""

from __future__ import annotations

import base64

import pytest

from mirror_addon.compare.signed_urls import may_be_signed
from mirror_addon.compare.signed_urls import say_the_same

SIGNATURE, SIGNATURE_2 = "0a" * 32, "f1" * 32
AWS = "https://b.s3.amazonaws.com/k?X-Amz-Credential={}&X-Amz-Date={}&X-Amz-Expires={}&X-Amz-Signature={}"


def agree(name: str, primary: str, shadow: str) -> bool:
    """Stands for the comparison of times: those that end in the same digit."""
    return primary[-1] == shadow[-1]


def policy(resource: str, end: int) -> str:
    text = f'{{"Statement":[{{"Resource":"{resource}","Condition":{{"DateLessThan":{{"AWS:EpochTime":{end}}}}}}}]}}'
    return "/f?Policy=" + base64.b64encode(text.encode()).decode().translate(str.maketrans("+=/", "-_~"))


def aws(credential: str = "AKIA1/20261122/eu/s3/aws4_request", date: str = "20261122T120000Z", ttl: int = 3600) -> str:
    return AWS.format(credential, date, ttl, SIGNATURE if date == "20261122T120000Z" else SIGNATURE_2)


def tencent(end: int) -> str:
    return f"/k?q-sign-time=1795345200;{end}&q-ak=A&q-signature={'a' if end % 100 else 'b'}{SIGNATURE[1:]}"


@pytest.mark.parametrize(
    ("primary", "shadow"),
    [
        (aws(), aws("AKIA1/20261125/eu/s3/aws4_request", "20261125T120000Z")),
        (
            aws("ASIA1/20261122/eu/s3/aws4_request"),
            aws("ASIA2/20261122/eu/s3/aws4_request", "20261125T120000Z"),
        ),
        ("/f?Expires=1795348800&Signature=aB3~xxxx&K=K", "/f?Expires=1795348900&K=K&Signature=cD4~yyyy"),
        ("/f?se=2026-11-22T1Z&sp=r&sig=aaaaBBBB%2Fcc%3D", "/f?se=2026-11-23T1Z&sp=r&sig=ddddEEEE%2Bff%3D"),
        ("/f?expires=1795348800&signature=" + SIGNATURE, "/f?expires=1795348900&signature=" + SIGNATURE_2),
        ("/f?e=1795348800&token=abcd1234", "/f?e=1795348810&token=efgh5678"),
        ("/f?a=1&amp;e=1795348800&amp;s=abcd1234", "/f?a=1&amp;e=1795348810&amp;s=efgh5678"),
        (policy("x", 1795348800) + "&Signature=aB3~xxxx", policy("x", 1795348900) + "&Signature=cD4~yyyy"),
        ("/f?hdnts=exp=1795348800~acl=/*~hmac=abcd1234", "/f?hdnts=exp=1795348810~acl=/*~hmac=efgh5678"),
        (tencent(1795348800), tencent(1795348810)),
    ],
)  # fmt: skip
def test_same(primary: str, shadow: str) -> None:
    assert may_be_signed(primary)
    assert say_the_same(primary, shadow, agree)


@pytest.mark.parametrize(
    ("primary", "shadow"),
    [
        (aws(), aws("AKIA1/20261125/eu/s3/aws4_request", "20261125T120000Z", 7200)),
        (aws(), aws("AKIA2/20261122/eu/s3/aws4_request", "20261125T120000Z")),
        (aws(), aws("AKIA1/20261122/us/s3/aws4_request", "20261125T120000Z")),
        (aws(), aws("AKIA1", "20261125T120000Z")),
        (aws(), aws().replace("/k?", "/l?")),
        (aws(), aws().replace(SIGNATURE, "")),
        ("/f?e=1795348800&token=abcd1234", "/f?e=1795348801&token=efgh5678"),
        ("/f?token=abcd1234", "/f?token=efgh5678"),
        ("/f?a=1&sig=abcd1234", "/f?a=2&sig=efgh5678"),
        ("/f?sig=abcd1234", "/f?sig=efgh5678&a=1"),
        ("/f?sig=abcd1234", "/f?sig=efgh"),
        ("/f?sig=abcd1234&sig=1", "/f?sig=efgh5678&sig=1"),
        ("/f?sig=abcd1234", "/f?sig=" + "efgh5678" * 2),
        ("/f?sig=1" + "&a=1" * 200, "/f?sig=2"),
        (policy("x", 1795348800) + "&sig=aB3~xxxx", policy("y", 1795348800) + "&sig=aB3~xxxx"),
        (policy("x", 1795348800) + "&sig=aB3~xxxx", policy("x", 1795348801) + "&sig=aB3~xxxx"),
        ("/f?hdnts=exp=1795348800~acl=/*~hmac=abcd1234", "/f?hdnts=exp=1795348810~acl=/a~hmac=efgh5678"),
        ("/f?hdnts=exp=1795348800~hmac=abcd1234", "/f?hdnts=exp=1795348801~hmac=efgh5678"),
        (tencent(1795348800), tencent(1795348801)),
        ("/f?Policy=a&sig=aB3~xxxx", "/f?Policy=_w__&sig=aB3~xxxx"),
        ("?Policy=IkFXUzpFcG9jaFRpbWUiOg__&sig=aB3~xxx", "?Policy=IkFXUzpFcG9jaFRpbWUiOjE3OTUzNDg4MDA_&sig=aB3~xxx"),
    ],
)  # fmt: skip
def test_different(primary: str, shadow: str) -> None:
    assert not say_the_same(primary, shadow, agree)


def test_a_quick_look() -> None:
    assert not may_be_signed("/f?a=1&b=2")
    assert may_be_signed("see https://a/b?x=1&amp;sig=2")
