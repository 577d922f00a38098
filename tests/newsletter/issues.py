"""Readers in numbers, and issues that can be sent to them, for the tests of sending."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

from newsletter.models import Consent, Issue, Subscriber
from pages.models import Practice

LONG_AGO = datetime(2026, 5, 4, 8, 0, tzinfo=UTC)
# As long as a letter is: some screens of text with links.
LETTER = "Hallo {{ vorname | du }},\n\n" + "\n\n".join(
    f"## Punkt {number}\n\nWas ich über **Führung** gelernt habe, "
    "steht ausführlich im [Artikel](https://beispiel.example/artikel). "
    + "Noch ein Satz dazu. "
    * 12
    for number in range(12)
)
WORDS = "Ich möchte den Newsletter bekommen."


def readers(count: int, *, domain: str = "leser.example", **values: object) -> list[Subscriber]:
    """So many confirmed readers, reader0@… and so on, written at once."""
    consents = Consent.objects.bulk_create(
        Consent(
            address=f"reader{number}@{domain}",
            text=WORDS,
            text_version="1",
            text_sha256=hashlib.sha256(WORDS.encode()).hexdigest(),
            page="/newsletter/",
            requested_at=LONG_AGO,
            confirmed_at=LONG_AGO,
        )
        for number in range(count)
    )
    return Subscriber.objects.bulk_create(
        Subscriber(
            address=consent.address,
            address_key=consent.address,
            name=f"Vor{number} Nach",
            status=Subscriber.Status.CONFIRMED,
            created_at=LONG_AGO,
            confirmed_at=LONG_AGO,
            consent=consent,
            **values,
        )
        for number, consent in enumerate(consents)
    )


def draft(subject: str = "Was ich gelernt habe", **values: object) -> Issue:
    """An issue that preflight lets pass."""
    complete_practice()
    known: dict[str, object] = {
        "preheader": "Drei Dinge",
        "body": "Hallo {{ vorname | du }},\n\nes sind **drei** Dinge. Grüße",
        "slug": f"ausgabe-{Issue.objects.count() + 1}",
        "created_at": LONG_AGO,
        "changed_at": LONG_AGO,
    }
    return Issue.objects.create(subject=subject, **{**known, **values})


def complete_practice() -> None:
    Practice.objects.update_or_create(
        pk=1,
        defaults={
            "first_name": "Ada",
            "last_name": "Beispiel",
            "street": "Beispielweg 1",
            "postal_code": "10115",
            "city": "Berlin",
            "email": "post@praxis.example",
            "phone": "+49 30 1234567",
        },
    )
