"""What the base page needs."""

from __future__ import annotations

import re

from django import template
from django.utils.safestring import SafeString, mark_safe

from coaching_site import styles

register = template.Library()


@register.simple_tag
def inline_css() -> SafeString:
    """The whole stylesheet; its hash stands in the Content-Security-Policy header."""
    return mark_safe(f"<style>{styles.CSS}</style>")  # noqa: S308  (our own file)


@register.filter
def one_line(text: str) -> str:
    """A sentence of a page for a mail's plain text: no line breaks but those that are meant."""
    return re.sub(r"[ \t\n]+", " ", text).strip(" ")


@register.inclusion_tag("_partials/page_meta.html", takes_context=True)
def page_meta(context: template.Context, *, title: str, description: str) -> dict[str, object]:
    """Title, description, canonical address and the tags for sharing, of a public page."""
    return {
        "title": title,
        "description": description,
        "canonical": context["canonical"],
        "site_url": context["site_url"],
        "brand": context["practice"].brand,
    }
