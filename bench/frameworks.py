"""Pairs of responses as frameworks make them: twins that must be noise or the same, and mutants that must not.

`scores()` gives recall and precision by kind; `python -m bench.frameworks` prints them as Markdown. Each response is a
template: `{n}` is a value that is new in each response, `HOST` the Host that the upstream was asked by.
"""

# ruff: noqa: E501 - a case a line
from __future__ import annotations

import base64
import json
from typing import NamedTuple

from bench.report import heading
from bench.report import line
from mirror_addon.compare.answer import Answer
from mirror_addon.compare.comparison import compare
from mirror_addon.compare.echoes import Asked
from mirror_addon.compare.new_ids import NewIds
from mirror_addon.compare.new_ids import PairIds

NOW = 1795348800
HOST = "shop.example.test"
HTML = "text/html; charset=utf-8"
JSON = "application/json"


class Case(NamedTuple):
    """`fields` and `body` of a response, and what the mutant has instead of `found`. `new`: values of both sides."""

    kind: str
    framework: str
    fields: str
    type: str
    body: str
    found: str
    mutant: str
    new: tuple[str, str] = ("", "")
    request: str = "GET /orders"
    status: int = 200


def jwt(at: int, lifetime: int = 3600, role: str = "user") -> str:
    parts = [{"alg": "HS256", "typ": "JWT"}, {"sub": "7", "role": role, "iat": at, "exp": at + lifetime}]
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
    return ".".join([*encoded, f"c2lnbmF0dXJl{at}"])


S3 = "https://b.s3.amazonaws.com/k?X-Amz-Credential=AKIA1/20261122/eu/s3/aws4_request&X-Amz-Date=20261122T12000{n}Z"
S3 += "&X-Amz-Expires=3600&X-Amz-Signature=0a1b2c3d4e5f607{n}"

CASES = (
    Case("session", "Rails", "Set-Cookie: _shop_session={n}; path=/; HttpOnly; SameSite=Lax\nX-Runtime: 0.0123\nX-Request-Id: {n}", HTML, "<p>Hello</p>", "HttpOnly; ", "", ("5f0c2b7a9d1e4c33", "91ab77cc02de4f10")),
    Case("csrf", "Rails", "", HTML, '<meta name="csrf-token" content="{n}"><form action="/a"></form>', 'action="/a"', 'action="/b"', ("hJ3kd92LsmA0qPz7Zx==", "Qw8sj20dKfn3Lmz1Yt==")),
    Case("signed message", "Rails", "", JSON, '{"blob": "eyJpZCI6N30--{n}"}', "eyJpZCI6N30", "eyJpZCI6OH0", ("0a" * 20, "1b" * 20)),
    Case("csrf", "Django", "Set-Cookie: csrftoken={n}; expires=Mon, 22 Nov 2027 12:00:00 GMT; Max-Age=31449600; Path=/\nVary: Cookie, Accept-Language", HTML, '<input type="hidden" name="csrfmiddlewaretoken" value="{n}">', "Max-Age=31449600", "Max-Age=60", ("aB3dE6gH9jK2mN5pQ8sT1vW4", "zY7xW0vU3tS6rQ9pO2nM5lK8")),
    Case("sets", "Django", "Vary: Accept-Language, Cookie\nAllow: GET, HEAD", HTML, "x", "GET, HEAD", "GET"),
    Case("echo", "Spring", "Location: http://HOST/orders/7", "application/hal+json", '{"_links": {"self": {"href": "http://HOST/orders/7"}}}', "orders/7", "orders/8"),
    Case("times", "Spring", "", JSON, '{"timestamp": "2026-11-22T12:00:0{n}.123+00:00", "status": 404, "path": "/x"}', '"status": 404', '"status": 400', ("1", "2")),
    Case("cache", "Spring", "Cache-Control: no-cache, no-store, max-age=0, must-revalidate\nExpires: 0", JSON, "{}", "no-store, ", ""),
    Case("session", "Express", 'Set-Cookie: connect.sid=s%3Aq1Wz{n}kP9xQmT4vB.Zk3%2B{n}Lm; Path=/; Expires=Sun, 22 Nov 2026 13:00:0{n} GMT\nETag: W/"{n}-a"', JSON, '{"ok": true}', "true", "false", ("1", "2")),
    Case("hops", "Express", "", JSON, '{"ips": ["203.0.113.7"HOP], "hostname": "HOST"}', "203.0.113.7", "203.0.113.8"),
    Case("csrf", "ASP.NET", "", HTML, '<input name="__RequestVerificationToken" type="hidden" value="{n}">', "hidden", "text", ("CfDJ8Nk2x0aVb3uQp1", "CfDJ8Zp7t5eWq9rLm4")),
    Case("problem", "ASP.NET", "", "application/problem+json", '{"title": "Not Found", "traceId": "00-{n}0f067aa0ba902b7-00"}', "Not Found", "Gone", ("4bf92f3577b34da6a3ce929d0e0e4736-0", "5bf92f3577b34da6a3ce929d0e0e4737-1")),
    Case("token", "Go", "", JSON, '{"access_token": "{n}", "token_type": "Bearer"}', "", jwt(NOW + 1, role="admin"), (jwt(NOW), jwt(NOW + 1))),
    Case("lifetime", "Go", "", JSON, '{"access_token": "{n}"}', "", jwt(NOW + 1, 7200), (jwt(NOW), jwt(NOW + 1))),
    Case("end", "Go", "", JSON, '{"expiresAt": 179535240{n}}', "1795352402", "1795356002", ("0", "2")),
    Case("signed URL", "Go", "", JSON, '{"url": "' + S3 + '"}', "Expires=3600", "Expires=7200", ("1", "2")),
    Case("nonce", "Express", "Content-Security-Policy: script-src 'nonce-{n}'", HTML, '<script nonce="{n}">a()</script>', "a()", "b()", ("r4nd0mAAAA1111==", "q9zz8mBBBB2222==")),
    Case("event stream", "Go", "", "text/event-stream", ': {n}\n\nid: 7\ndata: {"price": 5, "requestId": "{n}"}\n\n', '"price": 5', '"price": 6', ("a81bc81b", "b92cd92c")),
    Case("JSON Lines", "Go", "", "application/x-ndjson", '{"price": 5, "requestId": "{n}"}\n', '"price": 5', '"price": 6', ("a81bc81b", "b92cd92c")),
    Case("multipart", "ASP.NET", "", "multipart/mixed; boundary=b{n}", '--b{n}\r\nContent-Type: application/json\r\n\r\n{"a": 1, "at": "2026-11-22T12:00:0{n}Z"}\r\n--b{n}--', '"a": 1', '"a": 2', ("1", "2")),
    Case("new id", "Rails", "Location: http://HOST/orders/{n}", JSON, '{"id": {n}, "total": 5}', '"total": 5', '"total": 6', ("1001", "57"), "POST /orders", 201),
    Case("new id", "Django", "", JSON, '{"data": {"id": "{n}", "customerId": 4}}', '"customerId": 4', '"customerId": 5', ("1001", "57"), "POST /orders/", 201),
)  # fmt: skip


