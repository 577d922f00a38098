"""How the practice's data is printed: prices with their VAT note, and honest placeholders."""

from __future__ import annotations

from django import template
from django.utils.html import format_html, linebreaks
from django.utils.safestring import SafeString

from coaching_site import german, vat
from pages import offering, portraits
from pages.models import Practice

register = template.Library()


@register.simple_tag
def price(cents: int) -> str:
    """„kostenlos“, or the total price with its note on VAT: the only way to print a price."""
    if cents == 0:
        return "kostenlos"
    if Practice.current().vat_mode == Practice.VatMode.SMALL_BUSINESS:
        return f"{german.euros(cents)} ({vat.EXEMPT})"
    return f"{german.euros(cents)} {vat.INCLUDED}"


@register.filter
def or_missing(value: str, label: str) -> str | SafeString:
    """The value, or a visible mark that it is still to be filled in."""
    return value or format_html("<mark>[{} fehlt noch]</mark>", label)


@register.filter
def paragraphs(text: str) -> SafeString:
    """The coach's plain text as paragraphs; everything else in it is escaped."""
    return SafeString(linebreaks(text, autoescape=True))


@register.simple_tag
def kind_of_service() -> str:
    """What every call is, as the contract says it."""
    return offering.KIND


@register.simple_tag
def not_recorded() -> str:
    return offering.NOT_RECORDED


@register.simple_tag
def no_therapy() -> str:
    return offering.NO_THERAPY


@register.inclusion_tag("pages/_portrait.html")
def portrait(practice: Practice) -> dict[str, object]:
    """The coach's portrait, if there is one."""
    return {
        "portrait": portraits.shown(practice),
        "name": practice.display_name,
        # As static/css/parts.css has it: 15rem, on a telephone 38 % of the column.
        "sizes": "(min-width: 48em) 270px, 33vw",
    }
