"""What a guest saw and declared when they pressed the button: the proof of an order."""

from __future__ import annotations

from typing import TypedDict

from django.db import models
from django.db.models import Q

from booking.models.bookings import Booking
from pages.legal_models import LegalText


class Declaration(TypedDict):
    """A box that stood above the button, and whether it was ticked."""

    text: str
    is_ticked: bool


class PaperVersion(TypedDict):
    """A legal text as it held at that moment. Number 0 is the house's start text."""

    kind: str
    number: int
    sha256: str


def contract_texts(booking: Booking) -> list[LegalText.Kind]:
    """What a contract consists of; the right to withdraw is consumers' alone."""
    consumers = [LegalText.Kind.WITHDRAWAL] if booking.is_contract_of_a_consumer else []
    return [LegalText.Kind.TERMS, *consumers]


class OrderQuerySet(models.QuerySet["Order"]):
    def newest(self, booking: Booking) -> Order | None:
        """The order that counts: each one replaces those before it."""
        return self.filter(booking=booking).order_by("-ordered_at", "-pk").first()

    def forget_networks(self) -> int:
        """Leave the proof and forget where it came from."""
        return self.exclude(network="").update(network="")


class Order(models.Model):
    """An order as it was given. It never changes (trigger); only the network is forgotten.

    `summary` are the words that stood directly above the button, line by line.
    """

    booking = models.ForeignKey(
        Booking, models.PROTECT, related_name="orders", verbose_name="Termin"
    )
    ordered_at = models.DateTimeField("bestellt")
    customer = models.CharField("bucht", max_length=7, choices=Booking.Customer, blank=True)
    button = models.CharField("Beschriftung des Knopfs", max_length=60)
    summary = models.TextField("Zusammenfassung über dem Knopf")
    declarations: models.JSONField[list[Declaration], list[Declaration]] = models.JSONField(
        "Erklärungen", default=list
    )
    papers: models.JSONField[list[PaperVersion], list[PaperVersion]] = models.JSONField(
        "Rechtstexte", default=list
    )
    # Of the summary and the papers: the same page has the same one.
    sha256 = models.CharField("Prüfsumme", max_length=64)
    network = models.CharField("gekürzte IP-Adresse", max_length=64, blank=True, default="")

    objects = OrderQuerySet.as_manager()

    class Meta:
        verbose_name = "Bestellung"
        verbose_name_plural = "Bestellungen"
        ordering = ["-ordered_at", "-pk"]
        indexes = [
            models.Index("ordered_at", name="order_with_network", condition=~Q(network="")),
        ]
        constraints = [
            models.CheckConstraint(
                name="order_says_what_was_seen",
                condition=~Q(summary="") & ~Q(button="") & Q(sha256__regex=r"^[0-9a-f]{64}$"),
                violation_error_message="Zu einer Bestellung gehört, was auf der Seite stand.",
            ),
        ]

    def __str__(self) -> str:
        return f"Bestellung zu {self.booking.reference}"

    @property
    def versions(self) -> list[str]:
        """„AGB, Fassung 3“, and whatever else held."""
        return [
            f"{LegalText.Kind(paper['kind']).label}, Fassung {paper['number']}"
            for paper in self.papers
        ]

    def paper(self, kind: str) -> PaperVersion | None:
        """The version of this paper that was ordered by."""
        return next((paper for paper in self.papers if paper["kind"] == kind), None)
