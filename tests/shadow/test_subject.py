from __future__ import annotations

import pytest

from mirror_addon.dispatch.in_flight import InFlight
from mirror_addon.dispatch.in_flight import Primary
from mirror_addon.routing.decision import Request
from mirror_addon.shadow.frames import pack
from mirror_addon.shadow.frames import unpack
from mirror_addon.shadow.subject import Subject
from mirror_addon.shadow.subject import url_of

SUBJECT = Subject(
    "flow", 1.5, "default/b http[0]", None, False, False, "GET", "http://b.test/x", 2**64 - 1, "127.0.0.1:5"
)


@pytest.mark.parametrize("subject", [SUBJECT, SUBJECT._replace(route="b/v1", headers=((b"Host", b"\xff"),))])
def test_a_worker_gets_the_subject_that_was_sent(subject: Subject) -> None:
    assert Subject(*unpack(pack(subject))) == subject


@pytest.mark.parametrize(("control", "controlled"), [(False, False), (False, True), (True, False)])
def test_each_shadow_has_its_own_role_in_the_subject_of_its_primary(control: bool, controlled: bool) -> None:
    shadow = InFlight().admit(Primary("flow", SUBJECT), "b/v2", control=control, controlled=controlled)
    assert shadow.subject == SUBJECT._replace(control=control, controlled=controlled)


def test_a_control_does_not_wait_for_itself() -> None:
    shadow = InFlight().admit(Primary("flow", SUBJECT), "b/v1", control=True, controlled=True)
    assert shadow.subject is not None
    assert (shadow.subject.control, shadow.subject.controlled) == (True, False)


@pytest.mark.parametrize(
    ("scheme", "authority", "path", "url"),
    [
        (b"http", b"b.test", b"/x?y=1", "http://b.test/x?y=1"),
        (b"http", b"b.test:80", b"/", "http://b.test/"),
        (b"https", b"b.test:443", b"/", "https://b.test/"),
        (b"https", b"b.test:80", b"/", "https://b.test:80/"),
        (b"http", b"[::1]:8080", b"/%2F", "http://[::1]:8080/%2F"),
        (b"http", b"b.test", b"*", "http://b.test"),
        (b"http", b"b.test", "/\u00fc".encode(), "http://b.test/\u00fc"),
        (b"http", b"b.test", b"/\xff", "http://b.test/%FF"),
    ],
)
def test_urls(scheme: bytes, authority: bytes, path: bytes, url: str) -> None:
    assert url_of(Request(b"GET", scheme, authority, path, (), 80)) == url
