"""Guests who are sent from host to host, and what they were promised."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from http.client import HTTPException
from random import Random
from urllib.error import URLError
from urllib.parse import urlsplit, urlunsplit
from urllib.request import Request

from tests.booking.conftest import PRIVATELY
from tests.faults.hosts.site import Hosts
from tests.running_site import TYPING_SECONDS, Page, Visitor

FREE = "kennenlernen"
PAID = "sparring"
TRIES = 5
PAUSE_SECONDS = 0.5
_numbers = itertools.count(1)


class Traveller(Visitor):
    """Somebody behind a proxy that sends each click to the next host, and passes over who refuses."""

    def __init__(self, urls: Sequence[str], *, first: int = 0) -> None:
        super().__init__(urls[first % len(urls)])
        self._places = [urlsplit(url).netloc for url in urls]
        self._next = itertools.cycle(range(len(urls)))
        for _ in range(first % len(urls)):
            next(self._next)

    def _open(self, request: Request) -> Page:
        parts = urlsplit(request.full_url)
        if parts.netloc not in self._places:
            return super()._open(request)
        for _ in self._places[1:]:
            try:
                return super()._open(self._moved(request))
            except URLError as error:
                if not isinstance(error.reason, ConnectionRefusedError):
                    raise
        return super()._open(self._moved(request))

    def _moved(self, request: Request) -> Request:
        parts = urlsplit(request.full_url)
        place = self._places[next(self._next)]
        return Request(urlunsplit(parts._replace(netloc=place)), data=request.data)


@dataclass(frozen=True)
class Told:
    """What somebody was shown at last: „gebucht“, and for which time."""

    address: str
    start: str


@dataclass
class Crowd:
    """Guests, each as often at the door as it takes to get an answer. Addresses are used once."""

    hosts: Hosts
    random: Random
    booked: list[Told] = field(default_factory=list)
    strange: list[str] = field(default_factory=list)
    answers: int = 0
    unanswered: int = 0
    apologies: int = 0

    def book_all(
        self,
        slots: Iterable[str],
        *,
        apart: float = 0.2,
        during: Callable[[], None] = lambda: None,
        pays: bool = False,
    ) -> None:
        """One guest for each slot, begun one after the other; meanwhile `during`, in this thread."""
        guests = [threading.Thread(target=self.book, args=(slot, pays)) for slot in slots]

        def arrive() -> None:
            for guest in guests:
                guest.start()
                time.sleep(apart)

        arriving = threading.Thread(target=arrive)
        arriving.start()
        during()
        arriving.join()
        for guest in guests:
            guest.join()

    def book(self, slot: str, pays: bool = False) -> None:
        number = next(_numbers)
        address = f"gast{number}@firma.example"
        for _ in range(TRIES):
            visitor = Traveller(self.hosts.urls, first=number)
            try:
                page = self._walk(visitor, slot, address, pays)
            except (OSError, HTTPException):
                self.unanswered += 1
                time.sleep(PAUSE_SECONDS)
                continue
            if "/gebucht/" in page.url and page.status == 200 and "Dein Termin ist" in page.text:
                self.booked.append(Told(address, slot.rstrip("/").rpartition("/")[2]))
                return
            if page.status < 500:
                return
            time.sleep(PAUSE_SECONDS)

    def _walk(self, visitor: Visitor, slot: str, address: str, pays: bool) -> Page:
        form = self.seen(visitor.get(slot))
        if form.status != 200:
            return form
        time.sleep(TYPING_SECONDS)
        details = {"name": "Ada Gast", "email": address, **(PRIVATELY if pays else {})}
        review = self.seen(visitor.post(form, **details))
        if "/pruefen/" not in review.url:
            return review
        if not pays:
            return self.seen(visitor.post(review))
        checkout = self.seen(visitor.post(review, early_start="on"))
        if "/c/pay/" not in checkout.url:
            return checkout
        return self.seen(visitor.post(checkout, ende="bezahlen"))

    def seen(self, page: Page) -> Page:
        """Whatever is broken, a guest reads a sentence of ours."""
        self.answers += 1
        if page.status >= 500:
            self.apologies += 1
            if page.status != 503 and "Es liegt an uns." not in page.text:
                self.strange.append(f"{page.status} {page.url} {page.text[:300]}")
        return page


def free_slots(hosts: Hosts, call: str = FREE) -> Iterator[str]:
    """Addresses of free times, those of no two of which overlap with their pauses. Ask once a test."""
    visitor = Visitor(hosts.urls[0])
    days = visitor.get(f"/termin/{call}/").links(rf"^/termin/{call}/2\d{{3}}-")
    # Not the first day: its next time may come too close while somebody is still typing.
    for day in days[1:]:
        yield from visitor.get(day).links("/zeit/")[::2]
