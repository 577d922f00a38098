"""A list comes in without harm: who is on it, who stays off it, and how it can be told."""

from __future__ import annotations

import pytest

from newsletter import subscriptions
from newsletter.imports import running
from newsletter.models import Consent, Import, Subscriber, Suppression, suppression_hashes
from tests.newsletter.conftest import ADA, DAYS, MINUTES, sign_up
from tests.newsletter.import_tools import (
    NOTHING_KNOWN,
    PROVEN,
    WORDS,
    bring,
    checked,
    csv_bytes,
    lines,
    people,
    taken_over,
    upload,
    zipped,
)

pytestmark = pytest.mark.django_db

BOB = "bob@leser.example"
EVE = "eve@leser.example"


def suppress(address: str, reason: str, now) -> None:
    Suppression.objects.create(
        address_hash=suppression_hashes(address)[0], reason=reason, created_at=now
    )


# --- from file to people --------------------------------------------------------------------


def test_an_excel_list_with_umlauts_comes_in(now):
    data = csv_bytes(
        "Email;First name;Last name",
        "joerg@leser.example;Jörg;Müller",
        "aenne@leser.example;Änne;Groß",
        "bob@leser.example;Bob;",
        encoding="utf-8-sig",
    )

    run = bring(data, now)

    assert run.counts == {"new": 3}
    names = list(Subscriber.objects.order_by("id").values_list("name", flat=True))
    assert names == ["Jörg Müller", "Änne Groß", "Bob"]


@pytest.mark.parametrize(
    ("encoding", "told"), [("cp1252", "cp1252"), ("latin-1", "cp1252"), ("utf-16", "utf-16")]
)
def test_an_old_encoding_is_recognised_and_named(now, encoding, told):
    data = csv_bytes("E-Mail\tName", f"{ADA}\tMüller", encoding=encoding)

    run = upload(data, now)
    running.begin_check(run, mapping=run.mapping, provenance=PROVEN, now=now)
    running.work(run.pk)

    assert run.files.get().encoding == told
    assert run.rows.get().name == "Müller"


def test_the_mapping_may_be_any(now):
    data = csv_bytes("wohin,wer", f"{ADA},Ada")

    bring(data, now, mapping={"wohin": "email", "wer": "name"})

    assert Subscriber.objects.get().name == "Ada"


def test_without_an_email_column_nothing_is_checked(now):
    run = upload(csv_bytes("wer", "Ada"), now)

    with pytest.raises(running.NoEmailColumn):
        running.begin_check(run, mapping={"wer": "name"}, provenance=PROVEN, now=now)


def test_a_list_without_headings_is_a_list(now):
    run = bring(csv_bytes(ADA, BOB), now)

    assert run.counts == {"new": 2}


def test_the_same_address_written_otherwise_is_one_person(now):
    data = csv_bytes("E-Mail", "Max@münchen.de", "max@xn--mnchen-3ya.de", "MAX@MU\u0308NCHEN.de")

    run = bring(data, now)

    assert len(people()) == 1
    assert run.counts["new"] == 1


def test_a_name_in_front_of_the_address_is_no_obstacle(now):
    bring(csv_bytes("E-Mail", f'"Lovelace, Ada <{ADA}>"'), now)

    assert people() == {ADA: "confirmed"}


# --- consent --------------------------------------------------------------------------------


def test_provenance_becomes_a_consent_that_can_be_shown(now):
    run = bring(csv_bytes("E-Mail", ADA), now)

    person = Subscriber.objects.get()
    consent = Consent.objects.get()
    assert person.status == "confirmed"
    assert (person.consent, consent.subscriber, consent.address) == (consent, person, ADA)
    assert (consent.text, consent.text_version) == (WORDS, "Import 2026-05-04")
    assert consent.page == "Import: Liste aus der alten Website"
    assert consent.evidence == {
        "import": run.pk,
        "file": "liste.csv",
        "line": 2,
        "list_date": "2026-05-04",
    }
    assert person.confirmed_at == consent.confirmed_at == consent.requested_at


@pytest.mark.parametrize("missing", ["source", "consent_date", "consent_text"])
def test_without_source_date_or_words_nobody_is_sent_anything(now, missing):
    known = {**PROVEN.__dict__, missing: NOTHING_KNOWN.__dict__[missing]}

    run = bring(csv_bytes("E-Mail", ADA), now, provenance=running.Provenance(**known))

    assert run.counts == {"unproven": 1}
    assert people() == {ADA: "unproven"}
    assert lines(run) == [(2, ADA, "Ohne Nachweis der Einwilligung.")]
    assert not Subscriber.objects.confirmed().exists()


