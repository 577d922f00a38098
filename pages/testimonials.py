"""When a quote is shown, when it vanishes, and what is kept of whose words they are."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.template.loader import render_to_string

from coaching_site import periods, stored
from pages.models import Practice, Testimonial

# Names one wording of pages/testimonial_consent.txt. Change the words, change the version.
VERSION = "2026-11"
OWN_WORDS = "eigener Wortlaut"


class TestimonialError(Exception):
    """Why a quote stays as it is; the message is the sentence for the coach."""


class NoConsent(TestimonialError):
    pass


class Revoked(TestimonialError):
    pass


def wording(testimonial: Testimonial, practice: Practice) -> str:
    """What the person is to agree to: the words, how they are named, and their right to end it."""
    context = {"testimonial": testimonial, "practice": practice}
    return render_to_string("pages/testimonial_consent.txt", context).strip()


def version_of(testimonial: Testimonial, practice: Practice) -> str:
    """Which wording its consent is of; empty without consent."""
    agreed = testimonial.consent_text.split()
    if not agreed:
        return ""
    return VERSION if agreed == wording(testimonial, practice).split() else OWN_WORDS


def publish(testimonial: Testimonial, *, now: datetime) -> None:
    """Show a quote. Raises NoConsent or Revoked; showing it twice is showing it once."""
    with transaction.atomic():
        row = _locked(testimonial)
        if row.revoked_at:
            raise Revoked("Die Einwilligung ist widerrufen.")
        if not row.consented_on:
            raise NoConsent("Es fehlt die Einwilligung.")
        row.published_at = row.published_at or now
        row.save(update_fields=["published_at"])


def take_down(testimonial: Testimonial) -> None:
    """Show it no longer; the consent stays as it was given."""
    Testimonial.objects.filter(pk=testimonial.pk).update(published_at=None)


def revoke(testimonial: Testimonial, *, now: datetime) -> None:
    """Take the consent back: the quote vanishes at once and for good. Raises NoConsent."""
    with transaction.atomic():
        row = _locked(testimonial)
        if not row.consented_on:
            raise NoConsent("Es gibt keine Einwilligung, die sich widerrufen ließe.")
        row.revoked_at = row.revoked_at or now
        row.published_at = None
        row.save(update_fields=["revoked_at", "published_at"])


def _locked(testimonial: Testimonial) -> Testimonial:
    return Testimonial.objects.select_for_update().get(pk=testimonial.pk)


# --- whose words they are ---------------------------------------------------------------------


def knows(email: str) -> bool:
    return Testimonial.objects.of_address(email).exists()


def everything_about(email: str) -> list[dict[str, object]]:
    """All quotes of an address, by the names people read (DSGVO Art. 15)."""
    rows = Testimonial.objects.of_address(email).order_by("pk")
    return [stored.fields(row, leave_out=("id", "position")) for row in rows]


def erase(email: str) -> None:
    """Let go of somebody's quotes, shown or not, and of their consent (DSGVO Art. 17)."""
    Testimonial.objects.of_address(email).delete()


def forget_revoked(*, now: datetime) -> int:
    """Delete quotes three years after the year their consent was revoked; returns how many."""
    cutoff = periods.TESTIMONIALS.first_kept(now)
    deleted, _ = Testimonial.objects.filter(revoked_at__lt=cutoff).delete()
    return deleted
