"""Jobs that belong to no app alone."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.utils import timezone
from procrastinate.contrib.django import app

from booking.models import Booking
from coaching_site import jobs, limits
from coaching_site.desk import long_work, mail, people, retention, upkeep
from coaching_site.desk.backups import nightly
from coaching_site.desk.models import PersonLink, PersonRequest
from newsletter import addresses, quotas, subscriptions
from pages import consent
from pages.models import Practice

# Where guests read the box's text; the address itself may be a secret one.
DETAILS_PAGE = "/termin/"


@app.periodic(cron="37 * * * *")
@app.task(name="desk.forget_hits", queueing_lock="desk.forget_hits")
def forget_hits(timestamp: int) -> None:
    """Counts of tries are nobody's business once their time is over."""
    del timestamp
    limits.forget(now=timezone.now())


@app.periodic(cron="41 3 * * *")
@app.task(name="desk.retention", queueing_lock="desk.retention")
def carry_out_retention(timestamp: int) -> None:
    """Delete what has been kept long enough."""
    del timestamp
    people.finish_open(now=timezone.now())
    retention.carry_out(now=timezone.now())


# Before the rules of the night, so that what they delete can still be brought back.
@app.periodic(cron="23 2 * * *")
@app.task(name="desk.back_up", queueing_lock="desk.back_up")
def back_up(timestamp: int) -> None:
    """Copy everything, where somebody is named who may read it."""
    del timestamp
    if settings.BACKUP_RECIPIENTS:
        nightly.run(now=timezone.now())


@app.task(name=nightly.ALARM, retry=jobs.PATIENT)
def warn_of_failed_backup(*, newest: str, reason: str) -> None:
    """Tell the coach that there is no newer backup than that."""
    mail.send_backup_failed(reason, newest=newest)


# Put in after each backup; looked at again towards the morning, should the line have been down.
@app.periodic(cron="53 4,6 * * *")
@app.task(name=nightly.COPY, queueing_lock=nightly.COPY, lock=nightly.COPY)
def copy_backups(timestamp: int) -> None:
    """Carry backups to the other host, if there is one."""
    del timestamp
    if settings.BACKUP_COPY.host:
        nightly.carry(now=timezone.now())


@app.task(name=nightly.COPY_ALARM, retry=jobs.PATIENT)
def warn_of_failed_copy(*, newest: str, reason: str) -> None:
    """Tell the coach that no newer backup than that was carried to the other host."""
    mail.send_backup_copy_failed(reason, newest=newest)


@app.periodic(cron="7 6 * * *")
@app.task(name="desk.look_after_the_house", queueing_lock="desk.look_after_the_house")
def look_after_the_house(timestamp: int) -> None:
    """See whether disks are full, jobs were given up, nights went by without a backup."""
    del timestamp
    now = timezone.now()
    nightly.warn_when_late(now=now)
    upkeep.warn_of_full_disks()
    upkeep.warn_of_failed_jobs(now=now)


@app.periodic(cron="29 * * * *")
@app.task(name="desk.look_at_the_queue", queueing_lock="desk.look_at_the_queue")
def look_at_the_queue(timestamp: int) -> None:
    """See whether jobs wait that should long have begun."""
    del timestamp
    upkeep.warn_of_overdue_jobs(now=timezone.now())


@app.task(name=upkeep.DISK_ALARM, retry=jobs.PATIENT)
def warn_of_full_disk(*, holds: str, reason: str) -> None:
    """Tell the coach which disk is nearly full."""
    mail.send_disk_full(reason, holds=holds)


@app.task(name=upkeep.FAILED_ALARM, retry=jobs.PATIENT)
def warn_of_failed_jobs(*, numbers: list[int], tasks: list[str]) -> None:
    """Tell the coach which jobs were given up."""
    mail.send_jobs_failed(numbers, tasks=tasks)


@app.task(name=upkeep.OVERDUE_ALARM, retry=jobs.PATIENT)
def warn_of_overdue_jobs(*, reason: str) -> None:
    """Tell the coach that jobs wait in vain, unless they have begun by now."""
    del reason
    now = timezone.now()
    if upkeep.overdue_jobs(now).exists():
        mail.send_jobs_overdue(now=now)


@app.task(name="desk.send_person_link", retry=jobs.PATIENT)
def send_person_link(*, link: int) -> None:
    """Send somebody the link to their data; nobody is link 0."""
    row = PersonLink.objects.filter(pk=link, expires_at__gt=timezone.now()).first()
    if row is not None:
        mail.send_person_link(row, token=people.new_token(row))


@app.periodic(cron="13 5 * * *")
@app.task(name="desk.due_person_requests", queueing_lock="desk.due_person_requests")
def due_person_requests(timestamp: int) -> None:
    """Warn of what must be done soon. A run that was missed is made up for by the next."""
    del timestamp
    people.warn_of_due(now=timezone.now())


@app.task(name="desk.warn_of_person_request", retry=jobs.PATIENT)
def warn_of_person_request(*, request_id: int) -> None:
    """Tell the coach of a request that must be done soon, unless it is done by now."""
    row = PersonRequest.objects.open().filter(pk=request_id).first()
    if row is not None:
        mail.send_person_request_due_soon(row)


@app.task(name="desk.sign_up_from_booking", retry=jobs.PATIENT)
def sign_up_from_booking(*, booking: int, asked_at: str) -> None:
    """Sign a guest up who ticked the box; the same mail asks them to confirm as everybody else.

    The time is the one of their booking, so running twice asks once.
    """
    row = Booking.objects.filter(pk=booking).exclude(newsletter_consent_text="").first()
    if row is None:
        return
    try:
        address = addresses.parse(row.email)
    except addresses.NotAnAddress:
        return
    subscriptions.subscribe(
        address,
        consent=consent.shown_on_booking(Practice.current(), row.newsletter_consent_text),
        page=DETAILS_PAGE,
        may_answer=quotas.may_answer(address, now=timezone.now()),
        now=datetime.fromisoformat(asked_at),
    )


# Low: mails that somebody waits for go first.
@app.task(name=long_work.JOB, retry=jobs.PATIENT, priority=-10)
def work_through_exports() -> None:
    """Make the file that waits longest; another job goes on."""
    long_work.work_through()


@app.periodic(cron="* * * * *")
@app.task(name="desk.keep_working", queueing_lock="desk.keep_working")
def keep_working(timestamp: int) -> None:
    """Find files nobody works at any more, and delete those whose day is over."""
    del timestamp
    long_work.keep_going(now=timezone.now())
