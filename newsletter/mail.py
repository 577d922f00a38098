"""The list's own mails. Both answer a sign-up, and neither advertises anything."""

from __future__ import annotations

from datetime import datetime

from django.urls import reverse
from django.utils import timezone

from coaching_site import links, mail
from newsletter import tokens
from newsletter.models import Subscriber


def send_confirmation(subscriber: Subscriber, *, token: str, expires_at: datetime) -> None:
    """Ask the mailbox's owner whether they want the newsletter."""
    mail.send(
        "newsletter/mail/confirm",
        to=subscriber.mailbox,
        context={
            "link": links.absolute(reverse("newsletter:confirm", args=[token])),
            "last_day": timezone.localdate(expires_at),
        },
        key=_key("confirm", subscriber),
    )


def send_already_subscribed(subscriber: Subscriber) -> None:
    """Tell a reader who signed up again that nothing is left to do."""
    mail.send(
        "newsletter/mail/already",
        to=subscriber.mailbox,
        context={"unsubscribe_link": unsubscribe_url(subscriber)},
        key=_key("already", subscriber),
    )


def unsubscribe_url(subscriber: Subscriber) -> str:
    """The reader's own way out. The same for every mail, and valid for years."""
    token = tokens.unsubscribe_token(subscriber.public_id)
    return links.absolute(reverse("newsletter:unsubscribe", args=[token]))


def _key(name: str, subscriber: Subscriber) -> str:
    # One request, one mail: when it had to be sent again, mail programs can tell.
    requested_at = subscriber.mail_requested_at
    assert requested_at is not None
    return f"newsletter.{name}:{subscriber.public_id}:{requested_at.isoformat()}"
