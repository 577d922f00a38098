"""Signing up, confirming, unsubscribing: who may be on the list, and what proves it.

Whoever signs up learns nothing about the list. Known, unknown and suppressed addresses get the same
answer after the same work: the row is locked, a request is written and a job is started; what the
job sends, it decides by itself.
"""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from enum import Enum

from django.db import transaction
from django.db.models import Q

from coaching_site import jobs, periods
from coaching_site.append_only import erasing
from newsletter import tokens
from newsletter.addresses import Address
from newsletter.errors import LinkGone
from newsletter.models import NETWORK_LIFE, ConfirmLink, Consent, Event, Subscriber, Suppression
from pages.consent import ConsentText

REQUEST_LIFE = periods.UNCONFIRMED.life
MAIL_PAUSE = timedelta(minutes=15)
# Readers who sign up again are told that they are on the list, so they do not wait for a mail in
# vain; once a day is enough, because anyone may type their address.
READER_MAIL_PAUSE = timedelta(days=1)


# How long an unsubscription can be taken back with one button.
UNDO_LIFE = timedelta(hours=1)


class LinkState(Enum):
    OPEN = "open"
    USED = "used"
    EXPIRED = "expired"  # and its sign-up is not forgotten yet
    GONE = "gone"


def subscribe(
    address: Address,
    *,
    consent: ConsentText,
    page: str,
    now: datetime,
    network: str = "",
    may_answer: bool = True,
) -> None:
    """Note the wish to get the newsletter; a mail asks the mailbox's owner to confirm it.

    `page` is the path where the consent text was shown, `network` a shortened IP address to keep
    with it. Returns nothing on purpose, and asks the database the same whoever signs up: a request
    that needs no answer is written too, and its job drops it.
    """
    with transaction.atomic():
        subscriber = _insert_or_lock(address, now)
        answer = may_answer and _may_ask_for_mail(subscriber, now)
        is_request = answer and subscriber.status != Subscriber.Status.CONFIRMED
        request = note_request(
            subscriber if is_request else None,
            address,
            consent=consent,
            page=page,
            network=network,
            now=now,
        )
        if is_request:
            subscriber.status = Subscriber.Status.PENDING
        if answer:
            subscriber.mail_requested_at, subscriber.mail_sent_at = now, None
        subscriber.save(update_fields=["status", "mail_requested_at", "mail_sent_at"])
        jobs.enqueue(
            "newsletter.answer_sign_up",
            subscriber=subscriber.pk,
            answer=answer,
            surplus=0 if is_request else request.pk,
        )


def drop_surplus(request: int) -> None:
    """Forget a sign-up that asked for nothing new."""
    with erasing():
        Consent.objects.open().filter(pk=request, subscriber=None).delete()


def ask_again(token: str, *, consent: ConsentText, page: str, now: datetime) -> None:
    """Send a new link to whoever's link has expired. Once the sign-up is forgotten: nothing."""
    with transaction.atomic():
        subscriber = (
            Subscriber.objects.select_for_update(of=("self",))
            .filter(_sign_up_by(token), status=Subscriber.Status.PENDING)
            .first()
        )
        if subscriber is None or not _may_ask_for_mail(subscriber, now):
            return
        address = Address(subscriber.address, subscriber.address_key)
        note_request(subscriber, address, consent=consent, page=page, now=now)
        subscriber.mail_requested_at, subscriber.mail_sent_at = now, None
        subscriber.save(update_fields=["mail_requested_at", "mail_sent_at"])
        jobs.enqueue("newsletter.answer_sign_up", subscriber=subscriber.pk, answer=True)


def new_confirm_link(subscriber: Subscriber, *, now: datetime) -> tuple[str, datetime] | None:
    """Make a link for the newest request: its token and its end, or None if no mail may be sent.

    The digest is committed before the mail leaves, so a link that reached a mailbox always works,
    even if the job that sent it was killed and sends another.
    """
    with transaction.atomic():
        locked = lock(subscriber.public_id)
        if locked is None or locked.status != Subscriber.Status.PENDING:
            return None
        request = locked.consents.open().sign_ups().order_by("-requested_at").first()
        return new_link(request, now=now) if request else None


