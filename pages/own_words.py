"""What the coach wrote about the offer, held against the words that must not advertise."""

from __future__ import annotations

from collections.abc import Iterator

from booking.models import CallType
from pages import wording
from pages.models import Practice


def doubtful(practice: Practice) -> Iterator[str]:
    """One sentence for each doubtful word in the profile and in the types of call."""
    for where, text in _texts(practice):
        for doubt in dict.fromkeys(wording.doubts(text)):
            yield f"{where}: „{doubt.word}“ {doubt.claim}. Sieh dir die Stelle an."


def _texts(practice: Practice) -> Iterator[tuple[str, str]]:
    profile = (practice.headline, practice.biography, practice.call_story)
    yield "Praxis, Profil", "\n".join(profile)
    for call in CallType.objects.filter(is_active=True).order_by("pk"):
        text = "\n".join((call.title, call.description, call.preparation))
        yield f"Gesprächsart „{call.title}“", text
