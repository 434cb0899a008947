from __future__ import annotations

import tracemalloc
from typing import Any

import pytest
import yaml

from mirror_addon.istio import composing
from mirror_addon.istio.composing import compose

MIB = 1024 * 1024


def values(text: str | bytes) -> list[Any]:
    documents, diagnostics = compose("f", text if isinstance(text, bytes) else text.encode())
    assert not diagnostics
    return [composed.value for composed in documents]


def problems(text: str | bytes) -> list[tuple[int, int, str]]:
    _, diagnostics = compose("f", text if isinstance(text, bytes) else text.encode())
    assert all(item.code == "IST0106" and item.severity == "error" and item.file == "f" for item in diagnostics)
    return [(item.line, item.column, item.message) for item in diagnostics]


@pytest.fixture(params=["C", "Python"], autouse=True)
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each test with libyaml and with PyYAML's own parser."""
    if request.param == "Python":
        monkeypatch.setattr(composing, "_Parser", yaml.SafeLoader)
    return str(request.param)


def test_streams_without_empty_documents() -> None:
    assert values("---\na: 1\n---\n---\n# only a comment\n---\n- b\n...\n") == [{"a": 1}, ["b"]]
    assert values("") == []


def test_json_is_yaml() -> None:
    assert values('{"a": [1, true, null, "yes"], "b": {"c": 1.5}}') == [{"a": [1, True, None, "yes"], "b": {"c": 1.5}}]


def test_quotes_and_blocks_are_text() -> None:
    assert values("a: 'on'\nb: \"1\"\nc: |\n  12\nd: >-\n  yes\ne: !!str 5\n") == [
        {"a": "on", "b": "1", "c": "12\n", "d": "yes", "e": "5"}
    ]


def test_keys_are_text_as_in_json() -> None:
    assert values("on: 1\n80: 2\n1.5: 3\n'no': 4\n") == [{"true": 1, "80": 2, "1.5": 3, "no": 4}]


def test_aliases() -> None:
    assert values("a: &x {b: [1]}\nc: *x\nd: &k key\n*k : 1\n") == [
        {"a": {"b": [1]}, "c": {"b": [1]}, "d": "key", "key": 1}
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("b: &b {x: 1, q: 2}\na: {<<: *b, q: 3}\n", {"x": 1, "q": 3}),
        ("b: &b {x: 1, q: 2}\na: {q: 3, <<: *b}\n", {"x": 1, "q": 2}),
        ("b: &b {x: 1}\nc: &c {x: 2, z: 3}\na: {<<: [*b, *c]}\n", {"x": 1, "z": 3}),
        ("a: {<<: {x: 1}}\n", {"x": 1}),
        ("a: {'<<': 1}\n", {"<<": 1}),
    ],
)
def test_merge_keys_as_go_yaml_does(text: str, expected: dict[str, int]) -> None:
    assert values(text)[0]["a"] == expected


@pytest.mark.parametrize(
    ("text", "line", "column", "part"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, 1, "the key 'a' is repeated; it stands first in line 1, column 1"),
        ("x:\n  - {k: 1, j: 2, k: 3}\n", 2, 18, "the key 'k' is repeated; it stands first in line 2, column 6"),
        ("a: &x [*x]\n", 1, 8, "is used inside the node that it refers to"),
        ("? [a]\n: 1\n", 1, 3, "cannot be a key"),
        ("~: 1\n", 1, 1, "null cannot be a key"),
        ("a: *nothing\n", 1, 4, ""),
        ("a: {<<: 5}\n", 1, 9, "<< takes a mapping"),
        ("a: !!int five\n", 1, 4, "'five' is not of type int"),
        ("a: {{ .Values.port }}\n", 1, 5, "template"),
        ("a:\n\tb: 1\n", 2, 1, "spaces, not tabs"),
        ("a: 'open\n", 2, 1, "is not YAML"),
        ("a: b: c\n", 1, 5, "is not YAML"),
        (b"a: caf\xe9\n", 1, 7, "0xe9 is not UTF-8"),
        (b"\xff\xfea\x00", 1, 1, "UTF-16"),
        (b"\xff\xfe\x00\x00a\x00\x00\x00", 1, 1, "UTF-32"),
        (b"a: b\nc: \x00\n", 2, 4, "control character 0x00"),
        ("a: \x85\ufffe\n".encode(), 1, 5, "is not YAML"),
    ],
)
def test_what_is_wrong_and_where(text: str | bytes, line: int, column: int, part: str) -> None:
    found = problems(text)[0]
    assert (found[0], found[1]) == (line, column)
    assert part in found[2]


