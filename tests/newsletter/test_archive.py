"""The issues for everyone to read: nothing personal in them, the same for everybody, never stale."""

from __future__ import annotations

import io
import json
import re
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from PIL import Image

from coaching_site import kept
from newsletter.models import Issue, Picture
from pages.models import Practice

pytestmark = pytest.mark.django_db

SUNDAY = datetime(2027, 2, 28, 8, 0, tzinfo=UTC)
LETTER = """\
Hallo {{ vorname | du }},

## Was zählt

> Ein Satz von *jemandem*.

- eins
- zwei

```
make test
```

[Mehr](https://mehr.example/?a=1&b=2)
"""


def publish(slug="eins", at=SUNDAY, **values) -> Issue:
    """An issue that was sent at that time."""
    words = {"subject": f"Ausgabe {slug}", "body": LETTER, "created_at": at, "changed_at": at}
    sent = {"status": "sent", "started_at": at, "finished_at": at, "candidates": 0}
    return Issue.objects.create(**{"slug": slug, **words, **sent, **values})


def draft(slug="entwurf", **values) -> Issue:
    unsent = {"status": "draft", "started_at": None, "finished_at": None, "candidates": None}
    return publish(slug, **{**unsent, **values})


def picture(pk=7) -> Picture:
    png = io.BytesIO()
    Image.new("RGB", (2, 1)).save(png, "PNG")
    return Picture.objects.create(
        pk=pk, file=ContentFile(png.getvalue(), "bild.png"), alt="Ein Pferd", uploaded_at=SUNDAY
    )


