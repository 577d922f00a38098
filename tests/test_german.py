"""German formats for dates, times and money (DIN 5008)."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.template import Context, Template
from django.utils import formats
from hypothesis import given
from hypothesis import strategies as st

from coaching_site import german

BERLIN = ZoneInfo("Europe/Berlin")
MORNING = datetime(2026, 11, 23, 13, 30, tzinfo=UTC)


def test_dates_have_a_long_and_a_short_form():
    assert german.long_date(date(2026, 11, 23)) == "Montag, 23.\u00a0November 2026"
    assert german.short_date(date(2026, 11, 23)) == "Mo., 23.11.2026"
    assert german.brief_date(date(2026, 11, 23)) == "Mo., 23.11."


def test_papers_and_columns_leave_the_weekday_out():
    assert german.plain_date(date(2026, 11, 23)) == "23.11.2026"
    assert german.date_in_words(date(2026, 11, 3)) == "3.\u00a0November 2026"


@pytest.mark.parametrize(
    ("loose", "whole"),
    [
        ("nach Art. 6 Abs. 1 Buchst. b", "nach Art._6 Abs._1 Buchst._b"),
        ("§ 312j BGB, §§ 5, 6, Satz 2", "§_312j BGB, §§_5, 6, Satz_2"),
        ("z. B. so, i. d. R. gut, d. h. bald", "z._B. so, i._d._R. gut, d._h. bald"),
        ("Der Satz steht. Er gilt", "Der Satz steht. Er gilt"),
    ],
)
def test_no_citation_is_torn_at_the_end_of_a_line(loose, whole):
    assert german.citations_kept_whole(loose) == whole.replace("_", german.NBSP)


def test_times_are_counted_to_24_and_say_uhr():
    assert german.clock(MORNING, BERLIN) == "14:30\u00a0Uhr"


def test_a_range_has_an_en_dash():
    assert german.clock_range(MORNING, MORNING + timedelta(minutes=30), BERLIN) == (
        "14:30–15:00\u00a0Uhr"
    )


@pytest.mark.parametrize(
    ("start", "end", "said"),
    [
        ((3, 14), (3, 16), "Mi., 03.03.2027, 14:00–16:00\u00a0Uhr"),
        ((3, 22), (4, 0), "Mi., 03.03.2027, 22:00–00:00\u00a0Uhr"),
        ((3, 0), (4, 0), "Mi., 03.03.2027, ganztägig"),
        ((1, 0), (8, 0), "Mo., 01.03.2027 bis So., 07.03.2027"),
        ((5, 14), (8, 0), "Fr., 05.03.2027, 14:00\u00a0Uhr bis Mo., 08.03.2027, 00:00\u00a0Uhr"),
    ],
)
def test_a_span_is_said_as_short_as_it_can_be(start, end, said):
    first, last = (
        datetime(2027, 3, day, hour, tzinfo=BERLIN).astimezone(UTC) for day, hour in (start, end)
    )

    assert german.span(first, last, BERLIN) == said


def test_a_moment_names_day_time_and_zone_in_one():
    assert german.when(MORNING, BERLIN) == (
        "Montag, 23.\u00a0November 2026, 14:30\u00a0Uhr, Berliner Zeit (MEZ)"
    )
    assert german.short_when(MORNING, BERLIN) == "Mo., 23.11.2026, 14:30\u00a0Uhr"
    assert german.clock_and_zone(MORNING, BERLIN) == "14:30\u00a0Uhr, Berliner Zeit (MEZ)"


def test_evidence_is_told_to_the_second_and_with_its_zone():
    summer = datetime(2026, 7, 1, 22, 5, 9, tzinfo=UTC)

    assert german.to_the_second(summer, BERLIN) == "02.07.2026, 00:05:09\u00a0Uhr (MESZ)"


def test_a_period_ends_with_its_last_day():
    assert german.end_of_day(date(2026, 11, 23)) == (
        "Montag, 23.\u00a0November 2026, 24:00\u00a0Uhr (Berliner Zeit)"
    )


def test_a_time_of_day_belongs_to_no_zone():
    assert german.wall_clock(time(9, 5)) == "09:05\u00a0Uhr"
    assert german.wall_range(time(9), time(12)) == "09:00–12:00\u00a0Uhr"


def test_cells_of_a_table_are_what_spreadsheets_read_as_time_and_number():
    assert german.cell(MORNING, BERLIN) == "23.11.2026 14:30"
    assert german.cell(None, BERLIN) == ""
    assert german.cell_clock(MORNING, BERLIN) == "14:30"
    assert german.cell_amount(-123450) == "-1234,50"


@pytest.mark.parametrize(
    ("value", "printed"),
    [
        (date(2026, 11, 23), "Mo., 23.11.2026"),
        (time(14, 30), "14:30\u00a0Uhr"),
        (MORNING.astimezone(BERLIN), "Mo., 23.11.2026, 14:30\u00a0Uhr"),
    ],
)
def test_what_django_prints_by_itself_reads_the_same(value, printed):
    assert formats.localize(value) == printed


@pytest.mark.parametrize(
    ("name", "printed"),
    [
        ("long_date", "Dienstag, 24.\u00a0November 2026"),
        ("short_date", "Di., 24.11.2026"),
        ("date_in_words", "24.\u00a0November 2026"),
        ("when", "Dienstag, 24.\u00a0November 2026, 00:30\u00a0Uhr, Berliner Zeit (MEZ)"),
        ("short_when", "Di., 24.11.2026, 00:30\u00a0Uhr"),
        ("to_the_second", "24.11.2026, 00:30:00\u00a0Uhr (MEZ)"),
    ],
)
def test_a_filter_without_a_zone_tells_the_practices_own(name, printed):
    late = datetime(2026, 11, 23, 23, 30, tzinfo=UTC)

    assert Template(f"{{{{ late|{name} }}}}").render(Context({"late": late})) == printed


def test_what_has_not_happened_has_no_time():
    assert Template("{{ never|to_the_second }}").render(Context({"never": None})) == ""


@pytest.mark.parametrize(
    ("zone", "moment", "name"),
    [
        ("Europe/Berlin", MORNING, "Berliner Zeit (MEZ)"),
        ("Europe/Berlin", datetime(2026, 7, 1, tzinfo=UTC), "Berliner Zeit (MESZ)"),
        ("America/New_York", MORNING, "Ortszeit New York (UTC−5)"),
        ("Asia/Kathmandu", MORNING, "Ortszeit Kathmandu (UTC+5:45)"),
        ("UTC", MORNING, "UTC"),
    ],
)
def test_a_zone_is_named_as_it_stands_at_that_moment(zone, moment, name):
    assert german.zone_name(ZoneInfo(zone), moment) == name


@pytest.mark.parametrize(
    ("cents", "text"),
    [
        (4900, "49,00\u00a0€"),
        (123450, "1.234,50\u00a0€"),
        (5, "0,05\u00a0€"),
        (-100, "−1,00\u00a0€"),
    ],
)
def test_prices_have_a_comma_and_the_sign_behind(cents, text):
    assert german.euros(cents) == text


def test_thousands_have_a_point():
    assert [german.number(each) for each in (0, 999, 1000, 1234567)] == [
        "0",
        "999",
        "1.000",
        "1.234.567",
    ]


@pytest.mark.parametrize(
    ("text", "cents"),
    [
        ("47,50", 4750),
        ("47,5", 4750),
        ("47", 4700),
        ("47.5", 4750),
        ("47.50", 4750),
        ("1.234,50", 123450),
        ("1234,50", 123450),
        ("1.234", 123400),
        ("1.234.567,89", 123456789),
        ("0,05", 5),
        ("0", 0),
        (" 150,00\u00a0€ ", 15000),
        ("150 EUR", 15000),
    ],
)
def test_an_amount_is_read_as_people_write_it(text, cents):
    assert german.cents(text) == cents


@pytest.mark.parametrize(
    "text",
    [
        "abc",
        "",
        "€",
        ",50",
        "-5",
        "−5",
        "47,505",
        "1.23,50",
        "1,234.50",
        "1.2345",
        "1e3",
        "٣",
        "9" * 5000,
    ],
)
def test_what_is_no_amount_is_answered_with_how_to_write_one(text):
    with pytest.raises(german.NoAmount, match="Schreib den Betrag wie 47,50"):
        german.cents(text)


@given(st.integers(min_value=0, max_value=10**12))
def test_what_is_shown_can_be_typed_again(cents):
    assert german.cents(german.amount(cents)) == cents
    assert german.cents(german.euros(cents)) == cents
