"""An issue's pictures at the coach's desk."""

from __future__ import annotations

import re

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image

from newsletter.models import (
    Edition,
    Issue,
    Picture,
)
from tests.newsletter.issue_desk import ISSUES, PICTURES, of, page, upload, written

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_files")]


def test_a_picture_comes_with_the_line_to_paste(admin_client):
    answer = upload(admin_client, alt="Ein [großes] Whiteboard")

    picture = Picture.objects.get()
    assert answer["Location"] == f"{PICTURES}{picture.pk}/change/"
    line = f"![Ein \\[großes\\] Whiteboard](bild:{picture.pk})"
    assert line in page(admin_client.get(answer["Location"]))
    assert line in page(admin_client.get(PICTURES))
    assert line in page(admin_client.get(f"{ISSUES}add/"))


@pytest.mark.parametrize(
    ("data", "alt", "words"),
    [
        (b"", "Tafel", "kein Bild"),
        (b"%PDF-1.7", "Tafel", "kein Bild"),
        (None, "Tafel", "Wähle ein Bild aus."),
        (b"GIF89a", "", "Beschreib, was auf dem Bild zu sehen ist."),
        (b"GIF89a", "   ", "Beschreib, was auf dem Bild zu sehen ist."),
    ],
)
def test_what_is_no_picture_or_has_no_alternative_is_refused(admin_client, data, alt, words):
    file = {} if data is None else {"file": SimpleUploadedFile("tafel.png", data)}

    answer = admin_client.post(f"{PICTURES}add/", {**file, "alt": alt})

    assert answer.status_code == 200
    assert words in page(answer)
    assert not alt.strip() or alt in page(answer)
    assert Picture.objects.count() == 0


def test_a_picture_that_is_shown_somewhere_stays(admin_client, django_capture_on_commit_callbacks):
    upload(admin_client)
    picture = Picture.objects.get()
    issue = written(admin_client, body=f"![Tafel](bild:{picture.pk})")
    delete = f"{PICTURES}{picture.pk}/delete/"

    assert issue.subject in page(admin_client.get(PICTURES))
    assert admin_client.post(delete, {"post": "yes"}).status_code == 403

    issue.delete()
    with django_capture_on_commit_callbacks(execute=True):
        admin_client.post(delete, {"post": "yes"})
    assert Picture.objects.count() == 0
    assert not picture.file.storage.exists(str(picture.file.name))


def test_a_picture_in_mails_that_were_sent_stays(admin_client, issue_sent, now):
    upload(admin_client)
    picture = Picture.objects.get()
    html = f'<img src="https://praxis.example{picture.file.url}">'
    Edition.objects.create(issue=issue_sent, subject="x", html=html, text="x", built_at=now)

    answer = admin_client.post(f"{PICTURES}{picture.pk}/delete/", {"post": "yes"})

    assert answer.status_code == 403
    assert "verschickten Mails" in page(admin_client.get(PICTURES))


DRAWING = Image.new("RGB", (1300, 650), "teal")
PHOTO = Image.effect_noise((1300, 650), 90).convert("RGB")


@pytest.mark.parametrize(
    ("image", "sources"),
    [(DRAWING, ["webp"]), (PHOTO, ["avif", "webp"])],
    ids=["a drawing", "a photo"],
)
def test_the_archive_gets_smaller_files_and_mails_do_not(
    admin_client, issue_sent, tmp_path, django_capture_on_commit_callbacks, image, sources
):
    upload(admin_client, image=image)
    picture = Picture.objects.get()
    Issue.objects.filter(pk=issue_sent.pk).update(body=f"![Tafel](bild:{picture.pk})")

    shown = page(admin_client.get(f"/newsletter/archiv/{issue_sent.slug}/"))
    assert re.findall(r'<source type="image/(\w+)"', shown) == sources
    assert re.findall(r" (\d+)w", shown) == ["600", "1200"] * len(sources)
    for address in re.findall(r"http://[^/]*(/media/[^ \"]+)", shown):
        sent = admin_client.get(address)
        assert sent["Content-Type"].startswith("image/")
        assert b"".join(sent.streaming_content)
    mail = page(admin_client.get(of(issue_sent, "vorschau/mail")))
    assert ("<picture" in mail, "<source" in mail) == (False, False)
    assert picture.file.url in mail

    Issue.objects.filter(pk=issue_sent.pk).update(body="x")
    with django_capture_on_commit_callbacks(execute=True):
        admin_client.post(f"{PICTURES}{picture.pk}/delete/", {"post": "yes"})
    assert [*(tmp_path / "newsletter").iterdir()] == []


def test_the_alternative_can_be_mended(admin_client):
    upload(admin_client)
    picture = Picture.objects.get()

    admin_client.post(f"{PICTURES}{picture.pk}/change/", {"alt": "Eine Tafel"})

    picture.refresh_from_db()
    assert picture.alt == "Eine Tafel"
