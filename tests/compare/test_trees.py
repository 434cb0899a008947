"""XML and HTML by tree."""

from __future__ import annotations

import inspect
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror_addon.compare.differences import Differences
from mirror_addon.compare.shapes import Shapes
from mirror_addon.compare.shapes import Sides
from mirror_addon.compare.trees import TreeError
from mirror_addon.compare.trees import compare_trees
from mirror_addon.compare.trees import read_tree

Found = list[tuple[str, str, str]]


def compared(one: str, other: str, html: bool = False) -> Found:
    differences = Differences((), None, None)
    compare_trees(differences, read_tree(one.encode(), html, ""), read_tree(other.encode(), html, ""))
    return [(each.path, each.kind, each.where) for each in differences.listed(100)[0]]


@pytest.mark.parametrize(
    ("one", "other", "found"),
    [
        ("<a x='1' y='2'/>", "<a y='2' x='1'></a>", []),
        ("<a>\n <b>1</b>\n</a>", "<a><b> 1 </b><!-- new --></a>", []),
        ("<a xmlns='urn:x'><b/></a>", "<p:a xmlns:p='urn:x'><p:b/></p:a>", []),
        ("<a xmlns='urn:x'/>", "<a xmlns='urn:y'/>", [("/a", "type", "/a")]),
        ("<a/>", "<b/>", [("/a", "type", "/a")]),
        ("<a x='1'/>", "<a x='2'/>", [("/a/@x", "value", "/a/@x")]),
        ("<a x='1'/>", "<a/>", [("/a/@x", "missing", "/a/@x")]),
        ("<a/>", "<a x='1'/>", [("/a/@x", "extra", "/a/@x")]),
        ("<a>1</a>", "<a>2</a>", [("/a/text()", "value", "/a/text()")]),
        ("<a>1</a>", "<a/>", [("/a/text()", "missing", "/a/text()")]),
        ("<a><b/></a>", "<a><b/><c/></a>", [("/a/c", "extra", "/a/c")]),
        ("<a><b i='1'/><b i='2'/></a>", "<a><b i='2'/></a>", [("/a/b[*]", "missing", "/a/b[1]")]),
        ("<a><b i='1'/><b i='2'/></a>", "<a><b i='2'/><b i='1'/></a>", [("/a", "order", "/a")]),
        (
            "<a><b id='1'><c>x</c></b><b id='2'><c>y</c></b></a>",
            "<a><b id='0'/><b id='1'><c>x</c></b><b id='2'><c>z</c></b></a>",
            [("/a/b[*]", "extra", "/a/b[1]"), ("/a/b[*]/c/text()", "value", "/a/b[2]/c/text()")],
        ),
    ],
)
def test_xml(one: str, other: str, found: Found) -> None:
    assert sorted(compared(one, other)) == sorted(found)


def test_html_as_browsers_read_it() -> None:
    assert compared("<p>one<p>two", "<html><body><p>one</p><p>two</p></body></html>", True) == []
    assert compared("<P Class=x>1", "<p class='x'>2", True) == [("/html/body/p/text()", "value", "/html/body/p/text()")]


@pytest.mark.parametrize("text", ["", "<a>", "<a></b>", "no tree", "<a>" * 400 + "</a>" * 400, "<b/>" * 300_001])
def test_no_xml(text: str) -> None:
    with pytest.raises(TreeError):
        read_tree(text.encode(), False, "")


def test_charset() -> None:
    latin = "<a>é</a>".encode("latin-1")
    assert read_tree(latin, False, "latin-1").children == ["é"]
    assert read_tree("<p>é".encode(), True, "").children[0].children[0].children == ["é"]  # type: ignore[union-attr]
    assert read_tree(b"<?xml version='1.0' encoding='iso-8859-1'?>" + latin, False, "").children == ["é"]


@given(st.binary(max_size=300), st.binary(max_size=300), st.booleans())
def test_any_bytes(one: bytes, other: bytes, html: bool) -> None:
    try:
        trees = [read_tree(b"<a>" + each + b"</a>", html, "") for each in (one, other)]
    except TreeError:
        return
    differences = Differences((), None, None)
    compare_trees(differences, *trees)
    assert (differences.verdict() == "same") == (trees[0].digest == trees[1].digest)


def test_a_document_nested_too_deep_for_the_stack() -> None:
    limit = sys.getrecursionlimit()
    depth = len(inspect.stack(0))
    try:
        sys.setrecursionlimit(depth + 150)
        with pytest.raises(TreeError, match="too deep"):
            read_tree(b"<a>" * 200 + b"</a>" * 200, False, "")
    finally:
        sys.setrecursionlimit(limit)


def test_an_empty_document() -> None:
    with pytest.raises(TreeError, match="empty document"):
        read_tree(b"<!-- nothing -->", True, "")


def test_entities_are_text() -> None:
    document = b"<!DOCTYPE a [<!ENTITY e 'v'>]><a>x &e; y</a>"
    assert read_tree(document, False, "").children == ["x &e; y"]


def test_names_of_inputs_tell_their_shape() -> None:
    form = '<form><input name="csrf" value="{}"/><input name="page" value="{}"/></form>'
    differences = Differences((), Shapes(Sides()), None)
    one, other = form.format("a81bc81b9d", "3"), form.format("b92cd92c9d", "4")
    compare_trees(differences, read_tree(one.encode(), False, ""), read_tree(other.encode(), False, ""))
    assert [(each.primary, each.noise) for each in differences.listed(9)[0]] == [("3", ""), ("a81bc81b9d", "id")]


def test_children_without_a_counterpart_are_paired_with_the_most_alike() -> None:
    one = "<a><b x='1' y='2'>one</b>text</a>"
    other = "<a><c/><b x='9'>two</b><b x='1' y='3'>one</b>other text</a>"
    assert sorted(compared(one, other)) == [
        ("/a/b[*]", "extra", "/a/b[1]"),
        ("/a/b[*]/@y", "value", "/a/b[1]/@y"),
        ("/a/c", "extra", "/a/c"),
        ("/a/text()", "value", "/a/text()"),
    ]


def test_a_text_in_place_of_an_element() -> None:
    assert compared("<a><b/></a>", "<a>b</a>") == [("/a/b", "type", "/a/b")]


def test_equal_subtrees_in_another_order_are_not_compared() -> None:
    one = "<a><b><c>1</c></b><d/><e/></a>"
    other = "<a><d/><b><c>1</c></b><f/></a>"
    assert [(path, kind) for path, kind, _ in compared(one, other)] == [("/a", "order"), ("/a/e", "type")]


def test_texts_in_another_order() -> None:
    assert compared("<a>x<b/>y</a>", "<a>y<b/>x</a>") == [("/a", "order", "/a")]


@pytest.mark.parametrize("html", [True, False])
def test_a_tag_of_too_many_attributes(html: bool) -> None:
    """libxml2 takes seconds for 20,000 of them."""
    many = b" ".join(b"a%d='>'" % number for number in range(1001))
    with pytest.raises(TreeError, match="more than 1000 attributes in a tag"):
        read_tree(b"<r><a " + many + b"/></r>", html, "")
    few = b" ".join(b"a%d='%s'" % (number, b"1 2 " * 20) for number in range(900))
    assert read_tree(b"<r><a " + few + b"/></r>", html, "")
