"""Charts are drawings of true numbers: well-formed, named, and told apart by more than colour."""

from __future__ import annotations

import re
from itertools import pairwise
from xml.etree import ElementTree

import pytest

from coaching_site import german
from coaching_site.desk import charts
from coaching_site.desk.charts import Column, Step, Words

SVG = "{http://www.w3.org/2000/svg}"
CALLS = Words("termine", "Termine", "Zwei Wochen.", "gebucht", ("abgesagt", "nicht erschienen"))
READERS = Words("abos", "Angemeldete", "Am Monatsende.", "angemeldet")
MONEY = Words(
    "geld",
    "Geld",
    "Je Monat.",
    "eingenommen",
    ("erstattet",),
    number=german.euros,
    scale=german.whole_euros,
    unit=100,
)


def drawn(markup: str) -> ElementTree.Element:
    """Read as XML, as strictly as can be."""
    return ElementTree.fromstring(markup.replace("<svg ", f'<svg xmlns="{SVG[1:-1]}" ', 1))


def bars(picture: ElementTree.Element, kind: str) -> list[tuple[float, float]]:
    """Top and height of the columns' bars of a kind, in order."""
    found = [each for group in picture.iter(f"{SVG}g") for each in group.iter(f"{SVG}rect")]
    return [
        (float(each.get("y", "")), float(each.get("height", "")))
        for each in found
        if kind in (each.get("class") or each.get("fill") or "")
    ]


def texts(picture: ElementTree.Element) -> list[str]:
    return [each.text or "" for each in picture.iter(f"{SVG}text")]


def readers(*counts: int) -> list[Column]:
    return [Column(f"M{at}", f"Monat {at}", count) for at, count in enumerate(counts)]


def test_a_chart_is_an_image_with_a_name_and_a_description():
    picture = drawn(charts.columns(CALLS, [Column("1.3.", "Woche", 3, (1, 2))]))

    assert picture.get("role") == "img"
    assert picture.get("aria-labelledby") == "termine-title termine-text"
    assert (picture.findtext(f"{SVG}title"), picture.findtext(f"{SVG}desc")) == (
        "Termine",
        "Zwei Wochen.",
    )
    assert "style" not in ElementTree.tostring(picture, "unicode")


def test_bars_are_as_high_as_their_numbers():
    up = bars(drawn(charts.columns(READERS, readers(10, 20, 40, 0))), "figure-up")

    assert [round(height / up[0][1], 1) for _, height in up] == [1.0, 2.0, 4.0]
    assert len({round(top + height) for top, height in up}) == 1


def test_what_takes_away_hangs_below_the_line_one_below_the_other_and_hatched():
    picture = drawn(charts.columns(CALLS, [Column("1.3.", "Woche", 8, (2, 4))]))
    [up], [cancelled], [missed] = (bars(picture, kind) for kind in ("-up", "-down", "-hatch"))

    zero = up[0] + up[1]
    assert [*cancelled, *missed] == pytest.approx(
        [zero, up[1] / 4, zero + cancelled[1], up[1] / 2], abs=0.2
    )
    assert [each.get("id") for each in picture.iter(f"{SVG}pattern")] == ["termine-hatch"]
    assert [word for word in texts(picture) if word in ("gebucht", *CALLS.down)] == [
        "gebucht",
        *CALLS.down,
    ]


def test_each_column_says_its_numbers():
    titles = [
        each.text
        for each in drawn(
            charts.columns(MONEY, [Column("Mär", "März 2027", 123_450, (900,))])
        ).iter(f"{SVG}title")
    ]

    assert (
        titles[1]
        == f"März 2027: {german.euros(123_450)} eingenommen, {german.euros(900)} erstattet"
    )


@pytest.mark.parametrize(
    "counts",
    [(), (0,), (0, 0, 0), (1,), (1, 0), (10**15, 1), tuple(range(200))],
    ids=["none", "zero", "zeros", "one", "one and zero", "huge", "many"],
)
@pytest.mark.parametrize("words", [READERS, CALLS, MONEY], ids=lambda words: words.name)
def test_whatever_the_numbers_all_is_inside_the_picture(words, counts):
    shown = [
        Column(each.short, each.name, each.up, (each.up // 3, each.up // 7))
        for each in readers(*counts)
    ]
    picture = drawn(charts.columns(words, shown))

    for each in picture.iter(f"{SVG}rect"):
        x, y, width, height = (float(each.get(name, "")) for name in ("x", "y", "width", "height"))
        assert 0 <= x <= x + width <= charts.WIDTH + 0.2
        assert 0 <= y <= y + height <= charts.HEIGHT
        assert height > 0
    assert not re.search(r"nan|inf", ElementTree.tostring(picture, "unicode"))


def test_what_is_there_is_seen_beside_something_huge():
    [_, small] = bars(drawn(charts.columns(READERS, readers(10**9, 1))), "figure-up")

    assert small[1] >= charts.THINNEST


@pytest.mark.parametrize(
    ("most", "scale"),
    [
        (1, ["0", "1"]),
        (4, ["0", "1", "2", "3", "4"]),
        (37, ["0", "10", "20", "30", "40"]),
        (4_100, ["0", "2.000", "4.000", "6.000"]),
    ],
)
def test_the_scale_has_few_round_steps_and_reaches_above_the_highest(most, scale):
    assert [
        text for text in texts(drawn(charts.columns(READERS, readers(most)))) if text != "M0"
    ] == scale


def test_a_scale_of_money_has_whole_euros():
    said = texts(drawn(charts.columns(MONEY, [Column("Mär", "März", 150, (10,))])))

    assert [word for word in said if "€" in word] == [
        german.whole_euros(cents) for cents in (0, 100, 200)
    ]


def test_names_below_do_not_run_into_each_other():
    picture = drawn(charts.columns(READERS, [Column("Nov 26", "x", 1) for _ in range(24)]))
    at = sorted(
        float(each.get("x", "")) for each in picture.iter(f"{SVG}text") if each.text == "Nov 26"
    )

    assert all(after - before >= 6 * charts.LETTER for before, after in pairwise(at))
    assert at[-1] + 3 * charts.LETTER <= charts.WIDTH + charts.GAP


def test_words_are_escaped():
    words = Words("a", "<b>&", '"', "<i>", ("<u>",))

    drawn(charts.columns(words, [Column("<x>", "<y>", 1, (1,))]))
    drawn(charts.funnel(words, [Step("<x>", 1, "<y>")]))


def test_each_step_of_a_funnel_is_as_long_as_so_many_took_it():
    steps = [
        Step("Startseite", 1000),
        Step("Uhrzeiten", 250, "25,0 %"),
        Step("gebucht", 0, "0,0 %"),
    ]
    picture = drawn(charts.funnel(READERS, steps))
    widths = [
        float(each.get("width", ""))
        for each in picture.iter(f"{SVG}rect")
        if each.get("class") == "figure-up"
    ]

    assert widths == [charts.WIDTH, charts.WIDTH / 4]
    assert texts(picture) == [
        "Startseite",
        "1.000",
        "Uhrzeiten",
        "250 (25,0 %)",
        "gebucht",
        "0 (0,0 %)",
    ]


def test_a_funnel_of_nothing_is_an_empty_picture():
    assert bars(drawn(charts.funnel(READERS, [Step("Startseite", 0)])), "figure-up") == []
    drawn(charts.funnel(READERS, []))
