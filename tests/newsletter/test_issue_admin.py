"""An issue's way over the coach's desk: written, looked at, tested, sent, watched; nothing lost."""

from __future__ import annotations

import io
import re
from datetime import UTC, datetime, timedelta
from html import escape

import pytest
from django.contrib.auth.models import Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.http import QueryDict
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from PIL import Image
from procrastinate.contrib.django.models import ProcrastinateJob

from newsletter import ledger_admin, suppressions
from newsletter.issue_forms import ZONE, SendForm
from newsletter.models import (
    Delivery,
    Edition,
    Feedback,
    Issue,
    Pace,
    Picture,
    Subscriber,
    Tag,
)
from newsletter.sending import running
from tests.newsletter import issues

pytestmark = pytest.mark.django_db

ISSUES = "/verwaltung/newsletter/issue/"
PICTURES = "/verwaltung/newsletter/picture/"
DELIVERIES = "/verwaltung/newsletter/delivery/"
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
    answer = client.post(f"{ISSUES}add/", {**typed(), **more})
    assert answer.status_code == 302, page(answer)
    return Issue.objects.latest("pk")


def of(issue: Issue, what: str = "change") -> str:
    return f"{ISSUES}{issue.pk}/{what}/"


def upload(
    client, alt: str = "Ein Whiteboard", name: str = "tafel.png", image: Image.Image | None = None
):
    buffer = io.BytesIO()
    (image or Image.new("RGB", (40, 20), "teal")).save(buffer, "PNG")
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


# --- sending --------------------------------------------------------------------------------------


@pytest.fixture
def ready(admin_client) -> Issue:
    """A draft nothing speaks against, and two who would get it."""
    issues.readers(2)
    issue: Issue = issues.draft()
    return issue


def test_a_test_mail_goes_to_the_coach_and_counts_for_nothing(admin_client, ready, mailbox):
    shown = page(admin_client.get(of(ready, "test")))
    assert 'value="coach@praxis.example"' in shown

    answer = admin_client.post(of(ready, "test"), {"email": "ich@praxis.example"}, follow=True)

    assert "Die Testmail ist an ich@praxis.example unterwegs." in page(answer)
    (mail,) = mailbox.messages
    assert mail["X-Envelope-To"] == "ich@praxis.example"
    assert "Was ich gelernt habe" in mail["Subject"]
    assert Delivery.objects.count() == 0


@pytest.mark.parametrize("email", ["", "ich", "a@b", "Ich <ich@praxis.example>"])
def test_a_test_mail_needs_an_address(admin_client, ready, mailbox, email):
    answer = admin_client.post(of(ready, "test"), {"email": email})

    assert "Gib" in page(answer)
    assert escape(email) in page(answer)
    assert mailbox.messages == []


def test_a_test_mail_the_server_refuses_says_so(admin_client, ready, mailbox):
    mailbox.refuse_with = "554 5.7.1 no"

    answer = admin_client.post(of(ready, "test"), {"email": "ich@praxis.example"})

    assert "Der Mailserver nimmt die Testmail nicht an" in page(answer)
    assert "ich@praxis.example" in page(answer)


def test_links_are_asked_about_only_when_the_button_is_pressed(admin_client, ready):
    Issue.objects.update(body="Sieh [dort](https://gibt-es-nicht.example/) nach.")
    assert "Links jetzt prüfen" in page(admin_client.get(of(ready, "links")))

    shown = page(admin_client.post(of(ready, "links")))

    assert "„dort“" in shown
    assert "Noch einmal prüfen" in shown


@pytest.mark.parametrize("status", ["draft", "scheduled", "late", "sending", "paused", "sent"])
def test_every_form_brings_its_token(admin_user, ready, status):
    """Whatever can be pressed would be refused without it."""
    now = timezone.now()
    started = (
        {} if status in ("draft", "scheduled", "late") else {"started_at": now, "candidates": 0}
    )
    Issue.objects.update(status=status, send_at=now, finished_at=now, **started)
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(admin_user)

    for what in ("change", "senden", "test", "links", "abbrechen", "ungewiss", "archivfassung"):
        shown = page(browser.get(of(ready, what), follow=True))
        forms = re.findall(r'<form method="post".*?</form>', shown)
        assert all("csrfmiddlewaretoken" in form for form in forms), what


