"""A coach who is open on weekdays from nine to twelve, and somebody who wants to talk."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, time, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client
from django.utils import timezone

from booking import checkout, scheduling
from booking.models import Booking, Calendar, CallType, WeeklyHours
from booking.scheduling import Guest
from booking.views.ordering import ordering
from tests.booking.money_invariants import problems, settle_down, time_of
from tests.stripe_sandbox import Sandbox
from tests.stripe_sandbox.webhooks import Answer

ADA = Guest(name="Ada Müller", email="ada@example.org", company="Rechenwerk", topic="Mein Team")
BEN = Guest(name="Ben O’Neil", email="ben@example.org")

# What a form for a paid call asks besides who is coming.
PRIVATELY = {
    "customer": "private",
    "street": "Rechenweg 1",
    "postal_code": "10115",
    "city": "Berlin",
    "country": "Deutschland",
}

# The `now` of the tests is Monday, 1 March 2027, 09:00 in Berlin.
NINE = datetime(2027, 3, 3, 8, 0, tzinfo=UTC)
HALF_PAST_NINE = NINE + timedelta(minutes=30)


@pytest.fixture(autouse=True)
def plain_static_files(settings):
    """Pages are served without the collected static files."""
    settings.WHITENOISE_AUTOREFRESH = True
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }


@pytest.fixture
def calendar(db) -> Calendar:
    calendar = Calendar.objects.create(name="Hauptkalender")
    WeeklyHours.objects.bulk_create(
        WeeklyHours(calendar=calendar, weekday=day, start=time(9), end=time(12))
        for day in range(1, 6)
    )
    return calendar


@pytest.fixture
def call_type(calendar) -> CallType:
    return new_type(calendar)


@pytest.fixture
def held(call_type, now) -> Booking:
    return hold(call_type, now=now)


@pytest.fixture
def confirmed(held, now) -> Booking:
    return scheduling.confirm(held, now=now)


@pytest.fixture
def stripe(db, settings, now) -> Iterator[Sandbox]:
    """A Stripe of this test's own, at the tests' time; its events wait until they are delivered."""
    with Sandbox(now=now.timestamp) as sandbox:
        point_to(sandbox, settings)
        yield sandbox
        assert problems(sandbox, time_of(sandbox), settled=False) == []
        # The evening after: nobody comes back, every page and every hold has ended.
        sandbox.advance(3600)
        settle_down(sandbox, time_of(sandbox))
        assert problems(sandbox, time_of(sandbox)) == []


def point_to(sandbox: Sandbox, settings: Any) -> None:
    """Lets the site ask this Stripe, and this Stripe tell the site."""
    settings.STRIPE_SECRET_KEY = sandbox.api_key
    settings.STRIPE_API_BASE = sandbox.base_url
    settings.STRIPE_WEBHOOK_SECRETS = [sandbox.webhook_secret]
    sandbox.listen("http://localhost:8000/stripe/webhook/")
    sandbox.send_with(through_django)


def through_django(url: str, body: bytes, headers: dict[str, str]) -> Answer:
    """Brings an event to the site without a server between."""
    answer = Client().post(
        urlsplit(url).path, body, content_type="application/json", headers=headers
    )
    return Answer(answer.status_code, answer.content.decode())


@pytest.fixture
def paid_type(calendar, stripe) -> CallType:
    """An hour for 300 euros, half of it to be paid when booking."""
    return new_type(
        calendar,
        title="Sparring",
        slug="sparring",
        price_cents=30000,
        deposit_cents=15000,
        cancel_free_hours=48,
        cancel_keep_cents=1000,
        cancel_keep_percent=25,
    )


@pytest.fixture
def booking(paid_type, now) -> Booking:
    return hold(paid_type, now=now)


@pytest.fixture
def session(booking, stripe, now):
    """The open session of a guest who is on the way to Stripe."""
    checkout.begin(booking, now=now)
    return stripe.sessions[0]


@pytest.fixture
def booked(booking: Booking, session, stripe, now) -> Booking:
    stripe.pay(session["id"])
    checkout.look(booking, now=now)
    return booking


@pytest.fixture
def clock(monkeypatch, now) -> Callable[[datetime], None]:
    """Stops Django's clock at `now`; call it to set another time."""

    def set_to(moment: datetime) -> None:
        monkeypatch.setattr("django.utils.timezone.now", lambda: moment)

    set_to(now)
    return set_to


def new_type(calendar: Calendar, **changes: object) -> CallType:
    values: dict[str, object] = {
        "title": "Kennenlerngespräch",
        "slug": "kennenlernen",
        "place_detail": "https://video.example/raum",
        "preparation": "Bring eine Frage mit.",
        **changes,
    }
    return CallType.objects.create(calendar=calendar, **values)


def order_form(booking: Booking) -> dict[str, str]:
    """What the button of a paid call brings along, with the box ticked that an early one needs."""
    page = ordering(booking, now=timezone.now()).page
    return {"seen": page.sha256, "early_start": "on"}


def somebody() -> Guest:
    """A guest nobody else is: an address holds one time at once."""
    return Guest(name="Jemand", email=f"{uuid.uuid4().hex}@example.org")


def hold(call_type: CallType, *, now: datetime, **changes: object) -> Booking:
    values: dict[str, object] = {
        "start": NINE,
        "guest": ADA,
        "form_token": uuid.uuid4(),
        "visitor_zone": "Europe/Berlin",
        **changes,
    }
    return scheduling.hold(call_type, now=now, **values)  # type: ignore[arg-type]
