from __future__ import annotations

from mirror_addon.dispatch.counters import Counters


def test_text() -> None:
    counters = Counters()
    counters.request()
    counters.request()
    counters.unmatched += 1
    counters.skip("", "upgrade")
    counters.skip("b/v2", "percent")
    target = counters.of("b/v2")
    target.pending = target.sent = 1
    target.failed["timeout"] += 1
    target.dropped["queue_full"] += 1
    counters.adapt("b/v2", ("obs_fold",))
    own = """offered 4
sent 1
failed 1
failed.timeout 1
dropped 1
dropped.queue_full 1
pending 1
skipped 1
skipped.percent 1
adapted 1
adapted.obs_fold 1
"""
    assert counters.text() == (
        "requests 2\n"
        "unmatched 1\n"
        + own.replace("skipped 1\n", "skipped 2\n").replace("adapted 1", "skipped.upgrade 1\nadapted 1")
        + "".join(f"b/v2.{line}\n" for line in own.splitlines())
    )


def test_calls_of_mirrors_are_there_only_with_a_sandbox() -> None:
    counters = Counters()
    assert "sandbox" not in counters.text()
    counters.sandbox["answered"] = 2
    counters.of("b/v2").sent = 1
    lines = counters.text().splitlines()
    assert lines.index("sandbox.answered 2") < lines.index("b/v2.offered 1")


def test_what_is_sent_again_is_counted_apart() -> None:
    counters = Counters()
    assert "rerun" not in counters.text()
    counters.rerun.sent, counters.rerun.pending = 2, 1
    counters.rerun.skipped["method"] = 4
    assert counters.totals().offered == 0
    lines = [line for line in counters.text().splitlines() if line.startswith("rerun")]
    assert lines[:3] == ["rerun 3", "rerun.sent 2", "rerun.failed 0"] and lines[-2] == "rerun.skipped.method 4"
