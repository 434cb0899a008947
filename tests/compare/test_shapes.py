"""Which pairs of values are noise by their shape, and which are defects that look like it."""

from __future__ import annotations

import base64
import json
from datetime import UTC
from datetime import datetime
from decimal import Decimal

import pytest

from mirror_addon.compare.shapes import Shapes
from mirror_addon.compare.shapes import Sides
from mirror_addon.compare.shapes import mask

NOW = 1795348800.0  # 2026-11-22T12:00:00Z
UUID = "0f4c8c1e-7a63-4d5e-9c65-1d6a7d3b9c11"
UUID_2 = "7e1c4a52-9f01-4b7c-8a34-0c5f6d7e8f90"
SHAPES = Shapes(Sides((NOW,), (NOW + 2,), lambda: "", lambda: "", ""))


@pytest.mark.parametrize(
    ("name", "primary", "shadow", "shape"),
    [
        # times of the moment, wherever and however they are written
        ("at", "2026-11-22T12:00:00Z", "2026-11-22T12:00:02Z", "time"),
        ("at", "2026-11-22T12:00:00.123Z", "2026-11-22T12:00:02.4Z", "time"),
        ("at", "2026-11-22T12:00:00+00:00", "2026-11-22T12:03:02+00:00", "time"),
        ("at", "2026-11-22T12:00:00", "2026-11-22T12:00:02", "time"),
        ("at", "2026-11-22 14:00:00", "2026-11-22 14:04:00", "time"),
        ("at", "20261122T120000Z", "20261122T120001Z", "time"),
        ("at", "Sun, 22 Nov 2026 12:00:00 GMT", "Sun, 22 Nov 2026 12:00:02 GMT", "time"),
        ("at", "made at 2026-11-22T12:00:00Z by hand", "made at 2026-11-22T12:00:01Z by hand", "time"),
        ("x", 1795348800, 1795348802, "time"),
        ("x", 1795348800123, 1795348802456, "time"),
        ("x", "1795348800123", "1795348802456", "time"),
        ("x", 1795348800.5, 1795348801.25, "time"),
        # stored by two backends within seconds of each other
        ("created", "2021-03-01T09:00:00Z", "2021-03-01T09:00:01Z", "time"),
        ("created_at", 1614589200, 1614589201, "time"),
        # defects
        ("at", "2026-11-22T12:00:00Z", "2026-11-25T12:00:00Z", ""),
        ("at", "2026-11-22T12:00:00Z", "2026-11-22T13:00:00Z", ""),
        ("at", "2026-11-22T12:00:00", "2026-11-22T13:00:00", ""),
        ("at", "2021-03-01T09:00:00Z", "2021-03-01T10:00:00Z", ""),
        ("at", "2026-11-22T12:00:00Z", "2026-11-22T12:00:02", ""),
        ("at", "2026-11-22T12:00:00.123Z", "2026-11-22T12:00:00Z", ""),
        ("at", "2026-11-22T12:00:00Z", "2026-11-22 12:00:00Z", ""),
        ("at", "2026-11-22T12:00:00Z", "2026-11-22T12:00:00+00:00", ""),
        ("at", "2026-11-22T12:00:00Z", "", ""),
        ("at", "2026-11-22T12:00:00Z", "2026-13-22T12:00:02Z", ""),
        ("at", "made at 2026-11-22T12:00:00Z by hand", "made at 2026-11-22T12:00:01Z by foot", ""),
        ("count", 1614589200, 1614589201, ""),
        ("x", 1795348800, 1795348802000, ""),
        ("x", 1795348800, 1795448802, ""),
        ("x", 5, 6, ""),
        ("x", True, 1795348800, ""),
        ("x", Decimal("1e999999"), Decimal("2e999999"), ""),
        # ids
        ("id", UUID, UUID_2, "id"),
        ("self", f"/orders/{UUID}/items", f"/orders/{UUID_2}/items", "id"),
        ("id", "01ARZ3NDEKTSV4RRFFQ69G5FAV", "01BX5ZZKBKACTAV9WEVGEMMVRZ", "id"),
        ("requestId", "a81bc81b", "b92cd92c", "id"),
        ("trace_id", "4bf92f3577b34da6a3ce929d0e0e4736", "5cf92f3577b34da6a3ce929d0e0e4737", "id"),
        ("traceparent", "00-4bf92f3577b34da6-01", "00-5cf92f3577b34da6-01", "id"),
        ("x-request-id", 7001, 7002, "id"),
        ("_id", "692190c00a1b2c3d4e5f6071", "692190c10a1b2c3d4e5f6072", "id"),
        # no ids
        ("id", UUID, "00000000-0000-0000-0000-000000000000", ""),
        ("id", "6fa459ea-ee8a-3ca4-894e-db77e160355e", "886313e1-3b8a-5372-9b90-0c9aee199e5d", ""),
        ("id", UUID, UUID_2.upper(), ""),
        ("id", UUID, "none", ""),
        ("checksum", "4bf92f3577b34da6a3ce929d0e0e4736", "5cf92f3577b34da6a3ce929d0e0e4737", ""),
        ("_id", "692190c00a1b2c3d4e5f6071", "592190c10a1b2c3d4e5f6072", ""),
        ("requestId", "pending-request", "failed-request", ""),
        ("name", "Alice", "Bob", ""),
        ("id", 7001, 7002, ""),
        ("x", None, "2026-11-22T12:00:00Z", ""),
    ],
)
def test_shapes(name: str, primary: object, shadow: object, shape: str) -> None:
    assert SHAPES.noise(name, primary, shadow) == shape


