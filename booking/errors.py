"""What can go wrong, each with the sentence the guest reads."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from coaching_site import german


class BookingError(Exception):
    """A wish that cannot be fulfilled. `message` is for the guest's eyes."""

    message = "Das hat nicht geklappt. Bitte versuch es noch einmal."

    def __init__(self, message: str = "") -> None:
        self.message = message or self.message
        super().__init__(self.message)


class SlotRefused(BookingError):
    """This time cannot be booked."""

    message = "Diese Zeit wird nicht angeboten."


class SlotTaken(SlotRefused):
    message = "Dieser Termin wurde gerade vergeben."


class SlotPast(SlotRefused):
    message = "Diese Zeit ist schon vorbei."


class SlotTooSoon(SlotRefused):
    message = "So kurzfristig geht es nicht mehr."


class SlotTooFar(SlotRefused):
    message = "So weit im Voraus ist der Kalender noch nicht offen."


class NoSuchTime(BookingError):
    """A time between two others that the clock jumps over in spring."""

    message = (
        "Diese Zeit gibt es an diesem Tag nicht: Die Uhr wird vorgestellt und überspringt sie."
    )


class AlreadyOpen(BookingError):
    """There is nothing to open beyond the hours."""

    message = "Diese Zeit ist schon offen."


class NotBookable(BookingError):
    """The type of call exists, but not for booking here."""

    message = "Dieses Gespräch kannst du hier noch nicht buchen. Schreib mir eine E-Mail."


class TooManyHolds(BookingError):
    """So many times are held from one network that nobody else could book."""

    def __init__(self, retry_after: timedelta) -> None:
        self.retry_after = retry_after
        super().__init__(
            "Aus deinem Netz werden gerade schon mehrere Zeiten freigehalten. "
            f"Bestätige eine davon oder versuch es in {german.wait(retry_after)} noch einmal."
        )


class HoldRanOut(BookingError):
    """The hold is over and the time is still free: the guest may say yes once more."""

    message = "Die Haltezeit ist um. Der Termin ist noch frei – jetzt noch einmal bestätigen?"


class AlreadyCancelled(BookingError):
    message = "Dieser Termin wurde abgesagt. Du kannst dir einen neuen aussuchen."


class RequestOver(BookingError):
    """Nobody waits for an answer any more."""

    message = "Diese Anfrage ist nicht mehr offen."


class LinkOver(BookingError):
    """A one-off link that is used up or out of date."""

    message = "Dieser Link ist schon benutzt oder abgelaufen."


class NotBooked(BookingError):
    """There is no appointment to call off: it was never confirmed, or its hold ran out."""

    message = "Dieser Termin ist nicht gebucht. Du musst nichts absagen."


class NotBegun(BookingError):
    """Nobody can have missed what has not begun or was never booked."""

    message = "Das lässt sich erst sagen, wenn ein gebuchter Termin begonnen hat."


class TooLate(BookingError):
    """The guest can no longer change this themselves; the coach still can."""

    message = "Dieser Termin hat schon begonnen. Schreib mir bitte eine E-Mail."
    what = ""

    def __init__(self, until: datetime | None = None, zone: ZoneInfo | None = None) -> None:
        if until is None or zone is None:
            super().__init__()
        else:
            super().__init__(
                f"{self.what} ging online bis {german.when(until, zone)}. "
                "Schreib mir bitte eine E-Mail."
            )


class TooLateToCancel(TooLate):
    what = "Absagen"


class TooLateToMove(TooLate):
    what = "Verschieben"


class NotMovable(BookingError):
    """Only an appointment can be moved, and only as long as its type is on offer."""

    message = "Dieser Termin lässt sich hier nicht verschieben. Schreib mir bitte eine E-Mail."


class BeingPaid(BookingError):
    """Somebody may be paying for this hold right now; its page at Stripe must be ended first."""

    message = (
        "Für deinen Termin läuft gerade eine Zahlung. "
        "Bitte warte einen Moment und versuch es noch einmal."
    )