def answer(case: Case, side: int, *, mutant: bool = False) -> Answer:
    """The response of one side: 0 is the primary, 1 the mirror."""

    def filled(text: str) -> str:
        new = case.mutant if mutant and not case.found else case.new[side]
        text = text.replace("{n}", new).replace("HOST", HOST + ("-shadow" if side else ""))
        text = text.replace("HOP", ', "10.0.0.5"' if side else "")
        return text.replace(case.found, case.mutant) if mutant and case.found else text

    lines = [
        f"Content-Type: {filled(case.type)}",
        f"Date: Sun, 22 Nov 2026 12:00:0{side} GMT",
        *filled(case.fields).splitlines(),
    ]
    fields = tuple((name.encode(), value.encode()) for name, _, value in (each.partition(": ") for each in lines))
    body = filled(case.body).encode()
    asked = Asked(f"{HOST}-shadow".encode(), HOST.encode(), b"10.0.0.5", b"203.0.113.7") if side else None
    return Answer(case.status, fields, body, len(body), 5.0, asked=asked)


def verdict(case: Case, *, mutant: bool) -> str | None:
    method, _, path = case.request.partition(" ")
    url = f"http://{HOST}{path}"
    ids = PairIds(NewIds(), method, url, url, created=case.status == 201, operation=None)
    primary, shadow = answer(case, 0), answer(case, 1, mutant=mutant)
    return compare(primary, shadow, method=method, url=url, ids=ids, now=NOW + 1.0, primary_now=float(NOW)).verdict


def scores() -> dict[str, tuple[float, float]]:
    """Recall and precision by kind."""
    found: dict[str, tuple[float, float]] = {}
    for kind in dict.fromkeys(case.kind for case in CASES):
        cases = [case for case in CASES if case.kind == kind]
        hits = sum(verdict(case, mutant=True) == "different" for case in cases)
        alarms = sum(verdict(case, mutant=False) == "different" for case in cases)
        found[kind] = hits / len(cases), hits / (hits + alarms) if hits else 0.0
    return found


if __name__ == "__main__":
    print(heading(["kind", "recall", "precision"]))
    for kind, (recall, precision) in scores().items():
        print(line([kind, f"{recall:.0%}", f"{precision:.0%}"]))