@pytest.mark.parametrize(
    "what", ["change", "senden", "test", "links", "tun", "abbrechen", "ungewiss", "archivfassung"]
)
def test_without_its_token_nothing_can_be_pressed(admin_user, ready, mailbox, what):
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(admin_user)

    answer = browser.post(of(ready, what), told(ready, email="coach@praxis.example"))

    assert answer.status_code == 403
    assert Issue.objects.get().status == "draft"
    assert mailbox.messages == []


def told(issue: Issue, **more: object) -> dict[str, object]:
    """What the page with the one button would send."""
    version = Issue.objects.get(pk=issue.pk).changed_at.isoformat()
    return {"version": version, "at": "now", "day": "", "time": "", **more}


def test_the_last_page_says_what_goes_to_whom(admin_client, ready):
    suppressions.block("reader1@leser.example", now=timezone.now())
    issues.readers(1, domain="weg.example", unreachable_since=timezone.now())

    shown = page(admin_client.get(of(ready, "senden")))

    assert "Was ich gelernt habe" in shown
    assert "Geht zurzeit an <strong>1</strong> Person." in shown
    assert "Ausgenommen ist 1, deren Adresse gesperrt oder unzustellbar ist." in shown
    assert "Nichts hält die Ausgabe auf." in shown


def test_sending_waits_a_minute_in_which_it_can_be_taken_back(admin_client, ready):
    answer = admin_client.post(of(ready, "senden"), told(ready), follow=True)

    shown = page(answer)
    assert re.search(r"Wird in <strong>(59|60) Sekunden</strong> verschickt", shown)
    assert "Zurücknehmen" in shown
    assert answer["Refresh"] == "5"

    shown = page(admin_client.post(of(ready, "tun"), {"take_back": "1"}, follow=True))
    assert "Die Ausgabe ist wieder ein Entwurf" in shown
    ready.refresh_from_db()
    assert ready.status == "draft"


def test_a_double_click_sends_once(admin_client, ready):
    for _ in range(2):
        answer = admin_client.post(of(ready, "senden"), told(ready))
        assert answer["Location"] == of(ready)

    assert ProcrastinateJob.objects.filter(task_name="newsletter.start_issue").count() == 1


def test_what_was_changed_meanwhile_is_not_sent_unseen(admin_client, ready):
    old = told(ready)
    admin_client.post(of(ready), typed(ready, body="Jetzt anders"))

    answer = admin_client.post(of(ready, "senden"), old)

    assert "inzwischen geändert" in page(answer)
    ready.refresh_from_db()
    assert ready.status == "draft"
    assert f'value="{ready.changed_at.isoformat()}"' in page(answer)


def test_preflight_stands_in_the_way_and_says_why(admin_client, ready):
    Issue.objects.update(body="Hallo {{ nachname | du }}, ![](bild:7)")

    shown = page(admin_client.get(of(ready, "senden")))
    admin_client.post(of(ready, "senden"), told(ready))

    assert "So geht die Ausgabe noch nicht hinaus" in shown
    assert "{{ nachname | du }}" in shown
    assert 'value="Senden"' not in shown
    ready.refresh_from_db()
    assert ready.status == "draft"


