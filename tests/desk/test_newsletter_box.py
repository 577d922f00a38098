"""The box on the booking form: unticked, of no weight for the booking, and only a beginning."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from booking.models import Booking, Calendar, CallType, WeeklyHours
from coaching_site import spam
from coaching_site.desk import tasks
from newsletter import quotas
from newsletter.models import Consent, Subscriber
from pages import consent
from pages.models import Practice
from tests.newsletter.conftest import path_in

pytestmark = pytest.mark.django_db

GUEST = "gast@firma.example"


@pytest.fixture
def details(client) -> str:
    """The page that asks for a guest's details."""
    calendar = Calendar.objects.create(name="Praxis")
    for weekday in range(1, 8):
        WeeklyHours.objects.create(calendar=calendar, weekday=weekday, start="09:00", end="12:00")
    CallType.objects.create(
        calendar=calendar, title="Kennenlernen", slug="kennenlernen", length=30, step=30
    )
    days: list[str] = re.findall(
        r'href="(/termin/kennenlernen/2\d{3}[^"]+)"', words(client.get("/termin/"))
    )
    times: list[str] = re.findall(
        r'href="(/termin/kennenlernen/zeit/[^"]+)"', words(client.get(days[3]))
    )
    return times[0]


def words(response) -> str:
    return " ".join(response.content.decode().split())


def box() -> consent.ConsentText:
    return consent.booking_box(Practice.current())


def send(client, details: str, **values: str):
    stamp = spam.stamp(timezone.now() - timedelta(minutes=1))
    return client.post(details, {"name": "Gast", "email": GUEST, "stamp": stamp, **values})


def book(client, details: str, **values: str) -> Booking:
    client.post(send(client, details, **values)["Location"])
    return Booking.objects.get(status="confirmed")


def test_the_box_is_there_not_ticked_and_says_that_it_is_optional(client, details):
    page = words(client.get(details))

    tag = re.search(r'<input type="checkbox" name="newsletter"[^>]*>', page)
    assert tag is not None
    assert "checked" not in tag[0]
    assert "required" not in tag[0]
    assert box().opening in page
    assert box().rest in page
    assert "Freiwillig und ohne Einfluss auf die Buchung" in page


def test_booking_works_without_and_signs_nobody_up(client, details, run_jobs, mailbox):
    assert book(client, details).is_confirmed
    run_jobs()

    assert Subscriber.objects.count() == Consent.objects.count() == 0


def test_ticked_it_starts_the_same_double_opt_in(client, details, run_jobs, mailbox):
    booking = book(client, details, newsletter=box().sha256)
    run_jobs()

    row = Subscriber.objects.get()
    assert (row.address, row.status) == (GUEST, "pending")
    proof = Consent.objects.get()
    assert proof.text == booking.newsletter_consent_text == box().text
    assert (proof.text_version, proof.page) == ("2026-11-buchung", "/termin/")
    assert proof.requested_at == booking.confirmed_at
    (message,) = [mail for mail in mailbox.to(GUEST) if "Newsletter" in mail["Subject"]]
    assert client.post(path_in(message, "bestaetigen")).status_code == 303
    row.refresh_from_db()
    assert row.status == "confirmed"


def test_a_time_that_is_only_held_signs_nobody_up(client, details, run_jobs, mailbox):
    send(client, details, newsletter=box().sha256)
    run_jobs()

    assert Subscriber.objects.count() == 0


def test_changing_ones_mind_before_booking_counts(client, details, run_jobs, mailbox):
    send(client, details, newsletter=box().sha256)

    assert book(client, details).newsletter_consent_text == ""
    run_jobs()

    assert Subscriber.objects.count() == 0


def test_a_tick_counts_for_the_words_that_stood_beside_it(client, details):
    before = box().sha256
    Practice.objects.create(pk=1, newsletter_rhythm="täglich")

    answer = send(client, details, newsletter=before)

    assert answer.status_code == 422
    assert "Der Text am Kästchen zum Newsletter hat sich geändert." in words(answer)
    assert Booking.objects.count() == 0


def test_the_job_may_run_twice(client, details, run_jobs, mailbox):
    booking = book(client, details, newsletter=box().sha256)
    run_jobs()

    assert booking.confirmed_at is not None
    tasks.sign_up_from_booking(booking=booking.pk, asked_at=booking.confirmed_at.isoformat())
    run_jobs()

    assert Consent.objects.count() == 1
    assert len([mail for mail in mailbox.to(GUEST) if "Newsletter" in mail["Subject"]]) == 1


def test_a_mailbox_gets_no_more_mail_by_the_box_than_by_the_form(
    client, details, run_jobs, mailbox, now, monkeypatch
):
    booking = book(client, details, newsletter=box().sha256)
    run_jobs()
    mailbox.clear()
    for hours in range(1, 13):
        moment = now + timedelta(hours=hours)
        monkeypatch.setattr(timezone, "now", lambda moment=moment: moment)
        tasks.sign_up_from_booking(booking=booking.pk, asked_at=moment.isoformat())
        run_jobs()

    assert len(mailbox.to(GUEST)) == quotas.MAILS_AN_ADDRESS


def test_no_job_holds_an_address(client, details):
    book(client, details, newsletter=box().sha256)

    (job,) = ProcrastinateJob.objects.filter(task_name="desk.sign_up_from_booking")
    assert GUEST not in str(job.args)


def test_words_from_before_a_change_are_kept_under_another_version(details):
    old = consent.shown_on_booking(Practice.current(), "Ja, gern.")

    assert (old.text, old.version) == ("Ja, gern.", "frühere Fassung")


def test_a_title_with_a_full_stop_ends_no_sentence():
    text = consent.booking_box(Practice(first_name="Dr. Kim", last_name="Muster"))

    assert text.opening == "Ja, Dr. Kim Muster darf mir den Newsletter per E-Mail schicken."
    assert text.text == f"{text.opening} {text.rest}"
