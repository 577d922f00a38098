"""The way of a list over the coach's desk: every page, without JavaScript, pressed once or twice."""

from __future__ import annotations

import csv
import io

import pytest
from django.contrib.auth.models import Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from newsletter.imports import files, running
from newsletter.models import Import, Subscriber, Tag
from tests.newsletter.conftest import ADA
from tests.newsletter.import_tools import PROVEN, WORDS, csv_bytes, people, taken_over, zipped

pytestmark = pytest.mark.django_db

IMPORTS = "/verwaltung/newsletter/import/"
LIST = csv_bytes("E-Mail;Name;Tags", f"{ADA};Ada;a", "foo@;Foo;b")


def send(client, data: bytes = LIST, name: str = "liste.csv"):
    return client.post(f"{IMPORTS}add/", {"file": SimpleUploadedFile(name, data)})


def uploaded(client, data: bytes = LIST, name: str = "liste.csv") -> Import:
    answer = send(client, data, name)
    assert answer.status_code == 302, answer.content.decode()
    return Import.objects.latest("pk")


def choices(run: Import, **more: str) -> dict[str, str]:
    """What the mapping page would send, as it stands."""
    sent: dict[str, str] = {}
    for file in run.files.all():
        sent |= {
            f"datei{file.number}-encoding": file.encoding,
            f"datei{file.number}-delimiter": file.delimiter,
            f"datei{file.number}-has_header": "on" if file.has_header else "",
            f"datei{file.number}-everyone": file.everyone,
        }
    for number, heading in enumerate(running.all_headings(run)):
        sent[f"spalte{number}"] = run.mapping.get(heading, "")
    proof = {"source": "Alte Website", "consent_date": "2026-05-04", "consent_text": WORDS}
    return {**sent, **proof, "tag": "", **more}


def test_a_list_walks_from_upload_to_result(admin_client, run_jobs):
    run = uploaded(admin_client)
    page = admin_client.get(f"{IMPORTS}{run.pk}/spalten/").content.decode()
    for words in ("Was in den ersten Zeilen steht", ADA, "Semikolon", "UTF-8"):
        assert words in page

    answer = admin_client.post(f"{IMPORTS}{run.pk}/spalten/", choices(run, check="1"))
    status = f"{IMPORTS}{run.pk}/change/"
    assert answer["Location"] == status
    assert "Aktualisieren" in admin_client.get(status).content.decode()
    run_jobs()
    page = admin_client.get(status).content.decode()
    for words in ("Jetzt übernehmen", "neu angemeldet", "fehlerhaft", "foo@", "keine E-Mail-Adr"):
        assert words in page
    assert people() == {}

    admin_client.post(f"{IMPORTS}{run.pk}/tun/", {"start": "1"})
    assert "Anhalten" in admin_client.get(status).content.decode()
    run_jobs()

    page = admin_client.get(status).content.decode()
    assert "Es ging keine Mail hinaus" in page
    assert "Jetzt übernehmen" not in page
    assert people() == {ADA: "confirmed"}
    assert "1 neu angemeldet, 1 fehlerhaft" in admin_client.get(IMPORTS).content.decode()


def test_the_report_can_be_downloaded_and_filtered(admin_client, run_jobs):
    run = uploaded(admin_client)
    admin_client.post(f"{IMPORTS}{run.pk}/spalten/", choices(run, check="1"))
    run_jobs()

    answer = admin_client.get(f"{IMPORTS}{run.pk}/bericht.csv")
    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    page = admin_client.get(f"{IMPORTS}{run.pk}/change/?ergebnis=invalid").content.decode()

    assert [row[1:4] for row in csv.reader(io.StringIO(text), delimiter=";")][1:] == [
        ["2", ADA, "neu angemeldet"],
        ["3", "foo@", "fehlerhaft"],
    ]
    assert "foo@" in page
    assert ADA not in page


def test_another_encoding_is_shown_at_once(admin_client):
    run = uploaded(admin_client, csv_bytes("E-Mail;Name", f"{ADA};M?ller").replace(b"?", b"\x9f"))
    wanted = {f"datei{run.files.get().number}-encoding": "mac-roman"}

    admin_client.post(f"{IMPORTS}{run.pk}/spalten/", choices(run, reread="1", **wanted))

    assert "Müller" in admin_client.get(f"{IMPORTS}{run.pk}/spalten/").content.decode()


def test_a_mapping_without_addresses_is_sent_back_with_what_was_typed(admin_client):
    run = uploaded(admin_client)

    sent = choices(run, check="1", spalte0="", source="Von der Messe")
    page = admin_client.post(f"{IMPORTS}{run.pk}/spalten/", sent).content.decode()

    assert "in welcher Spalte die E-Mail-Adressen stehen" in page
    assert "Von der Messe" in page


def test_one_meaning_is_one_column(admin_client):
    run = uploaded(admin_client)

    sent = choices(run, check="1", spalte1="email")
    page = admin_client.post(f"{IMPORTS}{run.pk}/spalten/", sent).content.decode()

    assert "kann nur eine Spalte sein" in page


def test_consent_given_tomorrow_is_none(admin_client):
    run = uploaded(admin_client)

    sent = choices(run, check="1", consent_date="2999-01-01")
    page = admin_client.post(f"{IMPORTS}{run.pk}/spalten/", sent).content.decode()

    assert "Dieser Tag kommt erst noch" in page


