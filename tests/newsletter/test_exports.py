"""The list goes out whole, and comes back as it was."""

from __future__ import annotations

import csv
import io
import json
from datetime import datetime

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from coaching_site.append_only import erasing
from newsletter import (
    addresses,
    exports,
    feedback,
    models,
    preferences,
    subscriptions,
    tokens,
)
from newsletter.models import (
    Consent,
    Event,
    Feedback,
    Import,
    Subscriber,
    Suppression,
    Tag,
    suppression_hashes,
)
from pages import consent
from pages.models import Practice
from tests.newsletter.conftest import ADA, DAYS, MINUTES, sign_up
from tests.newsletter.import_tools import (
    NOTHING_KNOWN,
    WORDS,
    bring,
    checked,
    csv_bytes,
    people,
    taken_over,
)

pytestmark = pytest.mark.django_db

FIELDS = ("address", "address_key", "name", "status", "public_id", "created_at", "confirmed_at")
MORE = (
    "unsubscribed_at",
    "mail_requested_at",
    "mail_sent_at",
    "address_number",
    "unreachable_since",
)
CONSENT = ("address", "kind", "text", "text_version", "text_sha256", "page", "requested_at")
TIMES = ("confirmed_at", "withdrawn_at", "evidence")


@pytest.fixture
def everyone(ask, now) -> None:
    """One person in every state there is, each with what makes exports fail."""
    left = subscriptions.confirm(ask("left@leser.example"), now=now + MINUTES)
    subscriptions.unsubscribe(left.public_id, now=now + DAYS)
    again = subscriptions.confirm(ask("again@leser.example"), now=now + MINUTES)
    subscriptions.unsubscribe(again.public_id, now=now + DAYS)
    subscriptions.confirm(ask("again@leser.example", at=now + 2 * DAYS), now=now + 3 * DAYS)
    back = subscriptions.confirm(ask("back@leser.example"), now=now + MINUTES)
    subscriptions.unsubscribe(back.public_id, now=now + DAYS)
    unreachable = subscriptions.confirm(ask("unreachable@leser.example"), now=now + MINUTES)
    feedback.record(
        source="smtp",
        event_id="1",
        kind=Feedback.Kind.HARD,
        code="550 5.1.1",
        at=now + DAYS,
        now=now + DAYS,
        delivery=None,
        address=unreachable.address,
    )
    sign_up("back@leser.example", now + 2 * DAYS)
    sign_up("pending@leser.example", now)
    Subscriber.objects.filter(mail_sent_at=None).exclude(mail_requested_at=None).update(
        mail_sent_at=now + 2 * DAYS
    )
    proof = "2023-04-21 11:16:57,192.0.2.7,2023-04-21 11:18:00"
    data = csv_bytes(
        "E-Mail,Name,Tags,OPTIN_TIME,OPTIN_IP,CONFIRM_TIME",
        f'=1+1@leser.example,"=HYPERLINK(""x"";1)",a;b,{proof}',
        f'Max@münchen.de,"Müller; ""Jörg"", Dr.","""Some, tag""",{proof}',
        f"'quote@leser.example,''=x,+49;-1,{proof}",
        "unproven@leser.example,Una,a,,,",
    )
    bring(data, now, provenance=NOTHING_KNOWN)
    Subscriber.objects.filter(address="again@leser.example").update(
        address_number=3, unreachable_since=now + 4 * DAYS
    )
    complained = Subscriber.objects.get(address="left@leser.example")
    for reason in ("complaint", "erased"):
        Suppression.objects.create(
            address_hash=suppression_hashes(complained.address_key)[0],
            reason=reason,
            created_at=now,
        )


def exported() -> bytes:
    return "".join(exports.csv_lines()).encode()


def whole() -> list[object]:
    """All there is to know about the list, without the database's own numbers."""
    return [
        [
            *(getattr(person, name) for name in (*FIELDS, *MORE)),
            sorted(person.tags.values_list("name", flat=True)),
            [
                [getattr(consent, name) for name in (*CONSENT, *TIMES)]
                + [consent.pk == person.consent_id]
                for consent in person.consents.order_by("requested_at")
            ],
            sorted(Suppression.objects.of(person.address_key).values_list("reason", flat=True)),
        ]
        for person in Subscriber.objects.order_by("address_key")
    ]


