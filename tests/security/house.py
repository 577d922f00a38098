"""A row behind every kind of link, the links themselves, and every address there is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from pathlib import Path

from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone

from booking import invoicing, mail, scheduling, withdrawals
from booking.models import Booking, Calendar, Invoice, OneOffLink, Question, WeeklyHours
from coaching_site import spam
from coaching_site.desk import people
from coaching_site.desk.models import PersonLink
from newsletter import addresses, preferences, subscriptions, tokens
from newsletter.models import Consent, Subscriber
from pages import consent
from pages.models import Practice
from tests.booking import papers
from tests.booking.conftest import BEN, HALF_PAST_NINE, NINE, PRIVATELY, hold, new_type, order_form
from tests.booking.desk import pay
from tests.newsletter.conftest import sign_up
from tests.newsletter.test_archive import publish
from tests.stripe_sandbox import Sandbox

HOUR = timedelta(hours=1)
GUEST = "ada@example.org"
READER = "leser@example.org"
# What is behind no link of ours: the desk has walks of its own (tests/desk/test_two_factor.py).
DESK = "verwaltung/"


@dataclass
class House:
    """What is there, and by kind the links that open it."""

    bookings: dict[str, Booking]
    subscriber: Subscriber
    invoice: Invoice
    # Each kind of secret; of bookings there are several.
    keys: dict[str, list[str]]
    # For the parts of an address that are no secret.
    parts: dict[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Way:
    """An address of the site: its pattern, one path that leads there, and the kind of its secret."""

    route: str
    path: str
    kind: str = ""


# Whose secret an address asks for, by how it begins.
KINDS = {
    "datenschutz/meine-daten/": "person",
    "termin/anfrage/": "request",
    "termin/feed/": "feed",
    "termin/": "booking",
    "vertrag-widerrufen/eingegangen/": "withdrawal",
    "newsletter/bestaetigen/": "confirm",
    "newsletter/abmelden/": "unsubscribe",
    "newsletter/adresse/": "move",
    "newsletter/": "preferences",
}


def furnish(stripe: Sandbox, *, media: Path, now: datetime) -> House:
    """Somebody on every step of every way."""
    papers.practice()
    calendar = Calendar.objects.create(name="Hauptkalender")
    WeeklyHours.objects.bulk_create(
        WeeklyHours(calendar=calendar, weekday=day, start=time(9), end=time(18))
        for day in range(1, 8)
    )
    bookings = _bookings(calendar, stripe, now=now)
    hidden = new_type(calendar, title="Privat", slug="versteckt", is_hidden=True)
    one_off = OneOffLink.objects.create(call_type=hidden, max_uses=50)
    invoicing.write_all_owed(now=now)
    declared = withdrawals.Declaration("Ada", bookings["confirmed"].reference, GUEST)
    withdrawal = withdrawals.receive(declared, now=now)
    publish()
    (media / "bild.txt").write_text("Ein Bild.")
    subscriber, letters = _reader(now)
    invoice = Invoice.objects.get()
    appointments = [mail.token(booking) for booking in bookings.values()]
    keys = {
        "booking": appointments,
        "request": [mail.request_token(bookings["asked"])],
        "withdraw": [mail.withdraw_url(bookings["confirmed"]).partition("=")[2]],
        "withdrawal": [mail.withdrawal_token(withdrawal)],
        "person": [_person(now)],
        "feed": [calendar.feed_secret],
        **letters,
    }
    calls = ["kennenlernen", "anfragen", "sparring", "gibt-es-nicht"]
    secret = [f"privat/{hidden.secret}", f"einmal/{one_off.secret}"]
    moving = [f"verschieben/{token}" for token in appointments]
    parts = {
        "address": [*calls, *secret, *moving],
        "day": ["2027-03-03", "2027-03-07", "2999-12-31", "2000-01-01"],
        "start": ["20270303T130000Z", "20270304T090000Z", "21991231T235959Z", "20010101T000000Z"],
        "slug": ["eins", "zwei"],
        "number": [invoice.number, "1", "0"],
        "path": ["bild.txt", "weg.png"],
        "provider": ["postmark", "mailgun", "anders"],
    }
    return House(bookings, subscriber, invoice, keys, parts)


def _bookings(calendar: Calendar, stripe: Sandbox, *, now: datetime) -> dict[str, Booking]:
    free = new_type(calendar)
    Question.objects.create(call_type=free, text="Wozu?", kind="line")
    asked = new_type(calendar, title="Anfrage", slug="anfragen", needs_approval=True)
    paid = new_type(
        calendar, title="Sparring", slug="sparring", price_cents=30000, deposit_cents=15000,
        cancel_free_hours=48,
    )  # fmt: skip
    return {
        "paid": pay(paid, stripe, now, start=NINE + 5 * HOUR),
        "confirmed": scheduling.confirm(hold(free, now=now, start=HALF_PAST_NINE), now=now),
        "asked": scheduling.confirm(hold(asked, now=now, start=NINE + HOUR), now=now),
        "owing": hold(paid, now=now, start=NINE + 3 * HOUR, guest=BEN),
        "held": hold(free, now=now),
    }


def _reader(now: datetime) -> tuple[Subscriber, dict[str, list[str]]]:
    """Somebody on the list who wants to move, two who have not confirmed, one too late; their links."""
    confirmed = subscriptions.confirm(_link(sign_up(READER, now)), now=now)
    waiting = sign_up("neu@example.org", now)
    late = sign_up("spaet@example.org", now - timedelta(days=20))
    preferences.ask_to_move(
        confirmed, addresses.parse("umzug@example.org"),
        consent=consent.moving(Practice.current()), page="/newsletter/", may_answer=True, now=now,
    )  # fmt: skip
    links = {
        "confirm": [_link(waiting), _link(late)],
        "move": [_link(confirmed)],
        "unsubscribe": [tokens.unsubscribe_token(confirmed.public_id)],
        "preferences": [tokens.preferences_token(confirmed.public_id, confirmed.address_number)],
    }
    return confirmed, links


def _link(subscriber: Subscriber) -> str:
    """A new link for what this person asked for last, whether or not it is over."""
    request = Consent.objects.open().filter(subscriber=subscriber).latest("requested_at")
    made = subscriptions.new_link(request, now=request.requested_at)
    assert made is not None
    return made[0]


def _person(now: datetime) -> str:
    link = PersonLink.objects.create(address=GUEST, expires_at=now + HOUR)
    return people.new_token(link)


# --- addresses ------------------------------------------------------------------------------------


def routes() -> Iterator[str]:
    """Every pattern of the site outside the desk."""
    yield from (route for route in _below(get_resolver(), "") if not route.startswith(DESK))


def _below(resolver: URLResolver, prefix: str) -> Iterator[str]:
    for each in resolver.url_patterns:
        route = prefix + str(each.pattern)
        if isinstance(each, URLPattern):
            yield route
        else:
            yield from _below(each, route)


def kind_of(route: str) -> str:
    """The kind of secret this address asks for, if it does."""
    if not re.search(r"<(str|path):(token|secret)>", route):
        return ""
    return next(kind for start, kind in KINDS.items() if route.startswith(start))


def ways(house: House) -> list[Way]:
    """Every address, filled with the first there is of each part."""
    return [Way(route, _filled(route, house, which=0), kind_of(route)) for route in routes()]


def all_ways(house: House) -> list[Way]:
    """The same with everything there is: several bookings, several types of call."""
    most = max(len(some) for some in [*house.keys.values(), *house.parts.values()])
    found = (
        Way(route, _filled(route, house, which=number), kind_of(route))
        for route in routes()
        for number in range(most)
    )
    return list(dict.fromkeys(found))


def _filled(route: str, house: House, *, which: int) -> str:
    def value(part: re.Match[str]) -> str:
        kind, name = part[1], part[2]
        if kind == "int:":
            return str(which + 1)
        known = house.keys[kind_of(route)] if name in ("token", "secret") else house.parts[name]
        return known[which % len(known)]

    return "/" + re.sub(r"<(\w+:)?(\w+)>", value, route)


# --- what is typed --------------------------------------------------------------------------------


def forms(house: House) -> dict[str, dict[str, str]]:
    """What a person would send, by how an address begins; each is taken as it is."""
    practice = Practice.current()
    stamp = spam.stamp(timezone.now() - timedelta(minutes=1))
    somebody = {"email": "wer@example.org", "stamp": stamp}
    return {
        "/termin/pruefen/": order_form(house.bookings["owing"]),
        "/termin/absagen/": {"zurueck": "15000"},
        "/termin/anfrage/": {"accept": "1", "note": "Gern."},
        "/termin/": {
            **somebody, **PRIVATELY, "name": "Wer Immer", "topic": "Mein Team",
            "form_token": "0b6e7a64-5f4b-4b7e-8b1e-1f3f8f1d2c3a", "early_start": "on",
        },
        "/vertrag-widerrufen/": {**somebody, "name": "Wer", "contract": "Der vom 3.", "message": "x"},
        "/datenschutz/": somebody,
        "/newsletter/bestaetigen/": {"consent": consent.again(practice).sha256},
        "/newsletter/abmelden/": {"consent": consent.coming_back(practice).sha256},
        "/newsletter/einstellungen/": {
            "email": "wer@example.org", "consent": consent.moving(practice).sha256,
        },
        "/newsletter/": {**somebody, "consent": consent.current(practice).sha256},
        "/verwaltung/login/": {"username": "coach", "password": "falsch", "next": "/verwaltung/"},
    }  # fmt: skip
