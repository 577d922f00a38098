"""One person across all apps: what is stored, and what is left when they are erased."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.db import IntegrityError
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from booking import cancellation, invoicing, scheduling
from booking.models import BillingAddress, Booking, Invoice, OneOffLink
from coaching_site import spam
from coaching_site.desk import people
from coaching_site.desk.models import PersonLink, PersonRequest
from coaching_site.desk.tasks import due_person_requests
from newsletter import addresses
from newsletter.models import Subscriber
from tests import mail_server
from tests.booking import papers
from tests.booking.conftest import ADA, hold
from tests.booking.test_races import at_once
from tests.desk.leftovers import places_of
from tests.desk.test_retention import paid_by_hand
from tests.newsletter.conftest import sign_up

ADDRESS = addresses.parse("ada@example.org")
By = PersonRequest.By
DAY = timedelta(days=1)
# Where the law wants the name to stay, and nowhere else (UStG § 14b).
INVOICES = {"booking_invoice.data", "booking_invoice.recipient"}


@pytest.fixture
def after(confirmed):
    return confirmed.end + DAY


@pytest.fixture
def known_everywhere(confirmed: Booking, call_type, run_jobs, mailbox, admin_user, now) -> Booking:
    """Somebody with a paid and billed call, a hold, a newsletter and traces in all corners."""
    papers.practice()
    papers.address_of(confirmed, name="Ada Müller")
    paid_by_hand(confirmed, now)
    invoicing.write_owed(confirmed, now=now)
    link = OneOffLink.objects.create(call_type=call_type, note="für Ada Müller")
    Booking.objects.filter(pk=confirmed.pk).update(
        one_off=link,
        company="Rechenwerk",
        phone="+49 30 1234567",
        topic="Ada Müller und ihr Team",
        answers=[{"question_id": 1, "question": "Wer?", "answer": "Ada Müller"}],
        overridden="Ada Müller bat darum",
        newsletter_consent_text="Ja",
    )
    LogEntry.objects.log_actions(admin_user.pk, OneOffLink.objects.all(), 2, "")
    hold(call_type, now=now, start=confirmed.end)
    sign_up("Ada@Example.org", now)
    people.ask_for_link(ADDRESS, may_answer=True, now=now)
    run_jobs()
    confirmed.refresh_from_db()
    return confirmed


# --- erasing ----------------------------------------------------------------------------------


def test_after_an_erasure_no_column_of_any_table_names_the_person_but_invoices(
    known_everywhere, after, run_jobs
):
    assert len(places_of("ada@example.org", "Ada Müller")) > 8

    left = people.erase(ADDRESS, by=By.PERSON, now=after)
    run_jobs()

    assert left == []
    assert places_of("ada@example.org", "Ada Müller", "1234567", "bat darum") == INVOICES
    assert not Subscriber.objects.exists()


def test_the_search_for_leftovers_finds_what_a_job_would_hold(db):
    """The search bites: an address in a job's arguments is found."""
    from coaching_site import jobs  # noqa: PLC0415

    jobs.enqueue("jobs.tidy", timestamp="ADA@example.org")

    assert places_of("ada@example.org") == {"procrastinate_jobs.args"}


def test_invoice_and_payment_stay_whole_and_the_appointment_keeps_its_time(known_everywhere, after):
    before = Invoice.objects.get().sha256

    people.erase(ADDRESS, by=By.COACH, now=after)

    known_everywhere.refresh_from_db()
    assert known_everywhere.is_nameless
    assert known_everywhere.paid_cents == 15000
    assert Invoice.objects.get().sha256 == before
    assert known_everywhere.deposits.get().payment_intent == "pi_1"
    assert not BillingAddress.objects.exists()


def test_a_coming_call_is_in_the_way_until_it_is_called_off(confirmed, now):
    left = people.erase(ADDRESS, by=By.PERSON, now=now)

    assert len(left) == 1
    assert "steht noch bevor" in left[0]
    request = PersonRequest.objects.get()
    assert (request.address, request.done_at) == ("ada@example.org", None)
    assert request.due_on.isoformat() == "2027-04-01"

    cancellation.cancel_by_guest(confirmed, now=now)
    assert people.finish_open(now=now + DAY) == 1

    confirmed.refresh_from_db()
    request.refresh_from_db()
    assert confirmed.is_nameless
    assert (request.address, request.in_the_way) == ("", "")
    assert request.done_at == now + DAY


def test_a_call_that_was_held_and_not_billed_is_in_the_way(confirmed, after):
    Booking.objects.update(price_cents=30000)

    assert "noch nicht abgerechnet" in people.erase(ADDRESS, by=By.PERSON, now=after)[0]