def empty_the_database() -> None:
    with erasing(), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(
            "TRUNCATE newsletter_subscriber, newsletter_consent, newsletter_tag,"
            " newsletter_suppression, newsletter_import CASCADE"
        )
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")


def test_what_goes_out_comes_back_the_same(everyone, now):
    before, data = whole(), exported()
    assert {row.status for row in Subscriber.objects.all()} == {
        "confirmed",
        "pending",
        "unproven",
        "unsubscribed",
    }
    empty_the_database()

    run = bring(data, now + 9 * DAYS, provenance=NOTHING_KNOWN)

    assert whole() == before
    assert run.counts == {"new": 5, "left": 1, "pending": 2, "unproven": 1}
    assert exported() == data


def test_coming_back_into_the_full_list_changes_nothing(everyone, now):
    before, data = whole(), exported()

    run = bring(data, now + 9 * DAYS, provenance=NOTHING_KNOWN)

    assert whole() == before
    assert not {"new", "filled", "promoted", "taken_off", "barred"} & set(run.counts)


def test_who_left_since_the_export_stays_away(everyone, now):
    data = exported()
    again = Subscriber.objects.get(address="again@leser.example")
    subscriptions.unsubscribe(again.public_id, now=now + 5 * DAYS)

    bring(data, now + 9 * DAYS, provenance=NOTHING_KNOWN)

    assert people()["again@leser.example"] == "unsubscribed"


def test_a_pending_person_comes_back_without_a_mail(now, mailbox, run_jobs):
    sign_up(ADA, now)
    data = exported()
    empty_the_database()

    bring(data, now, provenance=NOTHING_KNOWN)
    run_jobs()

    assert mailbox.messages == []
    assert not Subscriber.objects.get().mail_is_owed


def test_links_in_old_mails_keep_working(reader, now):
    before = reader.public_id
    data = exported()
    empty_the_database()

    bring(data, now + DAYS, provenance=NOTHING_KNOWN)

    assert Subscriber.objects.get().public_id == before


def test_a_public_id_somebody_has_is_not_given_twice(reader, now):
    data = exported().replace(ADA.encode(), b"eve@leser.example")

    bring(data, now + DAYS, provenance=NOTHING_KNOWN)

    assert people() == {ADA: "confirmed", "eve@leser.example": "confirmed"}
    assert Subscriber.objects.get(address=ADA).public_id == reader.public_id


@pytest.mark.parametrize(
    "consents",
    [
        "kaputt",
        "{}",
        "[1]",
        '[{"text": "x"}]',
        '[{"text": "", "requested_at": "2024-01-01T00:00:00+00:00", "current": true}]',
        '[{"text": "a\\u0000b", "requested_at": "2024-01-01T00:00:00+00:00"}]',
        '[{"text": "\\ud800", "requested_at": "2024-01-01T00:00:00+00:00"}]',
        '[{"text": "x", "requested_at": "2024-01-01T00:00:00+00:00", "evidence": {"n": NaN}}]',
    ],
)
def test_a_damaged_consent_costs_its_own_line_alone(reader, now, consents):
    table = list(csv.reader(io.StringIO(exported().decode("utf-8-sig")), delimiter=";"))
    bad = [*table[1][:-1], consents]
    text = io.StringIO()
    csv.writer(text, delimiter=";").writerows([table[0], bad, ["b@x.example", *table[1][1:]]])

    run = bring(text.getvalue().encode(), now + DAYS, provenance=NOTHING_KNOWN)

    assert run.counts == {"invalid": 1, "new": 1}


def test_no_cell_is_a_formula(everyone):
    table = list(csv.reader(io.StringIO(exported().decode("utf-8-sig")), delimiter=";"))

    assert not [cell for row in table for cell in row if cell.startswith(("=", "+", "-", "@"))]


def test_json_tells_the_same_and_the_suppressions_of_the_forgotten(everyone, now):
    Suppression.objects.create(address_hash="0" * 64, reason="erased", created_at=now)

    told = json.loads("".join(exports.json_lines(now=now)))

    assert len(told["subscribers"]) == Subscriber.objects.count()
    by_address = {person["address"]: person for person in told["subscribers"]}
    assert by_address["left@leser.example"]["suppressed"] == ["complaint", "erased"]
    assert len(by_address["again@leser.example"]["consents"]) == 2
    assert by_address["=1+1@leser.example"]["tags"] == ["a", "b"]
    assert "0" * 64 in [row["address_hash"] for row in told["suppressions"]]