def test_a_later_time_is_berlin_time(admin_client, ready):
    day = timezone.localdate() + timedelta(days=2)
    words = told(ready, at="later", day=day.isoformat(), time="09:30")

    shown = page(admin_client.post(of(ready, "senden"), words, follow=True))

    ready.refresh_from_db()
    local = ready.send_at.astimezone(ZONE)
    assert (local.date(), local.hour, local.minute) == (day, 9, 30)
    assert "09:30" in shown
    assert "Berliner Zeit" in shown


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"at": ""}, "Wähle, ob jetzt oder später."),
        ({"at": "bald"}, "Wähle, ob jetzt oder später."),
        ({"time": "09:00"}, "Wähle einen Tag."),
        ({"day": "2027-03-02"}, "Gib eine Uhrzeit ein."),
        ({"day": "morgen", "time": "09:00"}, "Schreib den Tag wie 24.11.2026."),
        ({"day": "2027-03-02", "time": "25:00"}, "Schreib die Uhrzeit wie 14:30."),
        ({"day": "2027-03-01", "time": "08:59"}, "Diese Zeit ist schon vorbei."),
        ({"day": "2028-03-03", "time": "09:00"}, "in den nächsten zwölf Monaten"),
        ({"day": "0001-01-01", "time": "00:00"}, "in den nächsten zwölf Monaten"),
        ({"day": "9999-12-31", "time": "23:59"}, "in den nächsten zwölf Monaten"),
        ({"day": "2027-03-28", "time": "02:30"}, "überspringt diese Zeit"),
        ({"day": "2027-10-31", "time": "02:30"}, "in dieser Nacht zweimal"),
    ],
)
def test_a_time_that_cannot_be_is_refused_at_its_field(now, wrong, words):
    data = QueryDict(mutable=True)
    data.update({"at": "later", "day": "", "time": "", **wrong})

    form = SendForm(data, version=now, now=now)

    assert not form.is_valid()
    assert words in str(form.errors)


@pytest.mark.parametrize(("month", "hour"), [(3, 7), (4, 6)])
def test_summer_time_is_told_from_winter_time(now, month, hour):
    data = {"at": "later", "day": f"2027-{month:02}-02", "time": "08:00"}

    form = SendForm(data, version=now, now=now)

    assert form.is_valid(), form.errors
    assert form.cleaned_data["send_at"] == datetime(2027, month, 2, hour, tzinfo=UTC)


def test_a_missed_issue_asks_whether_it_still_fits(admin_client, ready):
    past = timezone.now() - timedelta(days=1)
    Issue.objects.update(status="late", send_at=past, trouble=running.LATE)

    shown = page(admin_client.get(of(ready)))
    assert "Passt sie noch?" in shown
    assert "Jetzt doch senden" in shown

    asked = page(admin_client.post(of(ready, "tun"), {"send_late": "1"}))
    assert "nicht zurückholen" in asked
    sure = {"send_late": "1", "yes": "Jetzt senden"}
    shown = page(admin_client.post(of(ready, "tun"), sure, follow=True))
    assert "Die Ausgabe geht jetzt hinaus." in shown
    ready.refresh_from_db()
    assert ready.status == "sending"


@pytest.fixture
def sending(ready: Issue) -> Issue:
    """On its way to two people, one of whom has it."""
    Issue.objects.update(status="late", send_at=timezone.now())
    running.send_late(ready.pk, now=timezone.now())
    row = ready.deliveries.earliest("pk")
    Delivery.objects.filter(pk=row.pk).update(state="sent", sent_at=timezone.now())
    ready.refresh_from_db()
    return ready


def test_while_it_runs_the_page_shows_how_far_it_is_and_comes_again(admin_client, sending):
    answer = admin_client.get(of(sending))

    assert 'value="50"' in page(answer)
    assert "<strong>1 von 2</strong> angenommen" in page(answer)
    assert answer["Refresh"] == "5"
    assert not admin_client.get(of(sending) + "?ruhig=ja").has_header("Refresh")
    assert "1 von 2" in page(admin_client.get(ISSUES))


def test_the_page_says_when_it_will_be_over(admin_client, sending):
    Delivery.objects.filter(state="sent").update(claimed_at=timezone.now())

    assert re.search(r"fertig gegen \d\d:\d\d.Uhr", page(admin_client.get(of(sending))))


def test_it_is_held_and_goes_on(admin_client, sending):
    shown = admin_client.post(of(sending, "tun"), {"pause": "1"}, follow=True)
    assert "Angehalten." in page(shown)
    assert not shown.has_header("Refresh")

    again = page(admin_client.post(of(sending, "tun"), {"pause": "1"}, follow=True))
    assert "Das geht bei dieser Ausgabe gerade nicht." in again

    assert "Es geht weiter." in page(
        admin_client.post(of(sending, "tun"), {"resume": "1"}, follow=True)
    )
    sending.refresh_from_db()
    assert sending.status == "sending"


