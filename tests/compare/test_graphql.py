"""Which operation a GraphQL request is for."""

from __future__ import annotations

import json
import time
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror_addon.compare.graphql import NONE
from mirror_addon.compare.graphql import Operation
from mirror_addon.compare.graphql import operation_of

URL, OTHER = "http://a/graphql", "http://a/api"
GET_USER = "query GetUser($id: ID!) { user(id: $id) { name } }"
SHA = "ecf4edb46db40b5132295c0291d62fb65d6759a9eedfa4d5d612dd5ec54a6b38"


def posted(document: Any, url: str = OTHER) -> Operation:
    return operation_of("POST", url, document if isinstance(document, bytes) else json.dumps(document).encode())


@pytest.mark.parametrize(
    ("document", "name"),
    [
        ({"query": GET_USER}, "GetUser"),
        ({"operationName": "GetUser", "query": GET_USER, "variables": {"id": 7}}, "GetUser"),
        ({"operationName": None, "query": GET_USER}, "GetUser"),
        ({"operationName": "B", "query": "query A { a } query B { b }"}, "B"),
        ({"query": '# by hand: query X\n\ufeff mutation Add { add(text: "query Z { }") }'}, "Add"),
        ({"query": "fragment F on U { query } subscription OnAdd { added { ...F } }"}, "OnAdd"),
        ({"operationName": "GetUser", "extensions": {"persistedQuery": {"version": 1, "sha256Hash": SHA}}}, "GetUser"),
        ([{"query": GET_USER}, {"query": "{ a }", "operationName": "Ping"}, {"query": GET_USER}], "GetUser+Ping"),
        ([{"query": f"query Q{n} {{ a }}"} for n in range(7)], "Q0+Q1+Q2+Q3+3more"),
    ],
)
def test_named(document: Any, name: str) -> None:
    assert posted(document).name == name


@pytest.mark.parametrize(
    ("document", "name"),
    [
        ({"operationName": "GetUser", "variables": {}}, "GetUser"),
        ({"doc_id": "123"}, "persisted-"),
        ({"id": "abc", "variables": {}}, "persisted-"),
        ({"documentId": "sha256:1"}, "persisted-"),
        (GET_USER.encode(), "GetUser"),
        (b"{ user { name } }", "anonymous-"),
    ],
)
def test_by_the_path(document: Any, name: str) -> None:
    """What could be anything on another path."""
    assert posted(document, URL).name.startswith(name)
    assert posted(document, "http://a/v1/graphql?x=1").name.startswith(name)
    assert posted(document, "http://a/orders") == NONE


def test_anonymous_operations_are_named_by_their_shape() -> None:
    one = posted({"query": '{ user(id: 7, tag: "a") { name } }'}).name
    assert one.startswith("anonymous-")
    assert posted({"query": 'query {\n  user(id: -8.5e3, tag: """b""") { name }  # yes\n}'}).name == one
    assert posted({"query": '{ user(id: 812, tag: "b"), { name, } }'}).name == one
    assert posted({"query": '{ user(id: 7, tag: "a") { mail } }'}).name != one
    assert posted({"query": "query A { a } query B { b }"}).name.startswith("anonymous-")


def test_persisted_queries_without_a_name() -> None:
    one = posted({"extensions": {"persistedQuery": {"sha256Hash": SHA}}}).name
    assert one.startswith("persisted-")
    assert posted({"extensions": {"persistedQuery": {"sha256Hash": SHA[::-1]}}}).name != one
    assert posted({"query": GET_USER, "extensions": {"persistedQuery": {"sha256Hash": SHA}}}).name == "GetUser"


def test_get() -> None:
    def asked(**fields: str) -> str:
        return operation_of("GET", f"{URL}?{urlencode(fields)}").name

    assert asked(query=GET_USER) == "GetUser"
    assert asked(query="query A { a } query B { b }", operationName="B") == "B"
    assert asked(extensions=json.dumps({"persistedQuery": {"sha256Hash": SHA}})).startswith("persisted-")
    assert asked(query="shoes") == asked(extensions="{") == asked(operationName="A") == asked(a="1") == ""
    assert operation_of("GET", f"{URL}?query={'&a=1' * 100}") == NONE
    assert operation_of("GET", URL) == NONE