def test_an_import_sends_no_mail(now, mailbox, run_jobs):
    run = upload(csv_bytes("E-Mail", ADA), now)
    running.begin_check(run, mapping=run.mapping, provenance=PROVEN, now=now)
    run_jobs()
    running.start(run, now=now)

    assert run_jobs() == ["newsletter.work_on_import"]

    assert people() == {ADA: "confirmed"}
    assert mailbox.messages == []
    assert not Subscriber.objects.filter(mail_requested_at__isnull=False).exists()


def test_a_line_brings_its_own_proof(now):
    data = csv_bytes(
        "Email Address,OPTIN_TIME,OPTIN_IP,CONFIRM_TIME,CONFIRM_IP",
        f"{ADA},2023-04-21 11:16:57,192.0.2.7,2023-04-21 11:18:00,192.0.2.8",
        f"{BOB},2023-04-21 11:16:57,192.0.2.7,,",
        f"{EVE},,,2023-04-21 11:18:00,192.0.2.8",
    )

    run = bring(data, now, provenance=NOTHING_KNOWN)

    assert people() == {ADA: "confirmed", BOB: "confirmed", EVE: "unproven"}
    consent = Consent.objects.get(address=ADA)
    assert f"{consent.requested_at:%Y-%m-%d %H:%M:%S}" == "2023-04-21 11:16:57"
    assert f"{consent.confirmed_at:%Y-%m-%d %H:%M:%S}" == "2023-04-21 11:18:00"
    assert consent.evidence == {
        "import": run.pk,
        "file": "liste.csv",
        "line": 2,
        "requested_at": "2023-04-21 11:16:57",
        "requested_ip": "192.0.2.7",
        "confirmed_at": "2023-04-21 11:18:00",
        "confirmed_ip": "192.0.2.8",
    }


def test_proof_from_the_future_is_none(now):
    later = f"{now + DAYS:%Y-%m-%d %H:%M:%S}"
    data = csv_bytes("E-Mail,OPTIN_TIME,CONFIRM_TIME", f"{ADA},{later},{later}")

    bring(data, now, provenance=NOTHING_KNOWN)

    assert people() == {ADA: "unproven"}


# --- status ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("heading", "value", "status"),
    [
        ("Status", "active", "confirmed"),
        ("Status", "Confirmed", "confirmed"),
        ("Status", "angemeldet", "confirmed"),
        ("Status", "inactive", "unsubscribed"),
        ("Status", "Unsubscribed", "unsubscribed"),
        ("state", "cancelled", "unsubscribed"),
        ("Status", "abgemeldet", "unsubscribed"),
        ("Status", "cold", "unproven"),
        ("Status", "unconfirmed", "unproven"),
        ("Status", "enabled", "unproven"),
        ("Status", "", "unproven"),
        ("Status", "bounced", None),
        ("Status", "complained", None),
        ("Status", "blocklisted", None),
        ("subscriber_type", "regular", "confirmed"),
        ("subscriber_type", "unactivated", "unproven"),
        ("subscribed_to_emails", "true", "confirmed"),
        ("subscribed_to_emails", "false", "unsubscribed"),
        ("subscribed_to_emails", "", "unproven"),
        ("email_disabled", "true", "unsubscribed"),
        ("email_disabled", "false", "confirmed"),
        ("deleted_at", "2024-01-01T00:00:00Z", None),
        ("deleted_at", "", "confirmed"),
        ("unsubscribed_at", "2024-01-01 10:00:00 UTC", "unsubscribed"),
        ("unsubscription_date", "", "confirmed"),
        ("Abgemeldet am", "irgendwann", "unsubscribed"),
    ],
)
def test_only_a_clear_yes_is_one(now, heading, value, status):
    bring(csv_bytes(f"E-Mail,{heading}", f"{ADA},{value}"), now)

    assert people().get(ADA) == status


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("bounced", "bounced"),
        ("cleaned", "bounced"),
        ("unzustellbar", "bounced"),
        ("blocked", "blocked"),
        ("complained", "complaint"),
    ],
)
def test_who_could_not_be_reached_or_complained_is_suppressed(now, word, reason):
    run = bring(csv_bytes("E-Mail,Status", f"{ADA},{word}"), now)

    assert run.counts == {"barred": 1}
    assert Suppression.objects.of(ADA).get().reason == reason
    assert people() == {}


