"""Values in HTML pages."""

from __future__ import annotations

from jinja2 import Environment
from markupsafe import Markup

from mirror_addon.display.pages import shown


def test_every_expression_is_safe() -> None:
    page = Environment(autoescape=True, finalize=shown).from_string("{{ a }} {{ b | upper }}\n<p>{{ c }}</p>{{ d }}")
    text = page.render(a="\u202e<\x1b", b="x\r\n", c=Markup("<b>\u2028</b>"), d=12)
    assert text == "\\u202e&lt;\\x1b X\\r\\n\n<p><b>\u2028</b></p>12"


def test_thousands_stay_apart() -> None:
    assert shown("1\u202f234\xa0") == "1\u202f234\\xa0"
