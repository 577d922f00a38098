"""Who is looking: their time zone and the hold they bring along, carried from page to page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache, wraps
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from booking import mail
from booking.errors import LinkOver
from booking.models import Booking, CallType, OneOffLink
from booking.models.calendar import known_zones
from booking.models.call_types import MOVING, ONE_OFF
from coaching_site import german, links

# Longer than anybody may withdraw (BGB § 356: twelve months and fourteen days at most), and not for
# ever: a mailbox may come into other hands (DSGVO Art. 32).
LINK_LIFE = timedelta(days=400)

# One zone for each clock that guests are likely to live by; the address takes any other one too.
COMMON_ZONES = (
    "Europe/Berlin",
    "Europe/Vienna",
    "Europe/Zurich",
    "Europe/London",
    "Europe/Lisbon",
    "Europe/Paris",
    "Europe/Warsaw",
    "Europe/Athens",
    "Europe/Helsinki",
    "Europe/Istanbul",
    "Europe/Kyiv",
    "America/New_York",
    "America/Chicago",
    "America/Denver",
    "America/Los_Angeles",
    "America/Sao_Paulo",
    "Africa/Cairo",
    "Africa/Johannesburg",
    "Asia/Jerusalem",
    "Asia/Dubai",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Asia/Bangkok",
    "Asia/Singapore",
    "Asia/Shanghai",
    "Asia/Tokyo",
    "Australia/Sydney",
    "Pacific/Auckland",
)


@dataclass(frozen=True)
class Visitor:
    """A guest on the way to an appointment."""

    zone: ZoneInfo
    coach_zone: ZoneInfo
    asked_for_unknown_zone: bool = False
    held: Booking | None = None
    moving: Booking | None = None
    # What stands for the type of call in every address on this visitor's way.
    address: str = ""

    @property
    def besides(self) -> Booking | None:
        """The visitor's own booking, which must not stand in its own way."""
        return self.moving or self.held

    @property
    def is_on_own_way(self) -> bool:
        """Whether the address or what is brought along is a secret, which stands in every link."""
        return self.held is not None or "/" in self.address

    @property
    def moving_token(self) -> str:
        return mail.token(self.moving) if self.moving else ""

    @property
    def steps(self) -> int:
        return 3 if self.moving else 4

    @property
    def is_elsewhere(self) -> bool:
        """Whether the guest's clock is not the coach's, so that both times are shown."""
        return self.zone.key != self.coach_zone.key

    @property
    def carried(self) -> dict[str, str]:
        """What every link takes along. One zone goes without saying: the coach's, or who moves an
        appointment has that of the appointment."""
        carried = {}
        known = self.moving.visitor_zone if self.moving else self.coach_zone.key
        if self.zone.key != known:
            carried["tz"] = self.zone.key
        if self.held is not None:
            carried["gehalten"] = mail.token(self.held)
        return carried

    @property
    def query(self) -> str:
        """The end of a link: „?tz=America/New_York“ or nothing."""
        return f"?{urlencode(self.carried, safe='/')}" if self.carried else ""

    @property
    def more(self) -> str:
        """The end of a link that has a question mark already."""
        return f"&{urlencode(self.carried, safe='/')}" if self.carried else ""

    def zones(self, moment: datetime) -> list[tuple[str, str]]:
        """What the guest can choose from: names and their words, this visitor's own among them."""
        names = dict.fromkeys([self.coach_zone.key, self.zone.key, *COMMON_ZONES])
        # Clocks change on the minute, so all guests of one minute read the same words.
        minute = moment.replace(second=0, microsecond=0)
        return [(name, _zone_words(name, minute)) for name in names]


@lru_cache(maxsize=1024)
def _zone_words(name: str, moment: datetime) -> str:
    return german.zone_name(ZoneInfo(name), moment)


def visitor_of(request: HttpRequest, call_type: CallType) -> Visitor:
    """Read the visitor from the address; a zone nobody knows becomes the coach's."""
    calendar = call_type.calendar
    wanted = request.GET.get("tz", calendar.zone)
    is_known = wanted in known_zones()
    return Visitor(
        zone=ZoneInfo(wanted) if is_known else calendar.tz,
        coach_zone=calendar.tz,
        asked_for_unknown_zone=not is_known,
        held=_own_hold(request.GET.get("gehalten")),
        address=call_type.address,
    )


def mover_of(request: HttpRequest, booking: Booking) -> Visitor:
    """The guest of this booking, on the way to another time for it."""
    wanted = request.GET.get("tz", booking.visitor_zone)
    is_known = wanted in known_zones()
    return Visitor(
        zone=ZoneInfo(wanted) if is_known else booking.guest_zone,
        coach_zone=booking.calendar.tz,
        asked_for_unknown_zone=not is_known,
        moving=booking,
        address=f"{MOVING}/{mail.token(booking)}",
    )


def guest_of(booking: Booking) -> Visitor:
    """The visitor as their booking remembers them."""
    return Visitor(
        zone=booking.guest_zone,
        coach_zone=booking.calendar.tz,
        held=booking if booking.is_unfinished else None,
        address=booking.way,
    )


def find_call(address: str, *, now: datetime) -> CallType | None:
    """The type of call at this address. Raises LinkOver if the link was good once."""
    first, _, secret = address.partition("/")
    if first != ONE_OFF or not secret:
        return CallType.objects.at(address).first()
    known = OneOffLink.objects.select_related("call_type__calendar")
    link = known.filter(secret=secret, call_type__is_active=True).first()
    if link is None:
        return None
    if not link.is_open(now):
        raise LinkOver
    link.call_type.one_off = link
    return link.call_type


def link_over(request: HttpRequest) -> HttpResponse:
    """The answer to a link that has done its work."""
    return render(request, "booking/link_over.html", status=410)


def kindly_if_over(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Turns LinkOver into its page."""

    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return view(request, *args, **kwargs)
        except LinkOver:
            return link_over(request)

    return answer


def find_booking(token: str) -> Booking | None:
    """The booking a signed link belongs to, or None if the link is mangled or out of date."""
    return booking_signed_for(mail.PURPOSE, token)


def find_request(token: str) -> Booking | None:
    """The booking that a link for the coach's answer belongs to, or None."""
    return booking_signed_for(mail.REQUEST_PURPOSE, token)


def booking_signed_for(purpose: str, token: str) -> Booking | None:
    """The booking that a link of this purpose opens, until LINK_LIFE after the appointment."""
    reference = links.read(purpose, token)
    if reference is None:
        return None
    alive = Booking.objects.filter(end__gt=timezone.now() - LINK_LIFE)
    return alive.with_its_type().filter(reference=reference).first()


def unknown_link(request: HttpRequest) -> HttpResponse:
    """The answer to a link that opens nothing: what may have happened, and ways on."""
    return render(request, "booking/unknown_link.html", status=404)


def _own_hold(token: str | None) -> Booking | None:
    booking = find_booking(token) if token else None
    return booking if booking is not None and booking.is_unfinished else None