def new_link(request: Consent, *, now: datetime) -> tuple[str, datetime] | None:
    """A link that confirms this request: its token and its end, or None if it would be over."""
    token = tokens.new_confirm_token()
    link = ConfirmLink.objects.create(
        consent=request,
        token_sha256=tokens.digest(token),
        expires_at=request.requested_at + REQUEST_LIFE,
    )
    return (token, link.expires_at) if link.expires_at > now else None


def is_silenced(address_key: str) -> bool:
    """Whether this address must get no mail, not even an answer to what its owner asks for."""
    return Suppression.objects.of(address_key).silence_sign_up().exists()


def confirm_link_state(token: str, *, now: datetime) -> LinkState:
    """What pressing the button of this link would do. Never writes."""
    link = (
        ConfirmLink.objects.select_related("consent__subscriber")
        .filter(token_sha256=tokens.digest(token), consent__replaces__isnull=True)
        .first()
    )
    subscriber = link.consent.subscriber if link else None
    if link is None or subscriber is None:
        return LinkState.GONE
    if subscriber.status == Subscriber.Status.CONFIRMED:
        return LinkState.USED if link.expires_at > now else LinkState.GONE
    is_open = link.consent.confirmed_at is None
    if subscriber.status == Subscriber.Status.PENDING and is_open:
        return LinkState.OPEN if link.expires_at > now else LinkState.EXPIRED
    return LinkState.GONE


def confirm(token: str, *, now: datetime) -> Subscriber:
    """Put the owner of the mailbox on the list. Doing it twice changes nothing.

    Raises LinkGone.
    """
    with transaction.atomic():
        subscriber = (
            Subscriber.objects.select_for_update(of=("self",))
            .filter(_sign_up_by(token, now=now))
            .first()
        )
        if subscriber is None:
            raise LinkGone
        if subscriber.status == Subscriber.Status.CONFIRMED:
            return subscriber
        request = Consent.objects.open().filter(links__token_sha256=tokens.digest(token)).first()
        is_pending = subscriber.status == Subscriber.Status.PENDING
        if request is None or not is_pending or is_silenced(subscriber.address_key):
            raise LinkGone
        put_on_the_list(subscriber, request, now=now)
        jobs.enqueue("newsletter.welcome", subscriber=subscriber.pk, since=now.isoformat())
        return subscriber


def owes_welcome(subscriber: Subscriber, since: datetime) -> bool:
    """Whether this reader, who confirmed at that time, still has to be welcomed and may be."""
    welcomed = subscriber.events.filter(kind=Event.Kind.WELCOME_MAIL, at__gte=since)
    is_reached = Subscriber.objects.reachable().filter(pk=subscriber.pk)
    is_suppressed = Suppression.objects.of(subscriber.address_key)
    return is_reached.exists() and not is_suppressed.exists() and not welcomed.exists()


def note_welcome(subscriber: Subscriber, since: datetime, *, now: datetime) -> None:
    """Settle the welcome owed since that time; hosts' clocks differ, the order of events does not."""
    with transaction.atomic():
        locked = lock(subscriber.public_id)
        if locked is not None:  # not erased while the mail was on its way
            note(locked, Event.Kind.WELCOME_MAIL, by=Event.By.SYSTEM, now=max(now, since))


