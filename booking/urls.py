"""Addresses of the booking: days, times, details, review, booked; and what the mails link to."""

from __future__ import annotations

from datetime import UTC, date, datetime

from django.urls import path, register_converter

from booking.models.call_types import MOVING, ONE_OFF, PRIVATE
from booking.views import booked, choosing, details, feed, moving, paying, requests, review


class DayConverter:
    """A date of this millennium, as 2026-11-24."""

    regex = r"2\d{3}-\d{2}-\d{2}"

    def to_python(self, value: str) -> date:
        return date.fromisoformat(value)

    def to_url(self, value: date) -> str:
        return value.isoformat()


class CallConverter:
    """What stands for a type of call: its slug, for a hidden one `privat/` and its secret, for a
    one-off link `einmal/` and its own, or for who moves an appointment `verschieben/` and its token."""

    regex = rf"{PRIVATE}/[-\w]{{22}}|{MOVING}/[^/]+|{ONE_OFF}/[-\w]{{22}}|[-a-zA-Z0-9_]+"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


class InstantConverter:
    """A moment of this century or the next in UTC, as 20261124T080000Z: the same for every visitor.

    Not the first and the last year: in every zone its day is one that DayConverter writes.
    """

    regex = r"2(?:00[1-9]|0[1-9]\d|1\d\d)\d{4}T\d{6}Z"
    form = "%Y%m%dT%H%M%SZ"

    def to_python(self, value: str) -> datetime:
        return datetime.strptime(value, self.form).replace(tzinfo=UTC)

    def to_url(self, value: datetime) -> str:
        return value.astimezone(UTC).strftime(self.form)


register_converter(CallConverter, "call")
register_converter(DayConverter, "day")
register_converter(InstantConverter, "instant")

app_name = "booking"
urlpatterns = [
    path("", choosing.days, name="days"),
    # Their first words are in RESERVED_SLUGS, so that no type of call hides them.
    path("pruefen/<str:token>/", review.review, name="review"),
    path("bezahlt/<str:token>/", paying.paid, name="paid"),
    path("freigeben/<str:token>/", review.release, name="release"),
    path("gebucht/<str:token>/", booked.booked, name="booked"),
    path("absagen/<str:token>/", booked.cancel, name="cancel"),
    path("anfrage/<str:token>/", requests.answer, name="request"),
    path("kalender/<str:token>.ics", booked.calendar_file, name="calendar_file"),
    path("rechnung/<str:token>/<str:number>.pdf", booked.invoice, name="invoice"),
    path("verschieben/<str:token>/", moving.days, name="move"),
    path("verschieben/<str:token>/<day:day>/", moving.times),
    path("verschieben/<str:token>/zeit/<instant:start>/", moving.review),
    path("feed/<str:secret>.ics", feed.feed, name="feed"),
    path("<call:address>/", choosing.days, name="days_of"),
    path("<call:address>/<day:day>/", choosing.times, name="times"),
    path("<call:address>/zeit/<instant:start>/", details.details, name="details"),
]
