"""Behind one's own link: another address, everything stored, erasing."""

from __future__ import annotations

import json
import re
from datetime import datetime

import pytest
from django.apps import apps
from django.test import Client

from coaching_site.append_only import erasing
from newsletter import (
    addresses,
    feedback,
    mail,
    preferences,
    subscriptions,
    tasks,
    tokens,
)
from newsletter.errors import LinkGone
from newsletter.import_models import Import, ImportRow
from newsletter.models import (
    ConfirmLink,
    Consent,
    Delivery,
    Event,
    Feedback,
    Subscriber,
    Suppression,
    Tag,
    suppression_hashes,
)
from newsletter.subscriptions import LinkState
from pages import consent
from pages.models import Practice
from tests import mail_server
from tests.newsletter.conftest import ADA, DAYS, MINUTES, path_in, sign_up
from tests.newsletter.test_archive import publish
from tests.newsletter.test_views import shown

pytestmark = pytest.mark.django_db

NEW = "ada@neu.example"
BOB = "bob@leser.example"


def settings_path(reader: Subscriber) -> str:
    return mail.preferences_url(reader).removeprefix("http://localhost:8000")


def ask_to_move(client, reader: Subscriber, address: str = NEW):
    path = f"{settings_path(reader)}adresse/"
    page = shown(client.get(path))
    text = page.partition('name="consent" value="')[2].partition('"')[0]
    return client.post(path, {"email": address, "consent": text})


@pytest.fixture
def move_path(client, reader, mailbox, run_jobs) -> str:
    """The path of the link that the new address got."""
    mailbox.clear()
    ask_to_move(client, reader)
    run_jobs()
    (message,) = mailbox.to(NEW)
    return path_in(message, "adresse")


@pytest.fixture
def bob(ask, now) -> Subscriber:
    return subscriptions.confirm(ask(BOB), now=now + MINUTES)


# --- the page ---


def test_the_page_shows_the_address_and_every_way_on(client, reader):
    page = shown(client.get(settings_path(reader)))

    assert ADA in page
    for way in ("adresse/", "daten/", "daten.json", "loeschen/"):
        assert f'href="{settings_path(reader)}{way}"' in page
    assert "/newsletter/abmelden/" in page


def test_the_pages_are_kept_by_nobody_and_set_no_cookie(client, reader):
    path = settings_path(reader)
    for page in ("", "adresse/", "postfach/", "daten/", "daten.json", "loeschen/"):
        response = client.get(path + page)

        assert response.status_code == 200
        assert response["Cache-Control"] == "no-store"
        assert response["Referrer-Policy"] == "no-referrer"
        assert response["X-Robots-Tag"] == "noindex"
        assert response.cookies == {}


@pytest.mark.parametrize("tail", [".", ">", "=3D", ").", "%00", ".%E2%80%9C", "/und/mehr"])
def test_a_link_with_something_glued_to_it_still_opens_the_page(client, reader, tail):
    page = shown(client.get(settings_path(reader).rstrip("/") + tail))

    assert ADA in page
    assert f'href="{settings_path(reader)}daten/"' in page


@pytest.mark.parametrize("token", ["x", "%00", "%ED%A0%80", "..", "a/b/c", "x" * 5000])
@pytest.mark.parametrize("page", ["einstellungen", "adresse"])
def test_a_mangled_link_opens_nothing_and_says_so_kindly(client, page, token):
    response = client.get(f"/newsletter/{page}/{token}")

    assert response.status_code == 410
    assert 'href="/newsletter/link/"' in shown(response)


def test_an_unsubscribe_link_is_no_key_to_the_preferences(client, reader):
    token = tokens.unsubscribe_token(reader.public_id)

    assert client.get(f"/newsletter/einstellungen/{token}/").status_code == 410


def test_the_link_outlives_a_change_of_keys(client, reader, settings):
    path = settings_path(reader)
    settings.LINK_KEYS = ["a-new-key-that-nobody-knows-yet-" * 2, *settings.LINK_KEYS]

    assert client.get(path).status_code == 200


def test_whoever_left_still_sees_and_erases_their_data_and_moves_nowhere(client, reader, now):
    subscriptions.unsubscribe(reader.public_id, now=now + DAYS)
    path = settings_path(reader)

    assert "Du bist nicht angemeldet." in shown(client.get(path))
    assert client.get(f"{path}adresse/").status_code == 303
    assert client.get(f"{path}daten.json").status_code == 200
    client.post(f"{path}loeschen/")
    assert Subscriber.objects.count() == 0