def test_breaking_off_asks_first_and_counts_who_misses_it(admin_client, sending):
    shown = page(admin_client.get(of(sending, "abbrechen")))
    assert "1 Person wird sie nicht bekommen" in shown
    assert "1 Person hat die Ausgabe schon" in shown

    for _ in range(2):
        answer = admin_client.post(of(sending, "abbrechen"), follow=True)

    assert "nicht mehr verschickt: abgebrochen" in page(answer)
    sending.refresh_from_db()
    assert sending.status == "stopped"
    assert list(sending.deliveries.order_by("pk").values_list("state", flat=True)) == [
        "sent",
        "cancelled",
    ]


def test_trouble_is_shown_with_the_next_attempt(admin_client, sending):
    Issue.objects.update(trouble="Der Mailserver ist überlastet.", resume_at=timezone.now())

    shown = page(admin_client.get(of(sending)))

    assert "Der Mailserver ist überlastet." in shown
    assert "Nächster Versuch um" in shown


def test_the_outcome_leads_into_the_ledger(admin_client, sending):
    now = timezone.now()
    rows = list(sending.deliveries.order_by("pk"))
    Delivery.objects.filter(pk=rows[0].pk).update(bounce="hard", bounced_at=now, left_at=now)
    Delivery.objects.filter(pk=rows[1].pk).update(state="failed", why="refused", code="550 5.2.2")
    Issue.objects.update(status="sent", finished_at=now)
    shown = page(admin_client.get(of(sending)))
    links = re.findall(r'href="(/verwaltung/newsletter/delivery/[^"]+)">([^<]+)', shown)

    assert {label for _, label in links} >= {
        "vom Mailserver angenommen",
        "zurückgekommen",
        "beschwert",
        "daraufhin abgemeldet",
        "abgelehnt: Postfach nimmt sie nicht an",
    }
    found = {
        label: admin_client.get(link.replace("&amp;", "&")).context["cl"].result_count
        for link, label in links
    }
    assert found["vom Mailserver angenommen"] == found["zurückgekommen"] == 1
    assert found["daraufhin abgemeldet"] == 1
    assert found["abgelehnt: Postfach nimmt sie nicht an"] == 1
    assert found["beschwert"] == 0


def test_only_those_that_failed_are_tried_again(admin_client, sending):
    Delivery.objects.filter(state="pending").update(state="failed", why="refused")
    Issue.objects.update(status="sent", finished_at=timezone.now())
    assert "Nur Fehlgeschlagene erneut" in page(admin_client.get(of(sending)))

    for _ in range(2):
        answer = admin_client.post(of(sending, "tun"), {"retry_failed": "1"}, follow=True)

    assert "Noch einmal versucht wird es bei 1." in page(answer) or "Niemand davon" in page(answer)
    states = sending.deliveries.order_by("pk").values_list("state", flat=True)
    assert list(states) == ["sent", "pending"]


def test_the_uncertain_are_sent_again_only_if_the_coach_says_so(admin_client, sending):
    Delivery.objects.update(state="uncertain")
    one, two = sending.deliveries.order_by("pk")
    shown = page(admin_client.get(of(sending, "ungewiss")))
    assert "reader0@leser.example" in shown
    assert "niemand weiß es" in shown

    none = admin_client.post(of(sending, "ungewiss"), {"row": ["x", "9" * 30]}, follow=True)
    assert "Noch einmal geschickt wird an 0." in page(none)
    admin_client.post(of(sending, "ungewiss"), {"row": [str(two.pk)]})

    one.refresh_from_db()
    two.refresh_from_db()
    assert (one.state, two.state) == ("uncertain", "pending")


# --- the ledger, the pace, what came back ---------------------------------------------------------


def mailed(issue: Issue, people: list[Subscriber], **what: object) -> list[Delivery]:
    return Delivery.objects.bulk_create(
        Delivery(issue=issue, subscriber=person, **what) for person in people
    )


