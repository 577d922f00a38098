"""The feed, as a reader that knows nothing but RFC 4287 takes it."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from xml.etree import ElementTree

import pytest

from newsletter.models import Issue
from pages.models import Practice
from tests.newsletter.test_archive import SUNDAY, draft, picture, publish

pytestmark = pytest.mark.django_db

ATOM = {"a": "http://www.w3.org/2005/Atom"}
# RFC 3339 with zone, as RFC 4287 section 3.3 demands.
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


@pytest.fixture
def feed(client):
    def read() -> ElementTree.Element:
        answer = client.get("/newsletter/feed.xml")
        assert answer["Content-Type"] == "application/atom+xml; charset=utf-8"
        assert answer.content.startswith(b"<?xml")
        return ElementTree.fromstring(answer.content)

    return read


def said(element: ElementTree.Element, name: str) -> str:
    found = element.findall(f"a:{name}", ATOM)
    assert len(found) == 1, name
    return found[0].text or ""


def link(element: ElementTree.Element, rel: str) -> str:
    (found,) = [each for each in element.findall("a:link", ATOM) if each.get("rel") == rel]
    return str(found.get("href"))


def test_the_feed_has_all_that_the_standard_demands(feed):
    Practice.objects.create(pk=1, first_name="Kim", last_name="Muster & Co")
    publish()

    root = feed()

    assert root.tag == "{http://www.w3.org/2005/Atom}feed"
    assert said(root, "id") == "http://localhost:8000/newsletter/feed.xml"
    assert said(root, "title") == "Newsletter von Kim Muster & Co"
    assert TIME.fullmatch(said(root, "updated"))
    assert root.findtext("a:author/a:name", namespaces=ATOM) == "Kim Muster & Co"
    assert link(root, "self") == "http://localhost:8000/newsletter/feed.xml"
    assert link(root, "alternate") == "http://localhost:8000/newsletter/archiv/"
    (entry,) = root.findall("a:entry", ATOM)
    assert said(entry, "title") == "Ausgabe eins"
    assert link(entry, "alternate") == "http://localhost:8000/newsletter/archiv/eins/"
    for name in ("published", "updated"):
        assert TIME.fullmatch(said(entry, name))
    content = entry.find("a:content", ATOM)
    assert content is not None
    assert content.get("type") == "html"


def test_an_empty_feed_is_one_too(feed):
    root = feed()

    assert TIME.fullmatch(said(root, "updated"))
    assert root.findall("a:entry", ATOM) == []


def test_the_whole_text_is_in_it_and_every_address_absolute(feed, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    picture()
    publish(body="Erst & dann\n\n**fett** <b>\n\n![Pferd](bild:7)\n\n[Angebot](https://x.example/)")

    content = said(feed().findall("a:entry", ATOM)[0], "content")

    assert "Erst &amp; dann" in content
    assert "<strong>fett</strong> &lt;b&gt;" in content
    addresses = re.findall(r'(?:src|href)="([^"]*)"', content)
    assert len(addresses) == 2
    assert all(re.match("https?://", address) for address in addresses)


def test_readers_know_an_issue_again_whatever_is_corrected(feed):
    issue = publish()
    before = said(feed().findall("a:entry", ATOM)[0], "id")

    Issue.objects.update(
        slug="anders", subject="Anders", body="Anders", changed_at=SUNDAY + timedelta(days=2)
    )
    entry = feed().findall("a:entry", ATOM)[0]

    assert said(entry, "id") == before == f"tag:localhost,2027-02-28:newsletter/{issue.pk}"
    assert said(entry, "published") == "2027-02-28T08:00:00+00:00"
    assert said(entry, "updated") == "2027-03-02T08:00:00+00:00"
    assert said(feed(), "updated") == said(entry, "updated")


def test_a_draft_written_long_before_counts_as_new_when_it_goes_out(feed):
    publish(changed_at=SUNDAY - timedelta(days=9))

    assert datetime.fromisoformat(said(feed(), "updated")) == SUNDAY


def test_the_newest_twenty_come_first(feed):
    draft()
    for day in range(22):
        publish(f"nr-{day}", SUNDAY + timedelta(days=day))

    titles = [said(entry, "title") for entry in feed().findall("a:entry", ATOM)]

    assert titles == [f"Ausgabe nr-{day}" for day in range(21, 1, -1)]


def test_what_xml_cannot_write_is_left_out(feed):
    publish(subject="Ein\x0bs \ufffe", preheader="Zw\x08ei", body="Dr\x1fei ]]> & <x>")

    (entry,) = feed().findall("a:entry", ATOM)

    assert said(entry, "title") == "Eins "
    assert said(entry, "summary") == "Zwei"
    assert "Drei ]]&gt; &amp; &lt;x&gt;" in said(entry, "content")


@pytest.mark.parametrize("address", ["/", "/angebot/", "/newsletter/", "/newsletter/archiv/"])
def test_pages_tell_feed_readers_where_it_is(client, address):
    markup = client.get(address).content.decode()

    found = re.search(r'<link rel="alternate"\s+type="application/atom\+xml"[^>]*>', markup)
    assert found
    assert 'href="/newsletter/feed.xml"' in found[0]
    assert '<a href="/newsletter/feed.xml">Feed</a>' in markup
