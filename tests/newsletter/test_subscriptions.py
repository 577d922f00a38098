"""Who gets on the list, who leaves it, and what proves it."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from threading import Barrier
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from procrastinate.contrib.django.models import ProcrastinateJob

from newsletter import subscriptions, tokens
from newsletter.errors import LinkGone
from newsletter.models import (
    ConfirmLink,
    Consent,
    Event,
    Subscriber,
    Suppression,
    suppression_hashes,
)
from newsletter.subscriptions import LinkState
from pages import consent
from pages.models import Practice
from tests.newsletter.conftest import ADA, DAYS, MINUTES, sign_up

pytestmark = pytest.mark.django_db


def suppress(address: str, reason: str, now) -> None:
    Suppression.objects.create(
        address_hash=suppression_hashes(address)[0], reason=reason, created_at=now
    )


# --- signing up ---


def test_a_sign_up_waits_and_one_mail_asks_to_confirm_it(mailbox, run_jobs, now):
    row = sign_up(ADA, now)
    run_jobs()

    row.refresh_from_db()
    assert (row.status, row.confirmed_at, row.consent) == ("pending", None, None)
    assert row.mail_sent_at is not None
    assert len(mailbox.to(ADA)) == 1
    assert Subscriber.objects.confirmed().count() == 0


def test_the_request_keeps_text_version_hash_page_and_time(now):
    sign_up(ADA, now, page="/newsletter/")

    row = Consent.objects.get()
    assert Practice.current().display_name in row.text
    assert (row.address, row.page, row.requested_at) == (ADA, "/newsletter/", now)
    assert (row.text_version, len(row.text_sha256), row.confirmed_at) == ("2026-11", 64, None)


def test_two_spellings_are_one_subscriber(now):
    first = sign_up("Max@Example.ORG", now)
    again = sign_up("MAX@EXAMPLE.org", now + DAYS)

    assert first.pk == again.pk
    assert again.address == "Max@example.org"


@pytest.mark.parametrize(("minutes", "mails"), [(1, 1), (14, 1), (15, 2)])
def test_one_address_is_asked_at_most_once_in_fifteen_minutes(
    mailbox, run_jobs, now, minutes, mails
):
    sign_up(ADA, now)
    run_jobs()
    sign_up(ADA, now + minutes * MINUTES)
    run_jobs()

    assert len(mailbox.messages) == mails


def test_fifty_sign_ups_in_a_row_send_one_mail(mailbox, run_jobs, now):
    for _ in range(50):
        sign_up(ADA, now)
    run_jobs()

    assert len(mailbox.messages) == 1
    assert Consent.objects.count() == 1


def test_a_reader_who_signs_up_again_stays_one_and_is_told_so_once_a_day(
    reader, mailbox, run_jobs, now
):
    before = Consent.objects.count()
    for hours in (24, 25, 26):
        sign_up(ADA, now + hours * 60 * MINUTES)
        run_jobs()

    reader.refresh_from_db()
    assert reader.status == "confirmed"
    assert Consent.objects.count() == before
    assert [str(mail["Subject"]) for mail in mailbox.messages] == [
        "Du bekommst den Newsletter schon"
    ]


@pytest.mark.parametrize("reason", ["complaint", "blocked"])
def test_a_suppressed_address_gets_no_mail(mailbox, run_jobs, now, reason):
    suppress(ADA, reason, now)

    sign_up("ADA@leser.example", now)
    run_jobs()

    assert mailbox.messages == []


def test_whoever_had_their_data_erased_may_come_back_themselves(mailbox, run_jobs, now):
    suppress(ADA, "erased", now)

    sign_up(ADA, now)
    run_jobs()

    assert len(mailbox.messages) == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("known", [False, True])
def test_twenty_sign_ups_at_once_make_one_row_and_one_mail(mailbox, run_jobs, now, known):
    if known:
        sign_up(ADA, now - DAYS)
        run_jobs()
    start, before = Barrier(20), len(mailbox.messages)

    def visit(_: int) -> None:
        try:
            start.wait(timeout=20)
            sign_up(ADA, now)
        finally:
            connection.close()

    with ThreadPoolExecutor(20) as visitors:
        list(visitors.map(visit, range(20)))
    run_jobs()

    assert Subscriber.objects.count() == 1
    assert Consent.objects.filter(requested_at=now).count() == 1
    assert len(mailbox.messages) == before + 1


def test_a_mail_asked_for_while_another_is_sent_stays_owed(pending, now):
    sign_up(ADA, now + DAYS)

    subscriptions.note_mail_sent(pending, Event.Kind.CONFIRM_MAIL, now=now + DAYS)

    pending.refresh_from_db()
    assert pending.mail_is_owed


def test_every_sign_up_starts_one_job_so_none_is_quicker(reader, now):
    suppress("eve@leser.example", "complaint", now)

    for address in (ADA, "new@leser.example", "eve@leser.example", "new@leser.example"):
        sign_up(address, now + MINUTES)

    assert ProcrastinateJob.objects.filter(task_name="newsletter.answer_sign_up").count() == 4


# --- confirming ---


def test_confirming_fills_the_times_and_points_to_the_consent(ask, now):
    token = ask()

    row = subscriptions.confirm(token, now=now + DAYS)

    assert (row.status, row.confirmed_at) == ("confirmed", now + DAYS)
    assert row.consent == Consent.objects.get(requested_at=now, confirmed_at=now + DAYS)


def test_confirming_twice_changes_nothing(ask, now):
    token = ask()
    first = subscriptions.confirm(token, now=now + MINUTES)

    again = subscriptions.confirm(token, now=now + DAYS)

    assert again.confirmed_at == first.confirmed_at
    assert subscriptions.confirm_link_state(token, now=now + DAYS) is LinkState.USED


def test_the_token_is_in_the_mail_and_nowhere_in_the_database(ask):
    token = ask()

    assert len(token) == 43
    assert ConfirmLink.objects.get().token_sha256 == tokens.digest(token)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM procrastinate_jobs WHERE args::text LIKE %s", [f"%{token}%"]
        )
        assert cursor.fetchone() == (0,)


@pytest.mark.parametrize(
    ("days", "state"), [(13, LinkState.OPEN), (14, LinkState.EXPIRED), (15, LinkState.EXPIRED)]
)
def test_a_link_works_for_fourteen_days(ask, now, days, state):
    token = ask()

    assert subscriptions.confirm_link_state(token, now=now + days * DAYS) is state


def test_an_expired_link_confirms_nothing(ask, now):
    token = ask()

    with pytest.raises(LinkGone):
        subscriptions.confirm(token, now=now + 14 * DAYS)

    assert Subscriber.objects.get().status == "pending"


@pytest.mark.parametrize("token", ["", "x", "x" * 43, "x" * 300, "\x00", "\ud800", "ä", "../.."])
def test_a_mangled_token_is_gone(pending, now, token):
    assert subscriptions.confirm_link_state(token, now=now) is LinkState.GONE
    with pytest.raises(LinkGone):
        subscriptions.confirm(token, now=now)


@pytest.mark.parametrize("tail", [".", ",", ">", ")", "=3D", "…", "”", " ", "!?"])
def test_what_a_mail_program_glues_to_a_link_does_no_harm(ask, now, tail):
    assert subscriptions.confirm(ask() + tail, now=now).status == "confirmed"


def test_the_links_of_both_mails_work_until_one_is_used(ask, now):
    first = ask()
    second = ask(at=now + 20 * MINUTES)

    subscriptions.confirm(first, now=now + 30 * MINUTES)

    state = subscriptions.confirm_link_state(second, now=now + 30 * MINUTES)
    assert state is LinkState.USED
    assert Consent.objects.filter(confirmed_at__isnull=False).count() == 1


# --- leaving and coming back ---


def test_leaving_works_at_once_and_is_noted_on_the_consent(reader, now):
    assert subscriptions.unsubscribe(reader.public_id, now=now + DAYS)

    reader.refresh_from_db()
    assert (reader.status, reader.unsubscribed_at) == ("unsubscribed", now + DAYS)
    assert reader.consent.withdrawn_at == now + DAYS


def test_a_clock_that_runs_behind_keeps_nobody_from_confirming_or_leaving(ask, now):
    row = subscriptions.confirm(ask(), now=now - MINUTES)

    assert subscriptions.unsubscribe(row.public_id, now=now - 2 * MINUTES)


def test_leaving_twice_is_one_event(reader, now):
    subscriptions.unsubscribe(reader.public_id, now=now + DAYS)

    assert not subscriptions.unsubscribe(reader.public_id, now=now + 2 * DAYS)

    reader.refresh_from_db()
    assert reader.unsubscribed_at == now + DAYS


def test_an_old_link_does_not_bring_back_who_left(ask, now):
    token, newer = ask(), ask(at=now + 20 * MINUTES)
    row = subscriptions.confirm(token, now=now + 30 * MINUTES)
    subscriptions.unsubscribe(row.public_id, now=now + 31 * MINUTES)

    for old in (token, newer):
        with pytest.raises(LinkGone):
            subscriptions.confirm(old, now=now + 32 * MINUTES)

    row.refresh_from_db()
    assert row.status == "unsubscribed"


def test_leaving_before_confirming_ends_the_request(ask, now):
    token = ask()

    subscriptions.unsubscribe(Subscriber.objects.get().public_id, now=now + MINUTES)

    assert subscriptions.confirm_link_state(token, now=now + MINUTES) is LinkState.GONE
    assert Consent.objects.count() == 0


def test_coming_back_needs_a_new_confirmation_and_keeps_both_consents(ask, now):
    row = subscriptions.confirm(ask(), now=now + MINUTES)
    subscriptions.unsubscribe(row.public_id, now=now + DAYS)

    token = ask(at=now + 2 * DAYS)
    row.refresh_from_db()
    assert row.status == "pending"
    subscriptions.confirm(token, now=now + 3 * DAYS)

    row.refresh_from_db()
    assert (row.status, row.unsubscribed_at) == ("confirmed", None)
    times = row.consents.order_by("requested_at").values_list("confirmed_at", "withdrawn_at")
    assert list(times) == [(now + MINUTES, now + DAYS), (now + 3 * DAYS, None)]


def test_the_first_link_is_no_use_for_the_second_sign_up(ask, now):
    old = ask()
    row = subscriptions.confirm(old, now=now + MINUTES)
    subscriptions.unsubscribe(row.public_id, now=now + DAYS)
    ask(at=now + 2 * DAYS)

    with pytest.raises(LinkGone):
        subscriptions.confirm(old, now=now + 2 * DAYS)


def test_who_changes_their_mind_need_not_wait(ask, now):
    row = subscriptions.confirm(ask(), now=now + MINUTES)
    subscriptions.unsubscribe(row.public_id, now=now + 2 * MINUTES)

    assert ask(at=now + 3 * MINUTES)


# --- forgetting ---


def test_what_nobody_confirmed_in_fourteen_days_is_gone(ask, now):
    token = ask()

    assert subscriptions.forget_unconfirmed(now=now + 13 * DAYS) == 0
    assert subscriptions.forget_unconfirmed(now=now + 14 * DAYS) == 1

    rows = (Subscriber.objects.count(), Consent.objects.count(), ConfirmLink.objects.count())
    assert rows == (0, 0, 0)
    assert subscriptions.confirm_link_state(token, now=now + 14 * DAYS) is LinkState.GONE


def test_forgetting_twice_does_no_harm(pending, now):
    subscriptions.forget_unconfirmed(now=now + 14 * DAYS)

    assert subscriptions.forget_unconfirmed(now=now + 14 * DAYS) == 0


def test_readers_and_their_consents_are_never_forgotten(reader, now):
    subscriptions.forget_unconfirmed(now=now + 400 * DAYS)

    reader.refresh_from_db()
    assert (reader.status, reader.consents.count()) == ("confirmed", 1)


def test_a_former_reader_who_does_not_confirm_again_has_left_and_keeps_the_proof(ask, now):
    row = subscriptions.confirm(ask(), now=now + MINUTES)
    subscriptions.unsubscribe(row.public_id, now=now + DAYS)
    ask(at=now + 2 * DAYS)

    subscriptions.forget_unconfirmed(now=now + 16 * DAYS)

    row.refresh_from_db()
    assert (row.status, row.unsubscribed_at) == ("unsubscribed", now + DAYS)
    assert list(row.consents.values_list("withdrawn_at", flat=True)) == [now + DAYS]


def test_a_newer_sign_up_keeps_the_row_and_only_the_newer_request(ask, now):
    ask()
    token = ask(at=now + 10 * DAYS)

    subscriptions.forget_unconfirmed(now=now + 15 * DAYS)

    assert Consent.objects.get().requested_at == now + 10 * DAYS
    assert subscriptions.confirm_link_state(token, now=now + 15 * DAYS) is LinkState.OPEN


BERLIN = ZoneInfo("Europe/Berlin")
LAST_MOMENT = datetime(2030, 12, 31, 23, 59, 59, tzinfo=BERLIN)
NEW_YEAR = datetime(2031, 1, 1, tzinfo=BERLIN)


def test_a_proof_is_kept_three_years_from_the_end_of_the_year_and_not_longer(reader, now):
    subscriptions.unsubscribe(reader.public_id, now=now + DAYS)  # in March 2027

    kept = subscriptions.forget_old_proofs(now=LAST_MOMENT)
    gone = subscriptions.forget_old_proofs(now=NEW_YEAR)

    reader.refresh_from_db()
    assert (kept, gone) == (0, 1)
    assert (reader.status, reader.consent, reader.consents.count()) == ("unsubscribed", None, 0)


def test_the_proof_of_who_still_reads_is_never_too_old(reader):
    assert subscriptions.forget_old_proofs(now=NEW_YEAR.replace(year=2060)) == 0


def test_a_consent_that_another_follows_stays_as_long_as_that_one(reader, now):
    subscriptions.unsubscribe(reader.public_id, now=now + DAYS)
    text = consent.current(Practice.current())
    back = now + DAYS + MINUTES
    assert subscriptions.come_back(reader.public_id, consent=text, page="/", now=back)

    assert subscriptions.forget_old_proofs(now=NEW_YEAR) == 0
    subscriptions.unsubscribe(reader.public_id, now=NEW_YEAR)

    later = NEW_YEAR.replace(year=2035)
    assert [subscriptions.forget_old_proofs(now=later) for _ in range(3)] == [1, 1, 0]
