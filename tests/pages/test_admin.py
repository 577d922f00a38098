"""The practice in the admin: one row, German, a portrait that is made small."""

from __future__ import annotations

import io
import random
import re
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.forms.models import model_to_dict
from PIL import Image, ImageFilter

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


def upload(width: int = 1600, height: int = 2000) -> SimpleUploadedFile:
    return SimpleUploadedFile("ich.jpg", picture(width, height), "image/jpeg")


def test_a_portrait_is_made_small_and_shown_with_its_size(desk, client):
    save(desk, portrait=upload())

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


@pytest.mark.parametrize("path", ["/", "/angebot/"])
def test_a_browser_chooses_among_widths_and_forms_and_each_is_there(desk, client, path):
    save(desk, portrait=upload())

    shown = re.search(r"<picture>.*?</picture>", client.get(path).content.decode(), re.DOTALL)

    assert shown
    assert re.findall(r' (\d+)w[,"]', shown[0]) == ["640", "256", "384"] * 2
    for address in re.findall(r"/media/[\w./-]+", shown[0]):
        sent = client.get(address, headers={"accept-encoding": "gzip"})
        assert sent["Content-Type"] == f"image/{address.rpartition('.')[2]}"
        assert (sent.get("Content-Encoding"), "Content-Length" in sent) == (None, True)
        assert b"".join(sent.streaming_content)


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "portrait").iterdir())


@pytest.mark.parametrize("is_new", [True, False], ids=["replaced", "taken away"])
def test_an_old_portrait_leaves_no_file(desk, tmp_path, django_capture_on_commit_callbacks, is_new):
    save(desk, portrait=upload())
    before = files(tmp_path)
    change = {"portrait": upload(500, 500)} if is_new else {"portrait-clear": "on"}

    with django_capture_on_commit_callbacks(execute=True):
        save(desk, **change)

    assert len(before) == 6
    assert not set(before) & set(files(tmp_path))
    assert len(files(tmp_path)) == (6 if is_new else 0)


def test_a_small_portrait_is_not_blown_up(desk, client):
    save(desk, portrait=upload(300, 300))

    markup = client.get("/angebot/").content.decode()

    assert re.findall(r" (\d+)w[,\"]", markup) == ["300", "256"] * 2


def test_a_portrait_from_before_is_shown_as_it_is(desk, client):
    with_one_file = SimpleUploadedFile("alt.webp", picture(640, 800, "WEBP"))
    Practice.objects.all().delete()
    Practice.objects.create(pk=1, portrait=with_one_file)

    markup = client.get("/angebot/").content.decode()

    assert '.webp 640w"' in markup
    assert "avif" not in markup


def test_a_portrait_tells_nothing_of_where_it_was_taken(desk, tmp_path):
    taken = Image.new("RGB", (700, 700), "teal")
    place = taken.getexif()
    place[0x8825] = {1: "N", 2: (52.0, 30.0, 0.0)}
    place[0x0110] = "Kamera"
    buffer = io.BytesIO()
    taken.save(buffer, "JPEG", exif=place)

    save(desk, portrait=SimpleUploadedFile("ich.jpg", buffer.getvalue(), "image/jpeg"))

    assert len(files(tmp_path)) == 6
    for name in files(tmp_path):
        with Image.open(tmp_path / "portrait" / name) as small:
            assert not small.getexif()
            assert not small.info.keys() & {"exif", "xmp", "icc_profile"}


def test_the_grainiest_portrait_is_small_too(desk, tmp_path):
    grain = Image.frombytes("RGB", (640, 800), random.Random(1).randbytes(640 * 800 * 3))
    grainy = grain.filter(ImageFilter.GaussianBlur(2))
    buffer = io.BytesIO()
    grainy.save(buffer, "PNG")

    save(desk, portrait=SimpleUploadedFile("ich.png", buffer.getvalue(), "image/png"))

    (phone,) = (tmp_path / "portrait").glob("*-384.avif")
    assert phone.stat().st_size < 12_000


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