def test_a_zip_shows_all_its_files(admin_client, run_jobs):
    data = zipped(
        {
            "subscribed_1.csv": csv_bytes("Email Address,First Name", f"{ADA},Ada"),
            "unsubscribed_1.csv": csv_bytes("Email Address,UNSUB_TIME", "b@x.example,2024-01-01"),
        }
    )
    run = uploaded(admin_client, data, "audience.zip")
    page = admin_client.get(f"{IMPORTS}{run.pk}/spalten/").content.decode()
    assert "subscribed_1.csv" in page

    admin_client.post(f"{IMPORTS}{run.pk}/spalten/", choices(run, check="1"))
    run_jobs()

    run.refresh_from_db()
    assert run.check_counts == {"new": 1, "left": 1}
    assert "unsubscribed_1.csv" in admin_client.get(f"{IMPORTS}{run.pk}/change/").content.decode()


@pytest.mark.parametrize(
    ("data", "words"),
    [(b"", "leer"), (b"%PDF-1", "PDF"), (b"a\0b", "keine Textdatei"), (b"PK\3\4", "beschädigt")],
)
def test_what_is_no_list_is_refused_on_the_page(admin_client, data, words):
    answer = send(admin_client, data)

    assert answer.status_code == 200
    assert words in answer.content.decode()


def test_no_file_and_a_file_too_large_are_told_apart(admin_client, monkeypatch):
    assert "Wähle eine Datei aus" in admin_client.post(f"{IMPORTS}add/", {}).content.decode()
    monkeypatch.setattr(files, "MAX_BYTES", 500_000)

    answer = send(admin_client, b"a@b.example\n" * 100_000)

    page = answer.content.decode()
    assert "Die Datei ist größer als" in page
    assert "Wähle eine Datei aus" not in page
    assert Import.objects.count() == 0


def test_an_upload_without_csrf_token_is_refused(admin_user):
    client = Client(enforce_csrf_checks=True)
    client.force_login(admin_user)

    assert send(client).status_code == 403
    assert Import.objects.count() == 0


def test_buttons_pressed_twice_or_too_late_do_no_harm(admin_client, run_jobs):
    run = uploaded(admin_client)
    for _ in range(2):
        admin_client.post(f"{IMPORTS}{run.pk}/spalten/", choices(run, check="1"))
    run_jobs()
    for deed in ("go_on", "start", "start", "stop", "go_on", "go_on"):
        admin_client.post(f"{IMPORTS}{run.pk}/tun/", {deed: "1"})
    run_jobs()
    for deed in ("start", "go_on", "stop", "discard"):
        admin_client.post(f"{IMPORTS}{run.pk}/tun/", {deed: "1"})
    late = admin_client.get(f"{IMPORTS}{run.pk}/spalten/")

    run.refresh_from_db()
    assert (run.status, run.counts) == ("done", {"new": 1, "invalid": 1})
    assert late["Location"] == f"{IMPORTS}{run.pk}/change/"


def test_what_is_thrown_away_leaves_nothing(admin_client, run_jobs):
    run = uploaded(admin_client)
    admin_client.post(f"{IMPORTS}{run.pk}/spalten/", choices(run, check="1"))
    run_jobs()

    admin_client.post(f"{IMPORTS}{run.pk}/tun/", {"discard": "1"})

    assert Import.objects.count() == 0


def test_looking_starts_nothing(admin_client):
    run = uploaded(admin_client)

    assert admin_client.get(f"{IMPORTS}{run.pk}/tun/").status_code == 405


def test_imports_need_a_permission_of_their_own(client, django_user_model, admin_client):
    run = uploaded(admin_client)
    helper = django_user_model.objects.create_user("hilfe", is_staff=True)
    client.force_login(helper)
    closed = [
        client.get(f"{IMPORTS}add/"),
        client.get(f"{IMPORTS}{run.pk}/spalten/"),
        client.get(f"{IMPORTS}{run.pk}/change/"),
        client.get(f"{IMPORTS}{run.pk}/bericht.csv"),
        client.post(f"{IMPORTS}export/", {"format": "csv"}),
        client.post(f"{IMPORTS}{run.pk}/tun/", {"discard": "1"}),
        send(client),
    ]
    assert {answer.status_code for answer in closed} == {403}

    helper.user_permissions.add(Permission.objects.get(codename="add_import"))
    assert client.get(f"{IMPORTS}{run.pk}/change/").status_code == 200
    assert client.post(f"{IMPORTS}export/", {"format": "csv"}).status_code == 403


def test_nobody_reaches_a_list_without_signing_in(client, admin_client):
    run = uploaded(admin_client)

    for path in ("", "add/", "export/", f"{run.pk}/change/", f"{run.pk}/bericht.csv"):
        assert "/anmelden" in client.get(IMPORTS + path)["Location"] or client.get(IMPORTS + path)[
            "Location"
        ].startswith("/verwaltung/login")


def test_the_list_is_exported_from_the_desk(admin_client, now):
    run = uploaded(admin_client)
    running.begin_check(run, mapping=run.mapping, provenance=PROVEN, now=now)
    running.work(run.pk)
    taken_over(run, now)
    assert "1 Leute" in admin_client.get(f"{IMPORTS}export/").content.decode()

    for kind in ("csv", "json"):
        answer = admin_client.post(f"{IMPORTS}export/", {"format": kind})
        assert ADA.encode() in answer.content
        assert f".{kind}" in answer["Content-Disposition"]
        assert "no-store" in answer["Cache-Control"]


def test_tags_are_made_and_counted_at_the_desk(admin_client, reader):
    admin_client.post("/verwaltung/newsletter/tag/add/", {"name": "Berlin"})
    reader.tags.add(Tag.objects.get())

    again = admin_client.post("/verwaltung/newsletter/tag/add/", {"name": "BERLIN"})

    assert "gibt es schon" in again.content.decode()
    assert "Berlin" in admin_client.get("/verwaltung/newsletter/tag/").content.decode()
    assert Subscriber.objects.get().tags.count() == 1