def put_on_the_list(subscriber: Subscriber, consent: Consent, *, now: datetime) -> None:
    """What a confirmed request does. The caller has locked the row, and knows whose mailbox it is."""
    # Hosts' clocks differ a little; the order of events does not.
    consent.confirmed_at = max(now, consent.requested_at)
    consent.save(update_fields=["confirmed_at"])
    subscriber.status = Subscriber.Status.CONFIRMED
    subscriber.consent = consent
    subscriber.confirmed_at = now
    subscriber.unsubscribed_at = subscriber.unreachable_since = None
    # The mail has arrived, whatever the job that sent it could still note.
    subscriber.mail_sent_at = subscriber.mail_sent_at or now
    subscriber.save()
    Suppression.objects.of(subscriber.address_key).filter(
        reason__in=Suppression.LIFTED_BY_THE_OWNER
    ).delete()


def unsubscribe(
    public_id: uuid.UUID, *, now: datetime, by: Event.By = Event.By.READER, issue: int = 0
) -> bool:
    """Take someone off the list at once. Returns whether they were on it or about to be.

    Unanswered requests go as well, so no older link brings the address back. `issue` is the primary
    key of the issue whose link was used, 0 for none.
    """
    with transaction.atomic():
        subscriber = lock(public_id)
        if subscriber is None or subscriber.status == Subscriber.Status.UNSUBSCRIBED:
            return False
        take_off(subscriber, now=now)
        subscriber.deliveries.filter(issue=issue).update(left_at=now)
        note(subscriber, Event.Kind.LEFT, by=by, now=now)
        return True


def take_off(subscriber: Subscriber, *, now: datetime) -> None:
    """What an unsubscription does. The caller has locked the row."""
    if subscriber.status == Subscriber.Status.CONFIRMED and subscriber.consent is not None:
        withdraw(subscriber.consent, now=now)
    with erasing():
        subscriber.consents.open().delete()
    subscriber.status = Subscriber.Status.UNSUBSCRIBED
    subscriber.unsubscribed_at = now
    # Whoever changes their mind need not wait for the pause between two mails.
    subscriber.mail_requested_at = subscriber.mail_sent_at = None
    subscriber.save()


def withdraw(consent: Consent, *, now: datetime) -> None:
    consent.withdrawn_at = max(now, consent.confirmed_at or now)
    consent.save(update_fields=["withdrawn_at"])


def can_come_back(public_id: uuid.UUID, *, now: datetime) -> bool:
    """Whether an unsubscription can still be taken back with one button. Never writes."""
    subscriber = Subscriber.objects.filter(public_id=public_id).select_related("consent").first()
    return subscriber is not None and _just_left(subscriber, now=now)


def come_back(public_id: uuid.UUID, *, consent: ConsentText, page: str, now: datetime) -> bool:
    """Take an unsubscription back. Returns whether that was still possible.

    The signed link came to the reader's own mailbox and has just proved that it is theirs; what
    they agree to now is a consent of its own, because the one before was withdrawn for good.
    """
    with transaction.atomic():
        subscriber = lock(public_id)
        if subscriber is None or not _just_left(subscriber, now=now):
            return False
        address = Address(subscriber.address, subscriber.address_key)
        again = note_request(
            subscriber, address, consent=consent, page=page, now=now, replaces=subscriber.consent
        )
        subscriber.deliveries.filter(left_at=subscriber.unsubscribed_at).update(left_at=None)
        put_on_the_list(subscriber, again, now=now)
        note(subscriber, Event.Kind.CAME_BACK, by=Event.By.READER, now=now)
        return True


def note(
    subscriber: Subscriber, kind: Event.Kind, *, by: Event.By, now: datetime, detail: str = ""
) -> None:
    """Write an event into somebody's history."""
    subscriber.events.create(kind=kind, by=by, at=now, detail=detail)


def note_mail_sent(subscriber: Subscriber, kind: Event.Kind, *, now: datetime) -> None:
    """Settle the answer to a sign-up in the ledger, unless another was asked for meanwhile."""
    with transaction.atomic():
        locked = lock(subscriber.public_id)
        if locked is None:  # erased while the mail was on its way
            return
        if locked.mail_requested_at == subscriber.mail_requested_at:
            locked.mail_sent_at = now
            locked.save(update_fields=["mail_sent_at"])
        note(locked, kind, by=Event.By.SYSTEM, now=now)


