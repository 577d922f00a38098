"""„Heute“: the next calls, what waits and where it is solved, free time and figures, in few queries."""

from __future__ import annotations

import re
import shutil
from datetime import date, timedelta
from html import unescape
from urllib.parse import unquote

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from booking import availability, deposits, invoicing, scheduling
from booking.models import (
    Alarm,
    Booking,
    BusyFeed,
    Calendar,
    Deposit,
    Notification,
    Refund,
    WithdrawalMail,
)
from coaching_site.desk import attention, navigation, today
from coaching_site.desk.matters import Matter, Urgency
from coaching_site.desk.models import PersonRequest
from coaching_site.desk.questions import Answer, Question, ask, some
from newsletter.models import Delivery, Inbox, Issue, Subscriber
from pages.legal_models import CHECKED_BY_A_LAWYER
from pages.models import Practice
from tests.booking.conftest import ADA, BEN, HALF_PAST_NINE, NINE, hold, new_type, somebody
from tests.booking.desk import pay_and_bill, queries, staff, words
from tests.booking.papers import IBAN, address_of, give_back
from tests.booking.test_withdrawals import declare
from tests.desk.test_upkeep import Usage
from tests.pages.test_legal import publish

pytestmark = pytest.mark.django_db

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
INDEX = reverse("admin:index")
CALM = "Nichts wartet auf dich."
# With session, user, second factor and permissions.
FEWER_THAN = 15


@pytest.fixture
def coach(db):
    return get_user_model().objects.create_superuser("coach")


@pytest.fixture
def desk(client, coach, clock):
    client.force_login(coach)
    return client


def sentences(user, now) -> dict[str, Matter]:
    return {matter.sentence: matter for matter in today.page(user, now=now).matters}


@pytest.fixture(autouse=True)
def room_on_the_disk(monkeypatch):
    """Whatever there is on the one that the tests run on."""
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**12, 0, 10**12))


def all_well(now) -> None:
    """Nothing of the law is missing, and every job is done; needs the practice to be whole."""
    for kind in CHECKED_BY_A_LAWYER:
        publish(kind, now=now)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM procrastinate_jobs")


# --- the next calls -------------------------------------------------------------------------------


def test_calls_stand_under_their_day_with_all_that_can_be_done(desk, call_type, clock, now):
    scheduling.confirm(hold(call_type, now=now), now=now)
    booking = Booking.objects.get()
    clock(NINE - DAY)

    page = words(desk.get(INDEX))

    assert re.search(r"Morgen.*09:00–09:30 Uhr.*Ada Müller.*Rechenwerk.*Mein Team", page)
    assert 'href="https://video.example/raum"' in page
    for name in ("change", "move", "cancel"):
        assert reverse(f"admin:booking_booking_{name}", args=[booking.pk]) in page
    [mail] = re.findall(r'href="(mailto:[^"]+)"', page)
    assert unquote(unescape(mail)) == (
        "mailto:ada@example.org?subject=Kennenlerngespräch am Mi., 03.03.2027, 09:00 Uhr"
    )


def test_who_did_not_come_is_noted_where_the_call_is_shown(desk, confirmed, clock):
    missed = reverse("admin:booking_booking_no_show", args=[confirmed.pk])
    clock(NINE - MINUTE)
    assert missed not in words(desk.get(INDEX))

    clock(NINE + 2 * HOUR)
    page = words(desk.get(INDEX))

    assert "Heute" in page
    assert missed in page
    assert reverse("admin:booking_booking_move", args=[confirmed.pk]) not in page
    assert "https://video.example/raum" not in page


def test_days_are_named_as_people_name_them(now):
    monday = timezone.localdate(now)

    assert [today.heading(monday + days * DAY, now=now) for days in (0, 1, 7)] == [
        "Heute",
        "Morgen",
        "Montag, 8.\u00a0März",
    ]
    assert today.heading(date(2028, 1, 3), now=now) == "Montag, 3.\u00a0Januar 2028"


def test_only_an_address_of_the_web_is_offered_as_a_room(call_type):
    for place in ("javascript:alert(1)", "Den Link bekommst du.", "https://a.example b"):
        call_type.place_detail = place
        assert today._room(call_type) == ""


# --- what waits -----------------------------------------------------------------------------------


def test_nothing_waits_when_all_is_well(desk, whole, confirmed, now):
    all_well(now)

    assert CALM in words(desk.get(INDEX))


