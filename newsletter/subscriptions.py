"""Signing up, confirming, unsubscribing: who may be on the list, and what proves it.

Whoever signs up learns nothing about the list. Known, unknown and suppressed addresses get the same
answer after the same work: the row is locked and a job is started; what the job sends, it decides
by itself.
"""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from enum import Enum

from django.db import transaction

from coaching_site import jobs
from coaching_site.append_only import erasing
from newsletter import tokens
from newsletter.addresses import Address
from newsletter.errors import LinkGone
from newsletter.models import ConfirmLink, Consent, Subscriber, Suppression
from pages.consent import ConsentText

REQUEST_LIFE = timedelta(days=14)
MAIL_PAUSE = timedelta(minutes=15)
# Readers who sign up again are told that they are on the list, so they do not wait for a mail in
# vain; once a day is enough, because anyone may type their address.
READER_MAIL_PAUSE = timedelta(days=1)


class LinkState(Enum):
    OPEN = "open"
    USED = "used"
    GONE = "gone"


def subscribe(address: Address, *, consent: ConsentText, page: str, now: datetime) -> None:
    """Note the wish to get the newsletter; a mail asks the mailbox's owner to confirm it.

    `page` is the path where the consent text was shown. Returns nothing on purpose.
    """
    with transaction.atomic():
        subscriber = _insert_or_lock(address, now)
        answer = _may_ask_for_mail(subscriber, now)
        if answer:
            if subscriber.status != Subscriber.Status.CONFIRMED:
                subscriber.status = Subscriber.Status.PENDING
                _note_request(subscriber, address, consent=consent, page=page, now=now)
            subscriber.mail_requested_at, subscriber.mail_sent_at = now, None
            subscriber.save(update_fields=["status", "mail_requested_at", "mail_sent_at"])
        # Repeated sign-ups start a job as well, so that they take as long; it finds nothing to do.
        jobs.enqueue("newsletter.answer_sign_up", subscriber=subscriber.pk, answer=answer)


def new_confirm_link(subscriber: Subscriber, *, now: datetime) -> tuple[str, datetime] | None:
    """Make a link for the newest request: its token and its end, or None if no mail may be sent.

    The digest is committed before the mail leaves, so a link that reached a mailbox always works,
    even if the job that sent it was killed and sends another.
    """
    with transaction.atomic():
        locked = _lock(subscriber.public_id)
        if locked is None or locked.status != Subscriber.Status.PENDING:
            return None
        request = locked.consents.open().order_by("-requested_at").first()
        if request is None:
            return None
        token = tokens.new_confirm_token()
        link = ConfirmLink.objects.create(
            consent=request,
            token_sha256=tokens.digest(token),
            expires_at=request.requested_at + REQUEST_LIFE,
        )
    return (token, link.expires_at) if link.expires_at > now else None


def is_silenced(subscriber: Subscriber) -> bool:
    """Whether a sign-up of this address must not be answered by mail."""
    return Suppression.objects.of(subscriber.address_key).silence_sign_up().exists()


def confirm_link_state(token: str, *, now: datetime) -> LinkState:
    """What pressing the button of this link would do. Never writes."""
    link = (
        ConfirmLink.objects.select_related("consent__subscriber")
        .filter(token_sha256=tokens.digest(token), expires_at__gt=now)
        .first()
    )
    subscriber = link.consent.subscriber if link else None
    if link is None or subscriber is None:
        return LinkState.GONE
    if subscriber.status == Subscriber.Status.CONFIRMED:
        return LinkState.USED
    is_open = link.consent.confirmed_at is None
    if subscriber.status == Subscriber.Status.PENDING and is_open:
        return LinkState.OPEN
    return LinkState.GONE


def confirm(token: str, *, now: datetime) -> Subscriber:
    """Put the owner of the mailbox on the list. Doing it twice changes nothing.

    Raises LinkGone.
    """
    digest = tokens.digest(token)
    with transaction.atomic():
        subscriber = (
            Subscriber.objects.select_for_update(of=("self",))
            .filter(consents__links__token_sha256=digest, consents__links__expires_at__gt=now)
            .first()
        )
        if subscriber is None:
            raise LinkGone
        if subscriber.status == Subscriber.Status.CONFIRMED:
            return subscriber
        request = Consent.objects.open().filter(links__token_sha256=digest).first()
        if request is None or subscriber.status != Subscriber.Status.PENDING:
            raise LinkGone
        # Hosts' clocks differ a little; the order of events does not.
        request.confirmed_at = max(now, request.requested_at)
        request.save(update_fields=["confirmed_at"])
        subscriber.status = Subscriber.Status.CONFIRMED
        subscriber.consent = request
        subscriber.confirmed_at = now
        subscriber.unsubscribed_at = None
        # The mail has arrived, whatever the job that sent it could still note.
        subscriber.mail_sent_at = subscriber.mail_sent_at or now
        subscriber.save(
            update_fields=["status", "consent", "confirmed_at", "unsubscribed_at", "mail_sent_at"]
        )
        return subscriber


