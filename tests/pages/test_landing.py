"""The landing page says what the coach wrote, word for word and in its order."""

from __future__ import annotations

import html
import itertools
import re
from pathlib import Path

import pytest

from pages.models import Practice

pytestmark = pytest.mark.django_db

COPY = Path(__file__).parent.parent / "data" / "landing.de.txt"
# Typography may differ from the typed copy; words may not.
SAME = str.maketrans(
    {"„": '"', "“": '"', "”": '"', "–": "-", "\u00a0": " ", "\u202f": " ", "\u00ad": None}
)


def words(text: str) -> str:
    return " ".join(text.translate(SAME).split())


def page_text(markup: str) -> str:
    """The page's words, without its header, footer, head and buttons."""
    body = re.sub(r"<(head|header|footer)\b.*?</\1>", " ", markup, flags=re.DOTALL)
    # A word inside an inline element touches what follows it.
    inline = re.sub(r"</?(span|strong|a)\b[^>]*>", "", body)
    return words(html.unescape(re.sub(r"<[^>]+>", " ", inline)))


def test_every_paragraph_of_the_copy_stands_on_the_page_in_its_order(client):
    text = page_text(client.get("/").content.decode())

    position = 0
    for paragraph in filter(None, map(words, COPY.read_text("utf-8").splitlines())):
        found = text.find(paragraph, position)
        assert found >= 0, f"missing or out of order: {paragraph}"
        position = found + len(paragraph)


@pytest.mark.parametrize(
    "heading", ["CTO könnte richtig sein, wenn:", "CTO könnte nicht richtig sein, wenn:"]
)
def test_the_lost_lists_were_written_anew(client, heading):
    markup = client.get("/").content.decode()

    after = markup.split(heading)[1]

    assert after.split("</ul>")[0].count("<li>") == 4


def test_theory_is_a_table_with_scopes(client):
    table = client.get("/").content.decode().split("<table")[1].split("</table>")[0]

    assert table.count('scope="col"') == 2
    assert table.count('scope="row"') == 3


def test_there_is_one_h1_and_no_level_is_skipped(client):
    levels = [int(level) for level in re.findall(r"<h([1-6])", client.get("/").content.decode())]

    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


def test_numbers_come_from_the_practice(client):
    Practice.objects.create(pk=1, coached_value="93", readers_value="5123")

    markup = client.get("/").content.decode()

    assert "nachdem ich 93 Engineering Leader" in markup
    assert "Teil von 5123 CTOs" in markup


def test_without_a_true_number_nothing_is_claimed(client):
    Practice.objects.create(pk=1, coached_value="", readers_value="")

    markup = client.get("/").content.decode()

    assert "gecoacht habe: VPEs" not in markup
    assert "Werde ein Teil" not in markup


def test_the_page_has_no_form_and_sets_no_cookie(client):
    response = client.get("/")

    assert b"<form" not in response.content
    assert not response.cookies
