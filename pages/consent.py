"""The words people agree to when they ask for the newsletter. What is shown is what is stored.

They stand here because more than one app asks: the list itself and the booking form.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from django.template.loader import render_to_string

from pages.models import Practice

# Each names one wording of newsletter/consent.txt. Change the words, change the version.
VERSION = "2026-11"
BOX_VERSION = f"{VERSION}-buchung"
# For a text that was shown before the words or the practice's name changed.
EARLIER = "frühere Fassung"


@dataclass(frozen=True)
class ConsentText:
    """A consent text as it is shown: one paragraph, filled in."""

    text: str
    version: str = VERSION
    opening: str = ""

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def rest(self) -> str:
        """What follows the opening sentence."""
        return self.text.removeprefix(self.opening).strip()


def current(practice: Practice) -> ConsentText:
    """The text beside „Abonnieren“, naming sender, content and, if promised, frequency."""
    return _filled_in(practice, VERSION, button="Abonnieren")


def coming_back(practice: Practice) -> ConsentText:
    """The text for whoever takes an unsubscription back."""
    return _filled_in(practice, f"{VERSION}-zurueck", button="Abmeldung zurücknehmen")


def again(practice: Practice) -> ConsentText:
    """The text for whoever lets a link be sent once more."""
    return _filled_in(practice, f"{VERSION}-noch-einmal", button="Neuen Link schicken")


def moving(practice: Practice) -> ConsentText:
    """The text for whoever wants the newsletter at another address."""
    return _filled_in(practice, f"{VERSION}-adresse", button="Adresse ändern", elsewhere=True)


def booking_box(practice: Practice) -> ConsentText:
    """The text of the box on the booking form: its opening is the box's label."""
    return _filled_in(practice, BOX_VERSION)


def shown_on_booking(practice: Practice, text: str) -> ConsentText:
    """What a guest agreed to, perhaps some time ago, with the version that still has these words."""
    now = booking_box(practice)
    return now if now.text == text else ConsentText(text, EARLIER)


def _filled_in(
    practice: Practice, version: str, *, button: str = "", elsewhere: bool = False
) -> ConsentText:
    context = {"practice": practice, "button": button, "elsewhere": elsewhere}
    words = render_to_string("newsletter/consent.txt", context)
    # A full stop ends no sentence in „Dr. Muster“; an empty line does.
    opening = " ".join(words.strip().partition("\n\n")[0].split())
    return ConsentText(" ".join(words.split()), version, opening)