# --- another address ---


def test_a_new_address_counts_once_its_owner_has_confirmed_it(client, reader, move_path):
    reader.refresh_from_db()
    assert (reader.address, reader.status) == (ADA, "confirmed")

    assert "Noch ein Klick" in shown(client.get(move_path))
    assert "Deine Adresse ist geändert" in shown(client.post(move_path))

    reader.refresh_from_db()
    assert (reader.address, reader.address_key, reader.status) == (NEW, NEW, "confirmed")
    assert Subscriber.objects.count() == 1


def test_both_consents_stay_the_old_one_withdrawn_as_the_new_one_began(client, reader, move_path):
    client.post(move_path)

    old, new = Consent.objects.order_by("pk")
    assert old.withdrawn_at is not None
    assert (new.address, new.replaces, new.withdrawn_at) == (NEW, old, None)
    assert new.confirmed_at is not None
    assert "an die neue Adresse" in new.text
    assert new.page == "/newsletter/einstellungen/adresse/"
    assert Subscriber.objects.get().consent == new


def test_the_mail_to_the_new_address_names_nobody_and_advertises_nothing(
    client, reader, mailbox, run_jobs
):
    mailbox.clear()
    ask_to_move(client, reader)
    run_jobs()

    (message,) = mailbox.messages
    words = mail_server.text(message) + mail_server.html(message)
    assert message["Auto-Submitted"] == "auto-generated"
    assert ADA not in words
    assert NEW not in words
    assert "/termin/" not in words


def test_opening_the_link_moves_nobody(client, reader, move_path):
    for _ in range(20):
        client.get(move_path)
        client.head(move_path)

    reader.refresh_from_db()
    assert reader.address == ADA


def test_pressing_twice_moves_once(client, reader, move_path):
    client.post(move_path)

    assert "Deine Adresse ist geändert" in shown(client.post(move_path))
    assert "Deine Adresse ist geändert" in shown(client.get(move_path))
    assert Event.objects.filter(kind="moved").count() == 1


def test_old_preference_links_close_and_old_unsubscribe_links_still_work(client, reader, move_path):
    old = settings_path(reader)
    client.post(move_path)

    assert client.get(old).status_code == 410
    client.post(mail.unsubscribe_url(reader).removeprefix("http://localhost:8000"))
    reader.refresh_from_db()
    assert reader.status == "unsubscribed"


def test_no_import_brings_the_old_address_back_but_its_owner_may(
    client, reader, move_path, ask, now
):
    client.post(move_path)
    assert Suppression.objects.among([ADA, NEW]) == {ADA}

    subscriptions.confirm(ask(ADA), now=now + DAYS)

    assert Suppression.objects.among([ADA, NEW]) == set()


def test_unsubscribing_meanwhile_ends_the_change_too(client, reader, move_path, now):
    subscriptions.unsubscribe(reader.public_id, now=now + DAYS)

    assert client.get(move_path).status_code == 410
    assert client.post(move_path).status_code == 410
    reader.refresh_from_db()
    assert (reader.address, reader.status) == (ADA, "unsubscribed")


def test_a_change_nobody_confirms_is_forgotten_after_two_weeks(client, reader, move_path):
    asked_at = Consent.objects.open().get().requested_at

    subscriptions.forget_unconfirmed(now=asked_at + subscriptions.REQUEST_LIFE)

    assert client.get(move_path).status_code == 410
    assert list(Consent.objects.values_list("address", flat=True)) == [ADA]
    assert NEW not in str(list(Event.objects.values()))


@pytest.mark.parametrize("kind", ["unknown", "reader", "pending", "left", "complaint", "own"])
def test_the_answer_is_the_same_whatever_we_know_about_the_new_address(
    client, reader, now, run_jobs, kind
):
    address = ADA if kind == "own" else BOB
    if kind in ("reader", "pending", "left"):
        row = sign_up(BOB, now)
        if kind == "left":
            subscriptions.unsubscribe(row.public_id, now=now)
    if kind == "complaint":
        Suppression.objects.add(BOB, "complaint", now=now)

    answer = ask_to_move(client, reader, address)

    assert answer.status_code == 303
    assert answer["Location"] == f"{settings_path(reader)}postfach/"
    page = shown(client.get(answer["Location"]))
    assert "Schau in dein neues Postfach" in page
    assert BOB not in page