def everything_waits(call_type, paid, now) -> None:
    """One of each kind, as seen from two weeks later, but what is told of calls: they come soon."""
    deposit = Deposit.objects.get(booking=paid)
    deposits.alarm(deposit, Alarm.Kind.LATE, now=now)
    first = declare(now)
    WithdrawalMail.objects.filter(withdrawal=first).update(failed_at=now)
    PersonRequest.objects.create(
        kind="erase", by="person", address="a@example.org", asked_at=now, due_on=date(2027, 3, 10)
    )
    BusyFeed.objects.create(
        calendar=call_type.calendar,
        name="Privat",
        url="https://x.example",
        failing_since=now,
        last_error="weg",
    )
    Refund.objects.create(
        deposit=deposit, reason="by_hand", amount_cents=100, created_at=now, status="pending"
    )
    Deposit.objects.create(
        booking=hold(call_type, now=now, guest=BEN, start=HALF_PAST_NINE),
        amount_cents=100,
        created_at=now,
        expires_at=now + HOUR,
    )
    issue = {"created_at": now, "changed_at": now, "started_at": now, "candidates": 1}
    Issue.objects.create(subject="Hält", slug="haelt", status="paused", **issue)
    Issue.objects.create(
        subject="Ruht", slug="ruht", status="sending", resume_at=now + 99 * DAY, **issue
    )
    sent = Issue.objects.create(
        subject="Ging", slug="ging", status="sent", finished_at=now, **issue
    )
    Delivery.objects.create(issue=sent, state=Delivery.State.UNCERTAIN)
    Subscriber.objects.create(
        address="b@example.org", address_key="b@example.org", created_at=now, mail_requested_at=now
    )
    Inbox.objects.create(name="inbox", failing_since=now)


WAITS = {
    "Zu einer Zahlung fehlt deine Entscheidung.",
    "Ein Widerruf ist offen.",
    "Eine Mail zu einem offenen Widerruf kam nicht an.",
    "Eine Anfrage zu gespeicherten Daten ist offen.",
    "Ein fremder Kalender lässt sich nicht lesen: Neues darin hält hier keine Zeit frei.",
    "Eine Erstattung ist nach Tagen noch nicht angekommen.",
    "Bei einer Zahlung ist noch immer unklar, ob Geld kam.",
    "Eine Ausgabe des Newsletters steht still und braucht deine Entscheidung.",
    "Der Versand einer Ausgabe ruht, weil der Mailserver nichts annimmt; er geht von selbst weiter.",
    "Bei einer Ausgabe ist von einigen Mails ungewiss, ob sie hinausgingen.",
    "Jemand wartet auf die Mail zur Anmeldung beim Newsletter.",
    "Das Postfach für Rückläufer lässt sich nicht lesen: Tote Adressen bleiben unbemerkt.",
}


def test_everything_that_waits_leads_to_where_it_is_solved(
    desk, coach, whole, call_type, booked, clock, now
):
    everything_waits(call_type, booked, now)
    later = now + 8 * DAY
    clock(later)
    desk.force_login(coach)

    found = sentences(coach, later)

    assert set(found) >= WAITS
    for matter in found.values():
        for way in matter.ways:
            assert desk.get(way.address).status_code == 200, matter
    order = [matter.urgency for matter in today.page(coach, now=later).matters]
    assert order == sorted(order)
    Refund.objects.all().delete()  # Stripe knows nothing of it
    Deposit.objects.filter(amount_cents=100).delete()


def test_the_clock_of_a_withdrawal_is_told(coach, whole, now):
    declare(now)

    early, late, over = (
        sentences(coach, now + days * DAY)["Ein Widerruf ist offen."] for days in (1, 10, 15)
    )

    assert early.urgency > late.urgency == over.urgency == Urgency.NOW
    assert early.until.replace("\u00a0", " ") == "Geld zurück bis Mo., 15.03.2027, noch 13 Tage"
    assert over.until == "überfällig seit Mo., 15.03.2027"


def test_a_request_leads_to_yes_and_no_and_several_to_their_list(coach, calendar, now):
    asked = new_type(calendar, needs_approval=True)
    for start, guest in ((NINE, ADA), (HALF_PAST_NINE, BEN)):
        scheduling.confirm(hold(asked, now=now, start=start, guest=guest), now=now)
        waiting = Booking.objects.filter(status=Booking.Status.REQUESTED).order_by("pk")
        if len(waiting) == 1:
            [one] = sentences(coach, now)["Eine Anfrage wartet auf deine Antwort."].ways
            assert one.address == reverse("admin:booking_booking_answer", args=[waiting[0].pk])

    several = sentences(coach, now)["2 Anfragen warten auf deine Antwort."]

    assert several.ways[0].address.endswith("/booking/booking/?status__exact=requested")


