from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror_addon.dispatch.received import read_number
from mirror_addon.dispatch.received import read_report
from mirror_addon.dispatch.received import read_results
from mirror_addon.dispatch.received import read_translated
from mirror_addon.dispatch.received import read_verdict
from mirror_addon.shadow.frames import FrameError
from mirror_addon.shadow.frames import Kind
from mirror_addon.shadow.frames import Report
from mirror_addon.shadow.frames import TranslatedCall
from mirror_addon.shadow.frames import VerdictReport

REPORT = Report("", "", 200, "HTTP/1.1", (), False, 2, False, None, 1.0, 2.0)
CALL = TranslatedCall(b"/x", (), False, (), ())
VERDICT = VerdictReport("same", (), 0, True, (200, 1.0, 2, ""))


def test_whole_frames_are_read() -> None:
    assert read_number((Kind.CREDIT, 7, 100)) == 7
    assert read_report((Kind.RESULT, 7, *REPORT)) == REPORT
    assert read_results((Kind.RESULTS, (7, *REPORT), (8, *REPORT))) == [(7, REPORT), (8, REPORT)]
    assert read_verdict((Kind.VERDICT, 7, *VERDICT)) == VERDICT
    assert read_translated((Kind.TRANSLATED, 7, *CALL)) == CALL


values = st.none() | st.integers() | st.text(max_size=3) | st.binary(max_size=3)
short = st.lists(values, max_size=4).map(tuple)


@given(rest=short)
def test_what_lacks_fields_is_no_frame(rest: tuple[Any, ...]) -> None:
    for read in (read_report, read_verdict, read_translated):
        with pytest.raises(FrameError):
            read((Kind.RESULT, 7, *rest))
    with pytest.raises(FrameError):
        read_results((Kind.RESULTS, rest))
    if len(rest) < 2 or not isinstance(rest[0], int):
        with pytest.raises(FrameError):
            read_number((Kind.CREDIT, *rest))