def test_a_suppressed_new_address_gets_no_mail(client, reader, mailbox, run_jobs, now):
    Suppression.objects.add(NEW, "blocked", now=now)
    mailbox.clear()

    ask_to_move(client, reader)
    run_jobs()

    assert mailbox.messages == []


def test_a_new_address_is_asked_once_in_a_quarter_of_an_hour(client, reader, mailbox, run_jobs):
    mailbox.clear()
    for _ in range(4):
        assert ask_to_move(client, reader).status_code == 303
    run_jobs()

    assert len(mailbox.messages) == 1


def test_a_job_that_runs_twice_asks_once(client, reader, move_path, mailbox, run_jobs):
    tasks.ask_new_address(request=Consent.objects.open().get().pk)

    assert len(mailbox.to(NEW)) == 1


def test_moving_to_an_address_that_reads_along_leaves_one_reader(
    client, reader, mailbox, run_jobs, ask, now
):
    bob = subscriptions.confirm(ask(BOB), now=now + MINUTES)
    run_jobs()
    mailbox.clear()
    ask_to_move(client, reader, BOB)
    run_jobs()
    client.post(path_in(mailbox.to(BOB)[0], "adresse"))

    reader.refresh_from_db()
    before = bob.consent
    bob.refresh_from_db()
    assert (reader.status, bob.status) == ("unsubscribed", "confirmed")
    assert bob.consent == before
    assert Suppression.objects.among([ADA, BOB]) == {ADA}


@pytest.mark.parametrize("before", ["reader", "pending"])
def test_tags_and_name_go_on_with_the_row_that_goes_on(
    client, reader, mailbox, run_jobs, ask, now, before
):
    if before == "reader":
        bob = subscriptions.confirm(ask(BOB), now=now + MINUTES)
    else:
        bob = sign_up(BOB, now)
    both, mine, theirs = (Tag.objects.create(name=name) for name in ("beide", "alt", "neu"))
    reader.tags.set([both, mine])
    bob.tags.set([both, theirs])
    Subscriber.objects.filter(pk=reader.pk).update(name="Ada Lovelace")
    run_jobs()
    mailbox.clear()
    ask_to_move(client, reader, BOB)
    run_jobs()
    client.post(path_in(mailbox.to(BOB)[0], "adresse"))

    for row in (reader, bob):
        row.refresh_from_db()
    assert (reader.name, bob.name) == ("", "Ada Lovelace")
    assert not reader.tags.exists()
    assert {tag.name for tag in bob.tags.all()} == {"beide", "alt", "neu"}


@pytest.mark.parametrize("before", ["pending", "left"])
def test_moving_to_an_address_that_waits_or_left_puts_it_on_the_list(
    client, reader, mailbox, run_jobs, now, before
):
    bob = sign_up(BOB, now)
    if before == "left":
        subscriptions.unsubscribe(bob.public_id, now=now)
    run_jobs()
    mailbox.clear()
    ask_to_move(client, reader, BOB)
    run_jobs()
    client.post(path_in(mailbox.to(BOB)[0], "adresse"))

    for row in (reader, bob):
        row.refresh_from_db()
    assert (reader.status, bob.status) == ("unsubscribed", "confirmed")
    assert bob.consent is not None
    assert bob.consent.address == BOB
    assert "an die neue Adresse" in bob.consent.text


def test_a_wrong_new_address_is_explained_and_kept(client, reader):
    response = ask_to_move(client, reader, "max@")

    assert response.status_code == 422
    assert 'value="max@"' in shown(response)
    assert "Gib eine E-Mail-Adresse wie name@firma.de ein." in shown(response)


def test_a_sign_up_link_moves_nobody_and_a_move_link_confirms_nobody(ask, reader, now):
    token = ask(BOB)

    assert preferences.move_link_state(token, now=now) is LinkState.GONE
    with pytest.raises(LinkGone):
        preferences.move(token, now=now)


# --- everything stored ---


