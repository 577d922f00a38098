"""The coach looks at the list, exports it, and takes people off it; the rest belongs to the rules."""

import csv
import io
import re

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext

from newsletter import preferences, subscriptions, suppressions, tagging
from newsletter.models import Consent, Event, Subscriber, Suppression, Tag
from tests.newsletter.conftest import ADA, DAYS, MINUTES, sign_up
from tests.newsletter.import_tools import NOTHING_KNOWN, WORDS, bring, csv_bytes
from tests.newsletter.test_coming_back import come_back
from tests.newsletter.test_views import shown

pytestmark = pytest.mark.django_db

SUBSCRIBERS = "/verwaltung/newsletter/subscriber/"
CONSENTS = "/verwaltung/newsletter/consent/"


def table(response) -> list[dict[str, str]]:
    text = response.content.decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text), delimiter=";"))


def run(client, path, action, rows):
    return client.post(path, {"action": action, "_selected_action": [row.pk for row in rows]})


def test_the_list_speaks_german_and_shows_what_the_coach_looks_for(admin_client, reader):
    page = admin_client.get(SUBSCRIBERS).content.decode()

    for words in (
        ADA,
        "angemeldet",
        "E-Mail-Adresse",
        "bestätigt am",
        "abgemeldet am",
        "CSV-Export",
    ):
        assert words in page


def test_the_list_can_be_searched_and_filtered(admin_client, reader, now):
    sign_up("bob@leser.example", now)

    for query in ("?q=ADA", "?status__exact=confirmed"):
        page = admin_client.get(SUBSCRIBERS + query).content.decode()
        assert ADA in page
        assert "bob@leser.example" not in page


def tagged(now, **people: str) -> None:
    """People with a name and tags, by the first part of their address."""
    for short, words in people.items():
        person = sign_up(f"{short}@leser.example", now)
        tagging.write(person, tagging.words_in(words))


def words_of(short: str) -> set[str]:
    person = Subscriber.objects.get(address=f"{short}@leser.example")
    return {tag.name for tag in person.tags.all()}


def test_people_are_found_by_name_and_by_tag(admin_client, now):
    tagged(now, ada="CTO, Berlin", bob="VP")
    Subscriber.objects.filter(address=ADA).update(name="Ada Lovelace")
    cto = Tag.objects.get(name="CTO")

    for query in ("?q=lovelace", "?q=berl", f"?tags__id__exact={cto.pk}"):
        page = shown(admin_client.get(SUBSCRIBERS + query))
        assert ADA in page
        assert "bob@leser.example" not in page
        assert "Ada Lovelace" in page
        assert "Berlin, CTO" in page


def test_the_list_leads_to_import_and_export(admin_client, client, django_user_model, reader):
    ways = ("/verwaltung/newsletter/import/add/", "/verwaltung/newsletter/import/export/")
    assert all(way in shown(admin_client.get(SUBSCRIBERS)) for way in ways)

    helper = django_user_model.objects.create_user("hilfe", is_staff=True)
    helper.user_permissions.add(Permission.objects.get(codename="view_subscriber"))
    client.force_login(helper)

    assert not any(way in shown(client.get(SUBSCRIBERS)) for way in ways)

    helper.user_permissions.add(Permission.objects.get(codename="export_data"))
    page = shown(client.get(SUBSCRIBERS))
    assert [way in page for way in ways] == [False, True]


def test_chosen_people_are_given_and_taken_tags(admin_client, now):
    tagged(now, ada="cto", bob="", eve="VP")
    chosen = list(Subscriber.objects.exclude(address="eve@leser.example"))

    def act(action: str, words: str) -> str:
        data = {"action": action, "words": words, "_selected_action": [row.pk for row in chosen]}
        return shown(admin_client.post(SUBSCRIBERS, data, follow=True))

    assert "Schlagwörter bekommen: 1." in act("give_tags", "CTO")
    assert "Schlagwörter bekommen: 2." in act("give_tags", "cto; Neu")
    assert (words_of("ada"), words_of("bob")) == ({"cto", "Neu"}, {"cto", "Neu"})
    assert "Schlagwörter verloren: 2." in act("take_tags", "neu, unbekannt")
    assert (words_of("ada"), words_of("bob"), words_of("eve")) == ({"cto"}, {"cto"}, {"VP"})
    assert "Schreib die Schlagwörter in das Feld" in act("give_tags", " , ")
    assert not Tag.objects.filter(name="unbekannt").exists()