class PaymentsAway(BookingError):
    """Stripe did not answer, or not sensibly: nobody knows what became of the question.

    `spoiled` says that asking again with the same idempotency key would get the same answer.
    The sentence promises nothing about money: an earlier page may have been paid meanwhile.
    """

    message = (
        "Der Zahlungsdienst antwortet gerade nicht. Deine Angaben sind noch da, "
        "bitte versuch es in ein paar Minuten noch einmal."
    )

    def __init__(self, *, spoiled: bool = False) -> None:
        self.spoiled = spoiled
        super().__init__()


class PaymentsRefused(BookingError):
    """Stripe refused the question; `code` is its short word for why, for our own eyes.

    `status` is the answer's number: 401 for a key nobody knows, 403 for one that lacks the right.
    """

    message = "Die Zahlung lässt sich gerade nicht öffnen. Schreib mir bitte eine E-Mail."

    def __init__(self, *, code: str = "", status: int = 0) -> None:
        self.code = code
        self.status = status
        super().__init__()


class NothingToRefund(BookingError):
    """More should go back than there is, or the money is being fought over."""

    message = "So viel lässt sich von dieser Zahlung nicht erstatten."


class RefundChanged(BookingError):
    """Between looking and pressing, something else was sent back or failed."""

    message = "An dieser Zahlung hat sich inzwischen etwas geändert. Sieh sie dir noch einmal an."


class PaymentUnclear(BookingError):
    """Money came that does not fit; the coach has to look before anybody pays again."""

    message = (
        "Für diesen Termin ist schon Geld angekommen, aber etwas passt nicht. "
        "Ich sehe es mir an und melde mich bei dir."
    )


class InvoiceIncomplete(BookingError):
    """An invoice would have holes; `missing` names them in the coach's words.

    `of_practice` says that they are the practice's, so that no invoice at all can be written.
    """

    def __init__(self, missing: Sequence[str], *, of_practice: bool) -> None:
        self.missing = list(missing)
        self.of_practice = of_practice
        super().__init__(f"Für die Rechnung fehlt noch: {', '.join(self.missing)}.")


class NothingToInvoice(BookingError):
    """All is billed, or nothing is owed."""

    message = "Zu diesem Termin ist nichts mehr abzurechnen."


class InvoiceChanged(BookingError):
    """Between looking and pressing, another invoice, refund or note was written."""

    message = "Inzwischen hat sich etwas geändert. Sieh dir die Beträge noch einmal an."


class NothingToCancel(BookingError):
    """The invoice is cancelled already, or is a cancellation itself."""

    message = "Diese Rechnung ist schon storniert."


class NotPayable(BookingError):
    """Only an open invoice by transfer can be noted as paid, and not before its date."""

    message = "Diese Rechnung lässt sich nicht als bezahlt vermerken."


class TaxChanged(BookingError):
    """The deposit was billed with another kind of VAT than holds now; no rule knows what is right."""

    message = (
        "Seit der Anzahlungsrechnung hat sich deine Umsatzsteuer geändert. "
        "Frag deine Steuerberatung, wie du den Rest abrechnest."
    )


class NotMatched(BookingError):
    """What was withdrawn from is not known yet."""

    message = "Ordne den Widerruf zuerst einem Termin zu."


class MustGoBackWhole(BookingError):
    """Something may be kept only of what was rendered early at the guest's request (BGB § 357a (2))."""

    message = (
        "Von diesem Widerruf darfst du nichts behalten: Das Gespräch hatte noch nicht begonnen, oder "
        "der Gast hatte nicht verlangt, dass es vor Ablauf der Frist beginnt."
    )


class WithdrawalDecided(BookingError):
    """Somebody has decided already; that stays."""

    message = "Über diesen Widerruf ist schon entschieden."


class OrderChanged(BookingError):
    """What stands above the button is not what the guest read."""

    message = (
        "Inzwischen hat sich etwas an deiner Bestellung geändert. "
        "Bitte lies sie noch einmal, bevor du buchst."
    )


class EarlyStartMissing(BookingError):
    """A call inside the withdrawal period needs its guest's express request (BGB § 357a (2))."""

    message = (
        "Dein Termin liegt in der Widerrufsfrist. "
        "Setz den Haken, damit das Gespräch davor stattfinden kann."
    )