def test_the_export_holds_every_field_there_is_about_the_person(client, reader, now):
    subscriptions.unsubscribe(reader.public_id, now=now + DAYS)
    Suppression.objects.add(ADA, "blocked", now=now + DAYS)

    response = client.get(f"{settings_path(reader)}daten.json")

    assert "attachment" in response["Content-Disposition"]
    assert ADA not in response["Content-Disposition"]
    found = json.loads(response.content)
    labels = {str(field.verbose_name) for field in Subscriber._meta.concrete_fields}
    assert set(found["Abo"]) == labels - {"ID", "Einwilligung"} | {"Schlagwörter"}
    (row,) = found["Einwilligungen"]
    labels = {str(field.verbose_name) for field in Consent._meta.concrete_fields}
    assert set(row) == labels - {"Abo", "Prüfwert der gelöschten Adresse"}
    assert row["Wortlaut"].startswith("Mit „Abonnieren“ willigst du ein")
    assert row["bestätigt am"] == "2027-03-01T08:01:00+00:00"
    happened = {event["was"] for event in found["Verlauf"]}
    assert happened == {
        "abgemeldet",
        "Bestätigungslink verschickt",
        "Willkommensmail verschickt",
    }
    assert [each["Grund"] for each in found["Sperren"]] == ["gesperrt"]


def got_an_issue(reader: Subscriber, now) -> Delivery:
    """An issue they got, and what came back about it."""
    delivery = Delivery.objects.create(
        issue=publish(subject="Warum Zuhören"),
        subscriber=reader,
        address_number=1,
        state="sent",
        code="250 2.0.0",
        sent_at=now,
    )
    Feedback.objects.create(
        source="imap",
        event_id=f"<1.{reader.address}>",
        kind="soft",
        code="4.2.2",
        at=now,
        noted_at=now,
        subscriber=reader,
        delivery=delivery,
    )
    return delivery


def test_what_was_sent_and_what_came_back_stands_in_the_export_too(client, reader, now):
    got_an_issue(reader, now)

    found = json.loads(client.get(f"{settings_path(reader)}daten.json").content)

    (delivery,) = found["Zustellungen"]
    assert (delivery["Betreff"], delivery["Stand"]) == ("Warum Zuhören", "angenommen")
    assert delivery["angenommen am"] == now.isoformat(timespec="seconds")
    (feedback,) = found["Rückmeldungen"]
    assert (feedback["Art"], feedback["Antwort"]) == ("vorübergehend unzustellbar", "4.2.2")
    page = shown(client.get(f"{settings_path(reader)}daten/"))
    assert "Warum Zuhören" in page
    assert "vorübergehend unzustellbar" in page


def test_the_same_can_be_read_on_a_page(client, reader):
    page = shown(client.get(f"{settings_path(reader)}daten/"))

    for words in (
        ADA,
        "Mit „Abonnieren“ willigst du ein",
        "Bestätigungslink verschickt",
        "2026-11",
    ):
        assert words in page


def test_lists_and_tables_are_shown_in_words(client, reader):
    reader.tags.add(Tag.objects.create(name="Berlin"), Tag.objects.create(name="CTO"))

    page = shown(client.get(f"{settings_path(reader)}daten/"))

    assert re.search(r"Schlagwörter</dt>\s*<dd>\s*Berlin, CTO\s*</dd>", page)
    assert re.search(r"Nachweis aus einem Import</dt>\s*<dd>\s*–\s*</dd>", page)


def test_nobody_elses_data_stands_in_it(client, reader, bob):
    assert BOB not in client.get(f"{settings_path(reader)}daten.json").content.decode()


# --- erasing ---


def test_erasing_asks_first(client, reader):
    page = shown(client.get(f"{settings_path(reader)}loeschen/"))

    assert page.count("<button") == 1
    assert Subscriber.objects.count() == 1


def every_row() -> str:
    """All that Postgres holds, in every table."""
    return str([list(model._base_manager.values()) for model in apps.get_models()])


def test_after_erasing_the_address_stands_nowhere_in_the_database(
    client, reader, move_path, mailbox, run_jobs, now
):
    client.post(move_path)
    reader.refresh_from_db()
    sign_up(NEW, now + DAYS)  # its surplus request waits for its job
    assert ADA in every_row()
    assert NEW in every_row()

    answer = client.post(f"{settings_path(reader)}loeschen/")

    assert "Deine Daten sind gelöscht" in shown(answer)
    assert ADA not in every_row()
    assert NEW not in every_row()
    assert str(reader.public_id) not in every_row()


def test_deliveries_and_feedback_stay_counted_and_are_nobodys(reader, now):
    delivery = got_an_issue(reader, now)

    preferences.erase(reader.public_id, by=Event.By.READER, now=now + DAYS)

    delivery.refresh_from_db()
    assert (delivery.subscriber, delivery.state) == (None, "sent")
    assert Feedback.objects.get().subscriber is None
    assert ADA not in every_row()


