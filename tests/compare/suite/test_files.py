from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import PurePosixPath

from hypothesis import given
from hypothesis import strategies as st

from mirror_addon.compare.suite.cases import Case
from mirror_addon.compare.suite.files import MAX_INLINE
from mirror_addon.compare.suite.files import suite

CASE = Case(
    id="f/0", time="2026-11-22T12:00:00.000Z", start=1795348800.0, endpoint="GET /users/{id}", method="GET",
    target="/users/7?x=1", headers=(("Accept", "*/*"), ("Authorization", "[redacted]")), body=b"", verdict="different",
    differing=("$.name",), status=200, response_headers=(("Content-Type", "application/json"),),
    response_body=b'{"name": "Ada", "tags": ["a"]}',
)  # fmt: skip

EXPECTED = '''\
"""GET /users/{id}: the primary's responses to 1 recorded request."""

from __future__ import annotations

NOISE = [
    '$.pod',
]
"""These differ between responses of the same primary."""


def test_1_users_7(upstream):
    """Recorded 2026-11-22T12:00:00.000Z, id f/0; the mirror's response differed in $.name."""
    response = upstream.request(
        'GET',
        '/users/7?x=1',
        headers=[
            ('Accept', '*/*'),
            ('Authorization', upstream.secret('Authorization')),
        ],
    )
    response.must_equal(
        status=200,
        headers=[
            ('Content-Type', 'application/json'),
        ],
        json={'name': 'Ada', 'tags': ['a']},
        recorded=1795348800.0,
        ignoring=NOISE,
    )
'''


def test_a_file_as_a_person_reads_it() -> None:
    files = suite({"GET /users/{id}": [CASE]}, {"GET /users/{id}": ["$.pod"]})
    assert set(files) == {"conftest.py", "test_get_users_id.py"}
    assert files["test_get_users_id.py"].decode() == EXPECTED
    ast.parse(files["conftest.py"])


def test_bodies_of_other_kinds() -> None:
    text = suite({"e": [replace(CASE, response_body=b"\x00plain\n" * 2, body=b"a=1")]}, {})["test_e.py"].decode()
    assert "        body=b'a=1',\n" in text
    assert "        body=(\n            b'\\x00plain\\n'\n            b'\\x00plain\\n'\n        ),\n" in text
    assert "NOISE" not in text
    assert "body=" not in suite({"e": [replace(CASE, response_body=None)]}, {})["test_e.py"].decode()


def test_long_bodies_are_files_beside() -> None:
    long = b"x" * (MAX_INLINE + 1)
    files = suite({"e": [replace(CASE, response_body=long, body=long), replace(CASE, response_body=long)]}, {})
    assert {name for name in files if "/" in name} == {"bodies/e_1", "bodies/e_1_request", "bodies/e_2"}
    assert files["bodies/e_1"] == long
    assert "body=upstream.file('e_1')," in files["test_e.py"].decode()


def test_endpoints_with_one_name_have_files_of_their_own() -> None:
    files = suite({name: [CASE] for name in ("GET /a-b", "GET /a/b", "get a b", "/", "..", "conftest")}, {})
    assert set(files) == {
        "conftest.py", "test_get_a_b.py", "test_get_a_b_2.py", "test_get_a_b_3.py", "test_endpoint.py",
        "test_endpoint_2.py", "test_conftest.py",
    }  # fmt: skip


TEXT = st.text(st.sampled_from("\"'\\/.{}%\n\r\x00\x1b\u2028\u202eé()a")) | st.text(max_size=8)
HEADERS = st.lists(st.tuples(TEXT, TEXT | st.just("[redacted]")), max_size=3).map(tuple)


@given(TEXT, TEXT, TEXT, HEADERS, st.binary(max_size=200), TEXT)
def test_hostile_content_is_nothing_but_literals(
    endpoint: str, method: str, target: str, headers: tuple[tuple[str, str], ...], body: bytes, text: str
) -> None:
    case = replace(
        CASE, id=text, time=text, endpoint=endpoint, method=method, target=target, headers=headers, body=body,
        response_headers=headers, response_body=body, differing=(text,),
    )  # fmt: skip
    files = suite({endpoint: [case]}, {endpoint: [text]})
    for name in files:
        path = PurePosixPath(name)
        assert not path.is_absolute() and ".." not in path.parts and name.isascii() and name.isprintable()
    (source,) = (content.decode() for name, content in files.items() if name.startswith("test_"))
    tree = ast.parse(source)
    assert [type(each) for each in tree.body] == [ast.Expr, ast.ImportFrom, ast.Assign, ast.Expr, ast.FunctionDef]
    calls = [each for each in ast.walk(tree) if isinstance(each, ast.Call)]
    told = {call.func.attr for call in calls if isinstance(call.func, ast.Attribute)}
    assert told <= {"request", "must_equal", "secret", "file"} and all(
        isinstance(each.func, ast.Attribute) for each in calls
    )
    ask = next(each for each in calls if isinstance(each.func, ast.Attribute) and each.func.attr == "request")
    assert [ast.literal_eval(each) for each in ask.args] == [method, target]


def test_what_a_docstring_says_of_the_mirror() -> None:
    same = suite({"e": [replace(CASE, differing=(), verdict="same")]}, {})["test_e.py"].decode()
    assert "id f/0; the mirror's response: same." in same
    unknown = suite({"e": [replace(CASE, differing=(), verdict="", time="")]}, {})["test_e.py"].decode()
    assert '"""Recorded at an unknown time, id f/0."""' in unknown


def test_a_long_document_is_a_file_beside() -> None:
    long = b'{"a": "' + b"x" * MAX_INLINE + b'"}'
    files = suite({"e": [replace(CASE, response_body=long)]}, {})
    assert files["bodies/e_1"] == long
