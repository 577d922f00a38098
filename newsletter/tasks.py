"""Jobs: fetch, delegate, note what was done."""

from __future__ import annotations

from django.utils import timezone
from procrastinate.contrib.django import app

from coaching_site import jobs
from newsletter import mail, subscriptions
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
