"""Jobs: fetch, delegate, note what was done."""

from __future__ import annotations

from datetime import datetime

from django.utils import timezone
from procrastinate.contrib.django import app

from coaching_site import jobs
from newsletter import inbox_sync, mail, preferences, subscriptions
from newsletter.imports import running
from newsletter.models import Event, Inbox, Issue, Subscriber
from newsletter.sending import lanes
from newsletter.sending import running as issues


@app.task(name="newsletter.answer_sign_up", retry=jobs.PATIENT)
def answer_sign_up(*, subscriber: int, answer: bool, surplus: int = 0) -> None:
    """Send the mail a sign-up asked for, if it is still owed."""
    subscriptions.drop_surplus(surplus)
    row = Subscriber.objects.filter(pk=subscriber).first() if answer else None
    if row is None or not row.mail_is_owed or subscriptions.is_silenced(row.address_key):
        return
    now, kind = timezone.now(), Event.Kind.ALREADY_MAIL
    if row.status == Subscriber.Status.CONFIRMED:
        mail.send_already_subscribed(row)
    else:
        kind = Event.Kind.CONFIRM_MAIL
        link = subscriptions.new_confirm_link(row, now=now)
        if link is None:
            return
        token, expires_at = link
        mail.send_confirmation(row, token=token, expires_at=expires_at)
    subscriptions.note_mail_sent(row, kind, now=timezone.now())


@app.task(name="newsletter.welcome", retry=jobs.PATIENT)
def welcome(*, subscriber: int, since: str) -> None:
    """Welcome whoever confirmed their sign-up at that time, once, if they are still on the list."""
    row = Subscriber.objects.filter(pk=subscriber).first()
    confirmed_at = datetime.fromisoformat(since)
    if row is None or not subscriptions.owes_welcome(row, confirmed_at):
        return
    mail.send_welcome(row, key=since)
    subscriptions.note_welcome(row, confirmed_at, now=timezone.now())


@app.task(name="newsletter.ask_new_address", retry=jobs.PATIENT)
def ask_new_address(*, request: int) -> None:
    """Ask the new address whether it wants the newsletter, if it may be asked and was not yet."""
    wish = preferences.open_wish(request)
    if wish is None or preferences.was_asked(wish):
        return
    link = preferences.new_move_link(wish, now=timezone.now())
    if link is not None:
        token, expires_at = link
        mail.send_move(wish, token=token, expires_at=expires_at)
        preferences.note_move_mail(wish, now=timezone.now())


@app.task(name="newsletter.send_link", retry=jobs.PATIENT)
def send_link(*, subscriber: int, asked_at: str) -> None:
    """Send somebody the link to their preferences; nobody is subscriber 0."""
    row = Subscriber.objects.filter(pk=subscriber).first()
    since = datetime.fromisoformat(asked_at)
    if row is None or not preferences.link_is_owed(row, since):
        return
    mail.send_link(row, key=asked_at)
    preferences.note_link_mail(row, now=timezone.now())


@app.task(name="newsletter.work_on_import", retry=jobs.PATIENT)
def work_on_import(*, run: int) -> None:
    """Check a list or take it over, from where it is; another job goes on after a while."""
    running.work_in_slices(run)


@app.periodic(cron="*/2 * * * *")
@app.task(
    name="newsletter.read_inbox",
    lock="newsletter.read_inbox",
    queueing_lock="newsletter.read_inbox",
)
def read_inbox(timestamp: int) -> None:
    """Read what came back since last time: bounces, complaints, unsubscriptions by mail."""
    del timestamp
    inbox_sync.refresh(now=timezone.now())


@app.task(name="newsletter.tell_about_inbox", retry=jobs.PATIENT)
def tell_about_inbox(*, inbox: int, is_well: bool) -> None:
    """Tell the coach that the inbox cannot be read, or can again, if that still is so."""
    row = Inbox.objects.filter(pk=inbox).first()
    if row is None or is_well == row.is_failing:
        return
    (mail.send_inbox_well if is_well else mail.send_inbox_failing)(row)


@app.task(name="newsletter.start_issue", retry=jobs.PATIENT)
def start_issue(*, issue: int) -> None:
    """Send an issue whose time has come, unless it was taken back."""
    issues.start(issue, now=timezone.now())


# Low: mails that somebody waits for go first. Short: a lane sends for some seconds and lets the next
# job go on.
@app.task(name="newsletter.deliver", priority=-10)
def deliver(*, lane: int) -> None:
    """Send what the ledger says is owed, for a while; another job goes on."""
    lanes.work_in_slices(lane)


@app.periodic(cron="* * * * *")
@app.task(name="newsletter.keep_sending", queueing_lock="newsletter.keep_sending")
def keep_sending(timestamp: int) -> None:
    """Start what is due, find what dead senders left, and see that somebody is at work."""
    del timestamp
    issues.keep_going(now=timezone.now())


@app.task(name="newsletter.tell_about_trouble", retry=jobs.PATIENT)
def tell_about_trouble(*, issue: int, trouble: str) -> None:
    """Tell the coach why an issue is not being sent."""
    row = Issue.objects.filter(pk=issue).first()
    if row is not None:
        mail.send_trouble(row, trouble)
