"""„Einrichten“: every step is read from what is there, and falls back when something is taken away."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.urls import reverse
from django.utils import timezone

from booking.models import CallType, WeeklyHours
from coaching_site.desk import set_up, two_factor
from coaching_site.desk.backups import folder
from coaching_site.desk.models import RecoveryCodes
from coaching_site.desk.questions import ask
from coaching_site.desk.set_up import State
from newsletter import subscriptions
from newsletter.models import Issue
from pages import legal
from pages.legal_models import CHECKED_BY_A_LAWYER, LegalText
from pages.models import Practice
from tests.booking.desk import staff, words
from tests.desk.signing_in import with_app
from tests.newsletter.conftest import sign_up, token_in
from tests.pages.test_legal import publish

pytestmark = pytest.mark.django_db

INDEX, GUIDE = reverse("admin:index"), reverse("admin:set_up")
MAIL, STRIPE = reverse("admin:set_up_mail"), reverse("admin:set_up_stripe")
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def coach(db):
    return get_user_model().objects.create_superuser("coach")


@pytest.fixture
def desk(client, coach, clock):
    client.force_login(coach)
    return client


def steps(user, now) -> dict[str, set_up.Step]:
    """As a request with a user of its own sees them."""
    user = get_user_model().objects.get(pk=user.pk)
    facts = set_up.Facts(
        Practice.current(),
        legal.current_rows(today=timezone.localdate(now)),
        ask(set_up.questions(user)),
    )
    return {step.key: step for step in set_up.steps(facts, user=user, now=now)}


def states(user, now) -> dict[str, State]:
    return {key: step.state for key, step in steps(user, now).items()}


def test_a_new_site_says_what_is_missing_and_why(coach, desk, settings, now):
    settings.BACKUP_RECIPIENTS = []

    found = states(coach, now)

    missing = {"practice", "hours", "call_type", "legal", "newsletter", "second_factor", "backups"}
    assert {key for key, state in found.items() if state is State.MISSING} == missing
    page = words(desk.get(GUIDE))
    assert "1 von 9 sind erledigt" in page
    for sentence in (
        "Es fehlt: Vorname, Nachname, Straße und Hausnummer,",
        "Es gibt noch keinen Kalender.",
        "Noch nicht nötig: Keine deiner Gesprächsarten kostet etwas.",
        "BACKUP_RECIPIENTS ist leer: Es wird nichts gesichert.",
        "Gäste sehen nur Zeiten, die du hier öffnest.",
    ):
        assert sentence in page
    assert "Einrichtung: 1 von 9" in words(desk.get(INDEX))


def test_hours_and_types_count_only_while_guests_can_use_them(coach, call_type, now):
    assert states(coach, now)["hours"] is states(coach, now)["call_type"] is State.DONE

    CallType.objects.update(is_hidden=True)
    WeeklyHours.objects.all().delete()

    assert states(coach, now)["hours"] is states(coach, now)["call_type"] is State.PARTLY


def test_the_practice_is_whole_when_imprint_and_invoices_are(coach, whole, now):
    assert states(coach, now)["practice"] is State.DONE

    Practice.objects.update(vat_id="")

    practice = steps(coach, now)["practice"]
    assert (practice.state, practice.lacks) == (State.PARTLY, ("Es fehlt: Steuernummer.",))


def test_stripe_is_needed_once_something_costs_and_done_once_it_has_spoken(
    coach, calendar, settings, now, booked
):
    assert steps(coach, now)["stripe"].lacks == (
        "Stripe hat sich hier noch nie gemeldet. "
        "Prüf den Webhook oder buch ein Gespräch zur Probe.",
    )

    settings.STRIPE_SECRET_KEY = ""
    assert states(coach, now)["stripe"] is State.MISSING


def test_stripe_is_asked_at_a_button(desk, stripe):
    page = words(desk.post(STRIPE, follow=True))

    assert "Der Schlüssel gilt. Modus: Testmodus." in page


def test_texts_are_done_when_published_checked_and_current(coach, whole, now):
    for kind in CHECKED_BY_A_LAWYER:
        publish(kind, now=now, is_checked=kind != LegalText.Kind.TERMS)
    assert steps(coach, now)["legal"].lacks == (
        "Noch nicht veröffentlicht oder nicht geprüft: AGB.",
    )

    legal.mark_checked(LegalText.objects.get(kind=LegalText.Kind.TERMS), now=now)
    assert states(coach, now)["legal"] is State.DONE

    Practice.objects.update(phone="+49 30 99")
    assert states(coach, now)["legal"] is State.PARTLY


def test_the_newsletter_has_readers_and_an_issue(coach, mailbox, run_jobs, now):
    Issue.objects.create(subject="Eins", slug="eins", created_at=now, changed_at=now)
    assert states(coach, now)["newsletter"] is State.PARTLY

    sign_up("leser@example.org", now)
    run_jobs()
    subscriptions.confirm(token_in(mailbox.messages[-1]), now=now)
    assert steps(coach, now)["newsletter"].lacks == ("Es ging noch keine Ausgabe hinaus.",)

    Issue.objects.update(status="sending", started_at=now, candidates=1)
    assert states(coach, now)["newsletter"] is State.DONE


def test_the_second_factor_needs_a_code_for_the_day_the_phone_is_lost(coach, now):
    with_app(coach, timezone.now())
    assert states(coach, now)["second_factor"] is State.DONE

    RecoveryCodes.objects.update(digests=[])
    assert states(coach, now)["second_factor"] is State.PARTLY

    two_factor.remove(coach)
    assert states(coach, now)["second_factor"] is State.MISSING


def test_a_backup_counts_until_the_next_night_went_by_without(coach, desk, settings, tmp_path, now):
    settings.BACKUP_FOLDER, settings.BACKUP_RECIPIENTS = tmp_path, ["age1x"]
    assert states(coach, now)["backups"] is State.PARTLY

    (tmp_path / folder.name(now - 5 * HOUR)).touch()

    assert states(coach, now)["backups"] is State.DONE
    assert states(coach, now + 2 * DAY)["backups"] is State.PARTLY
    assert "Seit mehr als einem Tag wurde nichts gesichert." not in words(desk.get(INDEX))


def test_a_night_without_a_backup_is_told_on_the_first_page(desk, settings, tmp_path):
    settings.BACKUP_FOLDER, settings.BACKUP_RECIPIENTS = tmp_path, ["age1x"]
    (tmp_path / folder.name(timezone.now() - 2 * DAY)).touch()

    assert "Seit mehr als einem Tag wurde nichts gesichert." in words(desk.get(INDEX))


# --- the test mail --------------------------------------------------------------------------------


def test_the_test_mail_arrives_and_is_evidence(desk, coach, mailbox, settings, now):
    assert steps(coach, now)["mail"].lacks == (
        "Es ging noch keine Mail hinaus. Schick dir eine zur Probe.",
    )

    page = words(desk.post(MAIL, follow=True))

    assert f"Die Testmail ist unterwegs an {settings.COACH_EMAIL}." in page
    [message] = mailbox.to(settings.COACH_EMAIL)
    assert message["Subject"] == "Testmail: Der Versand funktioniert"
    assert states(coach, now)["mail"] is State.DONE

    settings.EMAIL_BACKEND = "coaching_site.mail.FolderBackend"
    assert "nur in einen Ordner" in steps(coach, now)["mail"].lacks[0]


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ("550 5.1.1 no such user", "nimmt keine Mail an"),
        ("535 5.7.8 bad credentials", "Prüf EMAIL_USER und EMAIL_PASSWORD."),
        ("451 4.3.0 later", "hat die Mail nicht angenommen (Antwort 451)"),
    ],
)
def test_what_the_mail_server_says_is_told_in_words(desk, coach, mailbox, now, answer, sentence):
    mailbox.refuse_with = answer

    assert sentence in words(desk.post(MAIL, follow=True))
    assert states(coach, now)["mail"] is State.PARTLY


def test_a_mail_server_that_is_away_is_told_as_well(desk, mailbox, settings):
    settings.EMAIL_PORT = 1

    assert "Der Mailserver ist nicht zu erreichen." in words(desk.post(MAIL, follow=True))


def test_nobody_fills_a_mailbox_with_tests(desk, mailbox, settings):
    for _ in range(set_up.TEST_MAILS):
        desk.post(MAIL)

    assert "zu viele Versuche" in words(desk.post(MAIL, follow=True))
    assert len(mailbox.messages) == set_up.TEST_MAILS


# --- whose it is ----------------------------------------------------------------------------------


def test_the_guide_is_for_whoever_may_change_the_practice(client, db):
    helper = staff(client, "view_booking")

    assert helper.get(GUIDE).status_code == 403
    assert helper.post(MAIL).status_code == helper.post(STRIPE).status_code == 403
    client.logout()
    assert client.get(GUIDE).status_code == 302


def test_a_link_alone_sends_nothing(desk, mailbox):
    assert desk.get(MAIL).status_code == desk.get(STRIPE).status_code == 405
    assert mailbox.messages == []


def test_the_line_on_the_first_page_goes_when_all_is_done(
    desk, coach, call_type, whole, mailbox, run_jobs, settings, tmp_path, now
):
    settings.BACKUP_FOLDER, settings.BACKUP_RECIPIENTS = tmp_path, ["age1x"]
    (tmp_path / folder.name(now)).touch()
    for kind in CHECKED_BY_A_LAWYER:
        publish(kind, now=now)
    sign_up("leser@example.org", now)
    run_jobs()
    subscriptions.confirm(token_in(mailbox.messages[-1]), now=now)
    Issue.objects.create(
        subject="Eins",
        slug="eins",
        created_at=now,
        changed_at=now,
        status="sent",
        started_at=now,
        finished_at=now,
        candidates=1,
    )
    assert "Einrichtung: 8 von 9" in words(desk.get(INDEX))

    with_app(coach, timezone.now())

    assert set(states(coach, now).values()) == {State.DONE}
