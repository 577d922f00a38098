"""Why a time is taken, in the coach's words."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

import pytest

from booking import availability, checkout, diagnosis, scheduling
from booking.models import DateOverride
from coaching_site.german import NBSP
from tests.booking.conftest import BEN, HALF_PAST_NINE, NINE, hold, new_type, somebody

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


def plain(text):
    return text.replace(NBSP, " ")


def found(call_type, start, now):
    """The findings, with plain spaces to compare with."""
    findings = diagnosis.findings(call_type, start=start, now=now)
    return [replace(finding, sentence=plain(finding.sentence)) for finding in findings]


def only(call_type, start, now):
    (finding,) = found(call_type, start, now)
    return finding


def test_nothing_speaks_against_a_free_time(call_type, now):
    assert found(call_type, NINE, now) == []


def test_an_appointment_is_named_and_never_overridden(call_type, confirmed, now):
    finding = only(call_type, NINE, now)

    assert finding.sentence == "Zu dieser Zeit ist schon ein Termin: 09:00–09:30 Uhr."
    assert finding.about == (confirmed,)
    assert not finding.can_be_overridden


def test_a_hold_says_how_long_it_lasts(call_type, held, now):
    finding = only(call_type, NINE, now)

    assert "die Zeit wird bis 09:15 Uhr gehalten" in finding.sentence
    assert (finding.about, finding.can_be_overridden) == ((held,), False)


def test_a_hold_that_ran_out_blocks_nothing(call_type, held, now):
    assert found(call_type, NINE, held.held_until) == []


@pytest.mark.parametrize(
    ("minutes", "when"), [(30, "Beginn frühestens 09:45"), (-30, "Beginn spätestens 08:15")]
)
def test_a_pause_says_whose_it_is_and_when_it_would_be_kept(calendar, now, minutes, when):
    calendar.weekly_hours.update(start=time(8))
    call_type = new_type(calendar, buffer_before=10, buffer_after=15)
    neighbour = hold(call_type, now=now)

    finding = only(call_type, NINE + timedelta(minutes=minutes), now)

    assert "fehlt die Pause von 15 Minuten" in finding.sentence
    assert when in finding.sentence
    assert finding.about == (neighbour,)


def test_a_full_day_counts_and_names_its_appointments(calendar, now):
    call_type = new_type(calendar, max_per_day=2)
    there = [
        hold(call_type, guest=somebody(), start=start, now=now) for start in (NINE, HALF_PAST_NINE)
    ]

    finding = only(call_type, NINE + HOUR, now)

    assert "Am Mi., 03.03.2027 sind im Kalender 2 Gespräche, höchstens 2." in finding.sentence
    assert finding.about == (call_type, *there)


def test_a_full_week_counts_and_names_its_appointments(calendar, now):
    call_type = new_type(calendar, max_per_week=1)
    there = hold(call_type, now=now)

    finding = only(call_type, NINE + timedelta(days=2), now)

    assert "In der Woche vom 01.03.2027 sind im Kalender ein Gespräch, höchst" in finding.sentence
    assert finding.about == (call_type, there)
    assert found(call_type, NINE + timedelta(days=7), now) == []


def test_a_closed_day_says_why(call_type, now):
    DateOverride.objects.create(
        calendar=call_type.calendar,
        first_day=date(2027, 3, 2),
        last_day=date(2027, 3, 5),
        note="Urlaub",
    )

    finding = only(call_type, NINE, now)

    assert finding.sentence == "Am Mi., 03.03.2027 ist geschlossen: Urlaub."
    assert finding.about == (call_type.calendar,)


def test_a_public_holiday_is_called_by_its_name(call_type, now):
    call_type.calendar.federal_state = "BY"
    call_type.calendar.save()
    good_friday = NINE + timedelta(days=23)

    finding = only(call_type, good_friday, now)

    assert finding.sentence == "Am Fr., 26.03.2027 ist geschlossen: Karfreitag."


def test_outside_the_hours_the_open_windows_are_named(call_type, now):
    finding = only(call_type, NINE + 5 * HOUR, now)

    assert finding.sentence == (
        "Das liegt außerhalb der Sprechzeiten: Am Mi., 03.03.2027 ist offen 09:00–12:00 Uhr."
    )


def test_a_call_that_outlasts_the_hours_is_told_so(calendar, now):
    call_type = new_type(calendar, length=60)

    finding = only(call_type, NINE + timedelta(minutes=150), now)

    assert finding.sentence.startswith("Das Gespräch von 60 Minuten reicht über die Sprechzeit")


def test_a_day_without_hours_is_told_so(call_type, now):
    finding = only(call_type, NINE + timedelta(days=3), now)

    assert finding.sentence == "Am Sa., 06.03.2027 sind keine Sprechzeiten."


def test_off_the_grid_the_nearest_times_are_named(call_type, now):
    finding = only(call_type, NINE + 10 * MINUTE, now)

    assert finding.sentence == (
        "Gespräche dieser Art beginnen alle 30 Minuten ab Beginn der Sprechzeit; "
        "am nächsten liegt 09:00 Uhr oder 09:30 Uhr."
    )


def test_too_soon_says_until_when_and_from_when(call_type, now):
    finding = only(call_type, now + HOUR, now)

    assert finding.sentence == (
        "Der Vorlauf von 24 Stunden ist unterschritten: Diese Zeit war bis So., 28.02.2027, "
        "10:00 Uhr buchbar, jetzt geht es frühestens Di., 02.03.2027, 09:00 Uhr."
    )


def test_too_far_says_when_the_day_opens(call_type, now):
    finding = only(call_type, NINE + timedelta(days=63), now)

    assert finding.sentence == (
        "So weit ist der Kalender noch nicht offen: Gebucht wird bis Fr., 30.04.2027, "
        "Mi., 05.05.2027 kommt am Sa., 06.03.2027 dazu."
    )


def test_the_past_is_over(call_type, now):
    finding = only(call_type, NINE - timedelta(days=7), now)

    assert finding.sentence == "Diese Zeit ist schon vorbei."


def test_what_is_too_far_or_past_still_tells_what_else_is_in_the_way(call_type, confirmed, now):
    later = confirmed.start + 10 * MINUTE

    sentences = [finding.sentence for finding in found(call_type, NINE, later)]

    assert sentences == [
        "Diese Zeit ist schon vorbei.",
        "Zu dieser Zeit ist schon ein Termin: 09:00–09:30 Uhr.",
    ]


def test_a_type_that_is_not_offered_or_costs_something_says_so(calendar, now):
    call_type = new_type(calendar, is_active=False, price_cents=15000)

    sentences = [finding.sentence for finding in found(call_type, NINE, now)]

    assert sentences == [
        "„Kennenlerngespräch“ wird gerade nicht angeboten.",
        "„Kennenlerngespräch“ kostet 150,00 € und ist noch nicht online buchbar.",
    ]


def test_no_sentence_names_another_guest(calendar, now):
    call_type = new_type(calendar, buffer_after=15, max_per_day=1, max_per_week=1)
    there = hold(call_type, now=now)

    for start in (NINE, HALF_PAST_NINE):
        text = diagnosis.in_one_text(found(call_type, start, now))
        assert there.name not in text
        assert there.email not in text


def test_an_offered_slot_is_never_explained_away(call_type, confirmed, now):
    offers = {slot.start for slot in availability.offered_slots(call_type, now=now)}
    day = [datetime(2027, 3, 3, tzinfo=UTC) + n * 15 * MINUTE for n in range(96)]

    assert {start for start in day if not found(call_type, start, now)} == offers & set(day)


def test_a_day_is_told_in_order(calendar, now):
    call_type = new_type(calendar, buffer_before=5, buffer_after=10)
    scheduling.confirm(hold(call_type, now=now), now=now)
    hold(call_type, guest=BEN, start=NINE + HOUR, now=now)

    plan = diagnosis.day_plan(calendar, date(2027, 3, 3), now=now)

    assert [(plain(piece.clock), plain(piece.what)) for piece in plan] == [
        ("08:55–09:00 Uhr", "Pause davor"),
        ("09:00–12:00 Uhr", "offen"),
        ("09:00–09:30 Uhr", "gebucht"),
        ("09:30–09:40 Uhr", "Pause danach"),
        ("09:55–10:00 Uhr", "Pause davor"),
        ("10:00–10:30 Uhr", "gehalten bis 09:15 Uhr"),
        ("10:30–10:40 Uhr", "Pause danach"),
    ]


def test_an_evening_that_reaches_into_the_day_says_when_it_began(calendar, now):
    calendar.weekly_hours.update(start=time(22), end=time(2))

    plan = diagnosis.day_plan(calendar, date(2027, 3, 3), now=now)

    assert [plain(piece.clock) for piece in plan] == [
        "Di., 02.03.2027, 22:00–02:00 Uhr",
        "22:00–02:00 Uhr",
    ]


def test_a_hold_that_is_being_paid_says_so(paid_type, stripe, now):
    booking = hold(paid_type, now=now)
    checkout.begin(booking, now=now)

    finding = only(paid_type, NINE, now)
    pieces = diagnosis.day_plan(paid_type.calendar, date(2027, 3, 3), now=now)

    assert finding.sentence == (
        "Jemand bezahlt gerade 09:00–09:30 Uhr; die Zeit wird bis 09:35 Uhr gehalten."
    )
    assert "wird gerade bezahlt, bis 09:35 Uhr" in [plain(piece.what) for piece in pieces]


def test_a_hold_nobody_pays_any_more_is_a_hold_again(paid_type, stripe, now):
    booking = hold(paid_type, now=now)
    checkout.begin(booking, now=now)
    checkout.end_payment(booking, now=now)

    assert "Jemand bucht gerade" in only(paid_type, NINE, now).sentence
