"""The figures are true, whoever looks sees only what they may, and looking costs few queries."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime, timedelta

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType

from booking import invoicing
from booking.models import Booking, Deposit, Refund
from coaching_site.desk import figures, retention
from coaching_site.desk.figures import NoSuchMonth, Period, Takings, Week
from coaching_site.desk.models import PersonRequest
from pages.models import DailyCount, Practice
from tests.booking.conftest import ADA, hold
from tests.booking.desk import pay, queries, staff, words
from tests.booking.papers import address_of, give_back, practice

pytestmark = pytest.mark.django_db

PAGE = "/verwaltung/zahlen/"
TODAY = date(2027, 3, 1)
MARCH = Period(date(2027, 3, 1), TODAY)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
MONEY = ("view_deposit", "view_refund", "view_invoicepayment")


@pytest.fixture
def desk(client, clock):
    client.force_login(get_user_model().objects.create_superuser("coach"))
    return client


def call(
    call_type, start: datetime, *, booked: datetime | None = None, **changes: object
) -> Booking:
    """A call as it stands afterwards, booked a day before unless said otherwise."""
    values: dict[str, object] = {
        "status": "confirmed",
        "confirmed_at": booked or start - DAY,
        "created_at": booked or start - DAY,
        **changes,
    }
    if values["status"] == "cancelled":
        values = {"cancelled_by": "guest", **values}
    return Booking.objects.create(
        calendar=call_type.calendar,
        call_type=call_type,
        start=start,
        end=start + HOUR / 2,
        name=ADA.name,
        email=f"{uuid.uuid4().hex}@example.org",
        **values,
    )


def weeks(now: datetime, period: Period = MARCH) -> list[Week]:
    return figures.weeks(figures.calls(period, now=now), period)


def way(now: datetime, period: Period = MARCH) -> figures.Way:
    rows = figures.ways(figures.calls(period, now=now), figures.views(period), period)
    return next(row for row in rows if row.first_day == period.month)


def moved(period: Period = MARCH, *, is_live: bool = False) -> Takings:
    return figures.takings(figures.money(period, is_live=is_live), period)[-1]


# --- what is counted --------------------------------------------------------------------------


def test_a_week_counts_what_happened_in_it_by_the_clock_in_berlin(call_type, now):
    monday = datetime(2027, 2, 21, 23, 30, tzinfo=UTC)  # 00:30 in Berlin
    call(call_type, monday + 2 * DAY, booked=monday - HOUR)
    call(call_type, monday + 3 * DAY, booked=monday, no_show_at=monday + 4 * DAY)
    call(call_type, now + 9 * DAY, booked=monday, status="cancelled", cancelled_at=monday + DAY)

    assert weeks(now)[-3:] == [
        Week(date(2027, 2, 15), booked=1, cancelled=0, no_shows=0),
        Week(date(2027, 2, 22), booked=2, cancelled=1, no_shows=1),
        Week(date(2027, 3, 1), booked=0, cancelled=0, no_shows=0),
    ]
    assert len(weeks(now)) == figures.WEEKS_SHOWN


def test_what_was_asked_for_or_held_and_never_booked_is_no_call(call_type, now):
    hold(call_type, now=now)
    asked = call(call_type, now + DAY, booked=now)
    Booking.objects.filter(pk=asked.pk).update(
        status="cancelled", confirmed_at=None, cancelled_at=now, cancelled_by="coach"
    )

    assert weeks(now)[-1] == Week(TODAY, booked=0, cancelled=0, no_shows=0)


def test_the_way_to_a_call_is_that_of_guests_who_booked_themselves(call_type, now):
    DailyCount.objects.create(day=date(2027, 2, 1), what="landing", count=150)
    DailyCount.objects.create(day=date(2027, 2, 28), what="landing", count=50)
    DailyCount.objects.create(day=date(2027, 2, 28), what="times", count=20)
    DailyCount.objects.create(day=TODAY, what="times", count=7)
    call(call_type, now - 3 * DAY)
    call(call_type, now - 4 * DAY, no_show_at=now)
    call(call_type, now - 5 * DAY, made_by="coach")
    call(call_type, now - HOUR / 4, booked=now - 9 * DAY)  # not over yet

    february = way(now, Period(date(2027, 2, 1), TODAY))
    assert [count for _, count in february.steps] == [200, 20, 3, 1]
    assert february.shares == ["10,0\u00a0%", "15,0\u00a0%", "33,3\u00a0%"]
    assert way(now).shares == ["–", "0,0\u00a0%", "–"]


def test_money_counts_gross_in_the_month_it_moved(paid_type, stripe, now):
    booked = pay(paid_type, stripe, now)
    assert moved() == Takings(TODAY, received=15_000, refunded=0)

    give_back(booked, 4_000, now=now)
    Refund.objects.update(settled_at=now + 40 * DAY)
    april = Period(date(2027, 4, 1), date(2027, 4, 30))

    assert (moved().refunded, moved(april).refunded) == (0, 4_000)
    assert figures.takings(figures.money(april, is_live=False), april)[-2].received == 15_000


def test_a_refund_that_failed_gave_nothing_back(paid_type, stripe, now):
    booked = pay(paid_type, stripe, now)
    give_back(booked, 4_000, now=now)
    Refund.objects.update(status=Refund.Status.FAILED)
    assert moved().refunded == 0
    Refund.objects.update(status=Refund.Status.SUCCEEDED)


def test_money_of_the_test_mode_never_counts_beside_real_money(paid_type, stripe, now):
    pay(paid_type, stripe, now)

    assert (moved(is_live=False).received, moved(is_live=True).received) == (15_000, 0)


def test_a_transfer_counts_on_its_day_without_what_was_cancelled_before(paid_type, stripe, now):
    practice()
    booked = pay(paid_type, stripe, now)
    Deposit.objects.update(livemode=True)
    invoicing.write_owed(booked, now=now)
    address_of(booked)
    later = now + 3 * DAY
    final = invoicing.issue_final(booked, now=later)
    march = Period(date(2027, 3, 1), later.date())

    invoicing.note_paid(final, on=later.date(), by="coach", now=later)
    assert moved(march, is_live=True).received == 15_000 + final.gross_cents

    invoicing.storno(final, reason="Falsch.", now=later + HOUR)
    assert moved(march, is_live=True).received == 15_000 + final.gross_cents
    Deposit.objects.update(livemode=False)


def test_forgetting_guests_leaves_the_figures_as_they_were(call_type, now):
    call(call_type, now - 30 * DAY)
    call(call_type, now - 31 * DAY, status="cancelled", cancelled_at=now - 32 * DAY)
    call(call_type, now - 33 * DAY, no_show_at=now - 32 * DAY)
    before = weeks(now)

    retention.carry_out(now=now + 5 * 365 * DAY)

    assert Booking.objects.get(status="cancelled").is_nameless
    assert weeks(now) == before


# --- which time -------------------------------------------------------------------------------


def test_by_itself_the_last_whole_month_and_all_until_today_is_shown():
    period = figures.lately(date(2027, 1, 5))

    assert (period.month, period.until) == (date(2026, 12, 1), date(2027, 1, 5))
    assert (period.months[0], period.months[-1]) == (date(2025, 2, 1), date(2027, 1, 1))
    assert (period.weeks[-1], len(period.weeks)) == (date(2027, 1, 4), 26)


@pytest.mark.parametrize(
    ("asked", "until"),
    [("2027-02", date(2027, 2, 28)), ("2027-03", TODAY), ("2000-01", date(2000, 1, 31))],
)
def test_a_month_is_shown_to_its_end_or_today(asked, until):
    assert figures.period_of(asked, today=TODAY).until == until


@pytest.mark.parametrize(
    "text", ["2027-04", "2027-13", "1999-12", "März", "2027-3", "2027-03-01", "²027-03", " "]
)
def test_what_is_no_month_or_still_to_come_is_refused(text):
    with pytest.raises(NoSuchMonth):
        figures.period_of(text, today=TODAY)


# --- the page ---------------------------------------------------------------------------------


def test_last_months_revenue_is_read_at_once(desk, paid_type, stripe, now):
    booked = pay(paid_type, stripe, now)
    give_back(booked, 4_000, now=now)
    Deposit.objects.update(paid_at=now - 9 * DAY)
    call(paid_type, now - 9 * DAY)

    page = words(desk.get(PAGE))
    assert (
        "<strong>Februar 2027:</strong> 150,00 € eingenommen, 0,00 € erstattet, 1 Gespräch" in page
    )
    assert (
        "<strong>März 2027 bis heute:</strong> 0,00 € eingenommen, 40,00 € erstattet, 0 Gespräche"
        in page
    )
    assert "Brutto, inkl. 19 % MwSt.," in page
    assert page.count('class="figure"') == 4


def test_who_owes_no_vat_reads_so(desk):
    Practice.objects.create(pk=1, vat_mode="small_business")

    assert "Brutto, umsatzsteuerfrei nach § 19 UStG," in words(desk.get(PAGE))


def test_each_chart_has_its_table(desk, call_type, now):
    call(call_type, now - 9 * DAY)
    page = words(desk.get(PAGE, {"monat": "2027-02"}))

    assert page.count("<details>") == 4
    assert '<th scope="row">15.02.2027</th> <td class="number">1</td>' in page
    assert "<strong>Februar 2027:</strong>" in page
    assert "bis heute:" not in page


def test_a_month_that_is_none_is_said_and_the_usual_shown(desk):
    answer = desk.get(PAGE, {"monat": "<2027>"})

    assert answer.status_code == 400
    assert "Zum Monat „&lt;2027&gt;“ gibt es keine Zahlen." in words(answer)
    assert "Februar 2027" in words(answer)
    assert desk.get(f"{PAGE}termine.csv", {"monat": "x"}).status_code == 404


def test_who_may_not_see_money_sees_none(client, clock, paid_type, stripe, now):
    pay(paid_type, stripe, now)
    helper = staff(client, "view_booking", "view_subscriber")

    page = words(helper.get(PAGE))
    assert "0 Gespräche, 0 neu gebucht" in page
    assert "€" not in page
    assert "CSV" not in page
    assert helper.get(f"{PAGE}termine.csv").status_code == 403


@pytest.mark.parametrize("permissions", [(), MONEY[:2]])
def test_who_may_see_nothing_of_it_is_refused(client, clock, permissions):
    assert staff(client, *permissions).get(PAGE).status_code == 403


def test_files_need_the_permission_to_export_and_to_see(client, clock, paid_type, stripe, now):
    pay(paid_type, stripe, now)
    kind = ContentType.objects.get_for_model(PersonRequest)
    Permission.objects.get_or_create(codename="export_data", content_type=kind)
    helper = staff(client, "view_booking", "export_data")

    file = helper.get(f"{PAGE}termine.csv")
    assert file["Content-Disposition"] == 'attachment; filename="termine-bis-2027-03-01.csv"'
    assert file.content.decode("utf-8-sig").splitlines()[-1] == "01.03.2027;1;0;0"
    assert helper.get(f"{PAGE}geld.csv").status_code == 403
    assert helper.get(f"{PAGE}fehlt.csv").status_code == 404


def test_every_table_comes_as_a_file(desk, paid_type, stripe, now):
    pay(paid_type, stripe, now)
    DailyCount.objects.create(day=TODAY, what="landing", count=1234)

    last = {
        name: desk.get(f"{PAGE}{name}.csv").content.decode("utf-8-sig").splitlines()[-1]
        for name in ("geld", "termine", "weg", "abos", "tage")
    }
    assert last == {
        "geld": "2027-03;150,00;0,00;150,00",
        "termine": "01.03.2027;1;0;0",
        "weg": "2027-03;1234;0;0,0\u00a0%;1;–;0;0,0\u00a0%",
        "abos": "2027-03;0;0;0",
        "tage": "01.03.2027;1234;0;1;0;0;0",
    }


def test_looking_costs_as_few_queries_with_many_rows_as_with_one(client, clock, call_type, now):
    helper = staff(client, "view_booking", "view_subscriber", *MONEY)
    asked = []
    for count in (1, 40):
        for number in range(count):
            call(call_type, now - (count + number) * DAY)
            DailyCount.objects.create(day=TODAY - (count + number) * DAY, what="landing", count=3)
        asked.append(queries(helper, PAGE))

    assert asked[0] == asked[1] <= 13


def test_the_old_page_of_the_list_leads_here(desk):
    assert desk.get("/verwaltung/newsletter/subscriber/wachstum/")["Location"] == f"{PAGE}#abos"


def test_a_file_ends_with_the_month_that_is_asked_for(desk):
    for name, last in (("abos", "2026-11;0;0;0"), ("geld", "2026-11;0,00;0,00;0,00")):
        file = desk.get(f"{PAGE}{name}.csv", {"monat": "2026-11"})
        assert file.content.decode("utf-8-sig").splitlines()[-1] == last
        assert file["Content-Disposition"].endswith(f'"{name}-bis-2026-11-30.csv"')