def test_json_tells_the_whole_history(reader, now):
    subscriptions.unsubscribe(reader.public_id, now=now + DAYS)
    text = consent.coming_back(Practice.current())
    back_at = now + DAYS + MINUTES
    subscriptions.come_back(reader.public_id, consent=text, page="/", now=back_at)
    Subscriber.objects.update(address_number=2, unreachable_since=now)
    subscriptions.subscribe(
        addresses.parse("bob@leser.example"), consent=text, page="/", network="8.8.4.0/24", now=now
    )

    ada, bob = json.loads("".join(exports.json_lines(now=now)))["subscribers"]

    first, second = ada["consents"]
    assert (first["replaces"], second["replaces"]) == (None, first["number"])
    assert (ada["address_number"], ada["unreachable_since"]) == (2, now.isoformat())
    kinds = {(event["kind"], event["by"]) for event in ada["events"]}
    assert {("left", "reader"), ("came_back", "reader"), ("welcome_mail", "system")} <= kinds
    (open_one,) = bob["consents"]
    assert open_one["network"] == "8.8.4.0/24"
    assert open_one["network_until"] == (now + models.NETWORK_LIFE).isoformat()


def test_json_keeps_the_proofs_of_the_erased_without_a_name(reader, now):
    preferences.erase(reader.public_id, by=Event.By.READER, now=now + DAYS)

    whole = "".join(exports.json_lines(now=now))

    assert ADA not in whole
    (proof,) = json.loads(whole)["nameless_consents"]
    assert proof["address_hash"] in suppression_hashes(ADA)
    assert proof["withdrawn_at"] == (now + DAYS).isoformat()
    assert [event["kind"] for event in json.loads(whole)["erasures"]] == ["erased"]


def test_links_to_a_former_mailbox_stay_closed_when_the_list_comes_back(reader, now):
    Subscriber.objects.update(address_number=2)
    former = tokens.preferences_token(reader.public_id, 1)
    data = exported()
    empty_the_database()

    bring(data, now + DAYS, provenance=NOTHING_KNOWN)

    assert preferences.owner_of(former) is None
    assert preferences.owner_of(tokens.preferences_token(reader.public_id, 2)) is not None


# --- suppressions of their own ---------------------------------------------------------------


def suppressions() -> list[tuple[str, str, datetime]]:
    rows = Suppression.objects.order_by("address_hash", "reason")
    return list(rows.values_list("address_hash", "reason", "created_at"))


def bars() -> bytes:
    return "".join(exports.suppression_lines()).encode()


def test_suppressions_come_back_as_they_were(everyone, now):
    Suppression.objects.add("weg@leser.example", "erased", now=now)
    before, data = suppressions(), bars()
    empty_the_database()

    first = bring(data, now + DAYS, provenance=NOTHING_KNOWN)
    second = bring(data, now + DAYS, provenance=NOTHING_KNOWN)

    assert suppressions() == before
    assert first.counts == second.counts == {"barred": len(before)}
    assert people() == {}


def test_they_keep_those_away_whom_no_import_may_bring_back(now):
    Suppression.objects.add(ADA, "erased", now=now)
    data = bars()
    empty_the_database()
    bring(data, now + DAYS, provenance=NOTHING_KNOWN)

    bring(csv_bytes("E-Mail", ADA), now + DAYS)

    assert people() == {}


@pytest.mark.parametrize("reason", ["erased", "moved", "bounced"])
def test_a_reader_who_came_back_since_is_not_silenced_by_an_old_file(ask, now, reason):
    Suppression.objects.add(ADA, reason, now=now)
    data = bars()
    subscriptions.confirm(ask(at=now + DAYS), now=now + DAYS)
    assert suppressions() == []

    run = taken_over(checked(data, now + 2 * DAYS, provenance=NOTHING_KNOWN), now + 2 * DAYS)

    assert run.counts == {"same": 1}
    assert (suppressions(), people()) == ([], {ADA: "confirmed"})