def test_a_request_that_waits_for_the_coach_is_in_the_way(call_type, held, now):
    Booking.objects.update(status="requested", requested_until=now + DAY)

    assert "Anfrage" in people.erase(ADDRESS, by=By.PERSON, now=now)[0]


def test_money_on_its_way_is_in_the_way(booking, session, now):
    assert "läuft gerade eine Zahlung" in people.erase(ADDRESS, by=By.PERSON, now=now)[0]


def test_somebody_elses_data_stays(confirmed, after, now):
    sign_up("ben@example.org", now)

    people.erase(addresses.parse("ben@example.org"), by=By.PERSON, now=after)

    confirmed.refresh_from_db()
    assert confirmed.email == "ada@example.org"


def test_a_booking_is_found_in_whatever_capitals_it_was_made(call_type, now):
    made = hold(call_type, now=now, guest=replace(ADA, email="Ada@Example.ORG"))
    scheduling.confirm(made, now=now)

    people.erase(ADDRESS, by=By.PERSON, now=made.end + DAY)

    assert places_of("ada@example.org") == set()


def test_to_be_erased_twice_is_to_be_erased_once(confirmed, after, now):
    people.erase(ADDRESS, by=By.PERSON, now=now)
    people.erase(ADDRESS, by=By.PERSON, now=now + DAY)

    assert PersonRequest.objects.count() == 1


def test_who_asks_later_whether_they_were_erased_finds_out(confirmed, after, now):
    people.erase(ADDRESS, by=By.PERSON, now=after)

    (request,) = people.asked_before(addresses.parse("ADA@example.org"))

    assert (request.kind, request.done_at) == ("erase", after)
    assert places_of("ada@example.org") == set()


def test_the_database_keeps_no_address_of_a_request_that_is_done(db, now):
    with pytest.raises(IntegrityError, match="person_request_names_nobody_once_done"):
        PersonRequest.objects.create(
            kind="erase", by="coach", address="ada@example.org", address_hash="x",
            asked_at=now, due_on=now.date(), done_at=now,
        )  # fmt: skip


# --- the month ----------------------------------------------------------------------------------


@pytest.fixture
def waiting(confirmed, now, run_jobs, mailbox) -> PersonRequest:
    """Somebody wants to be erased whose call is still to come."""
    Booking.objects.update(start=confirmed.start + 60 * DAY, end=confirmed.end + 60 * DAY)
    people.erase(ADDRESS, by=By.PERSON, now=now)
    run_jobs()
    mailbox.clear()
    return PersonRequest.objects.get()


@pytest.fixture
def pass_days(clock, run_jobs, now):
    """Lets days pass: each has the day's job, and then what it started."""

    def pass_to(first: int, last: int) -> None:
        for day in range(first, last + 1):
            clock(now + day * DAY)
            due_person_requests(0)
            run_jobs()

    return pass_to


def test_five_days_before_the_month_is_over_the_coach_is_told_once(waiting, mailbox, pass_days):
    pass_days(0, 25)
    assert mailbox.messages == []
    pass_days(26, 40)

    (message,) = mailbox.to("coach@praxis.example")
    assert message["Subject"] == "Bald fällig: Anfrage zu Daten (Löschung)"
    said = mail_server.text(message).replace("\u00a0", " ")
    assert "bis zum Donnerstag, 1. April 2027" in said
    assert f"/verwaltung/desk/personrequest/{waiting.pk}/change/" in said
    assert "\n\n\n" not in said


def test_the_warning_names_nobody_for_it_outlives_the_erasure(waiting, mailbox, pass_days):
    pass_days(26, 26)

    (message,) = mailbox.messages
    for part in (mail_server.text(message), mail_server.html(message), message["Subject"]):
        assert "ada@example.org" not in part
        assert "Ada" not in part


def test_what_is_done_in_time_is_not_warned_of(waiting, mailbox, pass_days, now):
    PersonRequest.objects.update(done_at=now, address="", in_the_way="")

    pass_days(26, 40)

    assert mailbox.messages == []


def test_a_request_done_while_the_warning_waits_is_not_warned_of(waiting, mailbox, run_jobs, now):
    people.warn_of_due(now=now + 26 * DAY)
    PersonRequest.objects.update(done_at=now, address="", in_the_way="")

    run_jobs()

    assert mailbox.messages == []


