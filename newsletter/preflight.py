"""What is looked at before an issue may leave: problems that block it, and those worth a look."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.urls import reverse

from coaching_site import links
from newsletter.models import Issue, Subscriber
from newsletter.rendering.building import Built, build
from pages.models import Practice

LARGEST_HTML = 100_000  # bytes; Gmail cuts at about 102 kB


@dataclass(frozen=True)
class Problem:
    """Something about an issue, with a sentence for the coach that says what to do."""

    kind: str
    message: str
    blocks: bool = True


def problems(issue: Issue, *, practice: Practice) -> list[Problem]:
    """All that is wrong with an issue, as far as it can be told without asking the network."""
    found = []
    if not issue.subject.strip():
        found.append(Problem("subject", "Der Betreff fehlt. Schreib einen."))
    if not issue.body.strip():
        found.append(Problem("body", "Der Text fehlt. Schreib einen."))
    if missing := practice.missing():
        found.append(Problem("imprint", f"Im Impressum fehlt: {', '.join(missing)}."))
    built = _built(issue, practice)
    if len(built.html.encode()) > LARGEST_HTML:
        found.append(Problem("size", "Die E-Mail ist zu groß. Kürze den Text."))
    if not _readers(issue):
        found.append(Problem("audience", "Niemand würde diese Ausgabe bekommen."))
    return found


def _built(issue: Issue, practice: Practice) -> Built:
    return build(
        subject=issue.subject,
        preheader=issue.preheader,
        body=issue.body,
        archive_url=links.absolute(f"{reverse('newsletter:subscribe')}{issue.slug}/"),
        practice=practice,
        site_url=settings.SITE_URL,
    )


def _readers(issue: Issue) -> int:
    """How many would get it now."""
    readers = Subscriber.objects.reachable()
    tags = issue.tags.all() if issue.pk else ()
    return (readers.filter(tags__in=tags) if tags else readers).distinct().count()
