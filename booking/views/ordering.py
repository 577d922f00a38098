"""The words above the button of an order, shown and kept by one and the same function."""

from __future__ import annotations

import html
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.http import HttpRequest, QueryDict
from django.template.loader import render_to_string
from django.utils.html import strip_tags
from django.utils.safestring import SafeString

from booking import orders
from booking.forms import OrderForm
from booking.models import Booking
from booking.orders import OrderPage
from booking.views.visitor import guest_of
from coaching_site import networks


@dataclass(frozen=True)
class Ordering:
    """An order on its way: what the page shows, and what its button brought along."""

    summary: SafeString
    page: OrderPage
    form: OrderForm
    # From this day on a call needs no early start; None if this one needs none either.
    later_from: date | None

    def keep(self, booking: Booking, request: HttpRequest, *, now: datetime) -> None:
        """Keep what was ordered and declared. The form must be valid. Raises OrderChanged."""
        orders.place(
            booking,
            self.page,
            seen=self.form.cleaned_data["seen"],
            early_start=bool(self.form.cleaned_data.get("early_start")),
            network=networks.network_of(request),
            now=now,
        )


def ordering(booking: Booking, *, sent: QueryDict | None = None, now: datetime) -> Ordering:
    """The order this booking would become now; `sent` is what its form brought along."""
    is_early = orders.must_ask_for_early_start(booking, start=booking.start, now=now)
    summary = render_to_string(
        "booking/_order.html", {"booking": booking, "visitor": guest_of(booking)}
    )
    page = OrderPage(
        button=render_to_string("booking/_order_button.txt").strip(),
        summary=in_words(summary),
        papers=orders.papers_for(booking),
    )
    form = OrderForm(sent, asks_for_early_start=is_early, seen=page.sha256)
    later_from = orders.last_day(booking, now=now) + timedelta(days=1) if is_early else None
    return Ordering(summary, page, form, later_from)


def in_words(summary: str) -> str:
    """A list of terms and what they mean, one a line."""
    rows = (html.unescape(strip_tags(row)).split() for row in summary.split("</div>"))
    return "\n".join(" ".join(words) for words in rows if words)
