"""One function per mail. Each renders its templates and hands the mail to the server."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from email.utils import parseaddr

from django.conf import settings
from django.template.loader import render_to_string
from django.urls import reverse

from booking import ics
from booking.models import Alarm, Booking, BusyFeed, Calendar, Invoice, Order, Refund, Withdrawal
from booking.models.orders import contract_texts
from booking.models.withdrawals import GERMAN_TIME
from coaching_site import german, links, mail
from pages import legal
from pages.legal_models import LegalText
from pages.models import Practice

PURPOSE = "booking"
REQUEST_PURPOSE = "booking.request"
WITHDRAW_PURPOSE = "booking.withdraw"
WITHDRAWAL_PURPOSE = "booking.withdrawal"


def confirmation_to_guest(booking: Booking) -> None:
    """The contract on a durable medium, with its papers as files: links are none (BGB § 312f (2))."""
    _send(
        "confirmation_guest",
        booking,
        to=booking.email,
        file=calendar_file(booking),
        method="REQUEST",
        papers=Invoice.objects.filter(booking=booking, deposit__isnull=False).live(),
        legal_papers=_legal_papers(booking),
    )


def confirmation_to_coach(booking: Booking) -> None:
    _send(
        "confirmation_coach",
        booking,
        to=settings.COACH_EMAIL,
        reply_to=booking.email,
    )


def cancellation_to_guest(booking: Booking) -> None:
    if booking.confirmed_at is None:
        request_over_to_guest(booking)
        return
    _send(
        "cancellation_guest",
        booking,
        to=booking.email,
        file=calendar_file(booking),
        method="CANCEL",
        more=_money_after(booking),
    )


def cancellation_to_coach(booking: Booking) -> None:
    if booking.confirmed_at is None:
        request_over_to_coach(booking)
        return
    _send(
        "cancellation_coach",
        booking,
        to=settings.COACH_EMAIL,
        reply_to=booking.email,
        more=_money_after(booking),
    )


def request_to_guest(booking: Booking) -> None:
    _send("request_guest", booking, to=booking.email)


def request_to_coach(booking: Booking) -> None:
    answer_url = links.absolute(reverse("booking:request", args=[request_token(booking)]))
    _send(
        "request_coach",
        booking,
        to=settings.COACH_EMAIL,
        reply_to=booking.email,
        more={"answer_url": answer_url},
    )


def request_over_to_guest(booking: Booking) -> None:
    """Declined, withdrawn or never answered: nothing was in anybody's calendar yet."""
    _send("request_over_guest", booking, to=booking.email)


def request_over_to_coach(booking: Booking) -> None:
    _send("request_over_coach", booking, to=settings.COACH_EMAIL, reply_to=booking.email)


def moved_to_guest(booking: Booking) -> None:
    _send(
        "moved_guest",
        booking,
        to=booking.email,
        file=calendar_file(booking),
        method="REQUEST",
    )


def moved_to_coach(booking: Booking) -> None:
    _send(
        "moved_coach",
        booking,
        to=settings.COACH_EMAIL,
        reply_to=booking.email,
    )


def first_reminder_to_guest(booking: Booking) -> None:
    _send("reminder_guest", booking, to=booking.email, occasion="first_reminder")


def second_reminder_to_guest(booking: Booking) -> None:
    _send("reminder_guest", booking, to=booking.email, occasion="second_reminder")


def unconfirmed_to_coach(booking: Booking) -> None:
    """The call is about to begin and its guest has no confirmation of the contract."""
    _send("unconfirmed_coach", booking, to=settings.COACH_EMAIL, reply_to=booking.email)


def follow_up_to_guest(booking: Booking) -> None:
    """Asking for feedback is advertising in law: only to those who agreed."""
    _send("follow_up_guest", booking, to=booking.email)


def refund_to_guest(booking: Booking, refund: Refund) -> None:
    """The money is back at their bank or on its last steps there; said once a refund."""
    _send(
        "refund_guest",
        booking,
        to=booking.email,
        more={"refund": refund},
        papers=refund.invoices.all(),
        occasion=f"refund-{refund.key}",
    )


def invoice_to_guest(booking: Booking, invoice: Invoice) -> None:
    """An invoice or its cancellation that no other mail has brought."""
    _send(
        "invoice_guest",
        booking,
        to=booking.email,
        more={"invoice": invoice},
        papers=[invoice],
        occasion=f"invoice-{invoice.number}",
    )


def paid_too_late_to_guest(booking: Booking) -> None:
    _send("paid_too_late_guest", booking, to=booking.email, more=_money_back_of_late(booking))


def paid_too_late_to_coach(booking: Booking) -> None:
    _send(
        "paid_too_late_coach",
        booking,
        to=settings.COACH_EMAIL,
        reply_to=booking.email,
        more=_money_back_of_late(booking),
    )


def alarm_to_coach(alarm: Alarm) -> None:
    _send(
        "alarm_coach",
        alarm.deposit.booking,
        to=settings.COACH_EMAIL,
        more={"alarm": alarm, "deposit": alarm.deposit},
        occasion=f"alarm-{alarm.pk}",
    )


