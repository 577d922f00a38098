"""An issue's way to everyone, against a mail server that counts."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.utils import timezone
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob

from newsletter import subscriptions, suppressions
from newsletter.models import Delivery, Edition, Feedback, Issue, Pace, Subscriber, Suppression
from newsletter.sending import lanes, ledger, running, testing, timings, waking
from tests import smtp_relay
from tests.newsletter.issues import draft, readers
from tests.smtp_relay import LOST_AFTER, LOST_BEFORE, Relay

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def server() -> Iterator[smtp_relay.RunningRelay]:
    with smtp_relay.running() as started:
        yield started


@pytest.fixture
def relay(server, settings) -> Relay:
    """The mail server that Django is pointed to."""
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.relay.port
    settings.EMAIL_USE_TLS = settings.EMAIL_USE_SSL = False
    settings.EMAIL_TIMEOUT = 5
    relay: Relay = server.relay
    return relay


@pytest.fixture
def begin() -> Callable[..., Issue]:
    """Starts an issue for whoever is on the list now."""

    def run(**values: Any) -> Issue:
        now = timezone.now()
        issue = running.schedule(draft(**values).pk, at=None, now=now - 2 * running.UNDO)
        assert running.start(issue.pk, now=now)
        issue.refresh_from_db()
        return issue

    return run


def send(now=None) -> None:
    """One slice of every lane."""
    clock = timezone.now if now is None else lambda: now
    for lane in range(waking.LANES):
        lanes.work(lane, clock=clock)


def states(issue: Issue) -> dict[str, int]:
    counts = running.progress(issue, now=timezone.now()).counts
    return {state: number for state, number in counts.items() if number}


# --- from the button to the first mail --------------------------------------------------------


def test_an_issue_reaches_everyone_once_and_is_over(relay, begin):
    people = readers(120)
    issue = begin()

    send()

    assert dict(relay.accepted) == {person.address: 1 for person in people}
    issue.refresh_from_db()
    assert (issue.status, issue.candidates, states(issue)) == ("sent", 120, {"sent": 120})
    assert "Hallo Vor7," in relay.messages["reader7@leser.example"].decode().replace("=\r\n", "")


def test_pressing_twice_sends_once(relay, run_jobs, now):
    readers(3)
    issue = draft()
    running.schedule(issue.pk, at=None, now=now)

    with pytest.raises(running.AlreadyOnItsWay):
        running.schedule(issue.pk, at=None, now=now)
    running.start(issue.pk, now=now + MINUTE)
    running.start(issue.pk, now=now + MINUTE)
    run_jobs()

    assert relay.total == 3


def test_until_its_time_it_can_be_taken_back(relay, run_jobs, now):
    readers(1)
    issue = running.schedule(draft().pk, at=now + HOUR, now=now)

    assert running.start_due(now=now + HOUR - MINUTE) == 0
    assert running.take_back(issue.pk, now=now)
    assert running.start_due(now=now + 2 * HOUR) == 0

    issue.refresh_from_db()
    assert (issue.status, issue.send_at) == ("draft", None)
    assert not running.take_back(issue.pk, now=now)


def test_what_preflight_finds_keeps_an_issue_here(now):
    readers(1)
    issue = draft(body="Hallo {{ nachname | du }}")

    with pytest.raises(running.NotSendable) as refused:
        running.schedule(issue.pk, at=None, now=now)

    assert [problem.kind for problem in refused.value.problems] == ["placeholder"]
    issue.refresh_from_db()
    assert issue.status == "draft"


def test_a_time_that_is_over_is_refused(now):
    readers(1)

    with pytest.raises(running.InThePast):
        running.schedule(draft().pk, at=now, now=now)


def test_an_issue_found_too_late_asks_instead_of_sending(relay, mailbox_of_coach, run_jobs, now):
    readers(2)
    issue = running.schedule(draft().pk, at=now + MINUTE, now=now)

    assert running.start_due(now=now + MINUTE + HOUR + MINUTE) == 0
    run_jobs()

    issue.refresh_from_db()
    assert (issue.status, issue.candidates) == ("late", None)
    assert mailbox_of_coach() == 1
    running.send_late(issue.pk, now=now + 3 * HOUR)
    send()
    assert relay.total == 3


@pytest.fixture
def mailbox_of_coach(relay) -> Callable[[], int]:
    return lambda: relay.accepted["coach@praxis.example"]


def test_what_is_changed_after_the_start_changes_nothing_for_the_rest(relay, begin):
    readers(1)
    issue = begin()
    Issue.objects.filter(pk=issue.pk).update(body="Etwas anderes", subject="Anders")

    send()

    assert b"es sind" in relay.messages["reader0@leser.example"]
    assert Edition.objects.get().subject == "Was ich gelernt habe"


def test_who_joins_during_the_sending_is_not_added(relay, begin):
    readers(2)
    begin()
    readers(1, domain="neu.example")

    send()

    assert set(relay.accepted) == {"reader0@leser.example", "reader1@leser.example"}


# --- consent and suppression until the last moment ----------------------------------------------


def test_who_leaves_after_the_freeze_gets_nothing(relay, begin, now):
    leaving, blocked, gone, back = readers(4)
    issue = begin()
    subscriptions.unsubscribe(leaving.public_id, now=timezone.now())
    Suppression.objects.add(blocked.address_key, Suppression.Reason.COMPLAINT, now=now)
    Subscriber.objects.filter(pk=back.pk).update(unreachable_since=now)
    Delivery.objects.filter(subscriber=gone).update(subscriber=None)

    send()

    assert relay.total == 0
    reasons = running.outcome(issue).excluded
    assert reasons == {"left": 2, "suppressed": 1, "unreachable": 1}
    issue.refresh_from_db()
    assert issue.status == "sent"


def test_who_leaves_between_claim_and_mail_gets_nothing(begin):
    (person,) = readers(1)
    issue, sender, now = begin(), uuid.uuid4(), timezone.now()
    (pk,) = ledger.claim(issue, sender=sender, most=5, now=now).deliveries
    suppressions.block(person.address_key, now=now)

    assert ledger.step(sender=sender, settle=[], begin=[pk], now=now) == []


def test_an_address_changed_meanwhile_gets_it_at_the_new_one(relay, begin):
    (person,) = readers(1)
    begin()
    Subscriber.objects.filter(pk=person.pk).update(
        address="neu@leser.example", address_key="neu@leser.example", address_number=2
    )

    send()

    assert dict(relay.accepted) == {"neu@leser.example": 1}
    assert Delivery.objects.get().address_number == 2


# --- refusals -------------------------------------------------------------------------------------


@pytest.mark.parametrize("pipelining", [True, False])
def test_a_mailbox_that_does_not_exist_is_known_at_once_and_the_others_get_it(
    relay, begin, pipelining
):
    people = readers(100)
    relay.pipelining = pipelining
    gone = people[50].address
    relay.on_recipient = lambda to: "550 5.1.1 no such user" if to == gone else None
    issue = begin()

    send()

    assert relay.total == 99
    assert gone not in relay.accepted
    assert running.outcome(issue).failed == {"no_mailbox": 1}
    assert Delivery.objects.get(state="failed").code == "550 5.1.1"
    assert Suppression.objects.of(gone).get().reason == "bounced"
    assert Feedback.objects.get().kind == "hard"
    assert running.retry_failed(issue.pk, now=timezone.now()) == 0


def test_a_full_mailbox_can_be_tried_again(relay, begin):
    readers(2)
    relay.on_recipient = lambda to: "552 5.2.2 full" if to.startswith("reader0") else None
    issue = begin()
    send()
    assert running.outcome(issue).failed == {"refused": 1}
    assert not Suppression.objects.exists()

    relay.on_recipient = lambda to: None
    assert running.retry_failed(issue.pk, now=timezone.now()) == 1
    send()

    issue.refresh_from_db()
    assert (issue.status, states(issue)) == ("sent", {"sent": 2})
    assert relay.duplicates == 0


def test_come_back_later_is_done_for_days_and_then_given_up(relay, begin):
    readers(1)
    relay.on_recipient = lambda to: "451 4.7.1 greylisted"
    issue = begin()
    start = timezone.now()
    send(start)
    row = Delivery.objects.get()
    assert (row.state, row.code) == ("deferred", "451 4.7.1")
    assert row.next_try_at == start + timings.current().deferral(1)
    assert lanes.work(0, clock=lambda: start + MINUTE) == row.next_try_at

    times: list[Any] = [start]
    while (row := Delivery.objects.get()).state == "deferred":
        times.append(row.next_try_at)
        send(row.next_try_at)

    assert (row.state, row.why) == ("failed", "gave_up")
    assert timedelta(days=3) < times[-1] - start < timedelta(days=4)
    pauses = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert pauses == sorted(pauses)
    issue.refresh_from_db()
    assert issue.status == "sent"


def test_a_deferred_mail_arrives_when_the_server_takes_it(relay, begin):
    readers(3)
    relay.on_message = lambda to: "451 4.3.0 busy" if to.startswith("reader1") else None
    issue = begin()
    send()
    relay.on_message = lambda to: None

    send(timezone.now() + HOUR)

    assert (relay.total, states(issue)) == (3, {"sent": 3})


@pytest.mark.parametrize(
    ("rule", "answer"),
    [
        ("greeting", "421 4.3.2 busy"),
        ("on_sender", "451 4.7.1 slow down"),
        ("on_recipient", "454 4.7.0 throttled"),
        ("on_message", "454 Throttling failure"),
        ("on_recipient", "421 4.7.0 too many"),
    ],
)
def test_a_server_that_refuses_everything_makes_all_of_it_wait_and_nobody_fail(
    relay, begin, run_jobs, rule, answer
):
    readers(20)
    issue, usual = begin(), getattr(relay, rule)
    setattr(relay, rule, answer if rule == "greeting" else lambda to: answer)

    now = timezone.now()
    for times in (1, 2, 3):
        send(now)
        issue.refresh_from_db()
        assert (issue.pauses, states(issue)) == (times, {"pending": 20})
        assert issue.resume_at == now + timings.current().pause(times)
        assert "von selbst" in issue.trouble
        now = issue.resume_at
    told = ProcrastinateJob.objects.filter(task_name="newsletter.tell_about_trouble")
    assert told.count() == 1
    assert lanes.work(0, clock=lambda: now - timedelta(seconds=1)) == now

    setattr(relay, rule, usual)
    send(now)
    issue.refresh_from_db()
    assert (issue.status, issue.trouble, issue.pauses) == ("sent", "", 0)
    assert (relay.total, relay.duplicates) == (20, 0)


def test_a_relay_that_is_down_is_waited_for(server, relay, begin):
    readers(20)
    issue = begin()
    server.down()

    send()
    server.up()

    issue.refresh_from_db()
    assert (states(issue), issue.pauses) == ({"pending": 20}, 1)
    assert "nicht zu erreichen" in issue.trouble
    send(issue.resume_at)
    assert (relay.total, relay.duplicates) == (20, 0)


@pytest.mark.parametrize(
    ("name", "value"), [("EMAIL_HOST", "mail..example"), ("EMAIL_HOST_PASSWORD", "geheimß")]
)
def test_a_mail_server_that_cannot_even_be_asked_is_waited_for(relay, begin, settings, name, value):
    readers(20)
    settings.EMAIL_HOST_USER = settings.EMAIL_HOST_PASSWORD = "praxis"
    relay.offers_login = True
    setattr(settings, name, value)
    issue = begin()

    send()

    issue.refresh_from_db()
    assert (states(issue), issue.pauses) == ({"pending": 20}, 1)
    assert issue.trouble


def test_the_pauses_grow_to_a_quarter_of_an_hour():
    pauses = [timings.Timings().pause(number).total_seconds() for number in range(1, 14)]

    assert pauses == [30, 30, 60, 60, 120, 120, 240, 240, 480, 480, 900, 900, 900]


def test_refusals_on_principle_hold_the_issue_and_suppress_nobody(relay, begin):
    readers(100)
    relay.on_recipient = lambda to: "550 5.7.1 not from you"
    issue = begin()

    send()

    issue.refresh_from_db()
    assert (issue.status, issue.resume_at) == ("paused", None)
    assert "aus Prinzip" in issue.trouble
    counted = states(issue)
    assert 30 <= counted["failed"] <= 30 + 8
    assert counted["failed"] + counted["pending"] == 100
    assert not Suppression.objects.exists()
    assert not Subscriber.objects.filter(unreachable_since__isnull=False).exists()
    assert troubles_told() == 1

    relay.on_recipient = lambda to: None
    running.resume(issue.pk, now=timezone.now())
    running.retry_failed(issue.pk, now=timezone.now())
    send()
    assert (relay.total, relay.duplicates) == (100, 0)


def troubles_told() -> int:
    jobs = ProcrastinateJob.objects.filter(task_name="newsletter.tell_about_trouble")
    return jobs.count()


def test_a_refused_content_holds_the_issue_and_leaves_the_rest_untouched(relay, begin):
    readers(60)
    relay.on_message = lambda to: "552 5.3.4 too big"
    issue = begin()

    send()

    issue.refresh_from_db()
    assert issue.status == "paused"
    assert "lehnt ab, was in der Ausgabe steht" in issue.trouble
    assert states(issue)["failed"] <= 3 + 8
    assert troubles_told() == 1


def test_too_many_dead_mailboxes_hold_the_issue_until_the_coach_lets_it_go_on(relay, begin):
    readers(200)
    relay.on_recipient = lambda to: (
        "550 5.1.1 gone" if int(to[6:].split("@")[0]) % 10 == 3 else None
    )
    issue = begin()

    send()
    issue.refresh_from_db()
    assert issue.status == "paused"
    assert "eines von zwanzig" in issue.trouble
    assert 90 <= relay.total < 180

    running.resume(issue.pk, now=timezone.now())
    send()
    assert relay.total == 180


# --- connections ------------------------------------------------------------------------------


def test_a_server_that_hangs_up_after_some_mails_costs_nothing(relay, begin):
    readers(150)
    relay.close_after = 7
    issue = begin()

    send()

    assert (relay.total, relay.duplicates, states(issue)) == (150, 0, {"sent": 150})
    assert relay.connections >= 150 // 7


def test_a_connection_lost_before_the_answer_leaves_it_uncertain_and_is_not_repeated(relay, begin):
    readers(10)
    lost = {"reader3@leser.example": LOST_BEFORE, "reader5@leser.example": LOST_AFTER}
    relay.on_message = lambda to: lost.pop(to, None)
    issue = begin()

    send()
    send(timezone.now() + HOUR)

    issue.refresh_from_db()
    assert (issue.status, states(issue)) == ("sent", {"sent": 8, "uncertain": 2})
    assert (relay.total, relay.duplicates) == (9, 0)
    three = issue.deliveries.get(subscriber__address="reader3@leser.example")
    assert running.resend_uncertain(issue.pk, deliveries=[three.pk], now=timezone.now()) == 1
    send()
    assert (relay.total, relay.duplicates) == (10, 0)


def test_no_more_connections_than_the_pace_allows(relay, begin):
    Pace.objects.create(pk=1, connections=3)
    readers(60)
    relay.answer_after = 0.002
    begin()

    send()

    assert (relay.total, relay.most_open) == (60, 2)  # the first lane's share of three
    assert lanes.connections_of(0, Pace(connections=3)) == 2
    assert lanes.connections_of(1, Pace(connections=3)) == 1
    assert lanes.connections_of(1, Pace(connections=1)) == 0


def test_one_connection_too_many_is_done_without(relay, begin):
    readers(40)
    relay.answer_after = 0.002
    relay.limit = 2
    issue = begin()

    send()

    issue.refresh_from_db()
    assert (relay.total, issue.status, issue.pauses) == (40, "sent", 0)


def test_an_issue_that_cannot_be_started_does_not_hold_up_another(relay, begin):
    readers(3)
    sending, now = begin(), timezone.now()
    ProcrastinateJob.objects.filter(task_name="newsletter.deliver").delete()
    broken = running.schedule(draft().pk, at=None, now=now - 2 * running.UNDO)
    Edition.objects.create(issue=broken, subject="x", html="x", text="x", built_at=now)

    with pytest.raises(IntegrityError), transaction.atomic():
        running.start(broken.pk, now=now)
    with pytest.raises(IntegrityError):
        running.keep_going(now=now)

    woken = ProcrastinateJob.objects.filter(task_name="newsletter.deliver", status="todo")
    assert woken.count() == waking.LANES
    assert states(sending) == {"pending": 3}


# --- pace -------------------------------------------------------------------------------------


def test_the_pace_lets_so_many_go_and_then_waits(relay, begin, settings):
    # Waiting here would never end: the clock below stands still.
    settings.SENDING_TIMINGS = {"longest_wait": 0}
    Pace.objects.create(pk=1, per_minute=60)
    readers(100)
    issue = begin()
    start = timezone.now()

    send(start)
    assert relay.total == 60
    assert lanes.work(0, clock=lambda: start + 59 * MINUTE / 60) == start + MINUTE
    assert relay.total == 60
    time_left = running.progress(issue, now=start).time_left
    assert time_left is not None
    assert timedelta(seconds=30) < time_left < MINUTE

    Pace.objects.update(per_minute=80)
    send(start + timedelta(seconds=59))
    assert relay.total == 80
    send(start + MINUTE)
    assert relay.total == 100


@pytest.mark.parametrize("window", ["per_hour", "per_day"])
def test_each_window_counts(relay, begin, window):
    Pace.objects.create(pk=1, **{window: 5})
    readers(7)
    begin()

    send()

    assert relay.total == 5


def test_a_short_wait_is_waited_here(relay, begin):
    Pace.objects.create(pk=1, per_second=10)
    readers(25)
    begin()

    send()

    assert relay.total == 25
    first, last = relay.times[0], relay.times[-1]
    assert last - first >= 1.9


# --- hold, go on, break off -------------------------------------------------------------------


def test_a_held_issue_sends_nothing_until_it_goes_on(relay, begin):
    readers(10)
    issue = begin()
    running.pause(issue.pk, now=timezone.now())
    send()
    assert relay.total == 0
    with pytest.raises(running.NotNow):
        running.pause(issue.pk, now=timezone.now())

    running.resume(issue.pk, now=timezone.now())
    send()

    assert relay.total == 10


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("deed", "left"), [(running.pause, "pending"), (running.stop, "cancelled")]
)
def test_in_the_middle_it_stops_within_what_is_in_flight(relay, begin, deed, left):
    readers(200)
    issue = begin()

    def by_somebody_else() -> None:
        deed(issue.pk, now=timezone.now())
        connection.close()

    def rule(to: str) -> None:
        if relay.total == 20 and not done:
            done.append(office.submit(by_somebody_else).result())

    done: list[None] = []
    relay.on_message = rule
    with ThreadPoolExecutor(1) as office:
        send()

    counted = states(issue)
    assert 20 <= counted["sent"] <= 20 + 8
    assert counted == {"sent": relay.total, left: 200 - relay.total}


def test_broken_off_means_the_rest_never_gets_it(relay, begin):
    readers(10)
    issue = begin()
    running.stop(issue.pk, now=timezone.now())

    send()

    issue.refresh_from_db()
    assert (issue.status, states(issue)) == ("stopped", {"cancelled": 10})
    assert relay.total == 0
    with pytest.raises(running.NotNow):
        running.resume(issue.pk, now=timezone.now())


def test_what_was_in_flight_when_it_was_broken_off_is_still_told(begin):
    readers(2)
    issue, sender, now = begin(), uuid.uuid4(), timezone.now()
    first, second = ledger.claim(issue, sender=sender, most=5, now=now).deliveries
    ledger.step(sender=sender, settle=[], begin=[first, second], now=now)

    running.stop(issue.pk, now=now)
    sent = ledger.Settlement(first, Delivery.State.SENT, sent_at=now)
    later = ledger.Settlement(second, Delivery.State.DEFERRED, next_try_at=now)
    ledger.step(sender=sender, settle=[sent, later], begin=[], now=now)

    assert states(issue) == {"sent": 1, "cancelled": 1}


# --- what dead senders leave ------------------------------------------------------------------


def test_a_dead_senders_mails_go_back_or_are_uncertain(begin, relay):
    readers(3)
    issue, sender, now = begin(), uuid.uuid4(), timezone.now()
    claimed = ledger.claim(issue, sender=sender, most=2, now=now).deliveries
    ledger.step(sender=sender, settle=[], begin=claimed[:1], now=now)

    send(now + MINUTE)
    assert states(issue) == {"in_flight": 1, "claimed": 1, "sent": 1}
    send(now + HOUR)

    assert states(issue) == {"uncertain": 1, "sent": 2}
    assert relay.duplicates == 0


def test_a_sender_that_lives_after_all_may_still_tell(begin):
    readers(1)
    issue, sender, now = begin(), uuid.uuid4(), timezone.now()
    (pk,) = ledger.claim(issue, sender=sender, most=2, now=now).deliveries
    ledger.step(sender=sender, settle=[], begin=[pk], now=now)
    ledger.recover(timings=timings.current(), now=now + HOUR)
    assert states(issue) == {"uncertain": 1}

    sent = ledger.Settlement(pk, Delivery.State.SENT, sent_at=now)
    ledger.step(sender=uuid.uuid4(), settle=[sent], begin=[], now=now)
    assert states(issue) == {"uncertain": 1}
    ledger.step(sender=sender, settle=[sent], begin=[], now=now)

    assert states(issue) == {"sent": 1}


def test_what_comes_back_after_the_end_is_still_owed(relay, begin):
    readers(1)
    issue, sender, now = begin(), uuid.uuid4(), timezone.now()
    (pk,) = ledger.claim(issue, sender=sender, most=2, now=now).deliveries
    ledger.step(sender=sender, settle=[], begin=[pk], now=now)
    running.keep_going(now=now + HOUR)
    issue.refresh_from_db()
    assert issue.status == "sent"

    ledger.step(
        sender=sender,
        settle=[ledger.Settlement(pk, Delivery.State.PENDING)],
        begin=[],
        now=now + HOUR,
    )
    running.keep_going(now=now + HOUR)
    send(now + HOUR)

    assert states(issue) == {"sent": 1}


def test_a_step_repeated_after_a_lost_answer_changes_nothing(begin):
    readers(2)
    issue, sender, now = begin(), uuid.uuid4(), timezone.now()
    first, second = ledger.claim(issue, sender=sender, most=2, now=now).deliveries
    ledger.step(sender=sender, settle=[], begin=[first], now=now)
    sent = ledger.Settlement(first, Delivery.State.SENT, sent_at=now)

    for _ in range(2):
        begun = ledger.step(sender=sender, settle=[sent], begin=[second], now=now)

    assert [mail.delivery for mail in begun] == [second]
    assert states(issue) == {"sent": 1, "in_flight": 1}


# --- jobs, tests, the command line --------------------------------------------------------------


def test_the_jobs_alone_carry_an_issue_from_the_button_to_the_last_mail(relay, run_jobs):
    readers(5)
    issue = running.schedule(draft().pk, at=None, now=timezone.now() - running.UNDO)

    done = run_jobs()

    issue.refresh_from_db()
    assert (issue.status, relay.total) == ("sent", 5)
    assert done.count("newsletter.start_issue") == 1


def test_mail_that_somebody_waits_for_is_taken_first_and_has_room_beside_a_sending(settings):
    # What may take long and nobody's mail waits for: issues and large exports.
    patient = {"newsletter.deliver", "desk.long_work"}
    last = max(app.tasks[name].priority for name in patient)

    assert all(task.priority > last for name, task in app.tasks.items() if name not in patient)
    assert settings.PROCRASTINATE_WORKER_DEFAULTS["concurrency"] > waking.LANES


def test_a_test_mail_goes_to_one_address_and_counts_nowhere(relay, client, now):
    readers(3)
    issue = draft()

    testing.send_test(issue, to="coach@praxis.example", now=now)

    assert dict(relay.accepted) == {"coach@praxis.example": 1}
    assert not Delivery.objects.exists()
    message = relay.messages["coach@praxis.example"].decode()
    assert "Subject: [Test] Was ich gelernt habe" in message
    assert "List-Unsubscribe-Post: List-Unsubscribe=One-Click" in message
    assert "List-Id: <newsletter.localhost>" in message
    link = message.split("List-Unsubscribe: <http://localhost:8000")[1].split(">")[0]
    assert client.get(link).status_code == 200
    assert client.post(link).status_code == 200
    assert Subscriber.objects.confirmed().count() == 3


def test_a_test_mail_that_is_refused_says_so(relay, now):
    relay.on_recipient = lambda to: "550 5.1.1 <coach@praxis.example> unknown"

    with pytest.raises(testing.NotAccepted) as refused:
        testing.send_test(draft(), to="coach@praxis.example", now=now)

    assert "550 5.1.1" in refused.value.message
    assert "coach@" not in refused.value.message


def test_progress_never_says_whole_before_it_is(begin):
    readers(3)
    issue = begin()
    Delivery.objects.filter(issue=issue).update(
        state="sent", sent_at=timezone.now(), claimed_at=timezone.now()
    )
    last = Delivery.objects.values("pk")[:1]
    Delivery.objects.filter(pk__in=last).update(state="pending", sent_at=None)

    progress = running.progress(issue, now=timezone.now())

    assert (progress.total, progress.done, progress.waiting, progress.percent) == (3, 2, 1, 66)
    assert progress.time_left is not None


def test_the_command_line_tells_how_far_it_is_and_has_the_same_buttons(relay, begin):
    Pace.objects.create(pk=1, per_minute=6)
    readers(10)
    issue = begin()
    send()

    assert f"{issue.pk} sending 6/10 (60 %)" in command()
    assert "s left: pending=4 sent=6" in command()
    assert "paused" in command(str(issue.pk), "pause")
    with pytest.raises(CommandError, match="gerade nicht"):
        command(str(issue.pk), "pause")
    assert "stopped" in command(str(issue.pk), "stop", "--watch")
    assert command() == "No issue is on its way.\n"


def command(*arguments: str) -> str:
    output = StringIO()
    call_command("newsletter", *arguments, stdout=output)
    return output.getvalue()


def test_an_issue_that_is_not_there_is_said_so():
    with pytest.raises(CommandError, match="no issue 4711"):
        command("4711")


def test_a_mail_that_cannot_be_written_keeps_no_other_from_leaving(relay, begin, caplog):
    readers(3)
    Subscriber.objects.filter(address="reader1@leser.example").update(address="jörg@leser.example")
    issue = begin()

    send()

    assert states(issue) == {"sent": 2, "failed": 1}
    assert relay.total == 2
    assert "could not be written" in caplog.text
    assert "jörg" not in caplog.text.partition("Traceback")[0]