@pytest.mark.parametrize(
    ("heading", "reason"),
    [("bounced_at", "bounced"), ("CLEAN_TIME", "bounced"), ("complained_at", "complaint")],
)
def test_the_time_of_a_bounce_or_a_complaint_tells_it_too(now, heading, reason):
    bring(csv_bytes(f"E-Mail,{heading}", f"{ADA},2023-05-01 08:00:00"), now)

    assert Suppression.objects.of(ADA).get().reason == reason


def test_whoever_bounced_there_may_sign_up_here(now, ask):
    bring(csv_bytes("E-Mail,Status", f"{ADA},cleaned"), now)

    assert subscriptions.confirm(ask(), now=now + MINUTES).status == "confirmed"
    assert not Suppression.objects.of(ADA).exists()


def test_who_left_there_stays_away_here(now, ask):
    bring(csv_bytes("E-Mail,Abgemeldet am", f"{ADA},21.04.2023 11:16"), now)
    row = Subscriber.objects.get()
    assert f"{row.unsubscribed_at:%Y-%m-%d %H:%M}" == "2023-04-21 09:16"

    again = bring(csv_bytes("E-Mail", ADA), now)

    assert again.counts == {"skipped": 1}
    assert subscriptions.confirm(ask(), now=now + MINUTES).status == "confirmed"


def test_mailchimps_three_files_are_three_kinds_of_people(now):
    tail = "LEID,EUID,NOTES,TAGS"
    data = zipped(
        {
            "subscribed_members_export_1.csv": csv_bytes(
                f"Deine E-Mail Adresse,Vorname,OPTIN_TIME,OPTIN_IP,CONFIRM_TIME,CONFIRM_IP,{tail}",
                f'{ADA},Ada,2023-04-21 11:16:57,192.0.2.7,2023-04-21 11:18:00,192.0.2.7,1,a,,"""Editors"""',
            ),
            "unsubscribed_members_export_1.csv": csv_bytes(
                f"Deine E-Mail Adresse,Vorname,UNSUB_TIME,UNSUB_REASON,{tail}",
                f"{BOB},Bob,2023-05-01 08:00:00,,2,b,,",
            ),
            "cleaned_members_export_1.csv": csv_bytes(
                f"Deine E-Mail Adresse,Vorname,CLEAN_TIME,{tail}",
                f"{EVE},Eve,2023-05-01 08:00:00,3,c,,",
            ),
        }
    )

    run = bring(data, now, provenance=NOTHING_KNOWN, name="audience.zip")

    assert run.counts == {"new": 1, "left": 1, "barred": 1}
    assert people() == {ADA: "confirmed", BOB: "unsubscribed"}
    assert Suppression.objects.of(EVE).get().reason == "bounced"
    assert list(Subscriber.objects.get(address=ADA).tags.values_list("name", flat=True)) == [
        "Editors"
    ]
    assert Consent.objects.get().evidence["requested_ip"] == "192.0.2.7"


def test_who_left_in_one_file_of_a_zip_does_not_come_back_by_another(now):
    data = zipped(
        {
            "a_subscribed.csv": csv_bytes("Email Address", ADA),
            "unsubscribed_members.csv": csv_bytes("Email Address", ADA),
        }
    )

    run = bring(data, now, name="audience.zip")

    assert people() == {ADA: "unsubscribed"}
    assert run.counts == {"left": 1, "duplicate": 1}


# --- who is known here ----------------------------------------------------------------------


def test_who_left_here_is_skipped(now, reader):
    subscriptions.unsubscribe(reader.public_id, now=now + DAYS)

    run = bring(csv_bytes("E-Mail,Name", f"{ADA},Ada"), now + 2 * DAYS)

    assert run.counts == {"skipped": 1}
    assert lines(run) == [(2, ADA, "Hat sich hier abgemeldet.")]
    assert run.rows.get().get_outcome_display() == "übersprungen (abgemeldet)"
    row = Subscriber.objects.get()
    assert (row.status, row.name) == ("unsubscribed", "")


@pytest.mark.parametrize("reason", ["complaint", "blocked", "erased"])
def test_who_complained_was_blocked_or_erased_is_skipped(now, reason):
    suppress(ADA, reason, now)

    run = bring(csv_bytes("E-Mail", ADA, BOB), now)

    assert run.counts == {"skipped": 1, "new": 1}
    assert people() == {BOB: "confirmed"}