def test_ip_addresses_go_with_it(reader, now):
    subscriptions.unsubscribe(reader.public_id, now=now + DAYS)
    subscriptions.subscribe(
        addresses.parse(ADA),
        consent=_text(),
        page="/newsletter/",
        network="8.8.4.0/24",
        now=now + 2 * DAYS,
    )

    preferences.erase(reader.public_id, by=Event.By.READER, now=now + 2 * DAYS)

    assert "8.8.4" not in every_row()


def _text():
    return consent.current(Practice.current())


def test_the_proof_stays_without_a_name_and_the_address_finds_it(reader, now):
    preferences.erase(reader.public_id, by=Event.By.READER, now=now + DAYS)

    proof = Consent.objects.get()
    assert (proof.subscriber, proof.address) == (None, "")
    assert (proof.confirmed_at, proof.withdrawn_at) == (now + MINUTES, now + DAYS)
    assert proof.text.startswith("Mit „Abonnieren“ willigst du ein")
    assert list(Consent.objects.of_address(addresses.parse(ADA))) == [proof]
    assert not Consent.objects.of_address(addresses.parse(BOB)).exists()


def test_the_erasure_is_noted_and_names_nobody(reader, now):
    preferences.erase(reader.public_id, by=Event.By.READER, now=now + DAYS)

    (event,) = Event.objects.values("kind", "by", "at", "subscriber", "detail")
    assert event == {
        "kind": "erased",
        "by": "reader",
        "at": now + DAYS,
        "subscriber": None,
        "detail": "",
    }


def test_erasing_twice_is_one_event(reader, now):
    for days in (1, 2):
        preferences.erase(reader.public_id, by=Event.By.READER, now=now + days * DAYS)

    assert Event.objects.count() == 1


def test_no_import_brings_an_erased_person_back_but_their_own_sign_up_does(
    client, reader, ask, now
):
    preferences.erase(reader.public_id, by=Event.By.READER, now=now + DAYS)
    assert Suppression.objects.among([ADA]) == {ADA}

    row = subscriptions.confirm(ask(at=now + 2 * DAYS), now=now + 2 * DAYS)

    assert row.status == "confirmed"
    assert Suppression.objects.among([ADA]) == set()


def test_an_old_confirmation_link_does_not_bring_an_erased_person_back(ask, now):
    token = ask()
    row = Subscriber.objects.get()

    preferences.erase(row.public_id, by=Event.By.READER, now=now + MINUTES)

    with pytest.raises(LinkGone):
        subscriptions.confirm(token, now=now + MINUTES)
    assert Subscriber.objects.count() == ConfirmLink.objects.count() == 0


def test_old_links_answer_kindly_after_erasing(client, reader, now):
    leave = mail.unsubscribe_url(reader).removeprefix("http://localhost:8000")
    path = settings_path(reader)
    client.post(f"{path}loeschen/")

    for answer in (client.get(leave), client.post(leave)):
        assert (answer.status_code, "Du bist abgemeldet" in shown(answer)) == (200, True)
    for answer in (client.get(path), client.post(f"{path}loeschen/")):
        assert answer.status_code == 410
        assert "Dieser Link öffnet nichts mehr" in shown(answer)


def test_a_mail_on_its_way_while_somebody_is_erased_is_noted_nowhere(reader, now):
    preferences.erase(reader.public_id, by=Event.By.READER, now=now)

    subscriptions.note_mail_sent(reader, Event.Kind.CONFIRM_MAIL, now=now)
    preferences.note_link_mail(reader, now=now)

    assert [event.kind for event in Event.objects.all()] == ["erased"]


def test_the_buttons_work_without_cookie_and_csrf_token(reader):
    strict = Client(enforce_csrf_checks=True)

    answer = strict.post(f"{settings_path(reader)}loeschen/", headers={"Origin": "null"})

    assert answer.status_code == 200
    assert Subscriber.objects.count() == 0


def test_hashes_of_consents_are_those_of_suppressions(reader, now):
    preferences.erase(reader.public_id, by=Event.By.READER, now=now)

    (stored,) = suppression_hashes(ADA)
    assert Consent.objects.get().address_hash == Suppression.objects.get().address_hash == stored