@pytest.mark.parametrize("reason", ["complaint", "blocked"])
def test_whoever_complained_stays_silenced(ask, now, reason):
    subscriptions.confirm(ask(at=now + DAYS), now=now + DAYS)
    Suppression.objects.add(ADA, reason, now=now)
    before, data = suppressions(), bars()
    Suppression.objects.all().delete()

    bring(data, now + 2 * DAYS, provenance=NOTHING_KNOWN)

    assert suppressions() == before


def test_a_line_may_name_an_address_and_a_bad_one_costs_itself_alone(reader, now):
    data = csv_bytes(
        "Prüfwert der Adresse;E-Mail-Adresse;Grund;eingetragen am",
        f";{ADA};complaint;2027-03-02T00:00:00+00:00",
        ";neu@leser.example;blocked;",
        ";neu@leser.example;unbekannt;",
        "abc;;blocked;",
        f"{'A' * 64};;blocked;",
    )

    run = bring(data, now + 2 * DAYS, provenance=NOTHING_KNOWN)

    assert run.counts == {"barred": 3, "invalid": 2}
    assert people() == {ADA: "unsubscribed"}
    found = Suppression.objects.among([ADA, "neu@leser.example"])
    assert found == {ADA, "neu@leser.example"}
    assert ("a" * 64, "blocked") in [row[:2] for row in suppressions()]


def test_the_desk_and_the_command_hand_them_out(admin_client, tmp_path, now):
    Suppression.objects.add(ADA, "erased", now=now)
    page = "/verwaltung/newsletter/import/export/"
    assert 'value="sperren"' in admin_client.get(page).content.decode()

    download = admin_client.post(page, {"format": "sperren"})
    call_command("export_subscribers", str(tmp_path / "x.csv"), "--format=suppressions")

    assert download.content == bars() == (tmp_path / "x.csv").read_bytes()
    assert "sperren.csv" in download["Content-Disposition"]


def test_an_empty_list_is_exported_too(now):
    assert json.loads("".join(exports.json_lines(now=now)))["subscribers"] == []
    assert len(list(exports.csv_lines())) == 1


# --- commands -------------------------------------------------------------------------------


def test_the_commands_do_what_the_desk_does(tmp_path, capsys):
    source, words, out = tmp_path / "liste.csv", tmp_path / "text.txt", tmp_path / "out.csv"
    source.write_bytes(csv_bytes("wohin;E-Mail;Nachname", f"{ADA};x;Lovelace", "foo@;y;Foo"))
    words.write_text(WORDS, "utf-8")
    proof = [
        "--source=Alte Website",
        "--consent-date=2024-05-04",
        f"--consent-text-file={words}",
        "--map=email=wohin",
        "--tag=alt",
    ]

    call_command("import_subscribers", str(source), "--dry-run", *proof)
    assert "dry run: invalid=1 new=1" in capsys.readouterr().out
    assert people() == {}
    assert Import.objects.count() == 0

    call_command("import_subscribers", str(source), *proof)
    assert "done: invalid=1 new=1" in capsys.readouterr().out
    assert (Subscriber.objects.get().name, Tag.objects.get().name) == ("Lovelace", "alt")
    assert Consent.objects.get().text == WORDS

    call_command("import_subscribers", str(source), *proof)
    assert "done: invalid=1 same=1" in capsys.readouterr().out

    call_command("export_subscribers", str(out))
    assert ADA in out.read_text("utf-8-sig")
    capsys.readouterr()
    call_command("export_subscribers", "--format=json")
    assert json.loads(capsys.readouterr().out)["subscribers"][0]["address"] == ADA


@pytest.mark.parametrize(
    ("content", "more", "words"),
    [
        (b"%PDF-", [], "PDF"),
        (b"wer\nAda\n", [], "E-Mail-Adressen stehen"),
        (b"E-Mail\na@b.example\n", ["--map=email=Nix"], "one of these columns: E-Mail"),
        (b"E-Mail\na@b.example\n", ["--consent-text-file=/nirgends"], "/nirgends"),
    ],
)
def test_the_command_says_what_is_wrong(tmp_path, content, more, words):
    path = tmp_path / "x.csv"
    path.write_bytes(content)

    with pytest.raises(CommandError, match=words):
        call_command("import_subscribers", str(path), *more)
