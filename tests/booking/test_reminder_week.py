"""A week with everything in it, the night the clock jumps included: each mail exactly once.

Guests book, move and call off; two workers run into each other; some are killed, jobs get lost, the
mail server refuses for an hour and all stands still for six. Afterwards a second opinion, which
knows the story but none of the code, says which mails there had to be.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob

from booking import attendance, availability, cancellation, scheduling, tasks
from booking.forms import FOLLOWUP_CONSENT
from booking.models import Booking, CallType, WeeklyHours
from booking.scheduling import Guest
from coaching_site import tracing
from tests.booking.conftest import hold, new_type

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
FOREVER = datetime(2099, 1, 1, tzinfo=UTC)

# From Monday to Monday; in the night to Sunday, 28 March, the clocks go forward.
BEGIN = datetime(2027, 3, 22, 6, 0, tzinfo=UTC)
END = BEGIN + 8 * DAY
OUTAGES = [
    (BEGIN + 2 * DAY + HOUR, BEGIN + 2 * DAY + 7 * HOUR),
    (BEGIN + 5 * DAY + 2 * HOUR, BEGIN + 5 * DAY + 4 * HOUR),
]
REFUSALS = [(BEGIN + 3 * DAY + HOUR, BEGIN + 3 * DAY + 2 * HOUR)]

SOAK = bool(os.environ.get("SOAK"))
SEEDS = range(5 if SOAK else 1)
# So many minutes in which somebody works are enough for any mail, whatever happens in between.
ENOUGH = 6
# When calls are; at other hours the short form of this test looks less often.
BUSY_HOURS = {*range(6, 12), *range(17, 21)}

# Minutes before the start, minutes before the start, hours after the end.
SETTINGS = [(1440, 60, 2), (2880, 120, None), (None, 30, 1), (720, None, 24), (None, None, None)]


class Killed(BaseException):
    """The process is gone; nothing in it learns why."""


@dataclass
class Story:
    """What happened to one booking, told in plain values."""

    reference: str
    email: str
    setting: tuple[int | None, int | None, int | None]
    confirmed: datetime
    agreed: bool
    # Each time the call had, and from when until when that was its time.
    times: list[tuple[datetime, datetime, datetime]]
    called_off: datetime = FOREVER
    missed: bool = False

    def wanted(self) -> Iterator[tuple[str, datetime, datetime]]:
        """The mails there should be, each with the time in which it makes sense."""
        first, second, after = self.setting
        for start, since, until in self.times:
            until = min(until, self.called_off)
            due = {
                kind: start - minutes * MINUTE
                for kind, minutes in (("first_reminder", first), ("second_reminder", second))
                if minutes is not None
            }
            for kind, moment in due.items():
                too_late = due.get("second_reminder", start) if kind == "first_reminder" else start
                if since < moment:
                    yield kind, max(moment, since), min(too_late, until)
            if after is not None and self.agreed and not self.missed:
                asked = start + 30 * MINUTE + after * HOUR
                yield "follow_up", max(asked, since), min(asked + 3 * DAY, until)


@dataclass
class Week:
    """The site during that week: its clock, its queue, its two workers."""

    chance: random.Random
    set_clock: Callable[[datetime], None]
    mailbox: object
    now: datetime = BEGIN
    stories: list[Story] = field(default_factory=list)
    sent: list[tuple[str, str, datetime]] = field(default_factory=list)
    kills: int = 0
    meetings: int = 0
    busy: bool = False
    # The moments at which somebody worked and the server took mail.
    quiet: list[datetime] = field(default_factory=list)

    @property
    def step(self) -> timedelta:
        if SOAK:
            return MINUTE
        return 10 * MINUTE if self.now.hour in BUSY_HOURS else HOUR

    def ticks(self) -> Iterator[datetime]:
        while self.now < END:
            self.set_clock(self.now)
            yield self.now
            self.now += self.step

    def happens(self, often: int) -> bool:
        """Whether what happens so often in the week happens now."""
        return self.chance.random() < often * (self.step / (END - BEGIN))

    # --- guests ---

    def somebody_books(self, call_types: list[CallType]) -> None:
        call_type = self.chance.choice(call_types)
        offers = availability.offered_slots(call_type, now=self.now)
        if not offers:
            return
        slot = self.chance.choice(offers)
        agreed = self.chance.random() < 0.5
        guest = Guest(
            name="Jemand",
            email=f"gast{len(self.stories)}@example.org",
            followup_consent_text=FOLLOWUP_CONSENT if agreed else "",
        )
        held = hold(call_type, start=slot.start, guest=guest, now=self.now)
        booking = scheduling.confirm(held, now=self.now)
        setting = (call_type.first_reminder, call_type.second_reminder, call_type.follow_up_hours)
        times = [(booking.start, self.now, FOREVER)]
        self.stories.append(Story(booking.reference, guest.email, setting, self.now, agreed, times))

    def a_guest_calls_off(self) -> None:
        coming = [s for s in self.stories if s.called_off == FOREVER and s.times[-1][0] > self.now]
        if coming:
            story = self.chance.choice(coming)
            story.called_off = self.now
            cancellation.cancel_by_guest(self.booking(story), now=self.now)

    def a_call_is_moved_to_the_evening(self) -> None:
        coming = [
            s
            for s in self.stories
            if s.called_off == FOREVER and len(s.times) == 1 and s.times[0][0] > self.now + HOUR
        ]
        if coming:
            story = self.chance.choice(coming)
            start = story.times[0][0] + 10 * HOUR
            scheduling.move(self.booking(story), start=start, by=Booking.Side.COACH, now=self.now)
            story.times = [(story.times[0][0], story.times[0][1], self.now)]
            story.times.append((start, self.now, FOREVER))

    def somebody_does_not_come(self) -> None:
        for story in self.stories:
            start = story.times[-1][0]
            is_now = start <= self.now < start + self.step
            if is_now and story.called_off == FOREVER and self.chance.random() < 0.2:
                story.missed = True
                attendance.mark_no_show(self.booking(story), now=self.now)

    def booking(self, story: Story) -> Booking:
        return Booking.objects.with_its_type().get(reference=story.reference)

    # --- workers ---

    def work(self) -> None:
        """One minute: a worker looks what is due, or two do, and one of them does what waits."""
        for _ in range(self.chance.choice([1, 1, 2])):
            tasks.due_reminders(0)
        if self.now.minute % 5 == 0:
            tasks.owed_notifications(0)
        # The rescue: what dead workers left behind goes back into the queue.
        ProcrastinateJob.objects.filter(status="doing").update(status="todo")
        self.run_queue()

    def run_queue(self) -> None:
        while job := self.next_job():
            ProcrastinateJob.objects.filter(pk=job.pk).update(status="doing")
            try:
                app.tasks[job.task_name](**tracing.without_request(job.args))
            except Killed:
                if self.chance.random() < 0.3:
                    forget(job)  # and then even the job is lost
                return
            except Exception:
                later = self.now + 4 * MINUTE
                ProcrastinateJob.objects.filter(pk=job.pk).update(status="todo", scheduled_at=later)
            else:
                forget(job)

    def next_job(self) -> ProcrastinateJob | None:
        waiting = ProcrastinateJob.objects.filter(status="todo", task_name=tasks.SEND)
        late = waiting.exclude(scheduled_at__gt=self.now)
        return late.order_by("id").first()

    def watched(self, kind: str, send: Callable[[Booking], None]) -> Callable[[Booking], None]:
        """The mail's function, with what may happen between the claim and the server."""

        def send_if_alive(booking: Booking) -> None:
            if not self.busy and self.chance.random() < 0.3:
                self.the_other_worker_comes_in_between(booking, kind)
            if self.chance.random() < 0.2:
                self.kills += 1
                raise Killed
            send(booking)
            self.sent.append((booking.reference, kind, self.now))

        return send_if_alive

    def the_other_worker_comes_in_between(self, booking: Booking, kind: str) -> None:
        """It has a job for the same mail, and does all the others while it is at it."""
        self.meetings += 1
        self.busy = True
        row = booking.notifications.get(kind=kind, audience="guest", start=booking.start)
        tasks.send_notification(row.pk)
        self.run_queue()
        self.busy = False


