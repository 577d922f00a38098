"""An issue's way over the coach's desk: written, looked at, tested, sent, watched; nothing lost."""

from __future__ import annotations

import io
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from PIL import Image

from newsletter.models import Edition, Issue, Picture, Tag
from tests.newsletter.conftest import ADA

pytestmark = pytest.mark.django_db

ISSUES = "/verwaltung/newsletter/issue/"
PICTURES = "/verwaltung/newsletter/picture/"
TEXT = "Hallo {{ vorname | zusammen }},\n\nheute geht es um *Delegation*.\n"
PRACTICE = {
    "first_name": "Vera",
    "last_name": "Probe",
    "street": "Weg 1",
    "postal_code": "10115",
    "city": "Berlin",
    "email": "post@praxis.example",
    "phone": "030 1",
}


@pytest.fixture(autouse=True)
def files(settings, tmp_path) -> None:
    settings.MEDIA_ROOT = tmp_path


def page(answer) -> str:
    return " ".join(answer.content.decode().split())


def typed(issue: Issue | None = None, **more: object) -> dict[str, object]:
    """What the form would send."""
    words: dict[str, object] = {"subject": "Führen auf Abstand", "preheader": "", "body": TEXT}
    words |= {"slug": "", "in_archive": "on", "tags": []}
    if issue is not None:
        words["version"] = Issue.objects.get(pk=issue.pk).changed_at.isoformat()
    return {**words, **more}


def written(client, **more: object) -> Issue:
    answer = client.post(f"{ISSUES}add/", typed(**more))
    assert answer.status_code == 302, page(answer)
    return Issue.objects.latest("pk")


def of(issue: Issue, what: str = "change") -> str:
    return f"{ISSUES}{issue.pk}/{what}/"


def upload(client, alt: str = "Ein Whiteboard", name: str = "tafel.png"):
    buffer = io.BytesIO()
    Image.new("RGB", (40, 20), "teal").save(buffer, "PNG")
    file = SimpleUploadedFile(name, buffer.getvalue())
    return client.post(f"{PICTURES}add/", {"file": file, "alt": alt})


# --- writing --------------------------------------------------------------------------------------


def test_an_empty_desk_says_how_to_begin(admin_client):
    shown = page(admin_client.get(ISSUES))

    assert "Noch keine Ausgabe. Fang mit" in shown
    assert "Neue Ausgabe" in shown


def test_an_issue_is_written_and_its_address_made_from_the_subject(admin_client):
    issue = written(admin_client)

    assert (issue.slug, issue.status, issue.in_archive) == ("fuehren-auf-abstand", "draft", True)
    assert issue.body == TEXT
    assert "Führen auf Abstand" in page(admin_client.get(ISSUES))


def test_two_issues_of_one_name_get_two_addresses(admin_client):
    written(admin_client)

    assert written(admin_client).slug == "fuehren-auf-abstand-2"
    assert written(admin_client, subject="Führen auf Abstand!").slug == "fuehren-auf-abstand-3"
    assert written(admin_client, subject="!!!").slug == "ausgabe"


def test_an_address_somebody_else_has_is_refused_and_the_text_kept(admin_client):
    written(admin_client)

    answer = admin_client.post(
        f"{ISSUES}add/", typed(slug="fuehren-auf-abstand", subject="Etwas anderes")
    )

    assert "Diese Adresse hat schon eine andere Ausgabe" in page(answer)
    assert "heute geht es um *Delegation*" in page(answer)
    assert Issue.objects.count() == 1


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"subject": ""}, "Schreib einen Betreff."),
        ({"subject": "x" * 151}, "höchstens 150 Zeichen"),
        ({"preheader": "x" * 151}, "höchstens 150 Zeichen"),
        ({"slug": "mit leerzeichen"}, "Nur Buchstaben, Ziffern und Bindestriche"),
        ({"slug": "x" * 81}, "höchstens 80 Zeichen"),
        ({"tags": ["99999"]}, "Dieses Schlagwort gibt es nicht mehr."),
        ({"tags": ["x"]}, "Dieses Schlagwort gibt es nicht."),
        ({"body": "Wort\0"}, "Nullzeichen"),
        ({"body": "x" * 200_001}, "höchstens 200000 Zeichen"),
    ],
)
def test_what_cannot_be_kept_comes_back_as_it_was_typed(admin_client, wrong, words):
    answer = admin_client.post(f"{ISSUES}add/", {**typed(subject="Behalten"), **wrong})

    assert answer.status_code == 200
    assert words in page(answer)
    assert ("Behalten" in page(answer)) == ("subject" not in wrong)
    if "body" not in wrong:
        assert "heute geht es um *Delegation*" in page(answer)
    assert Issue.objects.count() == 0


