"""Mails that belong to no app alone."""

from __future__ import annotations

from django.urls import reverse

from coaching_site import links, mail
from coaching_site.desk.models import PersonLink
from newsletter import addresses


def send_person_link(link: PersonLink, *, token: str) -> None:
    """Send somebody the link to all that is stored about them."""
    mail.send(
        "desk/mail/person_link",
        to=addresses.parse(link.address).mailbox,
        context={
            "link": links.absolute(reverse("people:own", args=[token])),
            "expires_at": link.expires_at,
        },
        key=f"desk.person_link:{link.pk}",
    )
