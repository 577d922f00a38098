"""When other calendars are read, and what becomes of the answer.

The network is asked outside any transaction; one short transaction then replaces a feed's busy
times. A feed that fails keeps its last good data, and the coach is told: it never means that
everything is free.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction

from booking import busy_feeds
from booking.busy_feeds import FeedFailed
from booking.busy_times import Parsed
from booking.models import Booking, BusyFeed, BusyTime, Calendar
from coaching_site import jobs

SECONDS_FOR_A_JOB = 20.0
SECONDS_BEFORE_A_HOLD = 3.0
WARN_AFTER = timedelta(hours=6)

# From yesterday to beyond the furthest horizon a type of call can have.
PAST = timedelta(days=1)
AHEAD = timedelta(days=750)
# A file that never changes is read anew all the same: its repetitions move into the window.
ANEW_AFTER = timedelta(hours=12)


@dataclass(frozen=True)
class _Question:
    """All it takes to ask a feed, so that asking needs no database."""

    feed: BusyFeed
    now: datetime
    own: frozenset[str]
    is_conditional: bool


@dataclass(frozen=True)
class _News:
    """What a feed said; nothing parsed means that nothing has changed."""

    answer: busy_feeds.Answer
    parsed: Parsed | None


def refresh(feed: BusyFeed, *, now: datetime, seconds: float = SECONDS_FOR_A_JOB) -> bool:
    """Read a feed and keep what it says. Returns whether that worked. Not in a transaction."""
    return _settle(feed, _ask(_question(feed, now), time.monotonic() + seconds), now=now)


def freshen(calendar: Calendar, *, now: datetime) -> None:
    """Before a time is held: ask every feed whose data is stale, all at once and not for long.

    A feed that does not answer does not keep the guest; its last good data counts.
    """
    questions = [
        _question(feed, now) for feed in BusyFeed.objects.stale(now).filter(calendar=calendar)
    ]
    if not questions:
        return
    deadline = time.monotonic() + SECONDS_BEFORE_A_HOLD
    with ThreadPoolExecutor(len(questions)) as pool:
        outcomes = list(pool.map(lambda question: _ask(question, deadline), questions))
    for question, outcome in zip(questions, outcomes, strict=True):
        _settle(question.feed, outcome, now=now)


def read_soon(feed: BusyFeed) -> None:
    """Start a job that reads this feed, unless one is waiting already."""
    jobs.enqueue_once("booking.refresh_feed", key=f"booking.feed.{feed.pk}", feed_id=feed.pk)


def _question(feed: BusyFeed, now: datetime) -> _Question:
    # Appointments of this site that the coach's calendar shows as well. They block by
    # themselves, and after a move the old entry must not keep its time.
    own = Booking.objects.in_calendar(feed.calendar).values_list("uid", flat=True)
    is_fresh = feed.parsed_at is not None and feed.parsed_at > now - ANEW_AFTER
    return _Question(
        feed=feed,
        now=now,
        own=frozenset(str(uid) for uid in own),
        is_conditional=is_fresh and feed.parsed_zone == feed.calendar.zone,
    )


def _ask(question: _Question, deadline: float) -> _News | FeedFailed:
    feed, now = question.feed, question.now
    try:
        answer = busy_feeds.fetch(
            feed.url,
            etag=feed.etag if question.is_conditional else "",
            last_modified=feed.last_modified if question.is_conditional else "",
            deadline=deadline,
        )
        if answer.content is None:
            return _News(answer, None)
        parsed = busy_feeds.read(
            answer.content,
            zone=feed.calendar.tz,
            first=now - PAST,
            last=now + AHEAD,
            own=question.own,
            deadline=deadline,
        )
    except FeedFailed as failure:
        return failure
    return _News(answer, parsed)


def _settle(feed: BusyFeed, outcome: _News | FeedFailed, *, now: datetime) -> bool:
    """Write down what came of it, unless somebody asked later and was answered sooner."""
    with transaction.atomic():
        row = BusyFeed.objects.select_for_update().filter(pk=feed.pk, url=feed.url).first()
        if row is None or (row.fetched_at is not None and row.fetched_at > now):
            return not isinstance(outcome, FeedFailed)
        row.checked_at = now
        if isinstance(outcome, FeedFailed):
            _note_failure(row, str(outcome), now=now)
        else:
            _note_success(row, outcome, zone=feed.calendar.zone, now=now)
        row.save()
    return not isinstance(outcome, FeedFailed)


def _note_failure(row: BusyFeed, why: str, *, now: datetime) -> None:
    row.last_error = why[:200]
    row.failing_since = row.failing_since or now
    if row.warned_at is None and row.failing_since <= now - WARN_AFTER:
        row.warned_at = now
        jobs.enqueue("booking.tell_about_feed", feed_id=row.pk, is_well=False)


def _note_success(row: BusyFeed, news: _News, *, zone: str, now: datetime) -> None:
    if row.warned_at is not None:
        jobs.enqueue("booking.tell_about_feed", feed_id=row.pk, is_well=True)
    row.failing_since = row.warned_at = None
    row.last_error = ""
    row.fetched_at = now
    if news.parsed is None:
        return
    row.etag, row.last_modified = news.answer.etag, news.answer.last_modified
    row.parsed_at, row.parsed_zone = now, zone
    row.warnings = "\n".join(news.parsed.warnings)
    _replace_busy_times(row, news.parsed)


def _replace_busy_times(row: BusyFeed, parsed: Parsed) -> None:
    said = [(each.start, each.end) for each in parsed.busy]
    known = list(row.busy_times.order_by("start").values_list("start", "end"))
    if known == said:
        return
    row.busy_times.all().delete()
    BusyTime.objects.bulk_create(
        (BusyTime(feed=row, start=start, end=end) for start, end in said), batch_size=2000
    )