def test_a_second_tab_never_writes_over_the_first_unseen(admin_client):
    issue = written(admin_client)
    old = typed(issue, body="Aus dem zweiten Tab")
    admin_client.post(of(issue), typed(issue, body="Aus dem ersten Tab"))

    answer = admin_client.post(of(issue), old)

    assert "inzwischen an anderer Stelle gespeichert" in page(answer)
    assert "Aus dem ersten Tab" in page(answer)
    assert "Aus dem zweiten Tab" in page(answer)
    issue.refresh_from_db()
    assert issue.body == "Aus dem ersten Tab"

    admin_client.post(of(issue), {**old, "version": issue.changed_at.isoformat()})

    issue.refresh_from_db()
    assert issue.body == "Aus dem zweiten Tab"


@pytest.mark.parametrize(
    "version", ["", "gestern", "2027-03-01T09:00:00", "0001-01-01T00:00:00+00:00"]
)
def test_a_version_nobody_knows_overwrites_nothing(admin_client, version):
    issue = written(admin_client)

    answer = admin_client.post(of(issue), typed(issue, body="Neu", version=version))

    assert "inzwischen an anderer Stelle gespeichert" in page(answer)
    issue.refresh_from_db()
    assert issue.body == TEXT


def test_the_button_says_where_one_goes_after_saving(admin_client):
    issue = written(admin_client)

    looked = admin_client.post(of(issue), typed(issue, _preview="1"))
    sent = admin_client.post(of(issue), typed(issue, _send="1"))

    assert looked["Location"] == of(issue, "vorschau")
    assert sent["Location"] == of(issue, "senden")


def test_only_a_draft_is_written_on_and_what_was_typed_stays(admin_client):
    issue = written(admin_client)
    old = typed(issue, body="Zu spät getippt")
    Issue.objects.update(status="scheduled", send_at=timezone.now() + timedelta(days=1))

    answer = admin_client.post(of(issue), old)

    assert "kein Entwurf mehr. Nimm sie erst zurück" in page(answer)
    assert "Zu spät getippt" in page(answer)
    issue.refresh_from_db()
    assert issue.body == TEXT


def test_tags_say_how_many_they_reach(admin_client, reader):
    tag = Tag.objects.create(name="Berlin")
    reader.tags.add(tag)
    Tag.objects.create(name="Bonn")
    issue = written(admin_client, tags=[tag.pk])

    shown = page(admin_client.get(of(issue)))

    assert "Berlin (1)" in shown
    assert "Bonn (0)" in shown
    assert "Geht zurzeit an <strong>1</strong> Person." in shown
    assert list(issue.tags.all()) == [tag]
    assert "Berlin" in page(admin_client.get(ISSUES))


def test_a_draft_can_be_thrown_away_and_nothing_later(admin_client, issue_sent):
    draft = written(admin_client)

    admin_client.post(of(draft, "delete"), {"post": "yes"})

    assert admin_client.post(of(issue_sent, "delete"), {"post": "yes"}).status_code == 403
    assert list(Issue.objects.all()) == [issue_sent]


# --- mending --------------------------------------------------------------------------------------


@pytest.fixture
def issue_sent(db, now) -> Issue:
    return Issue.objects.create(
        subject="Die erste",
        body="So war es.",
        slug="die-erste",
        status=Issue.Status.SENT,
        created_at=now,
        changed_at=now,
        started_at=now,
        finished_at=now,
        candidates=0,
    )


def test_after_sending_only_the_archive_is_mended(admin_client, issue_sent):
    version = issue_sent.changed_at.isoformat()
    shown = page(admin_client.get(of(issue_sent, "archivfassung")))
    assert "die verschickten E-Mails bleiben, wie sie waren" in shown

    words = {"subject": "Die erste", "body": "So ist es.", "in_archive": "on", "version": version}
    answer = admin_client.post(of(issue_sent, "archivfassung"), words)

    assert answer["Location"] == of(issue_sent)
    issue_sent.refresh_from_db()
    assert (issue_sent.body, issue_sent.status) == ("So ist es.", "sent")
    assert "kein Entwurf mehr" in page(admin_client.post(of(issue_sent), typed(issue_sent)))


