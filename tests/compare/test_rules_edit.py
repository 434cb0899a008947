from __future__ import annotations

import pytest
import yaml

from mirror_addon.compare.causes import Cause
from mirror_addon.compare.rules import Rules
from mirror_addon.compare.rules import RulesError
from mirror_addon.compare.rules_edit import difference
from mirror_addon.compare.rules_edit import rule_line
from mirror_addon.compare.rules_edit import rule_lines
from mirror_addon.compare.rules_edit import with_rule
from mirror_addon.compare.rules_edit import without_rule

TAX = Cause("$.items[*].tax", "missing")
NAME = Cause("$.users.*['a b'].x", "type", "number -> string")
LINES = "# accepted by ann, today: $.items[*].tax missing\n- path: $.items[*].tax\n  accepted: f69d1514f\n"


def added(text: str, cause: Cause = TAX, *, ignore: bool = False) -> str:
    return with_rule(text, "c.yaml", cause, "ann", "today", ignore=ignore)


def indented(lines: str = LINES) -> str:
    return "".join(f"  {line}\n" for line in lines.splitlines())


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "rules:\n" + indented()),
        ("# mine\n", "# mine\nrules:\n" + indented()),
        (
            "noise:\n  shapes: true   # keep\n\n# end\n",
            f"noise:\n  shapes: true   # keep\nrules:\n{indented()}\n# end\n",
        ),
        ("rules:  # none\nnoise:\n  relative:  20%\n", f"rules:  # none\n{indented()}noise:\n  relative:  20%\n"),
        ("rules:\n- path: $.a\n  regex: 'a'", "rules:\n- path: $.a\n  regex: 'a'\n" + LINES),
        (
            "rules:\n  # b\n  - {path: $.b,   ignore: true}\n# noise\nnoise:\n",
            f"rules:\n  # b\n  - {{path: $.b,   ignore: true}}\n{indented()}# noise\nnoise:\n",
        ),
        (
            "---\nrules:\n  - path:\n      - $.a\n    ignore: true\n...\n",
            f"---\nrules:\n  - path:\n      - $.a\n    ignore: true\n{indented()}...\n",
        ),
        (
            "rules:\r\n- path: $.a\r\n  ignore: true\r\n",
            "rules:\r\n- path: $.a\r\n  ignore: true\r\n" + LINES.replace("\n", "\r\n"),
        ),
        (
            "rules:\n- path: $.a\n  regex: >-\n    abc\n\n# c\n",
            f"rules:\n- path: $.a\n  regex: >-\n    abc\n\n{LINES}# c\n",
        ),
    ],
)
def test_all_the_rest_stays_as_it_is(before: str, after: str) -> None:
    made = added(before)
    assert made == after
    assert Rules.parse(made, "c.yaml").accepted == {TAX.id}
    left = without_rule(made, "c.yaml", TAX.id)
    if before.startswith("rules") or "\nrules" in before:
        assert left == before or left == before + "\n"
    else:
        assert Rules.parse(left, "c.yaml") == Rules.parse(before, "c.yaml")


def test_two_rules_come_and_go_in_any_order() -> None:
    text = "rules:\n  - path: $.a\n    ignore: true\n"
    both = added(added(text), NAME, ignore=True)
    assert Rules.parse(both, "c.yaml").rules[1].ignore
    for first, second in ((TAX, NAME), (NAME, TAX)):
        assert without_rule(without_rule(both, "c.yaml", first.id), "c.yaml", second.id) == text


@pytest.mark.parametrize(
    ("before", "message"),
    [
        ("rules: [{path: $.a, ignore: true}]\n", "c.yaml:1: `rules` is written in brackets"),
        ("rules: []\n", "written in brackets"),
        ("rules: ~\n", "written in brackets"),
        ("{noise: {shapes: true}}\n", "written in braces"),
        ("rules:\n- path: $.a\n", "c.yaml:2: a rule needs one of"),
        (LINES.replace("#", "rules:\n#"), "there is a rule for f69d1514f already"),
        ("rules: &a\n  - path: $.b\n    ignore: true\n    endpoint: |\n      GET /a\n  \n  \t", "not YAML"),
    ],
)
def test_what_cannot_be_edited_is_told(before: str, message: str) -> None:
    with pytest.raises(RulesError) as caught:
        added(before)
    assert message in str(caught.value)


def test_a_rule_that_is_not_there_or_not_ours_is_not_removed() -> None:
    accepted = "accepted: [f69d1514f, f00000000]"
    for text, message in (
        ("", "no rule accepts"),
        (f"rules:\n- path: $.a\n  {accepted}\n", "remove it by hand"),
        ("rules: [{path: $.a, accepted: f69d1514f}]", "remove it by hand"),
        ("rules:\n- {path: $.a, accepted: f69d1514f}", "remove it by hand"),
        ("rules:\n- path: $.a\n  ignore: true\n  accepted: f69d1514e\n", "did you mean f69d1514e?"),
        ("rules:\n" + LINES + LINES, "remove it by hand"),
    ):
        with pytest.raises(RulesError) as caught:
            without_rule(text, "c.yaml", TAX.id)
        assert message in str(caught.value)


def test_the_rule_on_a_line_and_paths_that_need_quotes() -> None:
    for path in (
        "$.a",
        "$.a[*]",
        "$['a: b #c']",
        "$['\u202e\"']",
        "/a/b[*]/@id",
        "header:x-a",
        "status",
        "$['é\U0001f600']",
    ):
        cause = Cause(path, "value")
        for text in (rule_line(cause), "\n".join(rule_lines(cause))):
            assert yaml.safe_load(text) == [{"path": path, "accepted": cause.id}]
        assert "\n" not in rule_line(cause)
    for path in ("(other differences)", "", "$.a…"):
        with pytest.raises(RulesError, match="no path that a rule can name"):
            rule_lines(Cause(path, "value"))


def test_comments_stay_on_one_line() -> None:
    made = with_rule("", "c.yaml", Cause("$['a\\u000ab']", "value"), "an\nn: #", "to\rday")
    assert len(made.splitlines()) == 4
    assert difference("a\n", "b\n", "c.yaml").splitlines()[2:] == ["@@ -1 +1 @@", "-a", "+b"]


def test_a_rule_without_its_comment_is_removed_and_aliases_are_left_alone() -> None:
    text = "rules:\n- path: $.a\n  ignore: true\n- path: $.items[*].tax\n  accepted: f69d1514f\n"
    assert without_rule(text, "c.yaml", TAX.id) == "rules:\n- path: $.a\n  ignore: true\n"
    aliased = "rules:\n- &a\n  path: $.a\n  ignore: true\n- path: $.b\n  ignore: true\n- *a\n"
    with pytest.raises(RulesError, match="cannot be added here; add it by hand"):
        added(aliased, ignore=True)