def test_a_suppression_under_an_older_key_counts(now, settings):
    suppress(ADA, "erased", now)
    settings.LINK_KEYS = ["a-new-key-that-nobody-knows-yet-" * 2, *settings.LINK_KEYS]

    run = bring(csv_bytes("E-Mail", ADA), now)

    assert run.counts == {"skipped": 1}


def test_an_erased_person_may_still_sign_up_themselves(now, ask):
    suppress(ADA, "erased", now)
    bring(csv_bytes("E-Mail", ADA), now)

    assert subscriptions.confirm(ask(), now=now + MINUTES).status == "confirmed"


def test_a_reader_keeps_consent_and_address_and_gets_what_is_missing(now, reader):
    before = (reader.address, reader.consent_id, reader.confirmed_at, reader.public_id)

    run = bring(csv_bytes("E-Mail,Name,Tags", "ADA@LESER.EXAMPLE,Ada,berlin"), now + DAYS)

    reader.refresh_from_db()
    assert run.counts == {"filled": 1}
    assert (reader.address, reader.consent_id, reader.confirmed_at, reader.public_id) == before
    assert (reader.name, reader.tags.get().name) == ("Ada", "berlin")
    assert reader.consents.count() == 1


def test_a_name_that_is_there_is_not_replaced(now, reader):
    Subscriber.objects.update(name="Ada Lovelace")

    run = bring(csv_bytes("E-Mail,Name", f"{ADA},A. Byron"), now + DAYS)

    assert run.counts == {"same": 1}
    assert Subscriber.objects.get().name == "Ada Lovelace"


def test_who_has_not_confirmed_yet_is_left_to_decide(now):
    row = sign_up(ADA, now)
    before = Subscriber.objects.filter(pk=row.pk).values().get()

    run = bring(csv_bytes("E-Mail,Name", f"{ADA},Ada"), now + MINUTES)

    assert run.counts == {"waiting": 1}
    assert Subscriber.objects.filter(pk=row.pk).values().get() == before


def test_the_unproven_are_confirmed_by_proof_alone(now):
    data = csv_bytes("E-Mail", ADA)
    bring(data, now, provenance=NOTHING_KNOWN)

    assert bring(data, now, provenance=NOTHING_KNOWN).counts == {"same": 1}
    assert people() == {ADA: "unproven"}

    assert bring(data, now).counts == {"promoted": 1}
    assert people() == {ADA: "confirmed"}
    assert Subscriber.objects.get().consent == Consent.objects.get()


def test_the_unproven_may_sign_up_themselves(now, ask):
    bring(csv_bytes("E-Mail,Name", f"{ADA},Ada"), now, provenance=NOTHING_KNOWN)

    person = subscriptions.confirm(ask(), now=now + MINUTES)

    assert (person.status, person.name) == ("confirmed", "Ada")


def test_a_later_departure_elsewhere_counts_here(now, reader):
    moment = f"{now + DAYS:%Y-%m-%d %H:%M:%S}"
    data = csv_bytes("E-Mail,Unsubscribed at", f"{ADA},{moment}")

    run = bring(data, now + 2 * DAYS)

    reader.refresh_from_db()
    assert run.counts == {"taken_off": 1}
    assert reader.status == "unsubscribed"
    assert reader.unsubscribed_at == now + DAYS
    assert reader.consent.withdrawn_at == now + DAYS


@pytest.mark.parametrize("when", ["2024-01-01 10:00:00", "irgendwann"])
def test_who_confirmed_here_after_leaving_there_stays(now, reader, when):
    run = bring(csv_bytes("E-Mail,Unsubscribed at", f"{ADA},{when}"), now + DAYS)

    assert run.counts == {"same": 1}
    assert people() == {ADA: "confirmed"}


def test_a_departure_without_a_time_counts_against_an_imported_consent(now):
    bring(csv_bytes("E-Mail", ADA), now)

    run = bring(csv_bytes("E-Mail,Status", f"{ADA},unsubscribed"), now + DAYS)

    assert run.counts == {"taken_off": 1}
    assert people() == {ADA: "unsubscribed"}