def test_the_ledger_is_found_by_address_state_and_reason(admin_client, issue_sent, now):
    ada, bob = issues.readers(2)
    mailed(issue_sent, [ada], state="sent", sent_at=now)
    mailed(issue_sent, [bob], state="failed", why="no_mailbox", code="550 5.1.1")

    for query in ("?q=reader1@", "?state__exact=failed", "?why__exact=no_mailbox"):
        shown = page(admin_client.get(DELIVERIES + query))
        assert "reader1@leser.example" in shown
        assert "550 5.1.1" in shown
        assert "reader0@leser.example" not in shown


def test_the_ledger_is_only_looked_at(admin_client, issue_sent, now):
    (row,) = mailed(issue_sent, issues.readers(1), state="sent", sent_at=now)

    shown = page(admin_client.get(f"{DELIVERIES}{row.pk}/change/"))

    assert "angenommen" in shown
    assert 'name="_save"' not in shown
    assert (
        admin_client.post(f"{DELIVERIES}{row.pk}/change/", {"state": "failed"}).status_code == 403
    )
    assert admin_client.get(f"{DELIVERIES}add/").status_code == 403


def test_a_ledger_of_years_is_not_counted_through(admin_client, issue_sent, now, monkeypatch):
    monkeypatch.setattr(ledger_admin, "COUNTED", 60)
    mailed(issue_sent, issues.readers(70), state="sent", sent_at=now)

    with CaptureQueriesContext(connection) as asked:
        answer = admin_client.get(DELIVERIES)

    assert answer.context["cl"].result_count == 61
    counts = [each["sql"] for each in asked if "COUNT(" in each["sql"]]
    assert all("LIMIT 61" in sql for sql in counts)


@pytest.mark.parametrize("path", ["issue", "picture", "delivery", "feedback"])
def test_a_long_list_asks_as_often_as_a_short_one(admin_client, now, path):
    """Thirty rows of everything cost as many queries as one."""

    def rows(number: int) -> None:
        people = (
            issues.readers(1) if not Subscriber.objects.exists() else list(Subscriber.objects.all())
        )
        for each in range(number):
            stem = f"{path}-{number}-{each}"
            issue = Issue.objects.create(
                subject=stem, slug=stem, body="bild:1", status="sent", candidates=1,
                created_at=now, changed_at=now, started_at=now, finished_at=now,
            )  # fmt: skip
            issue.tags.add(Tag.objects.create(name=stem))
            (row,) = mailed(issue, people, state="sent", sent_at=now)
            Picture.objects.bulk_create(
                [Picture(file=f"{stem}.png", width=1, height=1, alt=stem, uploaded_at=now)]
            )
            Feedback.objects.create(
                source="test", event_id=stem, kind="hard", at=now, noted_at=now,
                subscriber=people[0], delivery=row,
            )  # fmt: skip

    def queries() -> int:
        with CaptureQueriesContext(connection) as asked:
            assert admin_client.get(f"/verwaltung/newsletter/{path}/").status_code == 200
        return len(asked)

    rows(1)
    queries()
    few = queries()
    rows(29)

    assert queries() == few


def test_the_pace_is_one_row_and_holds_at_once(admin_client):
    where = admin_client.get("/verwaltung/newsletter/pace/")["Location"]
    assert "Was du speicherst, gilt ab sofort" in page(admin_client.get(where))
    words = {
        "per_second": "",
        "per_minute": "60",
        "per_hour": "",
        "per_day": "",
        "connections": "2",
    }

    admin_client.post(where, words)
    answer = admin_client.post(where, {**words, "per_minute": "30"}, follow=True)

    assert "Gespeichert. Es gilt ab sofort." in page(answer)
    assert (Pace.current().per_minute, Pace.current().connections) == (30, 2)
    assert Pace.objects.count() == 1


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("per_minute", "0", "größer oder gleich 1"),
        ("per_minute", "schnell", "Schreib eine ganze Zahl"),
        ("per_day", "99999999999", "kleiner oder gleich 2147483647"),
        ("per_day", "9" * 5000, "Schreib eine ganze Zahl"),
        ("connections", "", "Schreib eine Zahl von 1 bis 50"),
        ("connections", "51", "Höchstens 50."),
    ],
)
def test_a_pace_that_cannot_be_is_refused_at_its_field(admin_client, field, value, words):
    sent = {"connections": "8", "per_hour": "1234", field: value}

    answer = admin_client.post("/verwaltung/newsletter/pace/1/change/", sent)

    assert answer.status_code == 200
    assert words in page(answer)
    assert "1234" in page(answer)
    assert Pace.objects.count() == 0


