"""The words people agree to. What is shown beside the button is what is stored."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from django.template.loader import render_to_string

from pages.models import Practice

# Names the wording of newsletter/consent.txt. Change the words, change the version.
VERSION = "2026-11"


@dataclass(frozen=True)
class ConsentText:
    """A consent text as it is shown: one paragraph, filled in."""

    text: str
    version: str = VERSION

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


def current(practice: Practice) -> ConsentText:
    """The text for the newsletter, naming sender, content and, if promised, frequency."""
    words = render_to_string("newsletter/consent.txt", {"practice": practice})
    return ConsentText(" ".join(words.split()))