def feed_failing_to_coach(feed: BusyFeed) -> None:
    _send_about_feed("feed_failing", feed)


def feed_well_to_coach(feed: BusyFeed) -> None:
    _send_about_feed("feed_well", feed)


def withdrawal_receipt(withdrawal: Withdrawal) -> None:
    """What was declared and when it came, whatever it is worth (BGB § 356a (4))."""
    _send_about_withdrawal("withdrawal_receipt", withdrawal, to=withdrawal.email)


def withdrawal_warning(withdrawal: Withdrawal) -> None:
    """To the booking's own address: somebody with another one withdrew from it."""
    if withdrawal.booking is not None:
        _send_about_withdrawal("withdrawal_warning", withdrawal, to=withdrawal.booking.email)


def withdrawal_to_coach(withdrawal: Withdrawal) -> None:
    _send_about_withdrawal(
        "withdrawal_coach", withdrawal, to=settings.COACH_EMAIL, reply_to=withdrawal.email
    )


def withdrawal_accepted(withdrawal: Withdrawal) -> None:
    _send_about_withdrawal(
        "withdrawal_accepted",
        withdrawal,
        to=withdrawal.email,
        file=_file_taking_back(withdrawal),
    )


def withdrawal_without_effect(withdrawal: Withdrawal) -> None:
    _send_about_withdrawal("withdrawal_without_effect", withdrawal, to=withdrawal.email)


def withdrawal_mail_lost(withdrawal: Withdrawal) -> None:
    """To the coach: what had to be told could not be delivered."""
    failed = withdrawal.mails.failed()
    _send_about_withdrawal(
        "withdrawal_lost", withdrawal, to=settings.COACH_EMAIL, more={"failed": failed}
    )


def withdrawal_due_soon(withdrawal: Withdrawal) -> None:
    """To the coach: its money must be back in a few days. Not if it went back since this was owed."""
    if withdrawal.has_money_outstanding:
        _send_about_withdrawal("withdrawal_due_soon", withdrawal, to=settings.COACH_EMAIL)


def calendar_file(booking: Booking) -> bytes:
    """The booking as a calendar file, as it stands: an invitation or its withdrawal."""
    practice = Practice.current()
    addresses = _addresses(booking)
    paper = ics.Paper(
        summary=f"Gespräch mit {practice.display_name}",
        description=render_to_string(
            "booking/mail/calendar_note.txt", {"booking": booking, **addresses}
        ).strip(),
        url=addresses["manage_url"],
        organizer_name=practice.display_name,
        organizer_email=parseaddr(settings.COACH_EMAIL)[1],
    )
    if booking.cancelled_at is not None and booking.is_cancelled:
        return ics.withdrawal(booking, paper, stamp=booking.cancelled_at)
    stamp = booking.moved_at or booking.confirmed_at or booking.created_at
    return ics.invitation(booking, paper, stamp=stamp)


def feed_file(calendar: Calendar, *, now: datetime) -> bytes:
    """The coach's calls for their own calendar program: who and when, and the way to the rest."""
    practice = Practice.current()
    entries = [
        (booking, _feed_paper(booking, practice))
        for booking in Booking.objects.with_its_type().in_feed(calendar, now)
    ]
    return ics.feed(entries, name=f"Gespräche – {practice.brand}")


def _feed_paper(booking: Booking, practice: Practice) -> ics.Paper:
    desk_url = links.absolute(reverse("admin:booking_booking_change", args=[booking.pk]))
    return ics.Paper(
        summary=f"Gespräch mit {booking.name}",
        description=f"In der Verwaltung ansehen: {desk_url}",
        url=desk_url,
        organizer_name=practice.display_name,
        organizer_email=parseaddr(settings.COACH_EMAIL)[1],
    )


def token(booking: Booking) -> str:
    """What opens this booking's pages: its reference, signed."""
    return links.sign(PURPOSE, booking.reference)


def request_token(booking: Booking) -> str:
    """What opens the coach's page for a request; guests' links do not."""
    return links.sign(REQUEST_PURPOSE, booking.reference)


def withdraw_url(booking: Booking) -> str:
    """The withdrawal form with this booking filled in; its reference, signed."""
    return f"{reverse('withdraw')}?termin={links.sign(WITHDRAW_PURPOSE, booking.reference)}"


def withdrawal_token(withdrawal: Withdrawal) -> str:
    """What opens the page that shows what was declared."""
    return links.sign(WITHDRAWAL_PURPOSE, str(withdrawal.pk))


def _file_taking_back(withdrawal: Withdrawal) -> bytes | None:
    """What takes a coming appointment out of its guest's calendar; not for other addresses."""
    booking, decided_at = withdrawal.booking, withdrawal.decided_at
    if booking is None or decided_at is None or not withdrawal.is_own_address:
        return None
    was_ahead = booking.confirmed_at is not None and booking.start > decided_at
    return calendar_file(booking) if was_ahead and booking.is_cancelled else None


def _money_after(booking: Booking) -> dict[str, object]:
    """What becomes of the money of an appointment that was called off."""
    refunds = Refund.objects.of_booking(booking)
    return {
        "back_cents": refunds.cents(Refund.Reason.GUEST, Refund.Reason.COACH),
        "kept_cents": booking.kept_cents,
        "is_disputed": booking.is_disputed,
    }