def test_one_persons_tags_are_written_on_their_page(admin_client, now):
    tagged(now, ada="alt, beide")
    person = Subscriber.objects.get()

    answer = admin_client.post(page_of(person, "schlagwoerter"), {"words": "neu, beide"})

    assert words_of("ada") == {"beide", "neu"}
    assert 'value="beide, neu"' in shown(admin_client.get(answer["Location"]))
    assert admin_client.get(page_of(person, "schlagwoerter")).status_code == 405


def test_consents_can_be_searched_and_filtered_by_what_is_still_open(admin_client, reader, now):
    sign_up("bob@leser.example", now)

    for query in ("?q=ada", "?confirmed_at__isempty=0"):
        page = admin_client.get(CONSENTS + query).content.decode()
        assert ADA in page
        assert "bob@leser.example" not in page


@pytest.mark.parametrize(("path", "model"), [(SUBSCRIBERS, Subscriber), (CONSENTS, Consent)])
def test_nobody_adds_changes_or_deletes_by_hand(admin_client, reader, path, model):
    row = model.objects.get()
    before = list(model.objects.values())

    assert admin_client.get(f"{path}add/").status_code == 403
    assert admin_client.get(f"{path}{row.pk}/change/").status_code == 200
    assert admin_client.post(f"{path}{row.pk}/change/", {"address": "x"}).status_code == 403
    assert admin_client.post(f"{path}{row.pk}/delete/", {"post": "yes"}).status_code == 403
    run(admin_client, path, "delete_selected", [row])

    assert list(model.objects.values()) == before


def test_the_export_opens_in_a_german_spreadsheet(admin_client, reader):
    response = run(admin_client, SUBSCRIBERS, "export", [reader])

    assert table(response) == [
        {
            "E-Mail-Adresse": ADA,
            "Status": "angemeldet",
            "eingetragen": "2027-03-01 09:00:00",
            "bestätigt": "2027-03-01 09:01:00",
            "abgemeldet": "",
            "Fassung": "2026-11",
        }
    ]


def test_an_address_that_is_a_formula_stays_text(admin_client, now):
    row = sign_up("=cmd@leser.example", now)

    response = run(admin_client, SUBSCRIBERS, "export", [row])

    assert table(response)[0]["E-Mail-Adresse"] == "'=cmd@leser.example"


def test_the_proof_of_every_consent_can_be_exported(admin_client, ask, now):
    row = subscriptions.confirm(ask(), now=now + MINUTES)
    subscriptions.unsubscribe(row.public_id, now=now + DAYS)
    subscriptions.confirm(ask(at=now + 2 * DAYS), now=now + 3 * DAYS)

    response = run(admin_client, CONSENTS, "export", row.consents.all())

    newer, older = table(response)
    assert older["widerrufen"] == "2027-03-02 09:00:00"
    assert (newer["bestätigt"], newer["widerrufen"]) == ("2027-03-04 09:00:00", "")
    assert older["Wortlaut"].startswith("Mit „Abonnieren“ willigst du ein")


def test_taking_someone_off_the_list_goes_through_the_rule(admin_client, reader):
    asked = run(admin_client, SUBSCRIBERS, "unsubscribe", [reader])
    assert "selbst neu anmelden" in shown(asked)
    again = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', shown(asked)))
    reader.refresh_from_db()
    assert reader.status == "confirmed"
    response = admin_client.post(SUBSCRIBERS, {**again, "yes": "Abmelden"})

    reader.refresh_from_db()
    assert reader.status == "unsubscribed"
    assert reader.consent.withdrawn_at is not None
    assert "Abgemeldet: 1." in admin_client.get(response["Location"]).content.decode()