def unsubscribe(public_id: uuid.UUID, *, now: datetime) -> bool:
    """Take someone off the list at once. Returns whether they were on it or about to be.

    Unanswered requests go as well, so no older link brings the address back.
    """
    with transaction.atomic():
        subscriber = _lock(public_id)
        if subscriber is None or subscriber.status == Subscriber.Status.UNSUBSCRIBED:
            return False
        if subscriber.status == Subscriber.Status.CONFIRMED and subscriber.consent is not None:
            confirmed_at = subscriber.consent.confirmed_at or now
            subscriber.consent.withdrawn_at = max(now, confirmed_at)
            subscriber.consent.save(update_fields=["withdrawn_at"])
        with erasing():
            subscriber.consents.open().delete()
        subscriber.status = Subscriber.Status.UNSUBSCRIBED
        subscriber.unsubscribed_at = now
        # Whoever changes their mind need not wait for the pause between two mails.
        subscriber.mail_requested_at = subscriber.mail_sent_at = None
        subscriber.save(
            update_fields=["status", "unsubscribed_at", "mail_requested_at", "mail_sent_at"]
        )
        return True


def note_mail_sent(subscriber: Subscriber, *, now: datetime) -> None:
    """Settle the answer to a sign-up in the ledger, unless another was asked for meanwhile."""
    Subscriber.objects.filter(
        pk=subscriber.pk, mail_requested_at=subscriber.mail_requested_at
    ).update(mail_sent_at=now)


def forget_unconfirmed(*, now: datetime) -> int:
    """Delete sign-ups nobody confirmed in time; returns how many were forgotten.

    A former reader keeps their row and their earlier consents and counts as unsubscribed again.
    """
    until = now - REQUEST_LIFE
    with transaction.atomic():
        waiting = Subscriber.objects.select_for_update(skip_locked=True).asked_in_vain(until)
        stale = [subscriber.pk for subscriber in waiting]
        with erasing():
            Consent.objects.open().filter(requested_at__lte=until).delete()
        ConfirmLink.objects.filter(expires_at__lte=now).delete()
        in_vain = Subscriber.objects.filter(pk__in=stale)
        in_vain.filter(unsubscribed_at__isnull=False).update(
            status=Subscriber.Status.UNSUBSCRIBED, mail_requested_at=None, mail_sent_at=None
        )
        in_vain.filter(unsubscribed_at__isnull=True).delete()
    return len(stale)


def _lock(public_id: uuid.UUID) -> Subscriber | None:
    return Subscriber.objects.select_for_update().filter(public_id=public_id).first()


def _insert_or_lock(address: Address, now: datetime) -> Subscriber:
    """The address's row, new or old, locked until the transaction ends; one statement, no race."""
    Subscriber.objects.bulk_create(
        [Subscriber(address=address.shown, address_key=address.key, created_at=now)],
        update_conflicts=True,
        update_fields=["address_key"],
        unique_fields=["address_key"],
    )
    return Subscriber.objects.get(address_key=address.key)


def _may_ask_for_mail(subscriber: Subscriber, now: datetime) -> bool:
    """Whether the last mail to this address was asked for long enough ago."""
    if subscriber.mail_requested_at is None:
        return True
    is_reader = subscriber.status == Subscriber.Status.CONFIRMED
    pause = READER_MAIL_PAUSE if is_reader else MAIL_PAUSE
    return now - subscriber.mail_requested_at >= pause


def _note_request(
    subscriber: Subscriber, address: Address, *, consent: ConsentText, page: str, now: datetime
) -> None:
    subscriber.consents.create(
        address=address.shown,
        text=consent.text,
        text_version=consent.version,
        text_sha256=consent.sha256,
        page=page,
        requested_at=now,
    )
