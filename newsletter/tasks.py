"""Jobs: fetch, delegate, note what was done."""

from __future__ import annotations

from django.utils import timezone
from procrastinate.contrib.django import app

from coaching_site import jobs
from newsletter import mail, subscriptions
from newsletter.imports import running
from newsletter.models import Subscriber


@app.task(name="newsletter.answer_sign_up", retry=jobs.PATIENT)
def answer_sign_up(*, subscriber: int, answer: bool) -> None:
    """Send the mail a sign-up asked for, if it is still owed."""
    row = Subscriber.objects.filter(pk=subscriber).first() if answer else None
    if row is None or not row.mail_is_owed or subscriptions.is_silenced(row):
        return
    now = timezone.now()
    if row.status == Subscriber.Status.CONFIRMED:
        mail.send_already_subscribed(row)
    else:
        link = subscriptions.new_confirm_link(row, now=now)
        if link is None:
            return
        token, expires_at = link
        mail.send_confirmation(row, token=token, expires_at=expires_at)
    subscriptions.note_mail_sent(row, now=timezone.now())


@app.periodic(cron="41 3 * * *")
@app.task(name="newsletter.forget_unconfirmed", queueing_lock="newsletter.forget_unconfirmed")
def forget_unconfirmed(timestamp: int) -> None:
    """Delete what nobody confirmed within two weeks."""
    del timestamp
    subscriptions.forget_unconfirmed(now=timezone.now())


@app.task(name="newsletter.work_on_import", retry=jobs.PATIENT)
def work_on_import(*, run: int) -> None:
    """Check a list or take it over, from where it is; another job goes on after a while."""
    running.work_in_slices(run)


@app.periodic(cron="47 3 * * *")
@app.task(name="newsletter.forget_imports", queueing_lock="newsletter.forget_imports")
def forget_imports(timestamp: int) -> None:
    """Delete lists and reports a week after they were last of use."""
    del timestamp
    running.forget_old(now=timezone.now())