def _money_back_of_late(booking: Booking) -> dict[str, object]:
    return {"back_cents": Refund.objects.of_booking(booking).cents(Refund.Reason.LATE)}


def _addresses(booking: Booking) -> dict[str, str]:
    pages = {"manage_url": "booked", "move_url": "move", "cancel_url": "cancel"}
    addresses = {
        name: links.absolute(reverse(f"booking:{page}", args=[token(booking)]))
        for name, page in pages.items()
    }
    return {**addresses, "withdraw_url": links.absolute(withdraw_url(booking))}


def _send(
    template: str,
    booking: Booking,
    *,
    to: str,
    reply_to: str | None = None,
    file: bytes | None = None,
    method: str = "",
    papers: Iterable[Invoice] = (),
    legal_papers: Iterable[mail.Attachment] = (),
    more: Mapping[str, object] | None = None,
    occasion: str = "",
) -> None:
    papers, legal_papers = list(papers), list(legal_papers)
    alternatives, files = _invitation(file, method)
    attachments = [
        mail.Attachment(paper.file_name, bytes(paper.pdf), "application/pdf") for paper in papers
    ]
    mail.send(
        f"booking/mail/{template}",
        to=to,
        reply_to=reply_to,
        context={
            "booking": booking,
            "papers": papers,
            "legal_papers": legal_papers,
            "call_type": booking.call_type,
            "coach_zone": booking.calendar.tz,
            "guest_zone": booking.guest_zone,
            "desk_url": links.absolute(reverse("admin:booking_booking_change", args=[booking.pk])),
            "again_url": links.absolute(reverse("booking:days")),
            **_addresses(booking),
            **(more or {}),
        },
        key=f"booking/{booking.reference}/{occasion or template}"
        f"/{_instant(booking.start)}/{booking.sequence}",
        alternatives=alternatives,
        attachments=[*attachments, *legal_papers, *files],
        names=_names(booking),
    )


def _names(booking: Booking) -> dict[str, str]:
    """What the coach's own words in a mail to this guest may name."""
    here, there = booking.calendar.tz, booking.guest_zone
    clock = german.clock if here.key == there.key else german.clock_and_zone
    return {
        "name": booking.first_name,
        "tag": german.long_date(booking.start.astimezone(there).date(), year=False),
        "uhrzeit": clock(booking.start, there),
        "art": booking.call_type.title,
    }


def _legal_papers(booking: Booking) -> list[mail.Attachment]:
    """The texts of a contract, in the versions it was ordered by. Free calls need none."""
    if not booking.price_cents:
        return []
    order = Order.objects.newest(booking)
    return [
        mail.Attachment(f"{kind.label}.pdf", _legal_pdf(kind, order), "application/pdf")
        for kind in contract_texts(booking)
    ]


def _legal_pdf(kind: LegalText.Kind, order: Order | None) -> bytes:
    known = order.paper(kind) if order else None
    ordered_by = legal.version(kind, known["number"]) if known else None
    return legal.pdf_of(ordered_by or legal.current(kind))


def _invitation(
    file: bytes | None, method: str
) -> tuple[list[mail.Alternative], list[mail.Attachment]]:
    """Mail programs read the part, people save the file; some understand only one of them."""
    if file is None:
        return [], []
    kind = f"text/calendar; method={method}"
    return [mail.Alternative(file.decode(), kind)], [mail.Attachment("termin.ics", file, kind)]


def _send_about_withdrawal(
    template: str,
    withdrawal: Withdrawal,
    *,
    to: str,
    reply_to: str | None = None,
    file: bytes | None = None,
    more: Mapping[str, object] | None = None,
) -> None:
    alternatives, files = _invitation(file, "CANCEL")
    shown = reverse("withdrawn", args=[withdrawal_token(withdrawal)])
    desk = reverse("admin:booking_withdrawal_change", args=[withdrawal.pk])
    mail.send(
        f"booking/mail/{template}",
        to=to,
        reply_to=reply_to,
        context={
            "withdrawal": withdrawal,
            "booking": withdrawal.booking,
            "zone": GERMAN_TIME,
            "shown_url": links.absolute(shown),
            "desk_url": links.absolute(desk),
            **(more or {}),
        },
        # Several may come from one address, so the number tells them apart.
        key=f"withdrawal/{withdrawal.pk}/{template}",
        alternatives=alternatives,
        attachments=files,
    )


def _send_about_feed(template: str, feed: BusyFeed) -> None:
    since = feed.failing_since or feed.fetched_at or feed.created_at
    mail.send(
        f"booking/mail/{template}",
        to=settings.COACH_EMAIL,
        context={
            "feed": feed,
            "zone": feed.calendar.tz,
            "desk_url": links.absolute(reverse("admin:booking_busyfeed_change", args=[feed.pk])),
        },
        key=f"feed/{feed.pk}/{template}/{_instant(since)}",
    )


def _instant(moment: datetime) -> str:
    return f"{moment.timestamp():.0f}"
