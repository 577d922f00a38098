"""The coach's page of mails: all of them, as they would leave, without a trace."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from coaching_site.desk import mail_pages, mail_register
from coaching_site.desk.mail_register import REGISTER
from coaching_site.desk.models import Change
from pages.mail_wording import OPEN, Words
from pages.models import MailWording
from tests.mail_server import attachments, html, text
from tests.test_house import ROOT

pytestmark = pytest.mark.django_db

MAILS = "/verwaltung/mails/"
# What is a question, and not the transaction it is asked in.
ASKS = ("SELECT", "INSERT", "UPDATE", "DELETE")
CONFIRMATION, REMINDER = "booking.confirmation_guest", "booking.reminder_guest"
COACH = "coach@praxis.example"


def rows() -> dict[str, int]:
    return {
        model._meta.db_table: model._default_manager.count()
        for model in apps.get_models()
        if model._meta.managed
    }


def address(key: str, *rest: str) -> str:
    return "/".join([MAILS.rstrip("/"), key, *rest, ""])


def staff(client: Client, *permissions: str) -> User:
    """Signs somebody of the desk in who may do just this."""
    user = User.objects.create_user("desk", email=COACH, password="x", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client.force_login(user)
    return user


def test_no_mail_is_forgotten():
    """Whatever has a subject is a mail; it stands in the register."""
    templates = ROOT / "templates"
    mails = {
        f"{path.relative_to(templates).parts[0]}.{path.name.removesuffix('.subject.txt')}"
        for path in templates.glob("*/mail/*.subject.txt")
    }

    assert set(REGISTER) == mails
    assert set(OPEN) <= mails


def test_looking_at_every_mail_leaves_no_trace(whole, mailbox, admin_client):
    """No row, no job, no number of an invoice; few questions; and only placeholders for names."""
    for key in OPEN:
        mail_register.reword(REGISTER[key], Words(subject="Eigen", closing="Bis bald, {absender}"))
    admin_client.get(MAILS)
    before, asked = rows(), {}

    for key in REGISTER:
        with CaptureQueriesContext(connection) as queries:
            answer = admin_client.get(address(key))
        asked[key] = sum(each["sql"].startswith(ASKS) for each in queries)
        message = answer.context["message"]
        assert message.to[0].endswith(("@example.org", COACH)), key
        assert not any(mark in message.body for mark in ("{", "None", ": .")), key

    assert rows() == before
    assert mailbox.messages == []
    assert {key: count for key, count in asked.items() if count >= 15} == {}


def test_the_list_asks_as_much_with_many_wordings_as_with_none(admin_client, whole):
    with CaptureQueriesContext(connection) as few:
        admin_client.get(MAILS)
    for key in OPEN:
        mail_register.reword(REGISTER[key], Words(greeting="Moin,"))
    with CaptureQueriesContext(connection) as many:
        answer = admin_client.get(MAILS)

    assert len(many) == len(few) < 15
    assert answer.content.decode().count("deine Worte") == len(OPEN)


def test_a_mail_is_framed_alone_and_may_do_nothing(admin_client):
    light = admin_client.get(address(REMINDER, "html"))
    dark = admin_client.get(address(REMINDER, "html"), {"dunkel": "ja"})

    policy = light["Content-Security-Policy"]
    assert "frame-ancestors 'self'" in policy
    assert "script-src 'none'" in policy
    assert "default-src 'none'" in policy
    assert light["X-Frame-Options"] == "SAMEORIGIN"
    assert "@media (max-width: 0)" in light.content.decode()
    assert "@media (min-width: 0)" in dark.content.decode()
    page = admin_client.get(address(REMINDER))
    assert page["X-Frame-Options"] == "DENY"
    assert 'sandbox="allow-same-origin allow-popups"' in page.content.decode()


def test_words_are_seen_before_they_are_saved(admin_client):
    typed = {"subject": "", "greeting": "Moin {name},", "closing": "Bis bald"}

    page = admin_client.post(address(REMINDER), {**typed, "look": "Ansehen"})

    assert "Gespeichert ist noch nichts" in page.content.decode()
    assert page.context["message"].body.startswith("Moin Vorname,")
    frame = admin_client.get(page.context["light"]).content.decode()
    assert "Moin Vorname," in frame
    assert "<p>Bis bald</p>" in frame
    assert not MailWording.objects.exists()
    assert "Moin" not in admin_client.get(address(REMINDER, "html")).content.decode()


def test_a_frame_shows_only_words_this_site_has_checked(admin_client):
    forged = {"worte": "eyJzdWJqZWN0IjoiIn0:1:forged"}

    assert admin_client.get(address(REMINDER, "html"), forged).status_code == 404


def test_saved_words_stand_in_the_mail_and_in_the_log_of_changes(client):
    staff(client, "view_mailwording", "change_mailwording")
    typed = {"subject": "", "greeting": "Moin {name},", "closing": "Eins\r\n\r\nZwei"}

    client.post(address(REMINDER), {**typed, "save": "Speichern"})
    client.post(address(REMINDER), {**typed, "greeting": "Servus,", "save": "Speichern"})

    wording = MailWording.objects.get()
    assert (wording.greeting, wording.closing) == ("Servus,", "Eins\n\nZwei")
    made, changed = Change.objects.filter(table="pages_mailwording").order_by("pk")
    assert (made.what, changed.what, changed.who) == ("insert", "update", "desk")
    assert changed.fields["greeting"] == ["Moin {name},", "Servus,"]


def test_what_cannot_stand_is_refused_and_stays_in_its_field(admin_client):
    typed = {"greeting": "Hallo {vorname},", "subject": "Zum {art}", "closing": "x" * 601}

    page = admin_client.post(address(REMINDER), {**typed, "save": "Speichern"})

    form = page.context["form"]
    said = {field: errors[0] for field, errors in form.errors.items()}
    assert "Möglich ist nur: {name}, {tag}, {uhrzeit}, {art}, {absender}." in said["greeting"]
    assert "Möglich ist nur: {name}, {tag}, {uhrzeit}, {absender}." in said["subject"]
    assert said["closing"] == "Das sind 601 Zeichen; höchstens 600 haben Platz."
    assert {field: form[field].value() for field in typed} == typed
    assert "id_subject_helptext" in str(form["subject"])
    assert not MailWording.objects.exists()


def test_a_subject_never_begins_another_header(admin_client):
    typed = {"subject": "Eins\r\nBcc: jemand@example.org", "save": "Speichern"}

    page = admin_client.post(address(REMINDER), typed)

    assert "in eine Zeile" in page.context["form"].errors["subject"][0]
    assert not MailWording.objects.exists()


def test_words_that_sound_like_advertising_are_named(admin_client):
    typed = {"closing": "Abonnier auch meinen Newsletter!", "save": "Speichern"}

    page = admin_client.post(address(REMINDER), typed, follow=True)

    assert "klingt nach Werbung" in page.content.decode()


def test_going_back_to_the_houses_words_is_asked_first(admin_client):
    mail_register.reword(REGISTER[REMINDER], Words(greeting="Moin,"))
    path = address(REMINDER, "zuruecksetzen")

    assert "Moin," in admin_client.get(path).content.decode()
    assert MailWording.objects.exists()
    admin_client.post(path)

    assert not MailWording.objects.exists()


def test_emptied_fields_are_the_houses_words_again(admin_client):
    mail_register.reword(REGISTER[REMINDER], Words(greeting="Moin,"))

    admin_client.post(address(REMINDER), {"greeting": " ", "save": "Speichern"})

    assert not MailWording.objects.exists()


def test_what_the_law_words_is_not_to_be_worded(admin_client):
    for key in ("booking.withdrawal_receipt", "newsletter.confirm"):
        page = admin_client.get(address(key))

        assert page.context["form"] is None
        assert "stehen deshalb fest" in page.content.decode()
        assert admin_client.post(address(key), {"greeting": "Moin,"}).status_code == 403


def test_a_copy_for_oneself_says_so_and_enters_no_calendar(client, whole, mailbox):
    staff(client, "view_mailwording")
    before = rows()

    page = client.post(address(CONFIRMATION, "probe"), follow=True)

    [message] = mailbox.messages
    assert message["To"] == COACH
    assert message["Subject"] == "[Probe] Gespräch mit Vorname Nachname"
    assert set(attachments(message)) == {
        "Anzahlungsrechnung-MUSTER-0001.pdf", "AGB.pdf", "Widerrufsbelehrung.pdf",
    }  # fmt: skip
    assert "text/calendar" not in message.as_string()
    assert "Beispielgespräch" in text(message)
    assert "Beispielgespräch" in html(message)
    assert f"unterwegs an {COACH}" in page.content.decode()
    assert rows() == before | {"desk_hits": 1, "django_session": before["django_session"]}


def test_a_copy_brings_no_button_for_leaving_the_list(client, mailbox):
    staff(client, "view_mailwording")

    client.post(address("newsletter.welcome", "probe"))

    [message] = mailbox.messages
    assert message["List-Unsubscribe"] is None


def test_a_server_that_refuses_is_told_in_a_sentence(client, mailbox):
    staff(client, "view_mailwording")

    def told(answer: str) -> str:
        mailbox.refuse_with = answer
        page: bytes = client.post(address(REMINDER, "probe"), follow=True).content
        return page.decode()

    assert "Stimmt die Adresse?" in told("550 5.1.1 no such user")
    assert "versuch es später" in told("451 4.3.0 later")


def test_without_an_address_or_too_often_nothing_leaves(client, mailbox, monkeypatch):
    monkeypatch.setattr(mail_pages, "TRIALS", 1)
    user = staff(client, "view_mailwording")
    path = address("newsletter.link", "probe")

    client.post(path)
    often = client.post(path, follow=True)
    User.objects.filter(pk=user.pk).update(email="")
    nobody = client.post(path, follow=True)

    assert len(mailbox.messages) == 1
    assert "zu viele Versuche" in often.content.decode()
    assert "keine E-Mail-Adresse" in nobody.content.decode()


def test_each_page_asks_for_its_permission(client):
    staff(client)
    pages = [MAILS, address(REMINDER), address(REMINDER, "html")]
    assert [client.get(path).status_code for path in pages] == [403, 403, 403]
    assert client.post(address(REMINDER, "probe")).status_code == 403

    staff_who_looks = Permission.objects.get(codename="view_mailwording")
    User.objects.get().user_permissions.add(staff_who_looks)

    assert [client.get(path).status_code for path in pages] == [200, 200, 200]
    assert client.get(pages[1]).context["form"] is None
    assert client.post(pages[1], {"greeting": "Moin,", "save": "x"}).status_code == 403
    assert client.post(address(REMINDER, "zuruecksetzen")).status_code == 403


def test_a_mail_nobody_knows_is_not_found(admin_client):
    assert admin_client.get(address("booking.nothing")).status_code == 404
