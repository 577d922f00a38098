"""What a calendar file says about busy times."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from booking.busy_times import Unreadable, parse
from tests.booking.feed_server import calendar_file

BERLIN = ZoneInfo("Europe/Berlin")
FIRST = datetime(2027, 2, 28, tzinfo=UTC)
LAST = FIRST + timedelta(days=400)

NINE = "DTSTART;TZID=Europe/Berlin:20270301T090000\nDTEND;TZID=Europe/Berlin:20270301T100000"
MONDAYS = f"{NINE}\nRRULE:FREQ=WEEKLY"
AN_HOUR = "03-01 08:00-09:00"
OUTLOOK_ZONE = """BEGIN:VTIMEZONE
TZID:Customized Time Zone
BEGIN:STANDARD
DTSTART:16010101T000000
TZOFFSETFROM:+0500
TZOFFSETTO:+0500
END:STANDARD
END:VTIMEZONE
"""


def busy(*events: str, zone: ZoneInfo = BERLIN, first=FIRST, last=LAST) -> list[str]:
    """The busy times as „03-01 08:00-09:00“, in UTC."""
    return written(parse(calendar_file(*events), zone, first, last))


def written(parsed) -> list[str]:
    return [
        f"{each.start:%m-%d %H:%M}-{each.end:%H:%M}"
        if each.start.date() == each.end.date()
        else f"{each.start:%m-%d %H:%M}-{each.end:%m-%d %H:%M}"
        for each in parsed.busy
    ]


def warnings(*events: str) -> list[str]:
    return parse(calendar_file(*events), BERLIN, FIRST, LAST).warnings


def test_a_weekly_hour_keeps_its_wall_clock_when_the_clock_changes():
    found = busy(MONDAYS)

    for hour in ("03-22 08:00-09:00", "03-29 07:00-08:00", "04-05 07:00-08:00"):
        assert hour in found


def test_an_excluded_day_is_free():
    found = busy(f"{MONDAYS}\nEXDATE;TZID=Europe/Berlin:20270322T090000")

    assert "03-22 08:00-09:00" not in found
    assert "03-29 07:00-08:00" in found


def test_an_exclusion_in_utc_means_the_same_moment():
    assert "03-22 08:00-09:00" not in busy(f"{MONDAYS}\nEXDATE:20270322T080000Z")


def test_a_moved_repetition_frees_its_old_time_and_takes_its_new_one():
    found = busy(
        f"UID:a\n{MONDAYS}",
        "UID:a\nRECURRENCE-ID;TZID=Europe/Berlin:20270322T090000\n"
        "DTSTART;TZID=Europe/Berlin:20270323T140000\nDTEND;TZID=Europe/Berlin:20270323T150000",
    )

    assert "03-22 08:00-09:00" not in found
    assert "03-23 13:00-14:00" in found


def test_a_repetition_moved_into_the_window_from_far_before_counts():
    found = busy(
        "UID:a\nDTSTART:20200106T080000Z\nDTEND:20200106T090000Z\nRRULE:FREQ=WEEKLY;COUNT=3",
        "UID:a\nRECURRENCE-ID:20200113T080000Z\nDTSTART:20270302T080000Z\nDTEND:20270302T090000Z",
    )

    assert found == ["03-02 08:00-09:00"]


def test_a_single_repetition_called_off_is_free():
    found = busy(
        f"UID:a\n{MONDAYS};COUNT=2",
        "UID:a\nRECURRENCE-ID;TZID=Europe/Berlin:20270308T090000\n"
        "DTSTART;TZID=Europe/Berlin:20270308T090000\nDURATION:PT1H\nSTATUS:CANCELLED",
    )

    assert found == [AN_HOUR]


def test_a_whole_day_is_the_coachs_day():
    assert busy("DTSTART;VALUE=DATE:20270514") == ["05-13 22:00-05-14 22:00"]


@pytest.mark.parametrize(
    ("end", "until"),
    [
        ("20270514", "05-14 22:00"),
        ("20270515", "05-14 22:00"),
        ("20270516", "05-15 22:00"),
        ("20270517", "05-16 22:00"),
    ],
)
def test_whole_days_end_before_their_last_date(end, until):
    event = f"DTSTART;VALUE=DATE:20270514\nDTEND;VALUE=DATE:{end}"

    assert busy(event) == [f"05-13 22:00-{until}"]


def test_the_day_the_clock_changes_has_23_hours():
    assert busy("DTSTART;VALUE=DATE:20270328") == ["03-27 23:00-03-28 22:00"]


def test_whole_days_that_repeat_bear_exceptions_written_as_times():
    found = busy(
        "DTSTART;VALUE=DATE:20270301\nRRULE:FREQ=DAILY;UNTIL=20270304T000000Z\n"
        "EXDATE;TZID=Europe/Berlin:20270302T000000"
    )

    assert found == ["02-28 23:00-03-01 23:00", "03-02 23:00-03-04 23:00"]


def test_a_series_from_years_ago_still_counts():
    found = busy("DTSTART;TZID=Europe/Berlin:20200101T120000\nDURATION:PT1H\nRRULE:FREQ=DAILY")

    assert "06-18 10:00-11:00" in found
    assert len(found) == 400


def test_an_event_that_began_the_evening_before_reaches_in():
    morning = datetime(2027, 6, 18, tzinfo=UTC)

    found = busy(
        "DTSTART:20270617T200000Z\nDTEND:20270618T100000Z",
        first=morning,
        last=morning + timedelta(days=1),
    )

    assert found == ["06-18 00:00-10:00"]


def test_an_event_of_weeks_ago_that_lasts_reaches_in():
    assert busy("DTSTART:20270101T000000Z\nDTEND:20270301T100000Z") == ["02-28 00:00-03-01 10:00"]


@pytest.mark.parametrize("line", ["TRANSP:TRANSPARENT", "STATUS:CANCELLED", "transp:Transparent"])
def test_what_is_free_or_called_off_blocks_nothing(line):
    assert busy(f"{NINE}\n{line}") == []


@pytest.mark.parametrize("line", ["TRANSP:OPAQUE", "STATUS:TENTATIVE", "STATUS:CONFIRMED"])
def test_what_may_still_take_place_blocks(line):
    assert busy(f"{NINE}\n{line}") == [AN_HOUR]


@pytest.mark.parametrize(
    "until", ["20270308T080000Z", "20270308T090000", "20270308", "20270308T225959Z"]
)
def test_the_last_day_of_a_series_belongs_to_it_however_it_is_written(until):
    assert busy(f"{MONDAYS};UNTIL={until}") == [AN_HOUR, "03-08 08:00-09:00"]


def test_until_is_a_moment_not_a_wall_clock():
    event = (
        "DTSTART;TZID=Europe/Berlin:20270322T090000\nDURATION:PT1H\n"
        "RRULE:FREQ=WEEKLY;UNTIL=20270329T070000Z"
    )

    assert busy(event) == ["03-22 08:00-09:00", "03-29 07:00-08:00"]


@pytest.mark.parametrize(
    ("event", "found"),
    [
        ("DTSTART:20270301T070000Z\nDURATION:PT90M", "03-01 07:00-08:30"),
        ("DTSTART:20270301T070000Z\nDURATION:P1D", "03-01 07:00-03-02 07:00"),
        # From 01:00 the clock shows 04:00 after two hours.
        ("DTSTART;TZID=Europe/Berlin:20270328T010000\nDURATION:PT2H", "03-28 00:00-02:00"),
        ("DTSTART;TZID=Europe/Berlin:20270328T000000\nDURATION:P1D", "03-27 23:00-03-28 22:00"),
    ],
)
def test_a_length_is_as_good_as_an_end(event, found):
    assert busy(event) == [found]


def test_extra_dates_and_periods_count():
    found = busy(
        "DTSTART:20270301T080000Z\nDTEND:20270301T090000Z\n"
        "RDATE:20270302T080000Z\nRDATE;VALUE=PERIOD:20270303T080000Z/PT2H"
    )

    assert found == [AN_HOUR, "03-02 08:00-09:00", "03-03 08:00-10:00"]


@pytest.mark.parametrize(
    "zone",
    [
        "W. Europe Standard Time",
        "Europe/Berlin",
        '"Europe/Berlin"',
        "/freeassociation.sourceforge.net/Europe/Berlin",
    ],
)
def test_a_zone_is_known_by_many_names(zone):
    event = f"DTSTART;TZID={zone}:20270301T090000\nDURATION:PT1H"

    assert (busy(event), warnings(event)) == ([AN_HOUR], [])


def test_a_floating_time_is_the_coachs():
    event = "DTSTART:20270301T090000\nDTEND:20270301T100000"

    assert busy(event, zone=ZoneInfo("America/New_York")) == ["03-01 14:00-15:00"]
    assert warnings(event) == []


def test_an_unknown_zone_is_taken_for_the_coachs_and_said():
    event = "DTSTART;TZID=Mars/Krater:20270301T090000\nDURATION:PT1H"

    assert busy(event) == [AN_HOUR]
    assert warnings(event) == ["Die Zeitzone „Mars/Krater“ ist unbekannt; es gilt Europe/Berlin."]


def test_a_zone_the_file_describes_is_used():
    file = calendar_file("DTSTART;TZID=Customized Time Zone:20270301T090000\nDURATION:PT1H")
    described = file.replace(b"BEGIN:VEVENT", OUTLOOK_ZONE.encode() + b"BEGIN:VEVENT")

    parsed = parse(described, BERLIN, FIRST, LAST)

    assert (written(parsed), parsed.warnings) == (["03-01 04:00-05:00"], [])


def test_one_file_teaches_the_next_no_zones():
    test_a_zone_the_file_describes_is_used()

    assert warnings("DTSTART;TZID=Customized Time Zone:20270301T090000\nDURATION:PT1H") != []


def test_times_that_touch_or_overlap_are_one():
    found = busy(
        NINE, NINE, "DTSTART:20270301T090000Z\nDURATION:PT1H", "DTSTART:20270301T080000Z\nDURATION:PT5M"
    )  # fmt: skip

    assert found == ["03-01 08:00-10:00"]


def test_what_has_no_length_blocks_nothing():
    assert busy("DTSTART:20270301T080000Z", "DTSTART:20270301T080000Z\nDURATION:PT0S") == []


def test_an_end_before_its_start_blocks_what_lies_between():
    assert busy("DTSTART:20270301T090000Z\nDTEND:20270301T080000Z") == [AN_HOUR]


def test_two_events_of_one_uid_both_count():
    later = "UID:a\nDTSTART:20270305T080000Z\nDTEND:20270305T090000Z"

    assert busy(f"UID:a\n{NINE}", later) == [AN_HOUR, "03-05 08:00-09:00"]


def test_an_older_version_of_an_event_is_gone():
    newer = "UID:a\nSEQUENCE:2\nDTSTART:20270305T080000Z\nDTEND:20270305T090000Z"

    assert busy(f"UID:a\nSEQUENCE:1\n{NINE}", newer) == ["03-05 08:00-09:00"]


def test_what_this_site_put_there_does_not_block_itself():
    own = "6f1f0c9e-1a4d-4d0b-8f7b-0f9b3f6a2c11"
    file = calendar_file(f"UID:{own.upper()}@praxis.example\n{NINE}")

    assert parse(file, BERLIN, FIRST, LAST, own={own}).busy == []
    assert written(parse(file, BERLIN, FIRST, LAST)) == [AN_HOUR]


@pytest.mark.parametrize(
    "broken",
    [
        "DTSTART:morgen",
        "SUMMARY:Ohne Beginn",
        "DTSTART;TZID=Europe/Berlin:20271332T990000\nDURATION:PT1H",
        "DTSTART:20270302T080000Z\nDTEND;VALUE=DATE:20270303\nRRULE:FREQ=DAILY;UNTIL=gestern;X",
    ],
)
def test_a_broken_event_leaves_the_others_and_a_warning(broken):
    assert AN_HOUR in busy(broken, NINE)
    assert len(warnings(broken, NINE)) == 1


def test_a_broken_rule_leaves_the_event_itself():
    event = f"{NINE}\nRRULE:FREQ=MANCHMAL"

    assert busy(event) == [AN_HOUR]
    assert warnings(event) == ["Ein Eintrag vom 01.03.2027 ist nur zum Teil lesbar."]


def test_a_change_that_cannot_be_read_leaves_the_repetition_busy():
    found = busy(f"UID:a\n{MONDAYS};COUNT=1", "UID:a\nRECURRENCE-ID:irgendwann\nDTSTART:nie")

    assert found == [AN_HOUR]


def test_a_file_of_which_nothing_can_be_read_is_refused():
    with pytest.raises(Unreadable):
        busy("DTSTART:morgen", "DTSTART:übermorgen")


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=SECONDLY",
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
    ],
)
def test_a_rule_without_end_is_cut_off_and_the_rest_counts(rule, monkeypatch):
    monkeypatch.setattr("booking.busy_times.SECONDS_A_SERIES", 0.2)
    bomb = f"DTSTART:20200301T070000Z\nDURATION:PT1S\nRRULE:{rule}"

    began = time.process_time()
    assert (busy(bomb, NINE), len(warnings(bomb, NINE))) == ([AN_HOUR], 1)
    assert time.process_time() - began < 3


def test_a_file_full_of_such_rules_is_refused_as_a_whole(monkeypatch):
    monkeypatch.setattr("booking.busy_times.SECONDS_A_SERIES", 0.05)
    monkeypatch.setattr("booking.busy_times.SECONDS_A_FILE", 0.2)
    bomb = "DTSTART:20200301T070000Z\nDURATION:PT1S\nRRULE:FREQ=SECONDLY"

    with pytest.raises(Unreadable, match="zu aufwendig"):
        busy(NINE, *[bomb] * 50)


def test_an_empty_calendar_is_a_calendar():
    assert busy() == []


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"<!DOCTYPE html><html><body>Anmelden</body></html>", "eine Webseite, kein Kalender"),
        (b"\n \n<html>", "eine Webseite"),
        (b"", "kein Kalender"),
        (b"\x89PNG\r\n\x1a\n", "kein Kalender"),
        (calendar_file(NINE)[:-20], "nicht vollständig"),
        (b"BEGIN:VCALENDAR\r\n", "nicht vollständig"),
    ],
)
def test_what_is_not_a_whole_calendar_is_refused(data, sentence):
    with pytest.raises(Unreadable, match=sentence):
        parse(data, BERLIN, FIRST, LAST)


@pytest.mark.parametrize(
    "dress",
    [
        lambda file: b"\xef\xbb\xbf" + file,
        lambda file: file.replace(b"\r\n", b"\n"),
        lambda file: file.replace(b"DTSTART", b"DTS\r\n TART"),
        lambda file: file.replace(b"VEVENT", b"vevent"),
        lambda file: file + b"\r\n\r\n",
        lambda file: file.replace(b"UID", b"SUMMARY:\xff\xfe K\xe4se\r\nUID"),
        lambda file: file.replace(
            b"END:VEVENT",
            b"BEGIN:VALARM\r\nTRIGGER:-PT15M\r\nDURATION:PT9H\r\nEND:VALARM\r\nEND:VEVENT",
        ),
        lambda file: file + file,
    ],
)
def test_files_come_in_many_dresses(dress):
    assert written(parse(dress(calendar_file(NINE)), BERLIN, FIRST, LAST)) == [AN_HOUR]


def test_old_calendars_are_read_quickly():
    old = "DTSTART:20200301T070000Z\nDTEND:20200301T080000Z\nSUMMARY:" + "x" * 300
    file = calendar_file(*[old] * 10_000, NINE)

    began = time.process_time()
    assert written(parse(file, BERLIN, FIRST, LAST)) == [AN_HOUR]
    assert time.process_time() - began < 3