def test_a_person_s_page_shows_their_mails_and_what_came_back(
    admin_client, reader, issue_sent, now
):
    (row,) = mailed(issue_sent, [reader], state="sent", sent_at=now, bounce="hard", bounced_at=now)
    Feedback.objects.create(
        source="test", event_id="1", kind="hard", code="550 5.1.1", at=now, noted_at=now,
        subscriber=reader, delivery=row,
    )  # fmt: skip

    shown = page(admin_client.get(f"/verwaltung/newsletter/subscriber/{reader.pk}/change/"))

    assert "Die erste" in shown
    assert "unzustellbar (550 5.1.1) zu „Die erste“" in shown


# --- who may --------------------------------------------------------------------------------------

POSTS = ["change", "archivfassung", "test", "links", "senden", "tun", "abbrechen", "ungewiss"]


@pytest.mark.parametrize("what", POSTS)
def test_whoever_may_only_look_changes_nothing(client, django_user_model, admin_client, what):
    issue = written(admin_client)
    before = Issue.objects.values().get()
    helper = django_user_model.objects.create_user("hilfe", is_staff=True)
    client.force_login(helper)
    assert client.get(of(issue)).status_code == 403
    assert client.get(of(issue, "vorschau")).status_code == 403

    helper.user_permissions.add(Permission.objects.get(codename="view_issue"))

    assert client.get(of(issue)).status_code == 200
    assert client.get(of(issue, "vorschau")).status_code == 200
    assert client.post(of(issue, what), typed(issue, email="a@b.example")).status_code == 403
    assert client.get(f"{ISSUES}add/").status_code == 403
    assert Issue.objects.values().get() == before


@pytest.mark.parametrize("what", [*POSTS, "vorschau", "vorschau/mail", "delete"])
def test_looking_changes_nothing(admin_client, mailbox, what):
    issue = written(admin_client)
    before = Issue.objects.values().get()

    answer = admin_client.get(of(issue, what))

    assert answer.status_code in (200, 302, 405)
    assert Issue.objects.values().get() == before
    assert mailbox.messages == []


def test_nobody_reaches_an_issue_without_signing_in(client, admin_client):
    issue = written(admin_client)

    for what in [*POSTS, "vorschau", "vorschau/mail"]:
        assert client.get(of(issue, what))["Location"].startswith("/verwaltung/login")


@pytest.mark.parametrize(
    "path",
    [
        "issue/99999999999999999999/senden/",
        "issue/99999999999999999999/change/",
        "issue/abc/change/",
        "issue/?status__exact=x",
        "issue/?q=%00",
        "issue/?p=x",
        "picture/0/change/",
        "picture/?q=%ff",
        "delivery/?issue__id__exact=abc",
        "delivery/?p=99999",
        "delivery/?q=%F0%9F%98%80",
        "delivery/?complained_at__isempty=2",
        "pace/2/change/",
        "feedback/?kind__exact=x",
    ],
)
def test_an_address_nobody_meant_is_no_error_of_ours(admin_client, path):
    answer = admin_client.get(f"/verwaltung/newsletter/{path}", follow=True)

    assert answer.status_code in (200, 400, 404)


@pytest.mark.parametrize("name", ["%00", "%ff%fe", "x" * 5000, "{{ vorname }}", "%EE%80%80vorname"])
def test_any_name_may_be_looked_at(admin_client, name):
    issue = written(admin_client)

    for what in ("vorschau", "vorschau/mail"):
        assert admin_client.get(of(issue, what) + f"?name={name}").status_code == 200


def test_any_deed_may_be_sent(admin_client):
    issue = written(admin_client)

    for deed in ({}, {"unknown": "1"}, {"pause": "1", "resume": "1"}, {"take_back": ""}):
        answer = admin_client.post(of(issue, "tun"), deed)
        assert answer["Location"] == of(issue)
    issue.refresh_from_db()
    assert issue.status == "draft"
