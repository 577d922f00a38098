"""Puts the collected slot cases, written down as JSON, to the real engine."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from booking.slots import Hours, Taken, Terms, Window, by_day, dates_span, offered_slots

LONG_AGO = "2000-01-01T00:00Z"


def run_case(case: dict[str, Any]) -> dict[str, list[str]]:
    """Answer one case in the shape of its `expected`: guest-local date to labels, offset shown."""
    given = case["given"]
    visitor = ZoneInfo(given["visitor"])
    within = dates_span(date.fromisoformat(given["from"]), date.fromisoformat(given["to"]), visitor)
    now = _moment(given.get("now", LONG_AGO))
    slots = offered_slots(_hours(given), _terms(given), _taken(given), within=within, now=now)
    return {
        day.isoformat(): [slot.start.astimezone(visitor).strftime("%H:%M%z") for slot in on_day]
        for day, on_day in by_day(slots, visitor).items()
    }


def _hours(given: dict[str, Any]) -> Hours:
    return Hours(
        zone=ZoneInfo(given["tz"]),
        weekly={int(weekday): _windows(pairs) for weekday, pairs in given["weekly"].items()},
        overrides={
            date.fromisoformat(day): _windows(pairs)
            for day, pairs in given.get("overrides", {}).items()
        },
    )


def _windows(pairs: list[list[str]]) -> list[Window]:
    return [Window.parse(start, end) for start, end in pairs]


def _terms(given: dict[str, Any]) -> Terms:
    return Terms(
        length=timedelta(minutes=given["len"]),
        step=timedelta(minutes=given.get("step", given["len"])),
        buffer_before=timedelta(minutes=given.get("buf_before", 0)),
        buffer_after=timedelta(minutes=given.get("buf_after", 0)),
        notice=timedelta(minutes=given.get("notice", 0)),
        horizon_days=given.get("horizon_days"),
        max_per_day=given.get("max_day"),
        max_per_week=given.get("max_week"),
    )


def _taken(given: dict[str, Any]) -> list[Taken]:
    """Bookings are of the type asked for, so they bring its buffers. Busy times bring none."""
    terms = _terms(given)
    bookings = [
        Taken(
            _moment(booking["start"]),
            _moment(booking["end"]),
            terms.buffer_before,
            terms.buffer_after,
            counts=True,
        )
        for booking in given.get("bookings", [])
    ]
    return bookings + [Taken(_moment(start), _moment(end)) for start, end in given.get("busy", [])]


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
