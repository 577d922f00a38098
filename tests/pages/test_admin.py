"""The practice in the admin: one row, German, a portrait that is made small."""

from __future__ import annotations

import io

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.forms.models import model_to_dict
from PIL import Image

from pages.models import Practice

pytestmark = pytest.mark.django_db


def picture(width: int, height: int, kind: str = "JPEG") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), "teal").save(buffer, kind)
    return buffer.getvalue()


def save(client, **changes: object):
    """Send the practice's form with these changes."""
    practice = Practice.current()
    values = {
        name: value
        for name, value in model_to_dict(practice).items()
        if value is not None and name != "portrait"
    }
    return client.post("/verwaltung/pages/practice/1/change/", {**values, **changes})


@pytest.fixture
def desk(admin_client, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    Practice.objects.create(pk=1)
    return admin_client


def test_the_list_leads_straight_to_the_one_row(desk):
    assert desk.get("/verwaltung/pages/practice/").url == "/verwaltung/pages/practice/1/change/"


def test_before_the_first_saving_it_leads_to_the_empty_form(admin_client):
    assert admin_client.get("/verwaltung/pages/practice/").url == "/verwaltung/pages/practice/add/"


def test_there_is_neither_a_second_one_nor_a_way_to_delete_it(desk):
    assert desk.get("/verwaltung/pages/practice/add/").status_code == 403
    assert desk.post("/verwaltung/pages/practice/1/delete/").status_code == 403


def test_what_the_coach_writes_stands_on_the_page(desk, client):
    assert save(desk, first_name="Vorname", biography="Eins.\n\nZwei.").status_code == 302

    markup = client.get("/angebot/").content.decode()
    assert "<p>Eins.</p>" in markup
    assert "<p>Zwei.</p>" in markup


def test_a_number_without_a_source_is_refused_in_german(desk):
    response = save(desk, readers_value="6000", readers_source="")

    assert "Eine Zahl braucht eine Quelle und einen Stand." in response.content.decode()
    assert Practice.current().readers_value == "5000"


def test_a_portrait_is_made_small_and_shown_with_its_size(desk, client):
    upload = SimpleUploadedFile("ich.jpg", picture(1600, 2000), "image/jpeg")

    save(desk, portrait=upload)

    practice = Practice.current()
    assert (practice.portrait_width, practice.portrait_height) == (640, 800)
    assert str(practice.portrait).endswith(".webp")
    markup = client.get("/angebot/").content.decode()
    assert 'width="640"' in markup
    picture_sent = client.get(practice.portrait.url)
    assert picture_sent["Content-Type"] == "image/webp"
    assert "immutable" in picture_sent["Cache-Control"]
    assert b"".join(picture_sent.streaming_content)[8:12] == b"WEBP"
    picture_sent.close()


def test_saving_again_keeps_the_portrait(desk):
    save(desk, portrait=SimpleUploadedFile("ich.jpg", picture(800, 800), "image/jpeg"))
    name = Practice.current().portrait.name

    save(desk, headline="Neu")

    assert Practice.current().portrait.name == name


def test_what_is_no_picture_is_refused_in_german(desk):
    response = save(
        desk, portrait=SimpleUploadedFile("ich.jpg", b"<svg onload=alert(1)>", "image/jpeg")
    )

    assert response.status_code == 200
    assert "Bild" in response.content.decode()
    assert not Practice.current().portrait