def test_who_may_only_look_cannot_take_anyone_off(client, django_user_model, reader):
    helper = django_user_model.objects.create_user("hilfe", is_staff=True)
    helper.user_permissions.add(Permission.objects.get(codename="view_subscriber"))
    client.force_login(helper)

    run(client, SUBSCRIBERS, "unsubscribe", [reader])

    reader.refresh_from_db()
    assert reader.status == "confirmed"


# --- one person's page ---


def page_of(row, name: str = "change") -> str:
    return f"{SUBSCRIBERS}{row.pk}/{name}/"


def test_the_whole_history_stands_on_one_page(admin_client, ask, now):
    row = subscriptions.confirm(ask(), now=now + MINUTES)
    subscriptions.unsubscribe(row.public_id, now=now + DAYS)
    come_back(row, now + DAYS + MINUTES)
    Suppression.objects.add(ADA, "complaint", now=now + 2 * DAYS)

    page = shown(admin_client.get(page_of(row)))

    for words in (
        "angemeldet",
        "01.03.2027, 09:00:00 Uhr (MEZ)",
        "01.03.2027, 09:01:00 Uhr (MEZ)",
        "02.03.2027, 09:00:00 Uhr (MEZ)",
        "Bestätigungslink verschickt",
        "abgemeldet",
        "Abmeldung zurückgenommen",
        "Leserin oder Leser",
        "Beschwerde",
        "2026-11-zurueck",
    ):
        assert words in page


def test_the_proof_tells_every_text_and_every_time_in_berlin_and_utc(admin_client, ask, now):
    row = subscriptions.confirm(ask(), now=now + MINUTES)
    subscriptions.unsubscribe(row.public_id, now=now + DAYS)
    subscriptions.confirm(ask(at=now + 2 * DAYS), now=now + 3 * DAYS)

    response = admin_client.get(page_of(row, "nachweis"))

    page = shown(response)
    for consent in row.consents.all():
        assert consent.text in page
        assert consent.text_sha256 in page
        assert f"(Nr. {consent.pk})" in page
    assert "01.03.2027, 09:00:00 Uhr (MEZ), also 2027-03-01 08:00:00 UTC" in page
    assert "01.03.2027, 09:01:00 Uhr (MEZ), also 2027-03-01 08:01:00 UTC" in page
    assert "02.03.2027, 09:00:00 Uhr (MEZ), also 2027-03-02 08:00:00 UTC" in page
    assert page.count("Einwilligung 2 (Nr.") == 1
    assert "no-store" in response["Cache-Control"]


def test_the_proof_of_a_whole_list_claims_no_more_than_is_known(admin_client, now):
    bring(csv_bytes("E-Mail", ADA), now, name="alt.csv")

    page = shown(admin_client.get(page_of(Subscriber.objects.get(), "nachweis")))

    assert "Wer sich einträgt, bekommt eine E-Mail" not in page
    assert "nicht auf dieser Website gegeben, sondern aus einer früheren Liste übernommen" in page
    assert "Datei „alt.csv“, Zeile 2." in page
    assert "hat der Versender beim Import für alle Leute dieser Liste angegeben" in page
    assert "Import: Liste aus der alten Website" in page
    assert WORDS in page
    assert re.search(r"Datum der Einwilligung</dt>\s*<dd>\s*Mo., 04\.05\.2026\s*</dd>", page)
    assert "<dt>bestätigt</dt>" not in page