def test_a_mail_that_cannot_be_sent_leads_to_its_booking(coach, confirmed, now):
    Notification.objects.filter(audience="guest").update(last_error="Deferred: 451", attempts=2)
    [matter] = attention.unsent_mails(coach, now=now)
    assert (
        matter.sentence == "Eine Mail zu einem Termin ging nicht hinaus; es wird weiter versucht."
    )
    assert [way.text for way in matter.ways] == [ADA.name]

    Notification.objects.update(sent_at=now)
    assert list(attention.unsent_mails(coach, now=now)) == []


def test_legal_texts_that_are_missing_or_outdated_are_named(coach, whole, now):
    all_well(now)
    whole.phone = "+49 30 99"
    whole.save()
    outdated = [told for told in sentences(coach, now) if told.startswith("Seit der Veröff")]
    assert "Widerrufsbelehrung" in outdated[0]

    whole.phone = whole.vat_id = ""
    whole.save()
    assert "Im Impressum fehlt: Telefon." in sentences(coach, now)
    assert "Für Rechnungen fehlt: Steuernummer." in sentences(coach, now)


def test_an_invoice_is_told_when_it_is_overdue(coach, whole, paid_type, stripe, now):
    booking = pay_and_bill(paid_type, stripe, now)
    address_of(booking)
    Practice.objects.update(iban=IBAN)
    bill = invoicing.issue_final(booking, now=NINE + DAY)
    assert bill.due_on is not None
    due = NINE + (bill.due_on - NINE.date())

    assert "Eine Rechnung ist überfällig." not in sentences(coach, due)
    matter = sentences(coach, due + DAY)["Eine Rechnung ist überfällig."]

    assert matter.ways[0].address == reverse("admin:booking_invoice_change", args=[bill.pk])


def test_a_call_that_nobody_confirmed_is_told_before_it_begins(coach, confirmed):
    matter = sentences(coach, NINE - MINUTE)[
        "Ein Gespräch steht bevor, und seine Bestätigung kam nie an."
    ]

    assert matter.urgency == Urgency.NOW
    assert matter.until == "Beginn Mi., 03.03.2027, 09:00\u00a0Uhr"


# --- free time ------------------------------------------------------------------------------------


def test_the_next_days_say_what_is_open_booked_and_free(coach, call_type, now):
    call_type.buffer_after = 15
    call_type.save()
    scheduling.confirm(hold(call_type, now=now), now=now)
    feed = BusyFeed.objects.create(calendar=call_type.calendar, name="x", url="https://x.example")
    feed.busy_times.create(start=NINE + 2 * HOUR, end=NINE + 9 * HOUR)

    [week] = today.page(coach, now=now + HOUR).weeks

    told = [[day.heading, day.opened, day.booked, day.free] for day in week.days]
    plain = [[word.replace("\u00a0", " ") for word in day] for day in told]
    assert plain[0] == ["Heute", "3 Std.", "0 Std.", "2 Std."]
    assert plain[2] == ["Mittwoch, 3. März", "3 Std.", "0:30 Std.", "1:15 Std."]
    assert [day.is_closed for day in week.days] == [False] * 5 + [True] * 2
    assert all(
        bar.x >= 0 and bar.x + bar.width <= today.BAR for day in week.days for bar in day.bars
    )


# --- figures, rights, queries ---------------------------------------------------------------------


def test_money_is_shown_to_whoever_may_see_it_alone(
    client, clock, coach, whole, paid_type, stripe, now
):
    pay_and_bill(paid_type, stripe, now)

    figures = {figure.label: figure.value for figure in today.page(coach, now=now).figures}
    assert figures["Eingenommen im März"] == "150,00\u00a0€"
    assert figures["Gespräche diese Woche"] == "1"

    helper = staff(client, "view_booking", "change_booking", "view_subscriber")
    page = words(helper.get(INDEX))
    assert "Gespräche diese Woche" in page
    assert "€" not in page
    assert "Einrichtung:" not in page


