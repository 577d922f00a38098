"""What keeps an issue from leaving, what is only worth a look, and what is neither."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from django.conf import settings as site
from django.core.files.base import ContentFile
from django.utils import timezone
from PIL import Image

from newsletter import preflight
from newsletter.models import Issue, Picture, Subscriber, Tag
from newsletter.preflight import Problem
from newsletter.rendering import building
from pages.models import Practice

WHOLE = {
    "first_name": "Kim",
    "last_name": "Muster",
    "street": "Musterweg 1",
    "postal_code": "10115",
    "city": "Berlin",
    "email": "kim@site.example",
    "phone": "030 123456",
}


@pytest.fixture(autouse=True)
def own_media(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture
def look(reader):
    """Looks an issue over that is in order but for what is given; there is one reader."""

    def problems(body: str = "Ein Satz.", practice: Practice | None = None, **values):
        issue = Issue(
            body=body,
            slug="ein-brief",
            **{"subject": "Ein Brief", "preheader": "Worum es geht", **values},
        )
        return preflight.problems(issue, practice=practice or Practice(pk=1, **WHOLE))

    return problems


@pytest.fixture
def picture(db) -> Picture:
    return add_picture()


def add_picture() -> Picture:
    buffer = io.BytesIO()
    Image.new("RGB", (30, 20)).save(buffer, "PNG")
    file = ContentFile(buffer.getvalue(), name="luecke.png")
    return Picture.objects.create(file=file, alt="Eine Lücke", uploaded_at=timezone.now())


def kinds(problems: list[Problem]) -> list[tuple[str, bool]]:
    return [(problem.kind, problem.blocks) for problem in problems]


def test_an_issue_in_order_has_no_problems(look, picture):
    body = (
        "Hallo {{ vorname | du }}, {{ name | Mensch }},\n\n# Warum\n\n"
        f"[dort](https://author.example/?a=1#b), <https://author.example/x>, <kim@a.example>, "
        f"[hier]({site.SITE_URL}/termin/?x=1#y), [Start]({site.SITE_URL}), "
        f"[ruf an](tel:+4930123456), [schreib](mailto:kim@a.example?subject=Hallo), "
        f"![Die Lücke](bild:{picture.pk}), "
        f"[Bild]({site.SITE_URL}{picture.file.url})\n\n"
        "`{{ so }} [x](y)`\n\n    {{ oder }} so\n\nFußnote [1] (siehe dort) {einfach}"
    )

    assert look(body) == []


# --- subject, preheader, body -----------------------------------------------------------------


@pytest.mark.parametrize("subject", ["", "  "])
def test_a_subject_is_needed(look, subject):
    assert kinds(look(subject=subject)) == [("subject", True)]


@pytest.mark.parametrize("body", ["", " \n\t\n"])
def test_a_body_is_needed(look, body):
    assert kinds(look(body)) == [("body", True)]


@pytest.mark.parametrize("body", ["[x]: https://a.example/", "&#8203;\n\n[x]: https://a.example/"])
def test_something_to_read_is_needed(look, body):
    assert ("text", True) in kinds(look(body))


@pytest.mark.parametrize("place", ["subject", "preheader"])
def test_no_placeholder_is_filled_in_around_the_letter(look, place):
    (problem,) = look(**{place: "Hallo {{ vorname | du }}"})

    assert (problem.kind, problem.blocks) == ("placeholder", True)
    assert "Hallo {{ vorname | du }}" in problem.message


def test_a_long_subject_is_worth_a_look(look):
    assert look(subject="x" * 70) == []
    assert kinds(look(subject="x" * 71)) == [("long_subject", False)]


@pytest.mark.parametrize("subject", ["JETZT ANMELDEN", "Nur heute!!", "Jetzt! Heute! Hier!"])
def test_a_subject_that_shouts_is_worth_a_look(look, subject):
    assert kinds(look(subject=subject)) == [("shouting", False)]


@pytest.mark.parametrize("subject", ["CTO", "CTO oder VPE?", "Endlich!", "7 x 7", "🙂🙂"])
def test_a_subject_that_only_raises_its_voice_is_not(look, subject):
    assert look(subject=subject) == []


def test_a_missing_preheader_is_worth_a_look(look):
    assert kinds(look(preheader=" ")) == [("preheader", False)]


# --- placeholders -----------------------------------------------------------------------------


def test_an_unknown_placeholder_is_named(look):
    (problem,) = look("Hallo {{ nachname | du }}")

    assert (problem.kind, problem.blocks) == ("placeholder", True)
    assert "„{{ nachname | du }}“" in problem.message
    assert "{{ vorname | … }} und {{ name | … }}" in problem.message


@pytest.mark.parametrize("written", ["{{ vorname }}", "{{ vorname | }}", "{{name|}}"])
def test_a_placeholder_needs_something_to_say_without_a_name(look, written):
    (problem,) = look(f"Hallo {written}")

    assert (problem.kind, problem.blocks) == ("placeholder", True)
    assert f"„{written}“" in problem.message


@pytest.mark.parametrize(
    "written",
    ["{{ vorname | du }", "{{ vorname", "vorname | du }}", "{{ a { b }}", "{{ {{ vorname | du"],
)
def test_half_a_placeholder_is_none(look, written):
    found = look(f"Hallo {written} und mehr")

    assert kinds(found) == [("placeholder", True)]
    assert "vorname" in found[0].message or "{ b }}" in found[0].message


@pytest.mark.parametrize(
    "body",
    ["[x](https://a.example/{{vorname|du}})", "[x](<https://a.example/{{ vorname | du }}>)"],
)
def test_no_placeholder_is_filled_in_an_address(look, body):
    assert kinds(look(body)) == [("placeholder", True)]


def test_no_placeholder_is_filled_in_for_a_picture(look, picture):
    body = f"![Die Lücke von {{{{ vorname | dir }}}}](bild:{picture.pk})"

    assert kinds(look(body)) == [("placeholder", True)]


# --- pictures ---------------------------------------------------------------------------------


def test_a_picture_needs_words(look, picture):
    (problem,) = look(f"![](bild:{picture.pk})")

    assert (problem.kind, problem.blocks) == ("alt", True)
    assert f"bild:{picture.pk}" in problem.message


@pytest.mark.parametrize(
    "source",
    [
        "https://evil.example/x.png",
        "data:image/png;base64,x",
        "/media/newsletter/x.png",
        "x.png",
        "bild:",
        "bild:x",
        "cid:1",
    ],
)
def test_a_picture_must_lie_here(look, source):
    (problem,) = look(f"![Die Lücke]({source})")

    assert (problem.kind, problem.blocks) == ("image", True)
    assert "„Die Lücke“" in problem.message


def test_a_picture_nobody_knows_is_named(look):
    (problem,) = look("![Die Lücke](bild:4711)")

    assert (problem.kind, problem.blocks) == ("image", True)
    assert "4711" in problem.message


def test_a_picture_whose_file_is_lost_blocks(look, picture):
    picture.file.storage.delete(picture.file.name)

    (problem,) = look(f"![Die Lücke](bild:{picture.pk})")

    assert (problem.kind, problem.blocks) == ("image", True)


def test_a_heavy_picture_is_worth_a_look(look, picture):
    Path(picture.file.path).write_bytes(b"x" * 600_000)

    (problem,) = look(f"![Die Lücke](bild:{picture.pk})")

    assert (problem.kind, problem.blocks) == ("large_picture", False)
    assert "600\u00a0kB" in problem.message


# --- links ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "hint"),
    [
        ("/termin/", f"{site.SITE_URL}/termin/"),
        ("../termin/", f"{site.SITE_URL}/termin/"),
        ("#oben", f"{site.SITE_URL}/#oben"),
        ("?x=1", f"{site.SITE_URL}/?x=1"),
        ("//a.example/", "https://a.example/"),
        ("www.a.example", "https://www.a.example"),
        ("a.example/x", "https://a.example/x"),
        ("", ""),
    ],
)
def test_a_relative_link_leads_nowhere_from_a_mail(look, url, hint):
    (problem,) = look(f"[dort]({url})")

    assert (problem.kind, problem.blocks) == ("relative_link", True)
    assert "„dort“" in problem.message
    assert hint in problem.message


@pytest.mark.parametrize(
    "url",
    [
        "https://",
        "https:///x",
        "https:/a.example",
        "https://a..example/",
        "https://a.example:99999/",
        "https://[::1/",
        "https://kim:geheim@a.example/",
        "https://intranet/",
        "http://localhost:3000/",
        "http://127.0.0.1/",
        "http://192.168.178.1/",
        "ftp://a.example/",
        "mailto:",
        "mailto:kim",
        "tel:",
        "tel:anrufen",
    ],
)
def test_a_malformed_link_is_named(look, url):
    (problem,) = look(f"[dort]({url})")

    assert (problem.kind, problem.blocks) == ("link", True)
    assert "„dort“" in problem.message


def test_a_link_needs_words(look):
    (problem,) = look("[](https://a.example/x)")

    assert (problem.kind, problem.blocks) == ("link", True)
    assert "https://a.example/x" in problem.message


@pytest.mark.parametrize(
    "written",
    [
        "[dort](https://a.example/a b)",
        "[dort](https://a.example/",
        "[dort] (https://a.example/)",
        "[dort](javascript:alert(1))",
        "[dort](data:text/html,x)",
    ],
)
def test_what_was_meant_as_a_link_and_is_none_is_named(look, written):
    (problem,) = look(f"Ein Satz mit {written} darin.")

    assert (problem.kind, problem.blocks) == ("link", True)
    assert "dort" in problem.message


@pytest.mark.parametrize("url", ["https://a.example/x", "www.a.example"])
def test_a_bare_address_is_worth_a_look(look, url):
    (problem,) = look(f"Siehe {url} dort.")

    assert (problem.kind, problem.blocks) == ("bare_address", False)
    assert f"„{url}“" in problem.message


@pytest.mark.parametrize(
    "path",
    [
        "/gibt-es-nicht/",
        "/newsletter/gibt-es-nicht/",
        "/media/newsletter/fort.jpg",
        "/media/../../../etc/passwd",
    ],
)
def test_a_page_that_is_not_here_is_named(look, path):
    (problem,) = look(f"[dort]({site.SITE_URL}{path})")

    assert (problem.kind, problem.blocks) == ("dead_link", True)
    assert path in problem.message


@pytest.mark.parametrize("path", ["/", "", "/termin", "/termin/", "/newsletter/?x=1#y"])
def test_a_page_that_is_here_is_found_with_or_without_its_slash(look, path):
    assert look(f"[dort]({site.SITE_URL}{path})") == []


@pytest.mark.parametrize(
    "path",
    [
        "/newsletter/einstellungen/abc/",
        "/newsletter/abmelden/abc/",
        "/newsletter/bestaetigen/abc/",
        "/termin/gebucht/abc/",
        "/termin/feed/abc.ics",
        "/verwaltung/",
        "/verwaltung/newsletter/subscriber/",
    ],
)
def test_a_link_that_is_for_one_person_goes_to_nobody_else(look, path):
    (problem,) = look(f"[dort]({site.SITE_URL}{path})")

    assert (problem.kind, problem.blocks) == ("private_link", True)


# --- what is around it ------------------------------------------------------------------------


def test_an_imprint_with_a_gap_blocks_and_says_what_is_missing(look):
    (problem,) = look(practice=Practice(pk=1, **{**WHOLE, "street": "", "phone": " "}))

    assert (problem.kind, problem.blocks) == ("imprint", True)
    assert "Straße und Hausnummer, Telefon" in problem.message


def test_a_mail_that_would_be_cut_off_blocks(look):
    (problem,) = look("Wort " * 20_000)

    assert (problem.kind, problem.blocks) == ("size", True)


@pytest.mark.parametrize("part", ["html", "text"])
def test_a_part_without_the_way_out_blocks(part, db):
    built = building.build(
        subject="x",
        preheader="",
        body="x",
        archive_url="https://site.example/",
        practice=Practice(pk=1),
        site_url="https://site.example",
    )
    assert list(preflight.in_built(built)) == []

    trap = replace(built, **{part: "Ein Brief ohne Ausgang"})

    assert kinds(list(preflight.in_built(trap))) == [("unsubscribe", True)]


def test_an_issue_for_nobody_blocks(look, reader):
    Subscriber.objects.update(unreachable_since=timezone.now())

    assert kinds(look()) == [("audience", True)]


def test_the_audience_is_who_has_one_of_the_tags(look, reader, now):
    issue = Issue.objects.create(
        subject="Ein Brief",
        preheader="x",
        body="Ein Satz.",
        slug="ein-brief",
        created_at=now,
        changed_at=now,
    )
    tags = [Tag.objects.create(name=name) for name in ("CTO", "Köln")]
    issue.tags.set(tags)
    practice = Practice(pk=1, **WHOLE)

    assert kinds(preflight.problems(issue, practice=practice)) == [("audience", True)]

    reader.tags.set(tags)
    assert preflight.problems(issue, practice=practice) == []


@pytest.mark.parametrize("sign", ["a", "{", "}", "[", "](", "]", "https://", "www.", "{{ a ", "- "])
def test_a_body_without_end_takes_no_time_without_end(look, sign):
    look(sign * (30_000 // len(sign)))


def test_problems_come_in_the_order_of_the_letter(look):
    found = look("[a](/a)\n\n[b](/b) ![c](/c)\n\n[d](/d)", subject="")

    assert [problem.kind for problem in found] == [
        "subject",
        "image",
        "relative_link",
        "relative_link",
        "relative_link",
    ]