def test_uploads() -> None:
    body = b'--b\r\nContent-Disposition: form-data; name="operations"\r\n\r\n{"query": "mutation Put { put }"}\r\n'
    more = b'--b\r\nContent-Disposition: form-data; name="0"; filename="a"\r\n\r\nx'
    assert operation_of("POST", URL, body + more + b"\r\n--b--\r\n") == Operation("Put", True)
    assert operation_of("POST", URL, body + more, cut=True) == Operation("Put", True)
    assert operation_of("POST", URL, body.replace(b'e="operations"', b'e="x"; y="operations"')) == NONE
    assert operation_of("POST", URL, b'-x "operations"') == NONE
    assert operation_of("POST", URL, b'--b\r\n"operations"') == NONE


def test_mutations() -> None:
    assert posted({"query": "mutation Add { add }"}) == Operation("Add", True)
    assert posted({"query": "mutation Add { add }", "operationName": "Add"}).changes
    assert posted([{"query": "query A { a }"}, {"query": "mutation { b }"}]).changes
    assert not posted({"query": "query A { mutation }"}).changes


def test_of_a_part_of_a_body() -> None:
    whole = json.dumps({"query": GET_USER + " " * 70000, "operationName": "GetUser"}).encode()
    assert posted(whole).name == "GetUser"
    assert operation_of("POST", OTHER, whole[:5000], cut=True).name == "GetUser"
    assert operation_of("POST", OTHER, b'{"operationName": "Ping", "query": "que', cut=True).name == "Ping"
    assert operation_of("POST", OTHER, b'{"query": "\\ud8\\', cut=True) == NONE
    assert operation_of("POST", OTHER, b'{"x": "\\"query\\"", "a": "query"', cut=True) == NONE
    assert posted({"query": GET_USER + "# " + "x" * 9000}).name == "GetUser"


@pytest.mark.parametrize(
    "document",
    [
        {"query": "shoes"},
        {"query": "query of mine"},
        {"query": {"match": {}}},
        {"query": ""},
        {"query": "# only a comment"},
        {"query": "{"[:0] + "select { }"},
        {"operationName": "GetUser"},
        {"operationName": "Get User", "extensions": {"persistedQuery": {"sha256Hash": 7}}},
        {"extensions": {"persistedQuery": "x"}},
        {"a": 1},
        [{"query": GET_USER}, {"query": "shoes"}],
        [{"query": GET_USER}, 7],
        [],
        7,
        b"",
        b"{",
        b'[["query"]]',
        b'{"query": ' + b"[" * 60000,
        b"\xff\xfe",
    ],
)
def test_none(document: Any) -> None:
    assert posted(document) == NONE


def test_a_name_is_one_word() -> None:
    assert posted({"operationName": "x y", "query": GET_USER}).name == "GetUser"
    assert posted({"operationName": "x" * 200, "query": "{ a }"}).name.startswith("anonymous-")


@given(st.binary(max_size=300), st.sampled_from([URL, OTHER]), st.sampled_from([b"", b"{", b"[", b"--", b'{"query":"']))
def test_any_bytes(body: bytes, url: str, start: bytes) -> None:
    for cut in (False, True):
        assert " " not in operation_of("POST", url, start + body, cut=cut).name


@pytest.mark.parametrize(
    "text", ['"""' * 20001, "{" * 60000, "#" * 60000, '"' * 60001, "1" * 60000, "query{" + '\\"""' * 9000]
)
def test_hostile_documents_take_bounded_time(text: str) -> None:
    began = time.process_time()
    for document in ({"query": text}, {"query": "query A {" + text}):
        posted(document)
        operation_of("POST", URL, json.dumps(document).encode()[:-3], cut=True)
    assert time.process_time() - began < 3


def test_other_ways_to_ask() -> None:
    assert operation_of("POST", URL, b"\xef\xbb\xbf" + json.dumps({"query": GET_USER}).encode()).name == "GetUser"
    assert operation_of("POST", URL, urlencode({"query": GET_USER, "variables": "{}"}).encode()).name == "GetUser"
    assert operation_of("POST", "http://a.test/find", urlencode({"query": "shoes"}).encode()) == NONE
    numbered, spelt = (operation_of("POST", "http://a.test/graphql", b'{"doc_id": %s}' % id) for id in (b"8", b'"8"'))
    assert numbered == spelt != NONE
    # A persisted query is one operation, whether it is sent with its text or without.
    key = {"persistedQuery": {"sha256Hash": SHA}}
    assert posted({"query": "{ a }", "extensions": key}).name == posted({"extensions": key}).name


def test_the_named_one_of_several_operations_is_executed() -> None:
    document = "query A { a } mutation B { b }"
    assert not posted({"query": document, "operationName": "A"}).changes
    assert posted({"query": document, "operationName": "B"}).changes