def test_the_proof_shows_what_the_old_list_said_in_its_own_words(admin_client, ask, now):
    data = csv_bytes(
        "E-Mail,OPTIN_TIME,OPTIN_IP,CONFIRM_TIME",
        f"{ADA},2023-04-21 11:16:57,192.0.2.7,2023-04-21 11:18:00",
    )
    bring(data, now, provenance=NOTHING_KNOWN)
    person = Subscriber.objects.get()
    subscriptions.unsubscribe(person.public_id, now=now)
    subscriptions.confirm(ask(at=now + DAYS), now=now + DAYS)

    page = shown(admin_client.get(page_of(person, "nachweis")))

    assert "Die Zeiten standen in dieser Zeile." in page
    assert "2023-04-21 11:16:57, IP-Adresse 192.0.2.7" in page
    assert "2023-04-21 11:18:00" in page
    assert "21.04.2023, 13:18:00 Uhr (MESZ), also 2023-04-21 11:18:00 UTC" in page
    # The second one was asked for here.
    assert "Wer sich einträgt, bekommt eine E-Mail" in page


def test_the_coach_takes_one_off_and_blocks_and_lifts_the_block(admin_client, reader):
    for deed in ("abmelden", "sperren"):
        assert "Zurücknehmen kannst du das nicht" in shown(admin_client.post(page_of(reader, deed)))
    reader.refresh_from_db()
    assert reader.status == "confirmed"
    admin_client.post(page_of(reader, "abmelden"), {"yes": "Abmelden"})
    reader.refresh_from_db()
    assert reader.status == "unsubscribed"
    assert reader.events.filter(kind="left", by="coach").exists()

    admin_client.post(page_of(reader, "sperren"), {"yes": "Sperren"})
    assert suppressions.is_blocked(ADA)
    assert "Sperre aufheben" in shown(admin_client.get(page_of(reader)))

    admin_client.post(page_of(reader, "sperren"), {"aufheben": "ja"})
    assert not suppressions.is_blocked(ADA)


@pytest.mark.parametrize("deed", ["abmelden", "sperren", "daten"])
def test_opening_a_deed_does_nothing(admin_client, reader, deed):
    assert admin_client.get(page_of(reader, deed)).status_code == 405

    reader.refresh_from_db()
    assert reader.status == "confirmed"


def test_the_coach_exports_what_the_person_may_ask_for_and_that_is_noted(admin_client, reader):
    response = admin_client.post(page_of(reader, "daten"))

    assert response.json()["Abo"]["E-Mail-Adresse"] == ADA
    assert reader.events.filter(kind="exported", by="coach").exists()


def test_erasing_asks_first_and_leaves_no_address_behind(admin_client, reader):
    assert ADA in shown(admin_client.get(page_of(reader, "loeschen")))
    assert Subscriber.objects.count() == 1

    answer = admin_client.post(page_of(reader, "loeschen"), follow=True)

    assert "Gelöscht." in shown(answer)
    assert ADA not in shown(answer)
    assert Subscriber.objects.count() == 0
    assert ADA not in str(list(LogEntry.objects.values()))
    log = shown(admin_client.get("/verwaltung/newsletter/event/"))
    assert "gelöscht" in log
    assert ADA not in log


def test_the_proof_of_an_erased_person_is_found_by_the_address_they_name(admin_client, reader, now):
    preferences.erase(reader.public_id, by=Event.By.READER, now=now)

    assert "1 Einwilligung" in shown(admin_client.get(f"{CONSENTS}?q={ADA}"))
    assert "0 Einwilligungen" in shown(admin_client.get(f"{CONSENTS}?q=bob@leser.example"))


@pytest.mark.parametrize(
    "name",
    ["abmelden", "sperren", "schlagwoerter", "loeschen", "nachweis", "daten", "change"],
)
def test_who_may_do_nothing_does_nothing(client, django_user_model, reader, name):
    client.force_login(django_user_model.objects.create_user("gast", is_staff=True))

    assert client.post(page_of(reader, name)).status_code == 403
    reader.refresh_from_db()
    assert reader.status == "confirmed"


def test_who_may_only_look_sees_no_buttons(client, django_user_model, reader):
    helper = django_user_model.objects.create_user("hilfe", is_staff=True)
    helper.user_permissions.add(Permission.objects.get(codename="view_subscriber"))
    client.force_login(helper)

    page = shown(client.get(page_of(reader)))

    assert "Nachweis drucken" in page
    for word in ("Vom Newsletter abmelden", "Sperren</button>", ">Daten löschen<"):
        assert word not in page
    assert client.get(page_of(reader, "loeschen")).status_code == 403