def test_reading_goes_on_behind_a_broken_document() -> None:
    text = "a: 1\n---\nb: [\n---\nc: 3\n---\nd: 'x\n---\ne: 5\n"
    documents, diagnostics = compose("f", text.encode())
    assert [composed.value for composed in documents] == [{"a": 1}, {"c": 3}, {"e": 5}]
    assert [item.line for item in diagnostics] == [4, 8]
    assert documents[-1].document.locate(("e",)) == (9, 4)


def test_every_duplicate_is_said() -> None:
    assert len(problems("a: 1\na: 2\nb: {c: 1, c: 2}\n")) == 2


@pytest.mark.parametrize(
    "text",
    [
        b"a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n"
        + b"".join(b"a%d: &a%d [%s]\n" % (i, i, b",".join([b"*a%d" % (i - 1)] * 10)) for i in range(1, 12)),
        b"a: &a {%s}\nb:\n" % b", ".join(b"k%d: 1" % i for i in range(1200)) + b"- {<<: *a}\n" * 1000,
    ],
    ids=["alias bomb", "merge bomb"],
)
def test_aliases_count_as_what_they_stand_for(text: bytes) -> None:
    tracemalloc.start()
    found = problems(text)
    assert tracemalloc.get_traced_memory()[1] < 100 * MIB
    tracemalloc.stop()
    assert "more than 1,000,000 nodes" in found[0][2]


@pytest.mark.parametrize(
    "text",
    [b"[" * 100_000, b"- " * 100_000, b"{a: " * 100_000, b"? " * 100_000],
    ids=["flow list", "block list", "flow mapping", "keys"],
)
def test_depth(text: bytes) -> None:
    assert "200 levels" in problems(text)[0][2]


def test_depth_through_aliases() -> None:
    text = b"a0: &a0 [x]\n" + b"".join(b"a%d: &a%d [*a%d]\n" % (i, i, i - 1) for i in range(1, 300))
    assert "200 levels" in problems(text)[0][2]


def test_many_directives() -> None:
    assert "directives" in problems(b"".join(b"%%TAG !%d! tag:x\n" % i for i in range(1000)) + b"---\na")[0][2]


def test_too_large() -> None:
    assert "16.0 MiB" in problems(b"a" * (16 * MIB + 1))[0][2]


def test_broken_documents_count_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(composing, "MAX_NODES", 1000)
    found = problems(b"---\n[" + b"a," * 700 + b"}\n---\n[" + b"a," * 700 + b"}\n---\n[b]\n")
    assert "split it" in found[-1][2]


def test_reading_ends_after_twenty_syntax_errors() -> None:
    _, diagnostics = compose("f", b"---\na: [\n" * 30)
    assert len(diagnostics) == 20