def test_two_who_mend_do_not_undo_each_other(admin_client, issue_sent):
    words = {"subject": "Die erste", "in_archive": "on"}
    words["version"] = issue_sent.changed_at.isoformat()
    admin_client.post(of(issue_sent, "archivfassung"), {**words, "body": "Die eine"})

    answer = admin_client.post(of(issue_sent, "archivfassung"), {**words, "body": "Die andere"})

    assert "Die eine" in page(answer)
    assert "Die andere" in page(answer)
    issue_sent.refresh_from_db()
    assert issue_sent.body == "Die eine"


def test_a_draft_has_no_archive_to_mend(admin_client):
    issue = written(admin_client)

    answer = admin_client.get(of(issue, "archivfassung"), follow=True)

    assert "noch nicht verschickt" in page(answer)


# --- pictures -------------------------------------------------------------------------------------


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
    assert not picture.file.storage.exists(picture.file.name)


def test_a_picture_in_mails_that_were_sent_stays(admin_client, issue_sent, now):
    upload(admin_client)
    picture = Picture.objects.get()
    html = f'<img src="https://praxis.example{picture.file.url}">'
    Edition.objects.create(issue=issue_sent, subject="x", html=html, text="x", built_at=now)

    answer = admin_client.post(f"{PICTURES}{picture.pk}/delete/", {"post": "yes"})

    assert answer.status_code == 403
    assert "verschickten Mails" in page(admin_client.get(PICTURES))


def test_the_alternative_can_be_mended(admin_client):
    upload(admin_client)
    picture = Picture.objects.get()

    admin_client.post(f"{PICTURES}{picture.pk}/change/", {"alt": "Eine Tafel"})

    picture.refresh_from_db()
    assert picture.alt == "Eine Tafel"


# --- looking --------------------------------------------------------------------------------------


def test_the_preview_shows_the_mail_with_a_name_and_without(admin_client, practice):
    practice(**PRACTICE)
    issue = written(admin_client)

    assert "Hallo Vera," in page(admin_client.get(of(issue, "vorschau")))
    assert "Hallo zusammen," in page(admin_client.get(of(issue, "vorschau") + "?name="))
    frame = admin_client.get(of(issue, "vorschau/mail") + "?name=<b>Ada")
    assert "Hallo &lt;b&gt;Ada," in page(frame)


def test_the_frame_may_show_styles_and_pictures_and_run_nothing(admin_client):
    issue = written(admin_client)

    frame = admin_client.get(of(issue, "vorschau/mail"))
    around = admin_client.get(of(issue, "vorschau"))

    policy = frame["Content-Security-Policy"]
    assert "script-src 'none'" in policy
    assert "style-src 'unsafe-inline'" in policy
    assert "frame-ancestors 'self'" in policy
    assert frame["X-Frame-Options"] == "SAMEORIGIN"
    assert "frame-src 'self'" in around["Content-Security-Policy"]
    assert "unsafe-inline" not in around["Content-Security-Policy"]
    assert 'sandbox="allow-same-origin allow-popups"' in page(around)


def test_dark_is_shown_whatever_the_browser_likes(admin_client):
    issue = written(admin_client)

    light = page(admin_client.get(of(issue, "vorschau/mail")))
    dark = page(admin_client.get(of(issue, "vorschau/mail") + "?dunkel=ja"))

    assert "prefers-color-scheme: dark" not in light + dark
    assert "@media (max-width: 0)" in light
    assert "@media (min-width: 0)" in dark


def test_the_preview_of_a_sent_issue_shows_what_was_sent(admin_client, issue_sent, now):
    Edition.objects.create(
        issue=issue_sent, subject="Damals", html="<p>Damals</p>", text="Damals so", built_at=now
    )

    assert "Damals so" in page(admin_client.get(of(issue_sent, "vorschau")))
    assert "<p>Damals</p>" in page(admin_client.get(of(issue_sent, "vorschau/mail")))
