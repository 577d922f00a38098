"""Kept pages: the same facts give the same page, any other fact a new one."""

from __future__ import annotations

import gzip
from datetime import timedelta

import pytest
from django.test import RequestFactory

from booking.models import CallType
from coaching_site import kept
from pages.models import Practice
from tests.booking.conftest import hold

pytestmark = pytest.mark.django_db


def page(client, address="/termin/") -> str:
    return str(client.get(address).content.decode())


def test_a_page_is_rendered_once_for_the_same_facts(call_type, clock, client, monkeypatch):
    first = page(client)
    monkeypatch.setattr(kept, "render_to_string", lambda *_: 1 / 0)

    assert page(client) == first


@pytest.mark.parametrize(
    "change", [{"title": "Neu"}, {"length": 45}, {"is_active": False}, {"notice": 200}]
)
def test_a_changed_type_shows_at_once(call_type, clock, client, change):
    before = page(client)

    CallType.objects.update(**change)

    assert page(client) != before


def test_a_taken_time_shows_at_once(call_type, clock, client, now):
    before = page(client)

    hold(call_type, now=now)

    assert page(client) != before


def test_a_changed_practice_shows_at_once(call_type, clock, client):
    before = page(client)
    Practice.objects.create(pk=1, brand="Neuer Name")

    assert page(client) != before
    assert "Neuer Name" in page(client)


def test_time_alone_takes_slots_away(call_type, clock, client, now):
    before = page(client)

    clock(now + timedelta(hours=3))

    assert page(client) != before


def test_a_compressed_page_is_the_same_page(call_type, clock, client):
    plain = client.get("/termin/")
    packed = client.get("/termin/", headers={"accept-encoding": "gzip, br"})

    assert packed["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.content) == plain.content
    assert "Accept-Encoding" in plain["Vary"]


def test_only_so_many_pages_are_kept():
    request = RequestFactory().get("/")
    for number in range(kept.MOST_PAGES + 10):
        kept.render(request, "400.html", dict, facts=number)

    assert len(kept._pages) == kept.MOST_PAGES
