"""Markdown of the house: nothing in it can harm a page."""

from __future__ import annotations

import pytest

from coaching_site import markdown


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        '<img src="https://fremd.example/x.png">',
        "![x](https://fremd.example/x.png)",
        "[x](javascript:alert(1))",
        '<a href="/" onclick="x">x</a>',
        "<style>p{color:red}</style>",
        "[x](data:text/html,x)",
    ],
)
def test_html_and_scripts_stay_words(text):
    html = markdown.html(text)

    for harm in (
        "<script",
        "<img",
        "<style",
        'href="javascript',
        'href="data',
        "<a onclick",
        ' onclick="x">',
    ):
        assert harm not in html


def test_headings_are_ranked_below_the_title_and_may_name_their_anchor():
    html = markdown.html("# Eins {#eins}\n\n### Zwei\n\n# Drei {#BÖSE}")

    assert '<h2 id="eins">Eins</h2>' in html
    assert "<h3>Zwei</h3>" in html
    assert "<h2>Drei {#BÖSE}</h2>" in html


def test_a_table_names_its_columns_and_is_called_as_the_heading_above_it():
    table = "| A | B |\n| --- | --- |\n| 1 | 2 |"
    html = markdown.html(f'{table}\n\n## Cookies & *"mehr"* {{#cookies}}\n\nEin Satz.\n\n{table}')

    assert html.count('<th scope="col">') == 4
    assert html.count("<table>") == 1
    assert html.count('<table aria-label="Cookies &amp; &quot;mehr&quot;">') == 1


@pytest.mark.parametrize(
    "words",
    [
        "1. Hinterhaus",
        "- Kim",
        "+ Kim",
        "*Kim* _x_ `y`",
        "a | b",
        "[x](y)",
        "<b>",
        "# Kim",
        "a\\b",
        "&amp;",
        "{{ x }}",
        "~x~",
    ],
)
def test_literal_words_are_shown_as_they_are(words):
    html = markdown.html(markdown.literal(words))

    shown = words.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    assert html == f"<p>{shown}</p>\n"


def test_links_and_anchors_can_be_asked_for():
    text = "## A {#a}\n\n[x](/agb/) und <https://y.example/>\n\n- [z](#a)"

    assert markdown.links(text) == ["/agb/", "https://y.example/", "#a"]
    assert markdown.anchors(text) == {"a"}
