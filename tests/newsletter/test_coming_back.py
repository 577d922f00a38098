"""An unsubscription can be taken back for an hour, by the one who made it."""

from __future__ import annotations

import pytest
from django.utils import timezone

from newsletter import mail, subscriptions, suppressions
from newsletter.models import ConfirmLink, Consent, Event, Subscriber
from pages import consent
from pages.models import Practice
from tests.newsletter.conftest import ADA, DAYS, MINUTES, path_in, sign_up
from tests.newsletter.test_views import shown

pytestmark = pytest.mark.django_db

UNDO = "Abmeldung zurücknehmen</button>"


@pytest.fixture
def leave_path(ask) -> str:
    """Of a reader who confirmed right now, as the pages look at the real clock."""
    row = subscriptions.confirm(ask(at=timezone.now()), now=timezone.now())
    return mail.unsubscribe_url(row).removeprefix("http://localhost:8000")


def undo(client, page: str, path: str):
    shown_text = page.partition('name="consent" value="')[2].partition('"')[0]
    return client.post(f"{path}zurueck/", {"consent": shown_text})


def test_one_button_brings_back_who_left_by_a_slip(client, leave_path):
    left = shown(client.post(leave_path))
    assert UNDO in left

    back = undo(client, left, leave_path)

    assert (back.status_code, "Du bist wieder dabei" in shown(back)) == (200, True)
    assert Subscriber.objects.get().status == "confirmed"


def test_coming_back_is_a_consent_of_its_own_beside_the_withdrawn_one(client, leave_path):
    left = shown(client.post(leave_path))

    undo(client, left, leave_path)

    old, new = Consent.objects.order_by("pk")
    assert old.withdrawn_at is not None
    assert (new.replaces, new.withdrawn_at) == (old, None)
    assert new.confirmed_at == new.requested_at
    assert new.text.startswith("Mit „Abmeldung zurücknehmen“ willigst du ein")
    assert new.text in left
    assert new.page == "/newsletter/abmelden/"
    assert Subscriber.objects.get().consent == new


def test_the_text_on_the_page_is_asked_for_again_if_it_changed(client, leave_path, practice):
    left = shown(client.post(leave_path))
    practice(newsletter_rhythm="täglich")

    again = undo(client, left, leave_path)

    assert UNDO in shown(again)
    assert Subscriber.objects.get().status == "unsubscribed"


def test_opening_the_buttons_address_brings_nobody_back(client, leave_path):
    client.post(leave_path)

    for _ in range(20):
        answer = client.get(f"{leave_path}zurueck/")
        client.head(f"{leave_path}zurueck/")

    assert answer.status_code == 303
    assert Subscriber.objects.get().status == "unsubscribed"


def test_pressing_twice_is_as_good_as_once(client, leave_path):
    left = shown(client.post(leave_path))

    for _ in range(2):
        assert "Du bist wieder dabei" in shown(undo(client, left, leave_path))

    assert Consent.objects.count() == 2


@pytest.mark.parametrize(("minutes", "possible"), [(59, True), (60, False), (60 * 24, False)])
def test_an_hour_later_it_takes_a_new_sign_up(reader, now, minutes, possible):
    left_at = now + DAYS
    subscriptions.unsubscribe(reader.public_id, now=left_at)
    later = left_at + minutes * MINUTES

    assert subscriptions.can_come_back(reader.public_id, now=later) is possible
    assert come_back(reader, later) is possible


def come_back(row: Subscriber, now) -> bool:
    text = consent.coming_back(Practice.current())
    return subscriptions.come_back(row.public_id, consent=text, page="/", now=now)


def test_whom_the_coach_took_off_is_not_brought_back_by_an_old_link(reader, now):
    subscriptions.unsubscribe(reader.public_id, now=now + DAYS, by=Event.By.COACH)

    assert not subscriptions.can_come_back(reader.public_id, now=now + DAYS)
    assert not come_back(reader, now + DAYS)


def test_who_is_blocked_does_not_come_back(reader, now):
    subscriptions.unsubscribe(reader.public_id, now=now + DAYS)
    suppressions.block(ADA, now=now + DAYS)

    assert not come_back(reader, now + DAYS)


def test_who_never_confirmed_has_nothing_to_come_back_to(pending, now):
    subscriptions.unsubscribe(pending.public_id, now=now + MINUTES)

    assert not come_back(pending, now + MINUTES)


def test_a_former_reader_who_leaves_before_confirming_again_is_no_reader_yet(reader, ask, now):
    subscriptions.unsubscribe(reader.public_id, now=now + DAYS)
    sign_up(ADA, now + 2 * DAYS)
    subscriptions.unsubscribe(reader.public_id, now=now + 2 * DAYS + MINUTES)

    assert not come_back(reader, now + 2 * DAYS + 2 * MINUTES)


def test_leaving_and_coming_back_again_and_again_is_all_in_the_log(reader, now):
    for number in range(3):
        moment = now + (1 + number) * DAYS
        subscriptions.unsubscribe(reader.public_id, now=moment)
        assert come_back(reader, moment + MINUTES)

    assert Consent.objects.count() == 4
    assert Consent.objects.filter(withdrawn_at=None).count() == 1
    kinds = list(Event.objects.order_by("at").values_list("kind", flat=True))
    assert [kind for kind in kinds if "mail" not in kind] == ["left", "came_back"] * 3


# --- an expired confirmation link ---


def expired(mailbox, run_jobs) -> str:
    """The path of a link whose time is just over."""
    sign_up(ADA, timezone.now() - 14 * DAYS + MINUTES)
    run_jobs()
    ConfirmLink.objects.update(expires_at=timezone.now())
    return path_in(mailbox.messages[0], "bestaetigen")


def test_an_expired_link_is_renewed_with_one_button(client, mailbox, run_jobs):
    path = expired(mailbox, run_jobs)

    for answer in (client.get(path), client.post(path)):
        assert answer.status_code == 410
        assert "Dieser Link gilt nicht mehr." in shown(answer)
        assert shown(answer).count("<button") == 1
    text = shown(answer).partition('name="consent" value="')[2].partition('"')[0]
    asked = client.post(f"{path}neu/", {"consent": text})
    run_jobs()

    assert asked["Location"] == "/newsletter/postfach/"
    assert client.post(path_in(mailbox.messages[1], "bestaetigen")).status_code == 303
    row = Subscriber.objects.get()
    assert row.status == "confirmed"
    assert row.consent is not None
    assert row.consent.text.startswith("Mit „Neuen Link schicken“ willigst du ein")


def test_an_expired_link_with_something_glued_to_it_is_renewed_as_well(client, mailbox, run_jobs):
    path = expired(mailbox, run_jobs)

    answer = client.get(f"{path}und/mehr")

    assert answer.status_code == 410
    assert f'action="{path}neu/"' in shown(answer)


def test_renewing_again_and_again_sends_one_mail(client, mailbox, run_jobs):
    path = expired(mailbox, run_jobs)
    text = shown(client.get(path)).partition('name="consent" value="')[2].partition('"')[0]
    for _ in range(5):
        client.post(f"{path}neu/", {"consent": text})
    run_jobs()

    assert len(mailbox.messages) == 2


def test_a_link_that_is_nobodys_is_answered_the_same_and_sends_nothing(client, mailbox, run_jobs):
    text = consent.again(Practice.current())
    asked = client.post("/newsletter/bestaetigen/xyz/neu/", {"consent": text.sha256})
    run_jobs()

    assert asked["Location"] == "/newsletter/postfach/"
    assert mailbox.messages == []