def forget(job: ProcrastinateJob) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM procrastinate_jobs WHERE id = %s", [job.pk])


def inside(spans: list[tuple[datetime, datetime]], moment: datetime) -> bool:
    return any(start <= moment < end for start, end in spans)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_week_of_mails(calendar, clock, mailbox, monkeypatch, seed):
    WeeklyHours.objects.bulk_create(
        WeeklyHours(calendar=calendar, weekday=day, start="09:00", end="12:00") for day in (6, 7)
    )
    call_types = [
        new_type(
            calendar,
            slug=f"art-{number}",
            notice=0,
            horizon_days=7,
            first_reminder=first,
            second_reminder=second,
            follow_up_hours=after,
        )
        for number, (first, second, after) in enumerate(SETTINGS)
    ]
    week = Week(random.Random(seed), clock, mailbox)
    for (kind, audience), send in list(tasks.MAILS.items()):
        if kind in ("first_reminder", "second_reminder", "follow_up"):
            monkeypatch.setitem(tasks.MAILS, (kind, audience), week.watched(kind, send))
        else:
            monkeypatch.setitem(tasks.MAILS, (kind, audience), lambda booking: None)

    clock(BEGIN)
    for _ in range(28):
        week.somebody_books(call_types)
    for tick in week.ticks():
        if week.happens(often=18):
            week.somebody_books(call_types)
        if week.happens(often=8):
            week.a_guest_calls_off()
        if week.happens(often=6):
            week.a_call_is_moved_to_the_evening()
        week.somebody_does_not_come()
        mailbox.refuse_with = "451 4.3.0 later" if inside(REFUSALS, tick) else None
        if not inside(OUTAGES, tick):
            week.work()
            week.quiet += [] if mailbox.refuse_with else [tick]

    assert_each_mail_came_once(week)
    assert len(mailbox.messages) == len(week.sent)
    assert len({message["Message-ID"] for message in mailbox.messages}) == len(week.sent)
    # It was a week worth looking at.
    assert len(week.sent) > 25
    assert min(week.kills, week.meetings) > 3
    assert len([s for s in week.stories if s.called_off != FOREVER]) > 2
    assert len([s for s in week.stories if len(s.times) > 1]) > 1


def assert_each_mail_came_once(week: Week) -> None:
    times = Counter((reference, kind, at) for reference, kind, at in week.sent)
    unexplained = set(times)
    certain = 0
    for story in week.stories:
        for kind, start, end in story.wanted():
            sent = [at for ref, what, at in times if (ref, what) == (story.reference, kind)]
            inside_it = [at for at in sent if start <= at < end]
            unexplained -= {(story.reference, kind, at) for at in inside_it}
            quiet = sum(start <= tick < end for tick in week.quiet)
            assert len(inside_it) <= 1, f"twice: {story} {kind}"
            if not quiet:
                assert inside_it == [], f"nobody could send this: {story} {kind}"
            if quiet >= ENOUGH:
                certain += 1
                assert len(inside_it) == 1, f"lost: {story} {kind} {start}–{end}"
    assert not unexplained, f"nobody wanted these: {unexplained}"
    assert max(times.values()) == 1
    assert certain > 20
