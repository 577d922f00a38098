"""A mixed day: who comes, how often, and what they ask for. The table is `MIX`."""

from __future__ import annotations

import asyncio
import email as email_package
import random
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from email import policy
from email.message import EmailMessage
from urllib.parse import urlencode

from tests import mail_server
from tests.load.client import Answer, Failed, Pool
from tests.running_site import TYPING_SECONDS
from tests.smtp_relay import Relay

HIDDEN = re.compile(r'<input type="hidden" name="([^"]+)"[^>]*? value="([^"]*)"')
DAY = re.compile(r'href="(/termin/kennenlernen/2\d{3}-[^"]+)"')
TIME = re.compile(r'href="(/termin/kennenlernen/zeit/[^"]+)"')
CONFIRM = re.compile(r"/newsletter/bestaetigen/[^/\s]+/")
COOKIE = re.compile(r"(?:^|, )(csrftoken|sessionid)=([^;]+)")

MONTH, LIST, HEUTE = "/termin/kennenlernen/", "/newsletter/", "/verwaltung/"
QUIET_PAGES = ("/angebot/", "/datenschutz/", "/impressum/", "/agb/", "/widerruf/")
# A browser of today: packed as small as may be.
BROWSER = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
    "Accept": "text/html",
    "Accept-Language": "de",
    "Accept-Encoding": "gzip, br",
}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
# Between reading one page and asking for the next, and until a mail is looked for again.
GLANCE_SECONDS, LOOK_SECONDS = 0.5, 0.25
# A mail that takes longer is waited for by nobody.
MAIL_PATIENCE_SECONDS = 20.0


class VisitOver(Exception):
    """Something went wrong, or the time was taken meanwhile: this visitor goes."""


@dataclass
class Town:
    """What all guests share: the way to the site, the mails that come, and what is known of the site."""

    pool: Pool
    host: str
    relay: Relay
    session: str
    random: random.Random
    note: Callable[[str, float, float, str], None]
    etag: str = ""
    days: list[str] = field(default_factory=list)
    arrived: int = 0
    booked: list[str] = field(default_factory=list)
    taken: int = 0
    joined: list[str] = field(default_factory=list)
    confirmed: list[str] = field(default_factory=list)
    mail_seconds: list[float] = field(default_factory=list)


