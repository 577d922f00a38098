"""What the coach wrote about the offer and in mails, held against the words that must not advertise."""

from __future__ import annotations

from collections.abc import Iterator

from booking.models import CallType
from pages import mail_wording, wording
from pages.models import MailWording, Practice


def doubtful(practice: Practice) -> Iterator[str]:
    """One sentence for each doubtful word in the profile, in the types of call and in mails."""
    for where, text in _texts(practice):
        for doubt in dict.fromkeys(wording.doubts(text)):
            yield f"{where}: „{doubt.word}“ {doubt.claim}. Sieh dir die Stelle an."
    for row in MailWording.objects.order_by("key"):
        for sentence in mail_wording.doubts(row.key, row.words):
            yield f"Deine Worte in Mails: {sentence} Sieh dir die Stelle an."


def _texts(practice: Practice) -> Iterator[tuple[str, str]]:
    profile = (practice.headline, practice.biography, practice.call_story)
    yield "Praxis, Profil", "\n".join(profile)
    for call in CallType.objects.filter(is_active=True).order_by("pk"):
        text = "\n".join((call.title, call.description, call.preparation))
        yield f"Gesprächsart „{call.title}“", text
