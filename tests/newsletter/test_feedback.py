"""What comes back: bounces, complaints, unsubscriptions; each counts once, and for today's address only."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta

import pytest

from newsletter import feedback, preferences, return_paths, subscriptions
from newsletter.models import Delivery, Event, Feedback, Subscriber, Suppression
from newsletter.return_paths import Kind
from tests.newsletter import bounces
from tests.newsletter.conftest import ADA, DAYS, MINUTES
from tests.newsletter.deliveries import sent
from tests.newsletter.test_races import at_once

INBOX = "post@praxis.example"


@pytest.fixture
def inbox(settings) -> str:
    settings.INBOX_ADDRESS = INBOX
    return INBOX


# --- the addresses ---


@pytest.mark.parametrize("delivery", [1, 255, 4711, 2**63 - 1])
def test_an_address_of_return_names_its_delivery_alone(inbox, delivery):
    bounce = return_paths.envelope_sender(delivery)
    leave = return_paths.unsubscribe_mailbox(delivery)
    message = return_paths.message_id(delivery)

    assert return_paths.read(bounce) == (Kind.BOUNCE, delivery)
    assert return_paths.read(leave) == (Kind.LEAVE, delivery)
    assert return_paths.read(message) == (Kind.MESSAGE, delivery)


def test_mail_systems_may_change_the_case_of_an_address_of_return(inbox):
    address = return_paths.envelope_sender(4711)

    assert return_paths.read(address.upper()) == (Kind.BOUNCE, 4711)
    assert return_paths.read(f"Post <{address}>") == (Kind.BOUNCE, 4711)


def test_an_address_of_return_fits_into_a_local_part(settings):
    settings.INBOX_ADDRESS = f"{'n' * return_paths.LONGEST_LOCAL_PART}@praxis.example"

    local = return_paths.envelope_sender(2**63 - 1).partition("@")[0]

    assert len(local) == 64


def test_nobody_can_make_an_address_of_return(inbox):
    address = return_paths.envelope_sender(4711)
    local, _, domain = address.partition("@")
    swapped = local[:-2] + ("aa" if local[-2:] != "aa" else "bb")

    assert return_paths.read(f"{swapped}@{domain}") is None
    # A bounce's address does not unsubscribe.
    assert return_paths.read(address.replace("+b-", "+a-")) is None
    assert return_paths.read("post+b-4711@praxis.example") is None
    assert return_paths.read(INBOX) is None


def test_addresses_of_return_outlive_a_change_of_the_key(inbox, settings):
    address = return_paths.envelope_sender(4711)

    settings.LINK_KEYS = ["new-key-" * 5, *settings.LINK_KEYS]

    assert return_paths.read(address) == (Kind.BOUNCE, 4711)


def test_without_an_inbox_bounces_go_to_the_sender():
    assert return_paths.envelope_sender(4711) == "post@praxis.example"
    assert return_paths.unsubscribe_mailbox(4711) == ""
    assert return_paths.read(return_paths.message_id(4711)) == (Kind.MESSAGE, 4711)


# --- one message, once ---


@pytest.fixture
def tell(now) -> Callable[..., bool]:
    """Records something that came back, two days after the first issue."""

    def run(kind: Feedback.Kind, delivery: Delivery | None = None, **values: object) -> bool:
        known = {
            "source": "inbox",
            "event_id": uuid.uuid4().hex,
            "kind": kind,
            "code": "",
            "at": now + 2 * DAYS,
            "now": now + 2 * DAYS,
            "delivery": delivery.pk if delivery else None,
            "address": None,
        }
        return feedback.record(**{**known, **values})

    return run


def events(subscriber: Subscriber) -> list[tuple[str, str]]:
    told = ("unreachable", "reachable", "complained", "left")
    found = subscriber.events.filter(kind__in=told).order_by("at", "pk")
    return list(found.values_list("kind", "by"))


def reasons() -> list[str]:
    return list(Suppression.objects.order_by("pk").values_list("reason", flat=True))


def test_a_hard_bounce_makes_a_reader_unreachable_at_once(reader, tell, now):
    delivery = sent(reader, now + DAYS)

    assert tell(Feedback.Kind.HARD, delivery, code="550 5.1.1")

    reader.refresh_from_db()
    delivery.refresh_from_db()
    assert reader.status == "confirmed"
    assert reader.unreachable_since == now + 2 * DAYS
    assert not Subscriber.objects.reachable().exists()
    assert reasons() == ["bounced"]
    assert events(reader) == [("unreachable", "system")]
    assert reader.events.get(kind="unreachable").detail == "550 5.1.1"
    assert (delivery.bounce, delivery.bounced_at) == ("hard", now + 2 * DAYS)


def test_the_same_message_told_twice_counts_once(reader, tell, now):
    delivery = sent(reader, now + DAYS)
    tell(Feedback.Kind.HARD, delivery, event_id="e1")
    feedback.deliver_again(reader.public_id, by=Event.By.READER, now=now + 3 * DAYS)

    assert not tell(Feedback.Kind.HARD, delivery, event_id="e1")

    reader.refresh_from_db()
    assert reader.unreachable_since is None
    assert Feedback.objects.count() == 1
    # Another source has events of its own.
    assert tell(Feedback.Kind.POLICY, delivery, source="anymail.Postmark", event_id="e1")


def test_one_soft_bounce_changes_nothing_for_the_reader(reader, tell, now):
    delivery = sent(reader, now + DAYS)

    tell(Feedback.Kind.SOFT, delivery)

    reader.refresh_from_db()
    delivery.refresh_from_db()
    assert (reader.unreachable_since, reasons(), events(reader)) == (None, [], [])
    assert delivery.bounce == "soft"


def test_the_third_soft_bounce_in_five_mails_makes_unreachable(reader, tell, now):
    mails = [sent(reader, now + DAYS) for _ in range(5)]
    for delivery in (mails[0], mails[2]):
        tell(Feedback.Kind.SOFT, delivery)
    reader.refresh_from_db()
    assert reader.unreachable_since is None

    tell(Feedback.Kind.SOFT, mails[4])

    reader.refresh_from_db()
    assert reader.unreachable_since is not None
    assert (reasons(), events(reader)) == (["bounced"], [("unreachable", "system")])


def test_soft_bounces_fall_out_of_sight_when_mails_arrive_again(reader, tell, now):
    mails = [sent(reader, now + DAYS) for _ in range(6)]

    for delivery in (mails[0], mails[1], mails[5]):
        tell(Feedback.Kind.SOFT, delivery)

    reader.refresh_from_db()
    assert reader.unreachable_since is None


def test_one_mail_that_bounces_softly_three_times_counts_once(reader, tell, now):
    delivery = sent(reader, now + DAYS)

    for _ in range(3):
        tell(Feedback.Kind.SOFT, delivery)

    reader.refresh_from_db()
    assert reader.unreachable_since is None


def test_mails_never_tried_are_not_among_the_last_five(reader, tell, now):
    mails = [sent(reader, now + DAYS) for _ in range(3)]
    for _ in range(3):
        sent(reader, now + DAYS, state=Delivery.State.CANCELLED, sent_at=None)

    for delivery in mails:
        tell(Feedback.Kind.SOFT, delivery)

    reader.refresh_from_db()
    assert reader.unreachable_since is not None


def test_a_hard_bounce_is_not_softened_by_a_later_one(reader, tell, now):
    delivery = sent(reader, now + DAYS)
    tell(Feedback.Kind.HARD, delivery)

    tell(Feedback.Kind.SOFT, delivery)

    delivery.refresh_from_db()
    assert delivery.bounce == "hard"


def test_a_matter_of_policy_touches_nobody(reader, tell, now):
    delivery = sent(reader, now + DAYS)

    for _ in range(5):
        tell(Feedback.Kind.POLICY, delivery, code="550 5.7.1")

    reader.refresh_from_db()
    delivery.refresh_from_db()
    assert (reader.unreachable_since, reasons(), events(reader)) == (None, [], [])
    assert delivery.bounce == ""
    assert Feedback.objects.filter(kind="policy", code="550 5.7.1").count() == 5


def test_a_complaint_ends_it_at_once_and_for_good(reader, tell, now, run_jobs, mailbox):
    delivery = sent(reader, now + DAYS)

    tell(Feedback.Kind.COMPLAINT, delivery)

    reader.refresh_from_db()
    delivery.refresh_from_db()
    assert reader.status == "unsubscribed"
    assert reader.consent.withdrawn_at is not None
    assert reasons() == ["complaint"]
    assert events(reader) == [("left", "system"), ("complained", "system")]
    assert (delivery.complained_at, delivery.left_at) == (now + 2 * DAYS, None)
    assert subscriptions.is_silenced(reader.address_key)
    assert not subscriptions.can_come_back(reader.public_id, now=now + 2 * DAYS)


def test_an_unsubscription_by_mail_is_one_by_the_reader(reader, tell, now):
    delivery = sent(reader, now + DAYS)

    tell(Feedback.Kind.LEFT, delivery)

    reader.refresh_from_db()
    delivery.refresh_from_db()
    assert reader.status == "unsubscribed"
    assert (reasons(), events(reader)) == ([], [("left", "reader")])
    assert delivery.left_at == now + 2 * DAYS
    assert subscriptions.can_come_back(reader.public_id, now=now + 2 * DAYS + MINUTES)


@pytest.mark.parametrize("kind", [Feedback.Kind.HARD, Feedback.Kind.COMPLAINT])
def test_what_an_older_address_sends_back_does_not_touch_today_s(reader, tell, now, kind):
    delivery = sent(reader, now + DAYS)
    Subscriber.objects.update(address_number=2)

    assert tell(kind, delivery)

    reader.refresh_from_db()
    assert (reader.status, reader.unreachable_since) == ("confirmed", None)
    assert reasons() == []
    noted = Feedback.objects.get()
    assert (noted.kind, noted.delivery, noted.subscriber) == (kind, delivery, reader)


def test_a_bounce_about_somebody_who_was_erased_still_counts_for_the_issue(reader, tell, now):
    delivery = sent(reader, now + DAYS)
    preferences.erase(reader.public_id, by=Event.By.READER, now=now + DAYS)

    assert tell(Feedback.Kind.HARD, delivery)

    delivery.refresh_from_db()
    assert delivery.bounce == "hard"
    assert Feedback.objects.get().subscriber is None
    assert reasons() == ["erased"]


def test_a_bounce_is_matched_by_the_address_if_by_nothing_else(reader, tell, now):
    sent(reader, now + DAYS)
    newest = sent(reader, now + DAYS)

    tell(Feedback.Kind.HARD, address="Ada@Leser.example")

    newest.refresh_from_db()
    reader.refresh_from_db()
    assert newest.bounce == "hard"
    assert reader.unreachable_since is not None


@pytest.mark.parametrize("address", ["bob@leser.example", "no address", "", None])
def test_what_is_about_nobody_is_kept_without_meaning(reader, tell, now, address):
    assert tell(Feedback.Kind.HARD, address=address)

    noted = Feedback.objects.get()
    assert (noted.kind, noted.subscriber, noted.delivery) == ("other", None, None)
    assert reasons() == []


def test_a_delivery_that_does_not_exist_is_about_nobody(reader, now):
    mail = bounces.fill(bounces.POSTFIX, to=return_paths.message_id(4711))

    assert feedback.take_in(mail, now=now)

    assert Feedback.objects.get().kind == "other"
    assert reasons() == []


# --- refused at once ---


def test_a_refusal_at_once_counts_once_for_each_attempt(reader, now):
    delivery = sent(reader, now + DAYS, state=Delivery.State.FAILED, why="no_mailbox", sent_at=None)

    for _ in range(2):
        feedback.note_refusal(
            delivery.pk, kind=Feedback.Kind.HARD, code="550 5.1.1", now=now + DAYS
        )

    reader.refresh_from_db()
    delivery.refresh_from_db()
    assert reader.unreachable_since == now + DAYS
    assert events(reader) == [("unreachable", "system")]
    assert Feedback.objects.count() == 1
    # It never left, so nothing came back: the ledger tells it by the state.
    assert (delivery.state, delivery.bounce) == ("failed", "")


def test_soft_refusals_and_soft_bounces_count_together(reader, tell, now):
    mails = [sent(reader, now + DAYS) for _ in range(3)]
    tell(Feedback.Kind.SOFT, mails[0])
    tell(Feedback.Kind.SOFT, mails[1])

    feedback.note_refusal(mails[2].pk, kind=Feedback.Kind.SOFT, code="552 5.2.2", now=now + DAYS)

    reader.refresh_from_db()
    assert reader.unreachable_since is not None


# --- the way back ---


def test_writing_again_lifts_what_bounces_set(reader, tell, now):
    tell(Feedback.Kind.HARD, sent(reader, now + DAYS))

    assert feedback.deliver_again(reader.public_id, by=Event.By.READER, now=now + 3 * DAYS)

    reader.refresh_from_db()
    assert (reader.unreachable_since, reasons()) == (None, [])
    assert events(reader) == [("unreachable", "system"), ("reachable", "reader")]
    assert not feedback.deliver_again(reader.public_id, by=Event.By.READER, now=now + 3 * DAYS)
    assert not feedback.deliver_again(uuid.uuid4(), by=Event.By.READER, now=now + 3 * DAYS)


def test_writing_again_lifts_no_complaint_and_no_block(reader, tell, now):
    tell(Feedback.Kind.HARD, sent(reader, now + DAYS))
    Suppression.objects.add(reader.address_key, Suppression.Reason.BLOCKED, now=now)

    feedback.deliver_again(reader.public_id, by=Event.By.COACH, now=now + 3 * DAYS)

    assert reasons() == ["blocked"]


@pytest.mark.parametrize("kind", [Feedback.Kind.HARD, Feedback.Kind.SOFT])
def test_bounces_of_mail_from_before_the_mailbox_proved_itself_are_overtaken(
    reader, tell, now, kind
):
    mails = [sent(reader, now + DAYS) for _ in range(5)]
    for delivery in mails[:3]:
        tell(Feedback.Kind.SOFT, delivery)
    feedback.deliver_again(reader.public_id, by=Event.By.READER, now=now + 3 * DAYS)

    tell(kind, mails[4], at=now + 4 * DAYS, now=now + 4 * DAYS)

    reader.refresh_from_db()
    assert reader.unreachable_since is None


def test_after_writing_again_soft_bounces_are_counted_from_zero(reader, tell, now):
    for delivery in [sent(reader, now + DAYS) for _ in range(3)]:
        tell(Feedback.Kind.SOFT, delivery)
    feedback.deliver_again(reader.public_id, by=Event.By.READER, now=now + 3 * DAYS)

    later = {"at": now + 5 * DAYS, "now": now + 5 * DAYS}
    for delivery in [sent(reader, now + 4 * DAYS) for _ in range(2)]:
        tell(Feedback.Kind.SOFT, delivery, **later)
    reader.refresh_from_db()
    assert reader.unreachable_since is None

    tell(Feedback.Kind.SOFT, sent(reader, now + 4 * DAYS), **later)
    reader.refresh_from_db()
    assert reader.unreachable_since is not None


def test_whoever_left_and_confirms_anew_is_reachable_again(reader, tell, ask, now):
    tell(Feedback.Kind.HARD, sent(reader, now + DAYS))
    subscriptions.unsubscribe(reader.public_id, now=now + 3 * DAYS)

    subscriptions.confirm(ask(ADA, now + 4 * DAYS), now=now + 4 * DAYS + MINUTES)

    reader.refresh_from_db()
    assert (reader.status, reader.unreachable_since, reasons()) == ("confirmed", None, [])


# --- by mail ---


def leave_by_mail(delivery: Delivery, **values: str) -> bytes:
    return bounces.fill(bounces.WRITTEN, to=return_paths.unsubscribe_mailbox(delivery.pk), **values)


def test_a_mail_to_the_address_of_leaving_unsubscribes(inbox, reader, now, mailbox, run_jobs):
    mail = leave_by_mail(sent(reader, now + DAYS))

    assert feedback.take_in(mail, now=now + 2 * DAYS)
    assert not feedback.take_in(mail, now=now + 2 * DAYS)

    reader.refresh_from_db()
    assert reader.status == "unsubscribed"
    assert events(reader) == [("left", "reader")]
    assert Feedback.objects.get().kind == "left"
    mailbox.clear()
    run_jobs()
    assert mailbox.messages == []  # no answer is sent


def test_a_holiday_reply_unsubscribes_nobody(inbox, reader, now):
    mail = leave_by_mail(sent(reader, now + DAYS), headers="Auto-Submitted: auto-replied\n")

    assert not feedback.take_in(mail, now=now + 2 * DAYS)

    reader.refresh_from_db()
    assert reader.status == "confirmed"


@pytest.mark.parametrize(
    "headers", ["Auto-Submitted: auto-replied\n", "X-Autoreply: yes\n", "Subject: x\n"]
)
def test_replies_to_the_address_of_bounces_are_no_bounces(inbox, reader, now, headers):
    to = return_paths.envelope_sender(sent(reader, now + DAYS).pk)

    assert not feedback.take_in(
        bounces.fill(bounces.WRITTEN, to=to, headers=headers), now=now + 2 * DAYS
    )

    reader.refresh_from_db()
    assert (reader.status, reader.unreachable_since) == ("confirmed", None)
    assert not Feedback.objects.exists()


def test_a_bounce_finds_its_delivery_by_the_address_it_came_back_to(inbox, reader, now):
    delivery = sent(reader, now + DAYS)
    to = return_paths.envelope_sender(delivery.pk).upper()

    feedback.take_in(bounces.fill(bounces.POSTFIX, to=to), now=now + 2 * DAYS)

    noted = Feedback.objects.get()
    assert (noted.delivery, noted.kind, noted.code) == (delivery, "hard", "550 5.1.1")
    assert noted.at == now + timedelta(seconds=5)


@pytest.mark.parametrize("mail", [bounces.POSTFIX, bounces.EXCHANGE, bounces.QMAIL])
def test_a_bounce_to_another_address_finds_its_delivery_by_our_message_id(reader, now, mail):
    delivery = sent(reader, now + DAYS)
    message_id = return_paths.message_id(delivery.pk)

    feedback.take_in(
        bounces.fill(mail, to="post@praxis.example", id=message_id), now=now + 2 * DAYS
    )

    assert Feedback.objects.get().delivery == delivery


def test_a_complaint_finds_its_delivery_though_the_address_is_hidden(reader, now):
    delivery = sent(reader, now + DAYS)
    message_id = return_paths.message_id(delivery.pk)

    feedback.take_in(
        bounces.fill(bounces.COMPLAINT, to="post@praxis.example", id=message_id), now=now + 2 * DAYS
    )

    reader.refresh_from_db()
    assert (reader.status, reasons()) == ("unsubscribed", ["complaint"])


@pytest.mark.parametrize("mail", [bounces.POSTFIX, bounces.COMPLAINT, bounces.WRITTEN])
def test_a_forged_mail_does_nothing(inbox, reader, now, mail):
    delivery = sent(reader, now + DAYS)
    true = return_paths.unsubscribe_mailbox(delivery.pk)
    forged = true.replace("+a-", "+b-")
    if mail is bounces.WRITTEN:
        forged = return_paths.envelope_sender(delivery.pk).replace("+b-", "+a-")

    # It names the reader's own address as the recipient that failed, which everyone can write.
    message_id = return_paths.message_id(delivery.pk).replace("<m-", "<m-a")
    assert not feedback.take_in(bounces.fill(mail, to=forged, id=message_id), now=now + 2 * DAYS)

    reader.refresh_from_db()
    assert (reader.status, reader.unreachable_since) == ("confirmed", None)
    assert not Feedback.objects.exists()


# --- two at once ---


@pytest.mark.django_db(transaction=True)
def test_two_workers_who_hear_the_same_act_once(reader, tell, now):
    delivery = sent(reader, now + DAYS)

    results = at_once(
        *[lambda: tell(Feedback.Kind.COMPLAINT, delivery, event_id="e1") for _ in range(4)]
    )

    assert sorted(map(str, results)) == ["False", "False", "False", "True"]
    assert events(reader) == [("left", "system"), ("complained", "system")]


@pytest.mark.django_db(transaction=True)
def test_two_workers_who_hear_of_nobody_keep_it_once(tell, now):
    results = at_once(
        *[lambda: tell(Feedback.Kind.HARD, address="x@y.example", event_id="e1") for _ in range(4)]
    )

    assert sorted(map(str, results)) == ["False", "False", "False", "True"]


@pytest.mark.django_db(transaction=True)
def test_soft_bounces_told_at_once_are_all_counted(reader, tell, now):
    mails = [sent(reader, now + DAYS) for _ in range(3)]

    at_once(*[lambda mail=mail: tell(Feedback.Kind.SOFT, mail) for mail in mails])

    reader.refresh_from_db()
    assert reader.unreachable_since is not None
    assert events(reader) == [("unreachable", "system")]


@pytest.mark.django_db(transaction=True)
def test_bounces_told_at_once_make_unreachable_once(reader, tell, now):
    mails = [sent(reader, now + DAYS) for _ in range(4)]

    at_once(*[lambda mail=mail: tell(Feedback.Kind.HARD, mail) for mail in mails])

    assert Feedback.objects.count() == 4
    assert events(reader) == [("unreachable", "system")]