def test_symmetric_in_time() -> None:
    assert SHAPES.noise("at", "2026-11-22T12:00:02Z", "2026-11-22T12:00:00Z") == "time"


def test_an_id_that_the_other_response_has_too_is_a_reference() -> None:
    shapes = Shapes(Sides((), (), lambda: f"{UUID} {UUID_2}", lambda: f"{UUID_2} {UUID}", ""))
    assert shapes.noise("owner", UUID, UUID_2) == ""


def test_an_id_that_was_asked_for_has_to_come_back() -> None:
    shapes = Shapes(Sides(url=f"http://h/users/{UUID}"))
    assert shapes.noise("id", UUID, UUID_2) == ""


def test_a_recorded_primary_has_its_own_now() -> None:
    day = 86400.0
    replayed = Shapes(Sides((NOW - day,), (NOW,)))
    assert replayed.noise("at", "2026-11-21T12:00:01Z", "2026-11-22T12:00:01Z") == "time"
    assert replayed.noise("at", "2026-11-21T12:00:01Z", "2026-11-21T14:00:01Z") == ""
    assert replayed.noise("at", 1795262401, 1795348801) == "time"


def test_mask() -> None:
    assert mask(f"{UUID} at 2026-11-22T12:00:00Z") == mask(f"{UUID_2} at 2021-01-01T00:00:00Z")
    assert mask("a") != mask("b")


@pytest.mark.parametrize(
    ("primary", "shadow", "shape"),
    [
        (f"{UUID} of {UUID}", f"{UUID} of {UUID_2}", "id"),
        (f"a {UUID}", f"b {UUID_2}", ""),
        (f"{UUID} 2026-11-22T12:00:00Z", f"{UUID_2} 2026-11-22T12:00:01Z", "id"),
        (f"{UUID} 2026-11-22T12:00:00Z", f"{UUID_2} 2026-11-22T14:00:00Z", ""),
        (UUID + " " * 70_000, UUID_2 + " " * 70_000, ""),
    ],
)
def test_several_shapes_in_a_text(primary: str, shadow: str, shape: str) -> None:
    assert SHAPES.noise("text", primary, shadow) == shape


@pytest.mark.parametrize(
    ("primary", "shadow", "same_kind"),
    [
        ("eyJh1.eyJz.xyz", "eyJh2.eyJz.xyz", True),
        ("eyJh1.eyJz.xyz", "eyJh2.eyJzxyzw", False),
        ("0123456789abcdef", "0123456789abcde0", True),
        ("0123456789abcdef", "0123456789", False),
        ("token-without-digit", "token-2", False),
        ("kmnwEWbGaXLDELtiNvmdFsYz/QJoBrDX", "0JSUkdIFNy/aQBBxtvViHnUsluQYLnEm", True),
        ("OrderServiceConfigurationBean", "0JSUkdIFNy/aQBBxtvViHnUsluQYL", False),
        ("aBcDeFgH", "iJkLmNoP", False),
    ],
)
def test_tokens(primary: str, shadow: str, same_kind: bool) -> None:
    assert Shapes.alike(primary, shadow) is same_kind


THEN = NOW - 3 * 86400 - 77
REPLAY = Shapes(Sides((THEN,), (NOW,), lambda: "", lambda: "", ""))


def iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def part(document: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(document).encode()).decode().rstrip("=")


def jwt(claims: object, signature: str = "c2lnbmF0dXJl", **header: str) -> str:
    return f"{part({'alg': 'RS256', **header})}.{part(claims)}.{signature}"


def claims(at: float, lifetime: float = 3600, **others: object) -> dict[str, object]:
    return {"sub": "7", "iat": int(at), "exp": int(at + lifetime), **others}