def test_lines_that_end_with_a_carriage_return() -> None:
    assert problems(b"a: [\r\rb: }\r---\rc: d\r")[0][0] == 3


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{prefix: /v1/items:}", {"prefix": "/v1/items:"}),
        ("[a:]", ["a:"]),
        ("[a:, b]", ["a:", "b"]),
        ("{a: b:, c: d}", {"a": "b:", "c": "d"}),
        ("{a: b::}", {"a": "b::"}),
        ("{a: [x:, y:]}", {"a": ["x:", "y:"]}),
        ("{a:}", {"a:": None}),
        ("{é: ö:}", {"é": "ö:"}),
        ('{"a":[1], "b":{}, c: "d:]", e: f:} # g:,', {"a": [1], "b": {}, "c": "d:]", "e": "f:"}),
        ("a: |\n  text:,\nb: [x:]\nc: d:}", {"a": "text:,\n", "b": ["x:"], "c": "d:}"}),
        ("{a: &x:} ", None),
        ("{\ue000: /x:}", {"\ue000": "/x:"}),
    ],
)
def test_a_plain_scalar_in_a_flow_collection_may_end_in_a_colon(text: str, value: object) -> None:
    documents, problems = compose("f", text.encode())
    if value is None:
        assert problems
        return
    assert [item.value for item in documents] == [value]
    assert problems == []


@pytest.mark.parametrize("text", ["{a: x: }", "[:a]", '{a: "x":}', "{a: x:?}"])
def test_other_colons_are_refused(text: str) -> None:
    documents, problems = compose("f", text.encode())
    assert documents == []
    assert [item.severity for item in problems] == ["error"]


def test_positions_are_those_of_the_file_where_colons_end_scalars() -> None:
    text = "{a: x:}\n---\n{a: y:, b: [c:, {d: e}]}\n---\n[bad\n---\n{f: g:, h: *i}\n"
    documents, problems = compose("f", text.encode())
    assert [item.value for item in documents] == [{"a": "x:"}, {"a": "y:", "b": ["c:", {"d": "e"}]}]
    assert documents[1].document.locate(("b", 1, "d")) == (3, 21)
    assert [(item.line, item.column) for item in problems] == [(6, 1), (7, 12)]


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("{a: (/.*)?}", [5]),
        ("[a?b]", [2]),
        ("[a b?, 'c?']", [2]),
        ("{a?: b}", [2]),
        ("a: [b, {c: d?}]", [12]),
        ("a: (/.*)?\nb: ?c\nd:\n- e?", []),
        ("{a: 'b?', c: \"d?\"}", []),
        ('a: {b: c}\nd: "e?"\nf: g?', []),
    ],
)
def test_a_plain_scalar_in_a_flow_collection_has_no_question_mark(text: str, columns: list[int], parser: str) -> None:
    documents, problems = compose("f", text.encode())
    assert len(documents) == (not columns)
    assert len(problems) == len(columns)
    if parser == "C":  # PyYAML's own parser refuses the text itself, at the question mark
        assert [(item.line, item.column) for item in problems] == [(1, column) for column in columns]


BOM = "\ufeff"


@pytest.mark.parametrize(
    "text",
    [
        f"{BOM}a: 1\n---\n{BOM}a: 2\n",
        f"a: 1\n---\n{BOM}a: 2\n",
        f"---\n{BOM}a: 1\n---  \n{BOM}a: 2\n",
        f"---\r\n{BOM}a: 1\r\n--- # two\r\n{BOM}a: 2\r\n",
        f"{BOM}---\na: 1\n---\n{BOM}---\na: 2\n",
        f"{BOM}a: 1\n---\n{BOM}---\n---\n{BOM}# comment\na: 2\n",
    ],
)
def test_each_document_of_a_stream_may_begin_with_a_byte_order_mark(text: str) -> None:
    documents, problems = compose("f", text.encode())
    assert problems == []
    assert [item.value for item in documents] == [{"a": 1}, {"a": 2}]
    assert documents[1].document.locate(("a",))[0] == text[: text.index("a: 2")].count("\n") + 1


def test_a_byte_order_mark_in_a_text_belongs_to_it() -> None:
    assert values(f"a: '{BOM}'\n---\nb: '\n  {BOM}c'\n")[0] == {"a": BOM}
