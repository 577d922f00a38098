"""What the base page needs."""

from __future__ import annotations

import re
from datetime import datetime

from django import template
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import Truncator

from coaching_site import inlined

register = template.Library()

# What lists of search results show of a page.
TITLE_LENGTH = 65
DESCRIPTION_LENGTH = 160


@register.simple_tag
def inline_css() -> SafeString:
    """The whole stylesheet; its hash stands in the Content-Security-Policy header."""
    return mark_safe(f"<style>{inlined.CSS}</style>")  # noqa: S308  (our own file)


@register.simple_tag
def zone_script() -> SafeString:
    """The script that offers the visitor's own clock; its hash stands in the same header."""
    return mark_safe(inlined.ZONE)  # noqa: S308  (our own file)


@register.filter
def one_line(text: str) -> str:
    """A sentence of a page for a mail's plain text: no line breaks but those that are meant."""
    return re.sub(r"[ \t\n]+", " ", text).strip(" ")


@register.inclusion_tag("_partials/page_meta.html", takes_context=True)
def page_meta(
    context: template.Context,
    *,
    title: str,
    description: str,
    published_at: datetime | None = None,
    changed_at: datetime | None = None,
) -> dict[str, object]:
    """Title, description, canonical address and the tags for sharing, of a public page.

    One that was published at a time is an article. Its name stands in the window with that of the
    site where a list of search results has room for both.
    """
    whole = f"{title} – {context['practice'].brand}"
    return {
        "title": title,
        "window_title": whole if len(whole) <= TITLE_LENGTH else title,
        "description": Truncator(description).chars(DESCRIPTION_LENGTH),
        "published_at": published_at,
        "changed_at": changed_at,
        "canonical": context["canonical"],
        "site_url": context["site_url"],
        "brand": context["practice"].brand,
    }
