"""The list's own mails. Each answers what somebody did, and none advertises anything."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.urls import reverse
from django.utils import timezone

from coaching_site import links, mail
from newsletter import addresses, tokens
from newsletter.models import Consent, Inbox, Issue, Subscriber


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
        context={
            "unsubscribe_link": unsubscribe_url(subscriber),
            "preferences_link": preferences_url(subscriber),
        },
        key=_key("already", subscriber),
    )


def send_welcome(subscriber: Subscriber, *, key: str) -> None:
    """Tell a new reader that they are in, what to expect, and the ways to change their mind."""
    mail.send(
        "newsletter/mail/welcome",
        to=subscriber.mailbox,
        context={
            "archive_link": links.absolute(reverse("newsletter:archive")),
            "has_archive": Issue.objects.published().exists(),
            "unsubscribe_link": unsubscribe_url(subscriber),
            "preferences_link": preferences_url(subscriber),
        },
        key=f"newsletter.welcome:{subscriber.public_id}:{key}",
        headers=one_click(unsubscribe_url(subscriber)),
    )


def send_move(wish: Consent, *, token: str, expires_at: datetime) -> None:
    """Ask the owner of a new address whether the newsletter should come there."""
    mail.send(
        "newsletter/mail/move",
        to=addresses.parse(wish.address).mailbox,
        context={
            "link": links.absolute(reverse("newsletter:move", args=[token])),
            "last_day": timezone.localdate(expires_at),
        },
        key=f"newsletter.move:{wish.pk}",
    )


def send_link(subscriber: Subscriber, *, key: str) -> None:
    """Send somebody the link they lost."""
    mail.send(
        "newsletter/mail/link",
        to=subscriber.mailbox,
        context={"preferences_link": preferences_url(subscriber)},
        key=f"newsletter.link:{subscriber.public_id}:{key}",
    )


def send_trouble(issue: Issue, trouble: str) -> None:
    """Tell the coach why an issue is not being sent, and what can be done about it."""
    desk = links.absolute(f"{reverse('admin:index')}newsletter/issue/{issue.pk}/change/")
    mail.send(
        "newsletter/mail/trouble",
        to=settings.COACH_EMAIL,
        context={"issue": issue, "trouble": trouble, "desk_url": desk},
        key=f"newsletter.trouble:{issue.pk}:{issue.resumed_at}:{trouble}",
    )


def send_inbox_failing(inbox: Inbox) -> None:
    """Tell the coach that bounces are not read any more, and why."""
    _send_about_inbox("inbox_failing", inbox, since=inbox.failing_since)


def send_inbox_well(inbox: Inbox) -> None:
    """Tell the coach that bounces are read again."""
    _send_about_inbox("inbox_well", inbox, since=inbox.read_at)


def preferences_url(subscriber: Subscriber) -> str:
    """The reader's own page: address, data, erasing. Good until the address changes."""
    token = tokens.preferences_token(subscriber.public_id, subscriber.address_number)
    return links.absolute(reverse("newsletter:preferences", args=[token]))


def unsubscribe_url(subscriber: Subscriber) -> str:
    """The reader's own way out. The same for every mail, and valid for years."""
    token = tokens.unsubscribe_token(subscriber.public_id)
    return links.absolute(reverse("newsletter:unsubscribe", args=[token]))


def _send_about_inbox(template: str, inbox: Inbox, *, since: datetime | None) -> None:
    mail.send(
        f"newsletter/mail/{template}",
        to=settings.COACH_EMAIL,
        context={"inbox": inbox, "zone": timezone.get_default_timezone()},
        key=f"newsletter.{template}:{inbox.pk}:{since.isoformat() if since else ''}",
    )


def one_click(unsubscribe_link: str) -> dict[str, str]:
    """What lets a mail program show its own button for leaving (RFC 8058 section 3.1)."""
    return {
        "List-Unsubscribe": f"<{unsubscribe_link}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }


def _key(name: str, subscriber: Subscriber) -> str:
    # One request, one mail: when it had to be sent again, mail programs can tell.
    requested_at = subscriber.mail_requested_at
    assert requested_at is not None
    return f"newsletter.{name}:{subscriber.public_id}:{requested_at.isoformat()}"