def test_an_erasure_takes_the_old_lists_evidence_and_reports_along(reader, now):
    with erasing():
        Consent.objects.update(evidence={"OPTIN_IP": "192.0.2.7"})
    run = Import.objects.create(file_name="liste.csv", created_at=now)
    ImportRow.objects.create(
        run=run,
        number=1,
        file_number=1,
        line=2,
        address=ADA,
        address_key=reader.address_key,
        name="Ada",
        tags=[],
        suppress=[],
        wish=ImportRow.Wish.ACTIVE,
        proven=False,
    )

    preferences.erase(reader.public_id, by=Event.By.READER, now=now)

    assert [row.evidence for row in Consent.objects.all()] == [{}]
    assert ADA not in str(list(ImportRow.objects.values()))


# --- when mail came back ---


@pytest.fixture
def unreachable(reader: Subscriber, now: datetime) -> Subscriber:
    """A reader whose mail came back for good a day later."""
    feedback.record(
        source="inbox",
        event_id="1",
        kind=Feedback.Kind.HARD,
        code="550 5.1.1",
        at=now + DAYS,
        now=now + DAYS,
        delivery=None,
        address=ADA,
    )
    reader.refresh_from_db()
    return reader


def test_readers_whose_mail_came_back_get_it_again_with_one_button(client, unreachable):
    page = shown(client.get(settings_path(unreachable)))
    assert "E-Mails an dich kamen zurück" in page
    assert "Seit dem 2. März 2027" in page
    path = f"{settings_path(unreachable)}zustellen/"
    assert path in page

    answer = client.post(path)

    unreachable.refresh_from_db()
    assert "Du bekommst den Newsletter wieder." in shown(answer)
    assert "kamen zurück" not in shown(client.get(settings_path(unreachable)))
    assert unreachable.unreachable_since is None
    assert not Suppression.objects.exists()
    assert unreachable.events.get(kind=Event.Kind.REACHABLE).by == "reader"
    assert not answer.cookies


def test_looking_at_the_button_s_address_changes_nothing(client, unreachable):
    path = settings_path(unreachable)

    answer = client.get(f"{path}zustellen/")

    unreachable.refresh_from_db()
    assert (answer.status_code, answer["Location"]) == (303, path)
    assert unreachable.unreachable_since is not None


def test_readers_whose_mail_arrives_see_no_such_button(client, reader):
    assert "Wieder zustellen" not in shown(client.get(settings_path(reader)))


def test_who_left_is_not_asked_whether_mail_should_come_again(client, unreachable, now):
    subscriptions.unsubscribe(unreachable.public_id, now=now + 2 * DAYS)

    assert "Wieder zustellen" not in shown(client.get(settings_path(unreachable)))


def test_an_unreachable_reader_who_signs_up_anew_is_told_how_to_be_reached(
    unreachable, mailbox, run_jobs, now
):
    mailbox.clear()
    sign_up(ADA, now + 3 * DAYS)
    run_jobs()

    (message,) = mailbox.to(ADA)
    for words in (mail_server.text(message), mail_server.html(message)):
        words = " ".join(words.split())
        assert "E-Mails an dich kamen zurück" in words
        assert "wieder zustellen" in words
        assert "musst nichts weiter tun" not in words
    assert path_in(message, "einstellungen") == settings_path(unreachable)


def test_a_reader_who_moved_on_closes_the_link_that_was_used_before(
    client, reader, move_path, now, mailbox, run_jobs
):
    """The first address confirmed, then a second: the old link must not bring the first back."""
    client.post(move_path)
    reader.refresh_from_db()
    mailbox.clear()
    ask_to_move(client, reader, "ada@ganz-neu.example")
    run_jobs()
    (message,) = mailbox.to("ada@ganz-neu.example")
    assert client.post(path_in(message, "adresse")).status_code == 200

    assert client.post(move_path).status_code == 410
    reader.refresh_from_db()
    assert reader.address == "ada@ganz-neu.example"


def test_a_new_address_that_complained_meanwhile_is_not_put_on_the_list(
    client, reader, move_path, now
):
    Suppression.objects.add(NEW, "complaint", now=now)

    assert client.post(move_path).status_code == 410
    reader.refresh_from_db()
    assert (reader.address, reader.status) == (ADA, "confirmed")


def test_too_many_new_addresses_in_a_row_are_refused_and_nobody_is_written_to(
    client, reader, mailbox, run_jobs, monkeypatch
):
    mailbox.clear()
    monkeypatch.setattr("newsletter.views.common.TRIES_OVERALL", 0)

    response = ask_to_move(client, reader)

    run_jobs()
    assert response.status_code == 429
    assert f'value="{NEW}"' in shown(response)
    assert mailbox.messages == []