class Guest:
    """One visitor, with an address and cookies of their own."""

    def __init__(self, town: Town, kind: str, due: float) -> None:
        self.town, self.kind, self.due = town, kind, due
        town.arrived += 1
        self.number = town.arrived
        self.cookies: dict[str, str] = {}
        # A network of their own: limits count by the first 48 bits.
        self.address = f"2a01:{self.number >> 16 & 0xFFFF:x}:{self.number & 0xFFFF:x}::1"

    async def get(self, path: str, *, after: float = 0.0, etag: str = "") -> Answer:
        """Ask for a page, so many seconds after the answer before it."""
        known = {"If-None-Match": etag} if etag else {}
        return await self._ask("GET", path, after=after, good=(200, 304), extra=known)

    async def post(self, path: str, fields: Mapping[str, str], *, after: float) -> str:
        """Send a form; returns where it leads."""
        answer = await self._ask(
            "POST", path, after=after, good=(302, 303), extra=FORM, body=urlencode(fields)
        )
        return answer.headers["location"]

    async def _ask(
        self,
        method: str,
        path: str,
        *,
        after: float,
        good: tuple[int, ...],
        extra: Mapping[str, str],
        body: str = "",
    ) -> Answer:
        loop = asyncio.get_running_loop()
        self.due += after
        await asyncio.sleep(max(0.0, self.due - loop.time()))
        due, trouble = self.due, ""
        try:
            answer = await self.town.pool.ask(method, path, self._fields(extra, body), body)
        except Failed as failure:
            trouble = str(failure)
            raise VisitOver from None
        else:
            self.cookies |= dict(COOKIE.findall(answer.headers["set-cookie"]))
            if answer.status == 409:
                # Somebody was faster: a clear answer, and what the site is there for.
                self.town.taken += 1
                raise VisitOver
            if answer.status not in good:
                trouble = f"{method} answered {answer.status}"
                raise VisitOver
            return answer
        finally:
            self.due = loop.time()
            self.town.note(self.kind, due, self.due - due, trouble)

    def _fields(self, extra: Mapping[str, str], body: str) -> dict[str, str]:
        fields = {"Host": self.town.host, **BROWSER, "X-Forwarded-For": self.address, **extra}
        if self.cookies:
            fields["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        if body:
            fields["Content-Length"] = str(len(body))
        return fields


async def landing(guest: Guest) -> None:
    guest.town.etag = (await guest.get("/")).headers.get("etag", "")


async def landing_again(guest: Guest) -> None:
    await guest.get("/", etag=guest.town.etag)


async def quiet_page(guest: Guest) -> None:
    await guest.get(guest.town.random.choice(QUIET_PAGES))


async def month(guest: Guest) -> None:
    await guest.get(MONTH)


async def looks_around(guest: Guest) -> None:
    time = await _chosen_time(guest, await _known_day(guest))
    await guest.get(time, after=GLANCE_SECONDS)


async def books(guest: Guest) -> None:
    """All steps, at the pace of somebody who types fast. A 302 to „gebucht“ is the site's word for it."""
    guest.town.days = DAY.findall((await guest.get(MONTH)).text())
    time = await _chosen_time(guest, await _known_day(guest), after=GLANCE_SECONDS)
    email = f"gast{guest.number}@firma.example"
    form = dict(HIDDEN.findall((await guest.get(time, after=GLANCE_SECONDS)).text()))
    form |= {"name": f"Gast {guest.number}", "email": email}
    review = await guest.post(time, form, after=TYPING_SECONDS)
    button = dict(HIDDEN.findall((await guest.get(review)).text()))
    booked = await guest.post(review, button, after=GLANCE_SECONDS)
    if "/termin/gebucht/" not in booked:
        raise VisitOver
    guest.town.booked.append(email)
    await guest.get(booked)


async def joins(guest: Guest) -> None:
    """Signs up, waits for the mail, and confirms."""
    town, email = guest.town, f"leser{guest.number}@firma.example"
    form = dict(HIDDEN.findall((await guest.get(LIST)).text())) | {"email": email}
    mailbox = await guest.post(LIST, form, after=TYPING_SECONDS)
    town.joined.append(email)
    await guest.get(mailbox)
    link = await _link_in_mail(guest, email)
    await guest.get(link)
    welcome = await guest.post(link, {}, after=GLANCE_SECONDS)
    town.confirmed.append(email)
    await guest.get(welcome)


async def coach_looks(guest: Guest) -> None:
    guest.cookies["sessionid"] = guest.town.session
    await guest.get(HEUTE)


async def _known_day(guest: Guest) -> str:
    if not guest.town.days:
        raise VisitOver
    return guest.town.random.choice(guest.town.days)


async def _chosen_time(guest: Guest, day: str, after: float = 0.0) -> str:
    times = TIME.findall((await guest.get(day, after=after)).text())
    if not times:
        raise VisitOver
    return str(guest.town.random.choice(times))


async def _link_in_mail(guest: Guest, email: str) -> str:
    loop = asyncio.get_running_loop()
    sent = loop.time()
    while loop.time() - sent < MAIL_PATIENCE_SECONDS:
        if found := CONFIRM.search(_text_of(guest.town.relay.messages.pop(email, None))):
            guest.town.mail_seconds.append(loop.time() - sent)
            guest.due = loop.time()
            return str(found[0])
        await asyncio.sleep(LOOK_SECONDS)
    guest.town.note(guest.kind, guest.due, MAIL_PATIENCE_SECONDS, "no mail in twenty seconds")
    raise VisitOver


def _text_of(message: bytes | None) -> str:
    if message is None:
        return ""
    parsed = email_package.message_from_bytes(message, policy=policy.default)
    assert isinstance(parsed, EmailMessage)
    return str(mail_server.text(parsed))


@dataclass(frozen=True)
class Visit:
    """A kind of visit: its share of all requests in percent, and how many requests one makes."""

    kind: str
    share: float
    requests: int
    make: Callable[[Guest], Awaitable[None]]

    @property
    def weight(self) -> float:
        return self.share / self.requests


MIX = (
    Visit("landing, for the first time", 40, 1, landing),
    Visit("landing again, known to the browser", 20, 1, landing_again),
    Visit("offer and legal pages", 12, 1, quiet_page),
    Visit("the month of days", 15, 1, month),
    Visit("a day, then the form of one of its times", 6, 2, looks_around),
    Visit("booking: month, day, form, details, review, yes, booked", 3, 7, books),
    Visit("joining the list: form, address, mailbox, link, yes, welcome", 3, 6, joins),
    Visit("the coach's „Heute“", 1, 1, coach_looks),
)


def visits_a_second(rate: float) -> float:
    """How many must come so that this many requests are made in a second."""
    return rate * sum(visit.weight for visit in MIX) / sum(visit.share for visit in MIX)
