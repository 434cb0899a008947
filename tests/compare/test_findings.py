from __future__ import annotations

from mirror_addon.compare import findings as module
from mirror_addon.compare.causes import Cause
from mirror_addon.compare.findings import MAX_ENDPOINTS
from mirror_addon.compare.findings import MAX_FINDINGS
from mirror_addon.compare.findings import OTHER_CAUSES
from mirror_addon.compare.findings import Example
from mirror_addon.compare.findings import FindingsTally
from mirror_addon.compare.findings import against
from mirror_addon.compare.findings import headline

A, B, C = (Cause(f"$.{name}", "missing") for name in "abc")
EXAMPLE = Example("1", "GET", "http://x.test/", "$.a", "missing", 1, None)


def tally(**pairs: int) -> FindingsTally:
    made = FindingsTally()
    for name, number in pairs.items():
        made.add(Cause(f"$.{name}", "missing"), f"GET /{name}", lambda: EXAMPLE, number)
    return made


def test_most_pairs_first_with_share_and_endpoints() -> None:
    found = tally(a=3, b=5)
    found.add(A, "GET /z", lambda: None, 4)
    first, second = found.findings(20)
    assert (first.cause, first.pairs, first.share, first.endpoints) == (A, 7, 0.35, ("GET /z", "GET /a"))
    assert (first.example, first.state, first.places, second.places) == (EXAMPLE, "new", "2 endpoints", "GET /b")
    assert first.id == A.id and second.cause == B
    assert tally(a=3).findings(0)[0].share == 0.0 and tally(a=3).findings(2)[0].share == 1.0


def test_accepted_by_id_or_by_all_of_its_pairs() -> None:
    found = tally(a=1, b=1)
    found.add(C, "GET /c", lambda: None, accepted=True)
    assert [each.state for each in found.findings(3, {A.id})] == ["accepted", "new", "accepted"]
    found.add(C, "GET /c", lambda: None)
    assert {each.id: each.state for each in found.findings(4)}[C.id] == "new"


def test_against_an_older_record() -> None:
    found = against(tally(a=2, b=1).findings(9, {B.id}), tally(a=1, c=1).findings(9))
    assert [(each.cause, each.state) for each in found] == [(A, "known"), (B, "accepted"), (C, "fixed")]
    assert headline(found, 3) == "1 finding in 3 differing pairs (0 new, 1 known); 1 accepted, 1 fixed"
    assert headline(tally(a=2, b=1).findings(9), 1) == "2 findings in 1 differing pair"
    assert headline([], 1) == ""


def test_memory_is_bounded() -> None:
    found = FindingsTally()
    for number in range(MAX_FINDINGS + 5):
        found.add(Cause(f"$.a{number}", "value"), "GET /", lambda: None)
    assert len(found) == MAX_FINDINGS + 1
    assert found.findings(1)[0].cause == OTHER_CAUSES and found.findings(1)[0].pairs == 5
    found = FindingsTally()
    for number in range(MAX_ENDPOINTS + 5):
        found.add(A, f"GET /{number}", lambda: None)
    (finding,) = found.findings(1)
    assert len(finding.endpoints) == MAX_ENDPOINTS and finding.places == f"over {MAX_ENDPOINTS} endpoints"


def test_a_copy_does_not_change() -> None:
    found = tally(a=1)
    copy = found.copy()
    found.add(A, "GET /z", lambda: None)
    assert copy.findings(1)[0].pairs == 1 and copy.findings(1)[0].endpoints == ("GET /a",)
    assert copy.findings(1)[0].state == module.NEW
