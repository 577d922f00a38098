"""Builds an issue once for everyone: the two parts of its mail, with marks for what is personal."""

from __future__ import annotations

from dataclasses import dataclass

import css_inline
from django.template.loader import render_to_string
from django.utils.safestring import mark_safe

from newsletter.rendering import markdown, placeholders
from pages.models import Practice

# Signs without width behind the preheader, so that no mailbox shows the letter's beginning there.
PREHEADER_PADDING = "\u034f\u200c\u00a0" * 100

_INLINER = css_inline.CSSInliner(load_remote_stylesheets=False)


@dataclass(frozen=True)
class Built:
    """What an issue says. `html` and `text` hold marks (`placeholders`), `subject` holds none."""

    subject: str
    html: str
    text: str


def build(
    *,
    subject: str,
    preheader: str,
    body: str,
    archive_url: str,
    practice: Practice,
    site_url: str,
) -> Built:
    """Build the mail of an issue. The same input gives the same bytes.

    The footer's way out and way to the preferences are marks too, the only links that are personal.
    """
    values = {
        "subject": _one_line(subject),
        "preheader": _one_line(preheader),
        "padding": PREHEADER_PADDING,
        "archive_url": archive_url,
        "unsubscribe": placeholders.mark(placeholders.UNSUBSCRIBE),
        "preferences": placeholders.mark(placeholders.PREFERENCES),
        "practice": practice,
        "site_url": site_url,
    }
    html = mark_safe(markdown.to_html(body, site_url=site_url))  # noqa: S308 – nh3 cleaned it
    text = markdown.to_text(body)
    return Built(
        subject=_one_line(subject),
        html=_INLINER.inline(
            render_to_string("newsletter/issue/mail.html", {**values, "body": html})
        ),
        text=render_to_string("newsletter/issue/mail.txt", {**values, "body": text}).strip() + "\n",
    )


def _one_line(text: str) -> str:
    return " ".join(placeholders.without_marks(text).split())