@pytest.mark.parametrize(
    ("word", "outcome"), [("unsubscribed", "taken_off"), ("bounced", "barred")]
)
def test_the_unproven_who_left_or_bounced_elsewhere_are_taken_off_for_good(now, word, outcome):
    bring(csv_bytes("E-Mail", ADA), now, provenance=NOTHING_KNOWN)

    run = bring(csv_bytes("E-Mail,Status", f"{ADA},{word}"), now + DAYS)

    assert run.counts == {outcome: 1}
    assert people() == {ADA: "unsubscribed"}
    assert bring(csv_bytes("E-Mail", ADA), now + DAYS).counts == {"skipped": 1}


def test_a_bounce_elsewhere_takes_an_imported_reader_off(now):
    bring(csv_bytes("E-Mail", ADA), now)

    run = bring(csv_bytes("E-Mail,Status", f"{ADA},bounced"), now + DAYS)

    assert run.counts == {"barred": 1}
    assert people() == {ADA: "unsubscribed"}
    assert Suppression.objects.of(ADA).exists()


def test_whoever_leaves_between_check_and_start_stays_away(now, reader):
    run = checked(csv_bytes("E-Mail,Name", f"{ADA},Ada"), now + MINUTES)
    assert run.check_counts == {"filled": 1}
    subscriptions.unsubscribe(reader.public_id, now=now + DAYS)

    run = taken_over(run, now + DAYS)

    assert run.counts == {"skipped": 1}
    assert people() == {ADA: "unsubscribed"}


def test_who_wanted_to_be_deleted_at_substack_is_not_brought_along(now):
    run = bring(csv_bytes("email", "x1@deletion-request.substack.com", ADA), now)

    assert run.counts == {"gone": 1, "new": 1}
    assert people() == {ADA: "confirmed"}


def test_who_confirmed_elsewhere_alone_is_not_proven(now):
    """Tools write a confirmation time for people somebody added by hand."""
    data = csv_bytes("E-Mail,CONFIRM_TIME,CONFIRM_IP", f"{ADA},2023-04-21 11:18:00,192.0.2.8")

    assert bring(data, now, provenance=NOTHING_KNOWN).counts == {"unproven": 1}


# --- the report -----------------------------------------------------------------------------


def test_a_bad_line_stops_no_other(now):
    good = [f"leser{number}@firma.example,Name {number},x" for number in range(99)]
    data = csv_bytes("E-Mail,Name,Ort", *good[:2], "foo@,Foo,x", *good[2:])

    run = bring(data, now)

    assert run.counts == {"new": 99, "invalid": 1}
    assert lines(run, "invalid") == [
        (4, "foo@", "Das ist keine E-Mail-Adresse, an die man etwas schicken kann.")
    ]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (",Foo,x", "Die E-Mail-Adresse fehlt."),
        ("nur Text", "Diese Zeile hat 1 statt 3 Spalten."),
        (EVE, "Diese Zeile hat 1 statt 3 Spalten."),
        (f"{EVE},Eve,x,y,z", "Diese Zeile hat 5 statt 3 Spalten."),
        (f'{EVE},"Eve,x', "Die Anführungszeichen dieser Zeile gehen nicht auf."),
        (f'{EVE},"Eve "die" Erste",x', "Die Anführungszeichen dieser Zeile gehen nicht auf."),
    ],
)
def test_a_bad_line_says_what_is_wrong_with_it(now, line, reason):
    data = csv_bytes("E-Mail,Name,Ort", f"{ADA},Ada,x", line, f"{BOB},Bob,y")

    run = bring(data, now)

    assert [(number, why) for number, _, why in lines(run, "invalid")] == [(3, reason)]
    assert people() == {ADA: "confirmed", BOB: "confirmed"}


def test_a_line_break_in_quotes_is_part_of_the_cell(now):
    data = csv_bytes("E-Mail,Name", f'{ADA},"Ada\r\nLovelace"', "foo@,Foo", BOB + ",Bob")

    run = bring(data, now)

    assert Subscriber.objects.get(address=ADA).name == "Ada Lovelace"
    assert [line for line, _, _ in lines(run, "invalid")] == [4]


def test_the_first_line_of_an_address_counts(now):
    run = bring(csv_bytes("E-Mail,Name", f"{ADA},Ada", f"{ADA.upper()},Anna"), now)

    assert run.counts == {"new": 1, "duplicate": 1}
    assert Subscriber.objects.get().name == "Ada"


def test_the_first_line_counts_over_batches(now, monkeypatch):
    monkeypatch.setattr(running, "BATCH", 2)
    data = csv_bytes("E-Mail", ADA, BOB, EVE, ADA, BOB)

    run = bring(data, now)

    assert run.counts == {"new": 3, "duplicate": 2}


