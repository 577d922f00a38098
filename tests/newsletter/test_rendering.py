"""From the coach's Markdown to a mail: what is kept, what is kept out, what is filled in later."""

from __future__ import annotations

import re
from html import escape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as site
from django.utils import timezone

from newsletter.models import Picture
from newsletter.rendering import building, markdown, placeholders
from pages.models import Practice

SITE = "https://site.example"
ARCHIVE = f"{SITE}/newsletter/ein-brief/"

pytestmark = pytest.mark.django_db


def build(body: str = "Ein Satz.", **values) -> building.Built:
    given: dict[str, Any] = {
        "subject": "Ein Brief",
        "preheader": "Worum es geht",
        "archive_url": ARCHIVE,
        "practice": Practice(pk=1),
        "site_url": SITE,
        **values,
    }
    return building.build(body=body, **given)


def body_of(markdown_text: str) -> str:
    return markdown.to_html(markdown_text, site_url=SITE).strip()


def add_picture(width: int = 1200, height: int = 600) -> Picture:
    return Picture.objects.create(
        pk=1,
        file="newsletter/luecke.jpg",
        width=width,
        height=height,
        alt="Eine Lücke",
        uploaded_at=timezone.now(),
    )


class Found(HTMLParser):
    """Every tag of a page with its attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


# --- words ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ('"Warum?"', "„Warum?“"),
        ("'leise'", "‚leise‘"),
        ("geht's", "geht’s"),
        ("Moment...", "Moment…"),
        ("so -- oder so", "so – oder so"),
        ("so - oder so", "so – oder so"),
        ("10--12 Uhr", "10–12 Uhr"),
        ("Vor- und Nachteile", "Vor- und Nachteile"),
        ("*Vor*- und Nachteile", "<em>Vor</em>- und Nachteile"),
        ("git push --force", "git push --force"),
        ("(c) steht hier", "(c) steht hier"),
        ('`a -- "b"...`', '<code>a -- "b"...</code>'),
        (
            "<https://a.example/x...y>",
            '<a href="https://a.example/x...y">https://a.example/x...y</a>',
        ),
        ("Grüße 🙂 aus Köln", "Grüße 🙂 aus Köln"),
    ],
)
def test_the_typography_is_german(typed, read):
    assert body_of(typed) == f"<p>{read}</p>"


@pytest.mark.parametrize(
    "body", ["# A\n\n## B\n\n# C", "## A\n\n#### B\n\n## C", "A\n=\n\nB\n-\n\nC\n="]
)
def test_headings_begin_below_the_subject_and_leave_no_level_out(body):
    html = build(body).html

    assert re.findall(r"<(h\d)", html) == ["h1", "h2", "h3", "h2"]


def test_the_web_says_the_same_headings():
    assert markdown.for_the_web("#### Tief") == "<h2>Tief</h2>\n"


# --- what must not get through ----------------------------------------------------------------

HOSTILE = [
    "<script>alert(1)</script>",
    "<SCRIPT SRC=//evil.example/x.js></SCRIPT>",
    "<scr<script>ipt>alert(1)</scr</script>ipt>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "<a href='javascript:alert(1)'>x</a>",
    "<style>*{background:url(https://evil.example/x.png)}</style>",
    '<link rel="stylesheet" href="https://evil.example/x.css">',
    '<iframe src="https://evil.example/"></iframe>',
    '<base href="https://evil.example/">',
    '<meta http-equiv="refresh" content="0;url=https://evil.example/">',
    "<!--[if mso]><script>alert(1)</script><![endif]-->",
    "<![CDATA[<script>alert(1)</script>]]>",
    "<?php echo 1 ?>",
    "</td></tr></table><form action=https://evil.example/><input>",
    "</style><script>alert(1)</script>",
    "</title><script>alert(1)</script>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](java&#115;cript:alert(1))",
    "[x](javascript&colon;alert(1))",
    "[x](&#x6A;avascript:alert(1))",
    "[x](<javascript:alert(1)>)",
    "[x]( javascript:alert(1))",
    "[x](\x01javascript:alert(1))",
    "[x](vbscript:msgbox(1))",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "[x](file:///etc/passwd)",
    "[x](blob:https://evil.example/1)",
    "[x][1]\n\n[1]: javascript:alert(1)",
    "<javascript:alert(1)>",
    "<data:text/html,x>",
    "![x](javascript:alert(1))",
    "![x](data:image/svg+xml;base64,PHN2Zz4=)",
    "![x](data:image/png;base64,iVBORw0KGgo=)",
    "![x](https://evil.example/pixel.gif)",
    "![x](//evil.example/pixel.gif)",
    "![x](cid:1)",
    '![x" onerror="alert(1)](bild:1)',
    '![x](bild:1 "x\\" onerror=\\"alert(1)")',
    '[x](https://a.example/ "x\\" onmouseover=\\"alert(1)")',
    '[x](https://a.example/"onmouseover="alert(1))',
    "[x](https://a.example/'onmouseover='alert(1))",
    "[<script>alert(1)</script>](https://a.example/)",
    "`<script>alert(1)</script>`",
    "    <script>alert(1)</script>",
    '```"><script>alert(1)</script>\nx\n```',
    "{{ vorname | <script>alert(1)</script> }}",
    '{{ vorname | " onerror="alert(1) }}',
    "{{ <script>alert(1)</script> | x }}",
    '[{{ vorname | " onerror="alert(1) }}](https://a.example/)',
    '![{{ vorname | " onerror="alert(1) }}](bild:1)',
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "\\<script>alert(1)\\</script>",
    "# <script>alert(1)</script>",
    "> <img src=x onerror=alert(1)>",
    "- <img src=x onerror=alert(1)>",
    "\ue000abmelden|\ue001<script>alert(1)</script>",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
    "<x:script xmlns:x='http://www.w3.org/1999/xhtml'>alert(1)</x:script>",
]
LAYOUT = {
    "html",
    "head",
    "meta",
    "title",
    "style",
    "body",
    "div",
    "table",
    "tbody",
    "tr",
    "td",
    "h1",
}
SAFE_ATTRIBUTES = {
    *("href", "src", "alt", "title", "width", "height", "start", "class", "style", "lang"),
    *("role", "align", "bgcolor", "border", "cellpadding", "cellspacing", "colspan"),
}


def assert_harmless(html: str, *, tags: set[str]) -> None:
    for tag, attributes in Found(html).tags:
        assert tag in tags, tag
        if tag not in ("meta", "style"):
            assert set(attributes) <= SAFE_ATTRIBUTES, attributes
        for name in ("href", "src"):
            url = attributes.get(name) or "https:"
            allowed = ("https:", "http:", "mailto:", "tel:", placeholders.BEGIN)
            assert url.startswith(allowed), url


@pytest.mark.parametrize("vector", HOSTILE)
@pytest.mark.parametrize("around", ["{}", "Text {} Text", "> {}\n\n- {}", "**{}**"])
def test_nothing_that_acts_reaches_a_mail_the_archive_or_the_feed(vector, around):
    add_picture()
    body = around.replace("{}", vector)

    assert_harmless(build(body).html, tags=LAYOUT | markdown.TAGS)
    assert_harmless(markdown.for_the_web(body), tags=markdown.TAGS)


@pytest.mark.parametrize("vector", HOSTILE)
def test_subject_and_preheader_are_words_and_nothing_else(vector):
    built = build(subject=vector, preheader=vector, practice=Practice(pk=1, brand=vector[:80]))

    assert_harmless(built.html, tags=LAYOUT | markdown.TAGS)
    assert "\n" not in built.subject


def test_a_page_of_all_that_is_hostile_is_harmless_too():
    body = "\n\n".join(HOSTILE)

    assert_harmless(build(body).html, tags=LAYOUT | markdown.TAGS)


def test_a_mail_asks_nobody_for_anything():
    add_picture()
    body = (
        "[dort](https://author.example/?a=1&b=2) ![Eine Lücke](bild:1) "
        "![x](https://evil.example/pixel.gif)"
    )
    html = build(body).html

    urls = re.findall(r"https?://[^\s\"'<>)]+", html)

    assert {url for url in urls if not url.startswith(f"{SITE}/")} == {
        "https://author.example/?a=1&amp;b=2"
    }
    assert "url(" not in html
    assert "@import" not in html
    assert [tag["src"] for tag in Found(html).all("img")] == [f"{SITE}/media/newsletter/luecke.jpg"]


def test_links_go_where_the_coach_said_and_count_nothing():
    html = body_of("[dort](https://author.example/?a=1&b=2#c 'Titel')")

    assert html == ('<p><a href="https://author.example/?a=1&amp;b=2#c" title="Titel">dort</a></p>')


# --- placeholders -----------------------------------------------------------------------------


def test_a_mark_survives_markdown_html_and_the_inlined_styles():
    built = build('Hallo {{ vorname | du }}, "{{name|Mensch}}" & Co.')

    filled = placeholders.fill(
        built.html,
        {"vorname": "Ada <b>", "abmelden": "https://x.example/?a&b"},
        escape=escape,
    )

    assert "Hallo Ada &lt;b&gt;, „Mensch“ &amp; Co." in filled
    assert 'href="https://x.example/?a&amp;b"' in filled
    assert placeholders.BEGIN not in filled
    assert placeholders.END not in filled


@pytest.mark.parametrize(
    "written",
    [
        "{{ vorname | du }}",
        "{{vorname|du}}",
        "{{ Vorname |  du  }}",
        "{{\nvorname\n|\ndu\n}}",
    ],
)
def test_a_placeholder_may_be_written_with_or_without_spaces(written):
    assert markdown.to_text(written) == placeholders.mark("vorname", "du")


@pytest.mark.parametrize(
    ("written", "without_a_name"),
    [
        ('"{{ vorname | du }}"', "„du“"),
        ('{{ vorname | "du" }}', '"du"'),
        ("{{ vorname | „du“ }}", "„du“"),
        ("{{ vorname | geht's - so... }}", "geht's - so..."),
        ("{{ vorname | *du* }}", "*du*"),
        ("**{{ vorname | du }}**", "*du*"),
        ("{{ vorname | du & ich }}", "du & ich"),
        ("{{ vorname | a|b }}", "a|b"),
    ],
)
def test_a_fallback_is_said_as_it_was_written(written, without_a_name):
    assert placeholders.fill(markdown.to_text(written), {}) == without_a_name


def test_a_fallback_is_escaped_once():
    html = placeholders.fill(body_of("{{ vorname | du & <ich> }}"), {}, escape=escape)

    assert html == "<p>du &amp; &lt;ich&gt;</p>"


def test_a_value_is_not_read_for_marks_again():
    value = placeholders.mark("abmelden")

    filled = placeholders.fill(
        placeholders.mark("vorname", "du"), {"vorname": value, "abmelden": "geheim"}
    )

    assert "geheim" not in filled


@pytest.mark.parametrize("written", ["{{ nachname | du }}", "{{ vorname }}", "{{ vorname | }}"])
def test_what_cannot_be_filled_in_stays_to_be_seen(written):
    assert markdown.to_text(written) == written
    assert body_of(written) == f"<p>{written}</p>"
    assert placeholders.BEGIN not in build(written).html.replace(
        placeholders.mark("abmelden"), ""
    ).replace(placeholders.mark("einstellungen"), "")


def test_code_keeps_its_braces():
    body = "`{{ vorname | du }}`\n\n    {{ name | x }}"

    assert markdown.to_text(body) == "{{ vorname | du }}\n\n    {{ name | x }}"


def test_nobody_writes_a_mark_by_hand():
    forged = placeholders.mark("abmelden")

    built = build(f"[x](https://a.example/{forged}) {forged}", subject=forged, preheader=forged)

    assert built.html.count(placeholders.BEGIN) == 2
    assert built.text.count(placeholders.BEGIN) == 2
    assert placeholders.BEGIN not in built.subject


def test_the_web_says_what_stands_there_without_a_name():
    html = markdown.for_the_web("Hallo {{ vorname | du }}, {{ name | Mensch & Kind }}")

    assert html == "<p>Hallo du, Mensch &amp; Kind</p>\n"


# --- pictures ---------------------------------------------------------------------------------


def test_a_picture_is_no_wider_than_the_mail_and_sharp():
    add_picture(1200, 600)

    (image,) = Found(build("![Die Lücke](bild:1)").html).all("img")

    assert image["src"] == f"{SITE}/media/newsletter/luecke.jpg"
    assert image["alt"] == "Die Lücke"
    assert (image["width"], image["height"]) == ("568", "284")
    assert "max-width: 100%" in (image["style"] or "")
    assert "height: auto" in (image["style"] or "")


def test_a_picture_keeps_all_its_words():
    add_picture()

    (image,) = Found(body_of('![Die "Lücke" & `mehr` <als> das](bild:1)')).all("img")

    assert image["alt"] == 'Die "Lücke" & mehr <als> das'


def test_a_small_picture_stays_small():
    add_picture(200, 100)

    (image,) = Found(body_of("![x](bild:1)")).all("img")

    assert (image["width"], image["height"]) == ("200", "100")


def test_the_web_gets_the_whole_picture_by_its_whole_address():
    add_picture(1200, 600)

    (image,) = Found(markdown.for_the_web("![x](bild:1)")).all("img")

    assert image == {
        "src": f"{site.SITE_URL}/media/newsletter/luecke.jpg",
        "alt": "x",
        "width": "1200",
        "height": "600",
    }


@pytest.mark.parametrize("source", ["bild:99", "https://evil.example/x.png", "/media/x.png", "x"])
def test_a_picture_that_is_not_ours_is_words(source):
    assert body_of(f"![Die *Lücke*]({source})") == "<p>[Bild: Die Lücke]</p>"


# --- the mail as a whole ----------------------------------------------------------------------


def test_the_same_issue_gives_the_same_bytes():
    body = "# A\n\n{{ vorname | du }} - [x](https://a.example/)"

    assert build(body) == build(body)


def test_the_mail_is_german_has_a_title_and_tables_for_layout_alone():
    html = build(subject="Größe & Maß").html
    found = Found(html)

    assert html.startswith("<!DOCTYPE html>")
    assert found.all("html") == [{"lang": "de"}]
    assert "<title>Größe &amp; Maß</title>" in html
    assert {table["role"] for table in found.all("table")} == {"presentation"}
    assert len(found.all("h1")) == 1


def test_styles_stand_at_each_element_and_those_for_the_dark_in_the_head():
    html = build("Ein *Satz* mit [Link](https://a.example/).").html
    head, _, body = html.partition("</head>")

    assert "prefers-color-scheme: dark" in head
    assert "[data-ogsc]" in head
    assert '<p style="margin: 0 0 20px;">' in body
    assert 'style="color: #0b5a54;"' in body
    assert head.count("<style") == 1


def test_the_colours_are_those_of_the_site():
    used = set(re.findall(r"#[0-9a-f]{6}\b", build("> x\n\n`y`").html))
    tokens = Path(site.BASE_DIR, "static/css/tokens.css").read_text("utf-8")

    assert used <= set(re.findall(r"#[0-9a-f]{6}\b", tokens))


def test_the_preheader_is_followed_by_nothing_a_mailbox_would_show():
    html = build(preheader="Worum es geht").html

    hidden = re.search(r'<div class="preview"[^>]*display: none[^>]*>([^<]*)</div>', html)

    assert hidden is not None
    assert hidden[1].startswith("Worum es geht\u034f\u200c&nbsp;")
    assert 'class="preview"' not in build(preheader="").html


@pytest.mark.parametrize("part", ["html", "text"])
def test_each_part_says_who_sends_it_why_and_how_to_leave(part):
    practice = Practice(
        pk=1, first_name="Kim", last_name="Muster", street="Musterweg 1", city="Berlin"
    )

    said = getattr(build(practice=practice), part)

    assert "Du bekommst diese E-Mail, weil du den Newsletter abonniert hast." in said
    assert placeholders.mark(placeholders.UNSUBSCRIBE) in said
    assert placeholders.mark(placeholders.PREFERENCES) in said
    assert ARCHIVE in said
    assert "Musterweg 1" in said
    assert f"{SITE}/impressum/" in said
    assert said.count(placeholders.BEGIN) == 2


def test_a_long_issue_keeps_every_word():
    words = [f"Wort{number}ß🙂" for number in range(6200)]
    body = "\n\n".join(" ".join(words[at : at + 50]) for at in range(0, 6200, 50))
    assert len(body.encode()) > 90_000

    built = build(body)

    assert re.findall(r"Wort\d+ß🙂", built.html) == words
    assert re.findall(r"Wort\d+ß🙂", built.text) == words


@pytest.mark.parametrize(
    "sign", ["a", "ß", "🙂", "*", "[", "![", "{{", "{", "`", ">", "<", "&", "-"]
)
def test_a_line_without_end_takes_no_time_without_end(sign):
    body = sign * 5000

    built = build(f"Anfang {body} Ende")

    assert "Anfang" in built.html
    assert "Ende" in built.text