def page(client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return str(answer.content.decode())


def test_the_archive_lists_what_went_out_by_year_and_the_newest_first(client):
    # In Berlin that night was over already.
    publish("silvester", datetime(2026, 12, 31, 23, 30, tzinfo=UTC))
    publish("alt", datetime(2026, 12, 31, 22, 30, tzinfo=UTC))
    publish("neu", SUNDAY)

    markup = page(client, "/newsletter/archiv/")

    order = re.findall(r"<h2>(\d+)</h2>|/archiv/(\w+)/", markup)
    found = [year or slug for year, slug in order]
    assert found == ["2027", "neu", "silvester", "2026", "alt"]
    assert '<time datetime="2027-02-28">28.\u00a0Februar 2027</time>' in markup


def test_an_empty_archive_says_so_and_shows_the_way_in(client):
    markup = page(client, "/newsletter/archiv/")

    assert "Noch ist keine Ausgabe erschienen." in markup
    assert 'href="/newsletter/"' in markup


@pytest.mark.parametrize("status", ["sending", "paused", "stopped", "sent"])
def test_what_began_to_go_out_can_be_read(client, status):
    publish(status=status)

    assert "Was zählt" in page(client, "/newsletter/archiv/eins/")


@pytest.mark.parametrize(
    "values",
    [{"status": "draft"}, {"status": "scheduled", "send_at": SUNDAY}, {"in_archive": False}],
)
def test_what_is_not_for_everyone_is_nowhere(client, values):
    if "status" in values:
        draft("eins", **values)
    else:
        publish(**values)

    assert client.get("/newsletter/archiv/eins/").status_code == 404
    for address in ("/newsletter/archiv/", "/newsletter/feed.xml", "/sitemap.xml", "/"):
        assert "eins" not in re.findall(r"archiv/(\w+)", page(client, address))


@pytest.mark.parametrize("slug", ["gibt-es-nicht", "mit leerzeichen", "..", "eins/zwei"])
def test_a_wrong_address_gets_our_own_page(client, slug):
    publish()

    answer = client.get(f"/newsletter/archiv/{slug}/")

    assert answer.status_code == 404
    assert "Diese Seite gibt es nicht (mehr)." in answer.content.decode()


def test_an_issue_is_an_article_with_its_date_and_a_way_in(client):
    publish()

    markup = page(client, "/newsletter/archiv/eins/")

    assert markup.count("<h1") == 1
    assert "<h1>Ausgabe eins</h1>" in markup
    assert '<time datetime="2027-02-28">28.\u00a0Februar 2027</time>' in markup
    assert "<blockquote>" in markup
    assert "<pre><code>make test" in markup
    assert 'href="https://mehr.example/?a=1&amp;b=2"' in markup
    assert re.search(r'<a class="button" href="/newsletter/">Abonnieren</a>', markup)


def test_placeholders_say_what_they_say_to_nobody_in_particular(client):
    publish()

    for address in ("/newsletter/archiv/eins/", "/newsletter/feed.xml"):
        markup = page(client, address)
        assert "Hallo du," in markup
        assert "vorname" not in markup


def test_no_page_holds_anybodys_link_name_or_address(client, reader):
    reader.name = "Ada Leserin"
    reader.save()
    publish(body=LETTER + "\n\n{{ name | allerseits }}")

    for address in ("/newsletter/archiv/", "/newsletter/archiv/eins/", "/newsletter/feed.xml"):
        markup = page(client, address)
        for personal in ("/abmelden/", "/einstellungen/", "/bestaetigen/", reader.address, "Ada"):
            assert personal not in markup
        assert str(reader.public_id) not in markup
        assert not re.search("[\ue000\ue001]", markup)


@pytest.mark.parametrize(
    "evil",
    [
        "<script>alert(1)</script>",
        "[hier](javascript:alert(1))",
        '<img src=x onerror="alert(1)">',
        "![x](data:image/png;base64,AAAA)",
        "<https://ok.example/\"onmouseover='alert(1)'>",
    ],
)
def test_nothing_in_an_issue_can_run(client, evil):
    publish(body=evil)

    body = page(client, "/newsletter/archiv/eins/").split("<article", 1)[1].split("</article>")[0]
    assert "<script" not in body
    assert not re.search(r"<[^>]*(javascript:|data:|\son\w+=)", body)


def test_pictures_keep_their_place_and_wait_until_somebody_gets_there(client, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    shown = picture()
    publish(body="![Ein Pferd](bild:7)")

    (image,) = re.findall(r"<img [^>]*>", page(client, "/newsletter/archiv/eins/"))

    for words in ('alt="Ein Pferd"', 'width="2"', 'height="1"', 'loading="lazy"'):
        assert words in image
    assert f'src="http://localhost:8000{shown.file.url}"' in image


def test_how_it_looks_when_shared(client):
    publish(preheader="Warum Zuhören schneller ist")

    markup = page(client, "/newsletter/archiv/eins/")

    address = "http://localhost:8000/newsletter/archiv/eins/"
    assert f'<link rel="canonical" href="{address}">' in markup
    for name, content in (
        ("og:type", "article"),
        ("og:url", address),
        ("og:title", "Ausgabe eins"),
        ("og:description", "Warum Zuhören schneller ist"),
        ("article:published_time", "2027-02-28T09:00:00+01:00"),
    ):
        assert re.search(rf'property="{name}"\s+content="{re.escape(content)}"', markup)
    assert '<meta name="description" content="Warum Zuhören schneller ist">' in markup


def test_without_a_preheader_the_first_words_describe_it(client):
    publish(body="# Anfang\n\n" + "Wort " * 100)

    (description,) = re.findall(
        r'name="description" content="([^"]*)"', page(client, "/newsletter/archiv/eins/")
    )
    assert description.startswith("Anfang Wort Wort")
    assert 100 < len(description) <= 160


def test_search_engines_read_who_wrote_it_and_when(client):
    Practice.objects.create(pk=1, first_name="Kim", last_name="Muster")
    publish(subject="</script><script>alert(1)</script>", changed_at=SUNDAY + timedelta(days=1))

    markup = page(client, "/newsletter/archiv/eins/")

    assert "<script>alert" not in markup
    found = re.search(r'<script type="application/ld\+json">(.*?)</script>', markup, re.DOTALL)
    assert found
    coach, article = json.loads(found[1])["@graph"]
    assert (coach["@type"], coach["name"], article["@type"]) == ("Person", "Kim Muster", "Article")
    assert article["author"] == {"@id": coach["@id"]}
    assert article["datePublished"] == "2027-02-28T08:00:00+00:00"
    assert article["dateModified"] == "2027-03-01T08:00:00+00:00"


def test_the_sitemap_knows_each_issue_and_when_it_changed(client):
    publish()
    publish("zwei", changed_at=SUNDAY + timedelta(days=3))

    markup = page(client, "/sitemap.xml")

    assert "/newsletter/archiv/</loc>" in markup
    found = re.findall(r"/archiv/(\w+)/</loc><lastmod>([\d-]+)</lastmod>", markup)
    assert sorted(found) == [("eins", "2027-02-28"), ("zwei", "2027-03-03")]


ADDRESSES = ["/newsletter/archiv/", "/newsletter/archiv/eins/", "/newsletter/feed.xml"]


@pytest.mark.parametrize("address", ADDRESSES)
def test_everybody_gets_the_same_and_no_cookie(client, address):
    publish()
    stranger = client.get(address)
    client.force_login(User.objects.create_superuser("coach"))

    known = client.get(address)

    assert known.content == stranger.content
    assert not stranger.cookies
    assert "Cookie" not in stranger.get("Vary", "")
    assert "<form" not in stranger.content.decode()
    assert stranger["Cache-Control"] == "public, no-cache"


@pytest.mark.parametrize("address", ADDRESSES)
def test_only_looking_is_possible(client, address):
    publish()

    head = client.head(address)

    assert (head.status_code, head.content) == (200, b"")
    assert client.post(address).status_code == 405


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("accepts", ["gzip", "identity"])
def test_who_has_the_page_already_is_told_so(client, address, accepts):
    publish()
    first = client.get(address, headers={"accept-encoding": "identity"})
    seen = {"if-none-match": first["ETag"], "accept-encoding": accepts}

    again = client.get(address, headers=seen)

    assert (again.status_code, again.content) == (304, b"")
    assert again["ETag"] == first["ETag"]


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize(
    "change", [{"subject": "Neuer Titel"}, {"in_archive": False}, {"slug": "anders"}]
)
def test_a_correction_shows_at_once(client, address, change):
    publish()
    seen = {"if-none-match": client.get(address)["ETag"]}

    Issue.objects.update(**change)

    assert client.get(address, headers=seen).status_code != 304


@pytest.mark.parametrize("address", ADDRESSES[1:])
def test_so_does_a_picture_that_is_gone(client, address, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    picture()
    publish(body="![Ein Pferd](bild:7)")
    before = client.get(address).content

    Picture.objects.all().delete()

    assert client.get(address).content != before


def test_what_is_asked_behind_the_address_fills_no_memory(client):
    publish()
    page(client, "/newsletter/archiv/eins/")
    known = len(kept._pages)

    for number in range(5):
        page(client, f"/newsletter/archiv/eins/?utm={number}")

    assert len(kept._pages) == known


def test_the_landing_page_shows_the_three_newest(client):
    for day in range(5):
        publish(f"ausgabe-{day}", SUNDAY + timedelta(days=day))

    markup = page(client, "/")

    assert "Aus dem Newsletter" in markup
    assert re.findall(r"/archiv/ausgabe-(\d)/", markup) == ["4", "3", "2"]
    assert '<time datetime="2027-03-04">4.\u00a0März 2027</time>' in markup


def test_whoever_is_about_to_subscribe_may_read_first(client):
    assert "/newsletter/archiv/" not in page(client, "/newsletter/")

    publish()

    assert "/newsletter/archiv/" in page(client, "/newsletter/")


def test_without_issues_the_landing_page_says_nothing_of_them(client):
    draft()

    markup = page(client, "/")

    assert "Aus dem Newsletter" not in markup
    assert "/newsletter/archiv/" not in markup
