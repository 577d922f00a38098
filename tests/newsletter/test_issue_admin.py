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

from newsletter.models import Issue, Picture, Tag
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


@pytest.mark.parametrize("version", ["", "gestern", "2027-03-01T09:00:00", "0001-01-01T00:00:00+00:00"])
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