def test_a_day_that_crashed_is_made_up_for_by_the_next(
    waiting, mailbox, pass_days, now, monkeypatch
):
    with monkeypatch.context() as broken:
        broken.setattr("coaching_site.jobs.enqueue", lambda *args, **kwargs: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            people.warn_of_due(now=now + 26 * DAY)

    pass_days(27, 30)

    assert len(mailbox.messages) == 1


@pytest.mark.django_db(transaction=True)
def test_two_runs_at_once_warn_once(waiting, now):
    found = at_once([lambda: people.warn_of_due(now=now + 26 * DAY)] * 8)

    assert Counter(found) == {0: 7, 1: 1}
    assert ProcrastinateJob.objects.filter(task_name="desk.warn_of_person_request").count() == 1


def test_the_first_page_of_the_desk_counts_what_waits(waiting, admin_client):
    page = admin_client.get("/verwaltung/").content.decode()
    assert "Eine Anfrage zu gespeicherten Daten ist offen." in page

    PersonRequest.objects.update(due_on=timezone.localdate() - DAY)
    assert "überfällig seit" in admin_client.get("/verwaltung/").content.decode()


# --- everything -------------------------------------------------------------------------------


def test_everything_is_shown_across_booking_and_newsletter(known_everywhere, now):
    told = json.dumps(people.everything_about(ADDRESS, now=now), default=str, ensure_ascii=False)

    for word in ("Ada Müller und ihr Team", "Rechenwerk GmbH", "pi_1", "Ada@example.org", "RE-"):
        assert word in told


# --- by the person ----------------------------------------------------------------------------


def ask(client, email: str = "ada@example.org"):
    form = client.get("/datenschutz/meine-daten/").content.decode()
    fields = dict(re.findall(r'name="(stamp|csrfmiddlewaretoken)" value="([^"]*)"', form))
    return client.post("/datenschutz/meine-daten/", {**fields, "email": email})


@pytest.fixture
def link(known_everywhere, mailbox) -> str:
    text = mail_server.text(mailbox.messages[-1])
    found = re.search(r"http://localhost:8000(/datenschutz/meine-daten/\S+)", text)
    assert found is not None
    return found[1]


@pytest.fixture
def at_night(clock, after):
    clock(after - DAY)  # the call is over, and the link is still good


def test_nobody_learns_whether_an_address_is_known(
    confirmed, client, mailbox, run_jobs, monkeypatch
):
    run_jobs()
    mailbox.clear()
    monkeypatch.setattr("coaching_site.spam.check", lambda data: None)

    known = ask(client)
    first = run_jobs()
    stranger = ask(client, "stranger@example.org")
    second = run_jobs()

    assert (known.status_code, known.url) == (stranger.status_code, stranger.url)
    assert first == second == ["desk.send_person_link"]
    assert [message["To"] for message in mailbox.messages] == ["ada@example.org"]
    assert places_of("stranger@example.org") == set()


def test_the_link_is_good_for_a_day(link, client, clock, now):
    clock(now + DAY - timedelta(minutes=1))
    assert client.get(link).status_code == 200
    clock(now + DAY)
    assert client.get(link).status_code == 410
    assert people.forget_links(now=now + DAY) == 1


def test_looking_at_the_pages_changes_nothing(link, client, clock):
    for path in (link, f"{link}alles/", f"{link}daten.json", f"{link}loeschen/"):
        answer = client.get(path)
        assert answer.status_code in (200, 303)
        assert answer["Cache-Control"] == "no-store"
        assert answer["Referrer-Policy"] == "no-referrer"
        assert not answer.cookies

    assert not PersonRequest.objects.exists()


def test_two_buttons_show_and_take_everything(link, client, clock):
    page = client.post(f"{link}alles/").content.decode()
    file = client.post(f"{link}daten.json")

    assert "Ada Müller und ihr Team" in page
    assert json.loads(file.content)["Termine"][0]["Name"] == "Ada Müller"
    assert PersonRequest.objects.get().kind == "export"


def test_the_person_erases_all_and_the_link_is_dead(link, client, clock, after, now):
    PersonLink.objects.update(expires_at=after + DAY)
    clock(after)

    page = client.post(f"{link}loeschen/").content.decode()

    assert "Deine Daten sind gelöscht" in page
    assert places_of("ada@example.org", "Ada Müller") == INVOICES
    assert client.get(link).status_code == 410


def test_what_is_in_the_way_is_said_before_and_after(link, client, clock):
    assert "steht noch bevor" in client.get(f"{link}loeschen/").content.decode()
    assert "Fast alles ist gelöscht" in client.post(f"{link}loeschen/").content.decode()


def test_a_made_up_link_opens_nothing(client, db):
    assert client.get("/datenschutz/meine-daten/geraten/").status_code == 410


# --- by the coach -----------------------------------------------------------------------------


def test_the_coach_looks_takes_and_erases_after_a_question(
    known_everywhere, client, admin_user, clock, after
):
    clock(after)
    client.force_login(admin_user)
    page = "/verwaltung/desk/personrequest/person/"

    assert "Ada Müller" in client.post(page, {"email": "ada@example.org"}).content.decode()
    file = client.post(page, {"email": "ada@example.org", "file": "1"})
    assert json.loads(file.content)["Termine"]
    asked = client.post(page, {"email": "ada@example.org", "erase": "1"}).content.decode()
    assert "lässt sich nicht zurücknehmen" in asked
    assert Booking.objects.filter(email="ada@example.org").exists()

    client.post(page, {"email": "ada@example.org", "confirm": "1"})

    assert places_of("ada@example.org", "Ada Müller") == INVOICES


def test_the_list_shows_what_is_to_do_and_what_is_too_late(waiting, admin_client, now):
    people.note_export(addresses.parse("ben@example.org"), by=By.COACH, now=now)
    PersonRequest.objects.filter(pk=waiting.pk).update(due_on=timezone.localdate() - DAY)
    page = "/verwaltung/desk/personrequest/"

    def rows(query: str = "") -> list[str]:
        shown = admin_client.get(page + query).content.decode()
        return re.findall(r'field-kind"><a [^>]*>(\w+)</a>', shown)

    assert "(überfällig)</strong>" in admin_client.get(page).content.decode()
    assert rows() == ["Löschung"]
    assert rows("?stand=erledigt") == ["Auskunft"]
    assert rows("?stand=alle") == ["Löschung", "Auskunft"]


def test_yes_and_no_are_words(known_everywhere, admin_client):
    page = admin_client.post(
        "/verwaltung/desk/personrequest/person/", {"email": "ada@example.org", "look": ""}
    ).content.decode()

    assert "<dt>ohne Zahlung eingetragen</dt>" in page
    assert not re.search(r"<dd>\s*(True|False)", page)


def test_only_who_may_erase_is_let_near_it(known_everywhere, client, django_user_model):
    from django.contrib.auth.models import Permission  # noqa: PLC0415

    helper = django_user_model.objects.create_user("hilfe", password="x", is_staff=True)
    helper.user_permissions.add(Permission.objects.get(codename="view_personrequest"))
    client.force_login(helper)
    page = "/verwaltung/desk/personrequest/person/"

    looked = client.post(page, {"email": "ada@example.org"})
    refused = client.post(page, {"email": "ada@example.org", "confirm": "1"})

    assert looked.status_code == 200
    assert b"schen \xe2\x80\xa6" not in looked.content
    assert refused.status_code == 403
    assert Booking.objects.filter(email="ada@example.org").exists()


def test_the_invoice_of_somebody_forgotten_is_marked_and_found_by_its_number_alone(
    known_everywhere, client, admin_user, clock, after
):
    clock(after)
    client.force_login(admin_user)
    people.erase(ADDRESS, by=By.COACH, now=after)
    invoice, papers_page = Invoice.objects.get(), "/verwaltung/booking/invoice/"

    by_name = client.get(papers_page, {"q": "Müller"}).content.decode()
    by_number = client.get(papers_page, {"q": invoice.number}).content.decode()
    page = client.get(f"{papers_page}{invoice.pk}/change/").content.decode()

    assert invoice.number not in by_name.replace(f'value="{invoice.number}"', "")
    assert f"/verwaltung/booking/invoice/{invoice.pk}/" in by_number
    assert "gesperrt" in by_number
    assert "Müller" not in by_number
    assert "nur noch für Finanzamt und Steuerberatung" in page


def test_too_many_questions_for_a_link_are_refused_and_nobody_is_written_to(
    client, db, mailbox, run_jobs, monkeypatch
):
    monkeypatch.setattr("newsletter.views.common.TRIES_OVERALL", 0)
    stamp = spam.stamp(timezone.now() - timedelta(minutes=1))

    response = client.post(
        "/datenschutz/meine-daten/", {"email": "ada@example.org", "stamp": stamp}
    )

    run_jobs()
    assert response.status_code == 429
    assert "zu viele Versuche" in response.content.decode()
    assert mailbox.messages == []


def test_a_robot_that_asks_for_a_link_reads_the_same_and_nobody_is_written_to(
    client, db, mailbox, run_jobs
):
    response = client.post(
        "/datenschutz/meine-daten/", {"email": "ada@example.org", "website": "x"}
    )

    run_jobs()
    assert (response.status_code, response.url) == (303, "/datenschutz/meine-daten/unterwegs/")
    assert mailbox.messages == []