def forget_unconfirmed(*, now: datetime) -> int:
    """Delete sign-ups nobody confirmed in time; returns how many were forgotten.

    A former reader keeps their row and their earlier consents and counts as unsubscribed again.
    """
    until = now - REQUEST_LIFE
    with transaction.atomic():
        waiting = Subscriber.objects.select_for_update(skip_locked=True).asked_in_vain(until)
        stale = [subscriber.pk for subscriber in waiting]
        in_vain = Subscriber.objects.filter(pk__in=stale)
        in_vain.filter(unsubscribed_at__isnull=False).update(
            status=Subscriber.Status.UNSUBSCRIBED, mail_requested_at=None, mail_sent_at=None
        )
        with erasing():
            Consent.objects.open().filter(requested_at__lte=until).delete()
            ConfirmLink.objects.filter(expires_at__lte=now).delete()
            # Whoever has a proof of another kind is not forgotten for not answering.
            in_vain.filter(unsubscribed_at__isnull=True, consents__isnull=True).delete()
    return len(stale)


def forget_networks(*, now: datetime) -> int:
    """Delete the shortened IP addresses whose time is over; returns how many there were."""
    with erasing():
        ran_out = Consent.objects.network_ran_out(now)
        return ran_out.update(network="", network_until=None)


def forget_old_proofs(*, now: datetime) -> int:
    """Delete what was agreed to and withdrawn, three years after that year's end; returns how many.

    Until then somebody may still ask for the proof (BGB §§ 195, 199). A consent that another one
    follows goes after that one.
    """
    first_kept = periods.PROOFS.first_kept(now)
    with erasing():
        old = Consent.objects.ended().filter(withdrawn_at__lt=first_kept)
        pks = list(old.values_list("pk", flat=True))
        Subscriber.objects.filter(consent__in=pks).update(consent=None)
        Consent.objects.filter(pk__in=pks).delete()
    return len(pks)


def lock(public_id: uuid.UUID) -> Subscriber | None:
    """The row as it stands now, kept from others until the transaction ends."""
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


def note_request(
    subscriber: Subscriber | None,
    address: Address,
    *,
    consent: ConsentText,
    page: str,
    now: datetime,
    network: str = "",
    replaces: Consent | None = None,
) -> Consent:
    """Write down what somebody was asked and when they asked for it; nothing is agreed to yet."""
    return Consent.objects.create(
        subscriber=subscriber,
        address=address.shown,
        text=consent.text,
        text_version=consent.version,
        text_sha256=consent.sha256,
        page=page,
        requested_at=now,
        network=network,
        network_until=now + NETWORK_LIFE if network else None,
        replaces=replaces,
    )


def _sign_up_by(token: str, *, now: datetime | None = None) -> Q:
    """Whose sign-up this link confirms; with `now` only while the link is good."""
    link = {"consents__links__token_sha256": tokens.digest(token)}
    in_time = Q() if now is None else Q(consents__links__expires_at__gt=now)
    return Q(**link, consents__replaces__isnull=True) & in_time


def _just_left(subscriber: Subscriber, *, now: datetime) -> bool:
    """Whether a reader left by their own link, and so short ago that it may have been a slip."""
    left_at, consent = subscriber.unsubscribed_at, subscriber.consent
    if subscriber.status != Subscriber.Status.UNSUBSCRIBED or left_at is None or consent is None:
        return False
    was_reading = consent.withdrawn_at is not None and consent.withdrawn_at >= left_at
    in_time = now - left_at < UNDO_LIFE
    own_doing = subscriber.events.filter(kind=Event.Kind.LEFT, by=Event.By.READER, at=left_at)
    return (
        was_reading and in_time and own_doing.exists() and not is_silenced(subscriber.address_key)
    )
