"""What search engines read: schema.org in JSON-LD, from the same rows the page shows."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from django.templatetags.static import static
from django.utils.safestring import SafeString, mark_safe

from booking.models import CallType
from coaching_site import links
from pages.models import Practice

# Inside a script element these would end it or open another (HTML, section 13.2.5.4).
ESCAPES = {ord("<"): "\\u003C", ord(">"): "\\u003E", ord("&"): "\\u0026"}


def service(practice: Practice, calls: list[CallType]) -> SafeString:
    """The coach as Person and the coaching as Service with one Offer for each bookable call."""
    person = _coach(practice)
    offers = [
        {
            "@type": "Offer",
            "name": call.title,
            "price": f"{call.price_cents / 100:.2f}",
            "priceCurrency": "EUR",
            "url": links.absolute(call.get_absolute_url()),
            "availability": "https://schema.org/InStock",
        }
        for call in calls
    ]
    coaching = {
        "@type": "Service",
        "@id": links.absolute("/#coaching"),
        "name": "VP Engineering Coaching",
        "serviceType": "Coaching",
        "provider": {"@id": person["@id"]},
        "areaServed": "DE",
        "availableLanguage": "de",
        "url": links.absolute("/"),
        "offers": offers,
    }
    return _script({"@context": "https://schema.org", "@graph": [person, coaching]})


def article(
    practice: Practice,
    *,
    title: str,
    description: str,
    url: str,
    published_at: datetime | None,
    changed_at: datetime,
) -> SafeString:
    """Something the coach wrote and published, as Article."""
    person = _coach(practice)
    written = {
        "@type": "Article",
        "@id": f"{url}#text",
        "headline": title,
        "description": description,
        "url": url,
        "mainEntityOfPage": url,
        "inLanguage": "de",
        "image": links.absolute(static("social.png")),
        "datePublished": published_at.isoformat() if published_at else None,
        "dateModified": changed_at.isoformat(),
        "author": {"@id": person["@id"]},
        "publisher": {"@id": person["@id"]},
    }
    return _script({"@context": "https://schema.org", "@graph": [person, written]})


def _coach(practice: Practice) -> dict[str, Any]:
    person: dict[str, Any] = {
        "@type": "Person",
        "@id": links.absolute("/#coach"),
        "name": practice.display_name,
        "jobTitle": "Coach für Führungskräfte im Engineering",
        "url": links.absolute("/angebot/"),
    }
    if practice.portrait:
        person["image"] = links.absolute(practice.portrait.url)
    return person


def _script(data: dict[str, Any]) -> SafeString:
    text = json.dumps(data, ensure_ascii=False).translate(ESCAPES)
    return mark_safe(f'<script type="application/ld+json">{text}</script>')  # noqa: S308
