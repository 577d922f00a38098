"""An issue's way out from the coach's desk: tested, sent, watched, held, tried again."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from html import escape

import pytest
from django.http import QueryDict
from django.test import Client
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from newsletter import suppressions
from newsletter.issue_forms import ZONE, SendForm
from newsletter.models import (
    Delivery,
    Issue,
)
from newsletter.sending import running
from tests.newsletter import issues
from tests.newsletter.issue_desk import ISSUES, of, page, typed

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_files")]


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


def test_nobody_chosen_is_nobody_written_to(admin_client, sending):
    Delivery.objects.update(state="uncertain")

    shown = page(admin_client.post(of(sending, "ungewiss"), {}, follow=True))

    assert "Wähle aus, wem du sie noch einmal schicken willst." in shown
    assert set(sending.deliveries.values_list("state", flat=True)) == {"uncertain"}
