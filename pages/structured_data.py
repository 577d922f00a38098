"""What search engines read: schema.org in JSON-LD, from the same rows the page shows."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from django.templatetags.static import static
from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe

from booking.models import CallType
from coaching_site import links
from pages.models import Practice

COACH = "/#coach"
# Inside a script element these would end it or open another (HTML, section 13.2.5.4).
ESCAPES = {ord("<"): "\\u003C", ord(">"): "\\u003E", ord("&"): "\\u0026"}


def home(practice: Practice, call: CallType | None) -> SafeString:
    """The landing page: the site under its name, the coach, the coaching, and the call it offers."""
    person = _coach(practice)
    site = {
        "@type": "WebSite",
        "@id": links.absolute("/#site"),
        "name": practice.brand,
        "url": links.absolute("/"),
        "inLanguage": "de",
        "publisher": {"@id": person["@id"]},
    }
    return _script(site, person, _coaching(practice, [call] if call else []))


def service(practice: Practice, calls: list[CallType]) -> SafeString:
    """The offer: the coach as Person and the coaching as Service with an Offer for each call."""
    return _script(_coach(practice), _coaching(practice, calls))


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
    return _script(person, written)


def _coach(practice: Practice) -> dict[str, Any]:
    person: dict[str, Any] = {
        "@type": "Person",
        "@id": links.absolute(COACH),
        "name": practice.display_name,
        "jobTitle": "Coach für Führungskräfte im Engineering",
        "url": links.absolute("/angebot/"),
    }
    if practice.portrait:
        person["image"] = links.absolute(practice.portrait.url)
    return person


def _coaching(practice: Practice, calls: list[CallType]) -> dict[str, Any]:
    coaching: dict[str, Any] = {
        "@type": "Service",
        "@id": links.absolute("/#coaching"),
        "name": "VP Engineering Coaching",
        "serviceType": "Coaching",
        "provider": {"@id": links.absolute(COACH)},
        "areaServed": "DE",
        "url": links.absolute("/"),
        "availableChannel": {
            "@type": "ServiceChannel",
            "serviceUrl": links.absolute(reverse("booking:days")),
            "availableLanguage": "de",
        },
    }
    if calls:
        coaching["offers"] = [_offer(practice, call) for call in calls]
    return coaching


def _offer(practice: Practice, call: CallType) -> dict[str, Any]:
    price = {"price": f"{call.price_cents / 100:.2f}", "priceCurrency": "EUR"}
    offer: dict[str, Any] = {
        "@type": "Offer",
        "name": call.title,
        **price,
        "url": links.absolute(call.get_absolute_url()),
    }
    if call.is_bookable:
        offer["availability"] = "https://schema.org/InStock"
    # Of a small business's price no tax is a part, and none comes on top (UStG § 19).
    if call.price_cents and practice.vat_mode == Practice.VatMode.REGULAR:
        offer["priceSpecification"] = {
            "@type": "PriceSpecification",
            **price,
            "valueAddedTaxIncluded": True,
        }
    return offer


def _script(*things: dict[str, Any]) -> SafeString:
    data = {"@context": "https://schema.org", "@graph": things}
    text = json.dumps(data, ensure_ascii=False).translate(ESCAPES)
    return mark_safe(f'<script type="application/ld+json">{text}</script>')  # noqa: S308