# --- suppressions ---


def test_the_coach_blocks_an_address_by_typing_it_and_finds_it_by_typing_it(admin_client, reader):
    answer = admin_client.post(
        "/verwaltung/newsletter/suppression/add/", {"email": "ADA@leser.example"}, follow=True
    )

    assert answer.status_code == 200
    assert suppressions.is_blocked(ADA)
    reader.refresh_from_db()
    assert reader.status == "unsubscribed"
    found = shown(admin_client.get(f"/verwaltung/newsletter/suppression/?q={ADA}"))
    assert "1 Sperre" in found
    assert "0 Sperren" in shown(admin_client.get("/verwaltung/newsletter/suppression/?q=bob"))
    assert "ada" not in str(list(LogEntry.objects.values_list("object_repr", "change_message")))


@pytest.mark.parametrize(("reason", "status"), [("blocked", 302), ("complaint", 403)])
def test_only_the_coachs_own_no_can_be_taken_back(admin_client, now, reason, status):
    Suppression.objects.add(ADA, reason, now=now)
    row = Suppression.objects.get()

    answer = admin_client.post(
        f"/verwaltung/newsletter/suppression/{row.pk}/delete/", {"post": "yes"}
    )

    assert answer.status_code == status
    assert Suppression.objects.exists() is (status == 403)


# --- growth ---


def test_the_list_leads_to_its_figures(admin_client):
    assert 'href="/verwaltung/zahlen/#abos"' in shown(admin_client.get(SUBSCRIBERS))


@pytest.mark.parametrize("path", [SUBSCRIBERS, CONSENTS, f"{SUBSCRIBERS}?q=leser"])
def test_a_longer_list_takes_as_many_queries(admin_client, now, path):
    asked = []
    for count in (1, 30):
        for number in range(count):
            sign_up(f"{count}-{number}@leser.example", now)
        with CaptureQueriesContext(connection) as queries:
            assert admin_client.get(path).status_code == 200
        asked.append(len(queries))

    assert asked[0] == asked[1]


def test_a_longer_history_takes_as_many_queries(admin_client, reader, now):
    admin_client.get(page_of(reader))  # fills Django's own memory of content types
    asked = []
    for count in (1, 30):
        for number in range(count):
            moment = now + (count * 100 + number) * DAYS
            subscriptions.unsubscribe(reader.public_id, now=moment)
            come_back(reader, moment + MINUTES)
        with CaptureQueriesContext(connection) as queries:
            admin_client.get(page_of(reader))
            admin_client.get(page_of(reader, "nachweis"))
        asked.append(len(queries))

    assert asked[0] == asked[1]


def test_the_coach_sees_whose_mail_came_back_and_writes_to_them_again(admin_client, reader, now):
    path = f"{SUBSCRIBERS}{reader.pk}/change/"
    assert "Wieder zustellen" not in shown(admin_client.get(path))
    Subscriber.objects.update(unreachable_since=now + DAYS)
    Suppression.objects.add(reader.address_key, Suppression.Reason.BOUNCED, now=now)

    page = shown(admin_client.get(path))
    assert "unzustellbar seit" in page
    assert "Wieder zustellen" in page
    admin_client.post(f"{SUBSCRIBERS}{reader.pk}/zustellen/")

    reader.refresh_from_db()
    assert (reader.unreachable_since, Suppression.objects.exists()) == (None, False)
    assert reader.events.get(kind=Event.Kind.REACHABLE).by == "coach"


def test_only_who_may_change_subscribers_writes_to_them_again(client, reader, django_user_model):
    looker = django_user_model.objects.create_user("looker", is_staff=True)
    looker.user_permissions.add(Permission.objects.get(codename="view_subscriber"))
    client.force_login(looker)

    assert client.post(f"{SUBSCRIBERS}{reader.pk}/zustellen/").status_code == 403