@pytest.mark.parametrize(
    ("name", "primary", "shadow", "shape"),
    [
        ("expiresAt", iso(THEN + 3600), iso(NOW + 3600), "time"),
        ("expiresAt", int(THEN) + 3600, int(NOW) + 3600, "time"),
        ("exp", (int(THEN) + 3600) * 1000, (int(NOW) + 3600) * 1000, "time"),
        ("validUntil", iso(THEN + 3600)[:10], iso(NOW + 3600)[:10], "time"),
        ("link", f"/f?expires={int(THEN) + 60}&sig=abcd1234", f"/f?expires={int(NOW) + 60}&sig=efgh5678", "signed"),
        ("link", f"/f?se={iso(THEN + 60)}&sig=abcd1234", f"/f?se={iso(NOW + 60)}&sig=efgh5678", "signed"),
        ("token", jwt(claims(THEN)), jwt(claims(NOW), "b3RoZXJfXw"), "token"),
        ("expiresAt", iso(THEN + 3600), iso(NOW + 7200), ""),
        ("expiresAt", int(THEN) + 3600, int(NOW) + 7200, ""),
        ("expiresAt", iso(THEN + 3600), iso(THEN + 3601), ""),
        ("validUntil", "2026-12-01", "2026-12-24", ""),
        ("validUntil", "2026-12-01", "2026-99-99", ""),
        ("link", f"/f?expires={int(THEN) + 60}&sig=abcd1234", f"/f?expires={int(NOW) + 120}&sig=efgh5678", ""),
        ("token", jwt(claims(THEN)), jwt(claims(NOW, 7200)), ""),
    ],
)
def test_in_a_replay(name: str, primary: object, shadow: object, shape: str) -> None:
    assert REPLAY.noise(name, primary, shadow) == shape


def deep(value: object) -> dict[str, object]:
    found: dict[str, object] = {"a": value}
    for _ in range(30):
        found = {"a": found}
    return found


@pytest.mark.parametrize(
    ("primary", "shadow", "shape"),
    [
        (jwt(claims(NOW)), jwt(claims(NOW + 2)), "token"),
        (jwt(claims(NOW)), jwt(claims(NOW), "b3RoZXJfXw"), "token"),
        (jwt(claims(NOW), kid="a"), jwt(claims(NOW), kid="b"), "token"),
        (jwt({"exp": int(NOW) + 60}), jwt({"exp": int(NOW) + 62}), "token"),
        (jwt(claims(NOW, jti=UUID)), jwt(claims(NOW, jti=UUID_2)), "token"),
        (jwt(claims(NOW, a={"b": {"jti": UUID}})), jwt(claims(NOW, a={"b": {"jti": UUID_2}})), "token"),
        (f"Bearer {jwt(claims(NOW))}", f"Bearer {jwt(claims(NOW + 2))}", "token"),
        (f"{part(claims(NOW))}--{'0a' * 20}", f"{part(claims(NOW + 2))}--{'1b' * 20}", "token"),
        (jwt(claims(NOW)), jwt(claims(NOW, 7200)), ""),
        (jwt(claims(NOW, role="user")), jwt(claims(NOW, role="admin")), ""),
        (jwt(claims(NOW, role="user")), jwt(claims(NOW)), ""),
        (jwt(claims(NOW, roles=["user"])), jwt(claims(NOW, roles=["admin"])), ""),
        (jwt({"exp": int(NOW) + 60}), jwt({"exp": int(NOW) + 120}), ""),
        (jwt({"exp": 10**400, "iat": 1}), jwt({"exp": 10**401, "iat": 1}), ""),
        (jwt(claims(NOW)), jwt(claims(NOW)).replace(part({"alg": "RS256"}), part({"alg": "none"})), ""),
        (jwt(claims(NOW)), "eyJhYmNk.eyJhYmNk.c2ln", ""),
        (jwt(claims(NOW)), f"{part(claims(NOW))}--{'0a' * 20}", ""),
        (jwt(claims(NOW, a={"b": 1})), jwt(claims(NOW, a={"b": 1, "c": 1})), ""),
        (jwt(deep(1)), jwt(deep(2)), ""),
        (f"see /f?sig=abcd1234 at {UUID}", f"see /f?sig=efgh5678 at {UUID_2}", "signed"),
        ("see /f?sig=abcd1234 and this", "see /f?sig=efgh5678 and that", ""),
        ("see /f?sig=abcd1234 and this", "see /f?sig=efgh5678", ""),
        ("/f?expires=soon&sig=abcd1234", "/f?expires=later&sig=efgh5678", ""),
    ],
)
def test_signed(primary: str, shadow: str, shape: str) -> None:
    assert SHAPES.noise("accessToken", primary, shadow) == shape
