from __future__ import annotations

import pickle
import textwrap

import pytest

from mirror_addon.istio.composing import compose
from mirror_addon.istio.diagnostics import FieldPath
from mirror_addon.istio.documents import Document

TEXT = textwrap.dedent(
    """\
    # a comment
    spec:
      hosts: [a, "b"]
      http:
      - match:
        - uri: {prefix: /x}
        mirror_percent: 5
        empty:
      - &second
        name: two
      - *second
      - <<: *second
        weight: 3
    """
)


def document(text: str = TEXT) -> Document:
    documents, diagnostics = compose("rules.yaml", text.encode())
    assert not diagnostics
    return documents[0].document


@pytest.mark.parametrize(
    ("path", "position"),
    [
        ((), (2, 1)),
        (("spec",), (2, 1)),
        (("spec", "hosts"), (3, 10)),
        (("spec", "hosts", 1), (3, 14)),
        (("spec", "http"), (4, 3)),
        (("spec", "http", 0), (5, 5)),
        (("spec", "http", 0, "match", 0, "uri", "prefix"), (6, 21)),
        (("spec", "http", 0, "mirrorPercent"), (7, 21)),
        (("spec", "http", 0, "empty"), (8, 5)),
        (("spec", "http", 1, "name"), (10, 11)),
        (("spec", "http", 2), (11, 5)),
        (("spec", "http", 2, "name"), (10, 11)),
        (("spec", "http", 3, "name"), (10, 11)),
        (("spec", "http", 3, "weight"), (13, 13)),
        (("spec", "http", 0, "match", 0, "uri", "nothing", 3), (6, 12)),
        (("nothing",), (2, 1)),
    ],
)
def test_locate(path: FieldPath, position: tuple[int, int]) -> None:
    assert document().locate(path) == position


def test_locate_key() -> None:
    assert document().locate_key(("spec", "http", 0, "mirrorPercent")) == (7, 5)
    assert document().locate_key(("spec", "http", 0, "match", 0, "uri", "prefix")) == (6, 13)
    assert document().locate_key(("spec", "absent")) == (2, 1)


def test_spelled() -> None:
    assert document().spelled(("spec", "http", 0, "mirrorPercent")) == ("spec", "http", 0, "mirror_percent")
    assert document().spelled(("spec", "http", 0, "redirectCode")) == ("spec", "http", 0, "redirectCode")


def test_item_is_a_document_of_its_own() -> None:
    item = document().item(("spec", "http", 1))
    assert item.file == "rules.yaml"
    assert item.locate(("name",)) == (10, 11)


def test_pickles_small_and_whole() -> None:
    original = document()
    original.locate(("spec", "http", 0))
    copy = pickle.loads(pickle.dumps(original))
    assert copy.locate(("spec", "http", 3, "name")) == (10, 11)


def test_many_items_are_found_quickly() -> None:
    wide = document("spec:\n" + "".join(f"- {{a: {i}}}\n" for i in range(20_000)))
    assert [wide.locate(("spec", index, "a"))[0] for index in range(20_000)] == list(range(2, 20_002))


def test_snake_case_names_are_those_of_the_item() -> None:
    assert document().snake_case_names() == {"mirror_percent"}
    item = document().item(("spec", "http", 1))
    assert item.snake_case_names() == item.snake_case_names() == {"mirror_percent"}, "an alias may lead elsewhere"
    plain = document("spec:\n- {mirror_percent: 1}\n- {name: redirect_code}\n")
    assert plain.item(("spec", 0)).snake_case_names() == {"mirror_percent"}
    assert plain.item(("spec", 1)).snake_case_names() == set()