def test_the_same_file_twice_changes_nothing_the_second_time(now):
    data = csv_bytes(
        "E-Mail,Name,Tags,Status",
        f"{ADA},Ada,a;b,active",
        f"{BOB},Bob,,unsubscribed",
        f"{EVE},Eve,,bounced",
        "max@leser.example,Max,c,cold",
    )
    bring(data, now)
    before = (list(Subscriber.objects.values()), list(Consent.objects.values()))

    again = bring(data, now + DAYS)

    assert again.counts == {"same": 3, "skipped": 1}
    assert (list(Subscriber.objects.values()), list(Consent.objects.values())) == before
    assert Suppression.objects.count() == 1


def test_every_line_is_counted_once(now):
    data = csv_bytes("E-Mail,Status", f"{ADA},active", f"{BOB},left", "x,active", f"{ADA},active")

    run = bring(data, now)

    assert sum(run.counts.values()) == run.total == 4


# --- tags -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "tags"),
    [
        ("corporate;nyc", ["corporate", "nyc"]),
        ('"""Editors"""', ["Editors"]),
        ('"""Editors"",""Some, tag"""', ["Editors", "Some, tag"]),
        ('"a, b,,c"', ["a", "b", "c"]),
        ("Berlin;BERLIN", ["Berlin"]),
        ("", []),
    ],
)
def test_tags_are_read_as_the_tools_write_them(now, cell, tags):
    bring(csv_bytes("E-Mail,Tags", f"{ADA},{cell}"), now)

    assert sorted(Subscriber.objects.get().tags.values_list("name", flat=True)) == tags


def test_everyone_on_the_list_can_get_a_tag(now):
    provenance = running.Provenance(**{**PROVEN.__dict__, "tag": "Messe 2026"})

    bring(csv_bytes("E-Mail,Tags", f"{ADA},a", f"{BOB},"), now, provenance=provenance)

    tagged = Subscriber.objects.filter(tags__name="Messe 2026").values_list("address", flat=True)
    assert set(tagged) == {ADA, BOB}


# --- odd cells ------------------------------------------------------------------------------


def test_a_formula_stays_text(now):
    bring(csv_bytes("E-Mail,Name", f'{ADA},"=HYPERLINK(""http://x"")"'), now)

    assert Subscriber.objects.get().name == '=HYPERLINK("http://x")'


def test_python_in_a_metadata_column_is_no_concern(now):
    data = csv_bytes("email,tags,metadata", f"{ADA},a,\"{{'x': None, 'y': [1]}}\"")

    assert bring(data, now).counts == {"new": 1}


def test_a_name_cannot_smuggle_a_header(now):
    bring(csv_bytes("E-Mail,Name", f'{ADA},"Max\r\nBcc: x@y.de"'), now)

    assert Subscriber.objects.get().name == "Max Bcc: x@y.de"


# --- privacy --------------------------------------------------------------------------------


def test_the_file_goes_when_the_import_is_done_and_the_report_a_week_later(now):
    run = bring(csv_bytes("E-Mail", ADA), now)
    assert not run.files.filter(pieces__isnull=False).exists()
    assert run.rows.exists()

    running.forget_old(now=now + 6 * DAYS)
    assert run.rows.exists()
    running.forget_old(now=now + 8 * DAYS)

    run.refresh_from_db()
    assert not run.rows.exists()
    assert (run.report_gone, run.counts) == (True, {"new": 1})
    assert people() == {ADA: "confirmed"}


def test_an_import_stopped_half_way_does_not_go_on_without_its_lines(now, monkeypatch):
    monkeypatch.setattr(running, "BATCH", 1)
    run = checked(csv_bytes("E-Mail", ADA, BOB), now)
    running.start(run, now=now)
    running._take_over_batch(run.pk, now)
    running.stop(run)

    running.forget_old(now=now + 8 * DAYS)

    assert not running.go_on(run, now=now + 8 * DAYS)
    run.refresh_from_db()
    assert (run.status, run.counts, run.report_gone) == ("stopped", {"new": 1}, True)


def test_a_list_nobody_took_over_is_forgotten(now):
    checked(csv_bytes("E-Mail", ADA), now)

    assert running.forget_old(now=now + 8 * DAYS) == 1

    assert Import.objects.count() == 0
