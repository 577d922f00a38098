"""The mail's text part: what a screen of letters shows of the coach's Markdown."""

from __future__ import annotations

import pytest

from newsletter.rendering import markdown


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("Ein Absatz\nin zwei Zeilen.\n\nNoch einer.", "Ein Absatz in zwei Zeilen.\n\nNoch einer."),
        ("Eine Zeile\\\nnoch eine", "Eine Zeile\nnoch eine"),
        ("# Größe\n\nText", "Größe\n=====\n\nText"),
        ("# A\n\n## Bé", "A\n=\n\nBé\n--"),
        ("# A\n\n## B\n\n### C", "A\n=\n\nB\n-\n\nC"),
        ("**fett** und *kursiv*", "*fett* und _kursiv_"),
        ("`git log`", "git log"),
        ("---", "* * *"),
    ],
)
def test_words_and_headings(typed, read):
    assert markdown.to_text(typed) == read


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("[dort](https://a.example/?a=1&b=2)", "dort (https://a.example/?a=1&b=2)"),
        ("<https://a.example/x>", "https://a.example/x"),
        ("[https://a.example/x](https://a.example/x)", "https://a.example/x"),
        ("<kim@a.example>", "kim@a.example"),
        ("[schreib mir](mailto:kim@a.example)", "schreib mir (kim@a.example)"),
        ("[ruf an](tel:+4930123)", "ruf an (+4930123)"),
        ("![Die Lücke](bild:1)", "[Bild: Die Lücke]"),
        ("[![Die Lücke](bild:1)](https://a.example/)", "[Bild: Die Lücke] (https://a.example/)"),
    ],
)
def test_links_and_pictures(typed, read):
    assert markdown.to_text(typed) == read


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("* eins\n* zwei", "- eins\n- zwei"),
        ("1. eins\n1. zwei", "1. eins\n2. zwei"),
        ("9) neun\n10) zehn", "9. neun\n10. zehn"),
        ("- eins\n  - tief\n    - tiefer\n- zwei", "- eins\n  - tief\n    - tiefer\n- zwei"),
        ("1. eins\n   - tief\n2. zwei", "1. eins\n   - tief\n2. zwei"),
        ("- eins\n\n- zwei", "- eins\n\n- zwei"),
        ("- eins\n\n  mehr", "- eins\n\n  mehr"),
        ("10. zehn\n\n    mehr", "10. zehn\n\n    mehr"),
        ("-\n- zwei", "-\n- zwei"),
        ("- eins\\\n  weiter", "- eins\n  weiter"),
    ],
)
def test_lists(typed, read):
    assert markdown.to_text(typed) == read


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("> eins\n> zwei", "> eins zwei"),
        ("> eins\n>\n> zwei", "> eins\n>\n> zwei"),
        ("> > tief", "> > tief"),
        ("> - a\n> - b", "> - a\n> - b"),
        ("- > a", "- > a"),
        ("```python\nif a:\n    b\n\nc\n```", "    if a:\n        b\n\n    c"),
        ("    x", "    x"),
    ],
)
def test_quotes_and_code(typed, read):
    assert markdown.to_text(typed) == read


def test_html_is_words_too():
    assert markdown.to_text("<b>x</b> &amp; &lt;") == "<b>x</b> & <"
