"""The coach looks at the list, exports it, and takes people off it; the rest belongs to the rules."""

import csv
import io

import pytest
from django.contrib.auth.models import Permission

from newsletter import subscriptions
from newsletter.models import Consent, Subscriber
from tests.newsletter.conftest import ADA, DAYS, MINUTES, sign_up

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
    response = run(admin_client, SUBSCRIBERS, "unsubscribe", [reader])

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