def test_the_first_page_and_the_figures_tell_the_same_of_this_month(
    client, clock, coach, whole, paid_type, stripe, now
):
    booked = pay_and_bill(paid_type, stripe, now)
    give_back(booked, 4_000, now=now)
    address_of(booked)
    Practice.objects.update(iban=IBAN)
    later = now + 3 * DAY
    final = invoicing.issue_final(booked, now=later)
    invoicing.note_paid(final, on=timezone.localdate(later), by="coach", now=later)
    clock(later)
    client.force_login(coach)

    told = {figure.label: figure.value for figure in today.page(coach, now=later).figures}
    table = client.get(reverse("admin:figures_csv", args=["geld"])).content.decode()

    month, _, back, left = table.splitlines()[-1].split(";")
    assert (month, back) == ("2027-03", "40,00")
    assert told["Eingenommen im März"] == f"{left}\u00a0€"


def test_somebody_without_rights_sees_an_empty_day(client, clock, confirmed):
    page = words(staff(client).get(INDEX))

    assert ADA.name not in page
    assert "Die nächsten" not in page
    assert CALM in page


def test_the_first_page_takes_few_queries_however_much_there_is(
    client, whole, paid_type, stripe, clock, now
):
    helper = staff(client, *permissions())
    Calendar.objects.create(name="Zweiter")
    pay_and_bill(paid_type, stripe, now)
    before = queries(helper, INDEX)
    confirmed = {"status": "confirmed", "confirmed_at": now, "held_until": None}
    for slot in availability.offered_slots(paid_type, now=now)[:12]:
        booking = hold(paid_type, now=now, start=slot.start, guest=somebody())
        Booking.objects.filter(pk=booking.pk).update(deposit_waived=True, **confirmed)
        declare(now, message=str(slot.start))
        PersonRequest.objects.create(
            kind="erase", by="person", address_hash=str(slot.start), asked_at=now, due_on=now.date()
        )
    Calendar.objects.create(name="Dritter")

    assert queries(helper, INDEX) == before < FEWER_THAN


def permissions() -> list[str]:
    """Everything, given one by one: a superuser's rights cost no query."""
    names = (
        "refund",
        "invoicepayment",
        "booking",
        "deposit",
        "invoice",
        "alarm",
        "withdrawal",
        "busyfeed",
        "issue",
        "subscriber",
    )
    return [*(f"view_{name}" for name in (*names, "personrequest", "legaltext")), "change_practice"]


def test_the_second_factor_is_asked_for_once_a_page(desk, whole, confirmed):
    with CaptureQueriesContext(connection) as captured:
        desk.get(reverse("admin:booking_booking_changelist"))

    asked = [query["sql"] for query in captured if "otp_totp" in query["sql"]]
    assert len(asked) == 1
    assert len(captured) < FEWER_THAN


def test_questions_are_answered_in_one_query(confirmed, django_assert_num_queries):
    bookings = Booking.objects.all()
    questions = {
        "all": Question(bookings, moment="start", amount="price_cents"),
        "none": Question(bookings.filter(name="Niemand"), moment="start"),
        "some": Question(some(bookings)),
    }

    with django_assert_num_queries(1):
        answers = ask(questions)

    assert answers["all"] == Answer(1, confirmed.pk, NINE, 0)
    assert answers["none"] == Answer()
    assert answers["some"].is_there


# --- ways through the desk ------------------------------------------------------------------------


def test_the_navigation_says_where_one_is_and_leads_where_one_may(client, desk, confirmed):
    page = words(desk.get(INDEX))
    assert f'<a href="{INDEX}" aria-current="page">Heute</a>' in page
    set_up = reverse("admin:set_up")
    assert f'<a href="{set_up}">Einrichten</a>' in page
    assert f'<a href="{set_up}" aria-current="page">' in words(desk.get(set_up))

    client.logout()
    assert 'class="places"' not in words(client.get(reverse("admin:login")))
    assert "Einrichten</a>" not in words(staff(client, "view_booking").get(INDEX))


def test_every_list_of_the_admin_stands_in_one_section(coach):
    request = RequestFactory().get(INDEX)
    request.user = coach
    sections = admin.site.get_app_list(request)

    listed = [model["model"] for section in sections for model in section["models"]]
    known = {model for model in admin.site._registry if model._meta.app_label != "procrastinate"}
    assert sorted(map(str, listed)) == sorted(map(str, known))
    titles = [section["name"] for section in sections]
    assert titles == [title for title, _ in navigation.SECTIONS if title in titles]
    assert titles[0] == "Termine"
    assert titles[-1] == "Technik"
    named = {key for _, keys in navigation.SECTIONS for key in keys if "*" not in key}
    assert {apps.get_model(key) for key in named} <= known
