"""The coach writes, looks, compares and publishes; whoever may not, does not."""

from __future__ import annotations

import re

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.forms.models import model_to_dict
from django.utils import timezone

from pages import legal
from pages.legal_models import LegalText
from pages.models import Practice
from tests.pages.test_legal import Kind, publish, write

pytestmark = pytest.mark.django_db

LIST = "/verwaltung/pages/legaltext/"
EDIT = f"{LIST}terms/bearbeiten/"
PUBLISH = f"{LIST}terms/veroeffentlichen/"


def page(client, path: str) -> str:
    response = client.get(path)
    assert response.status_code == 200
    return " ".join(response.content.decode().split())


def send(client, **changes: str):
    """Send the page that publishes the terms, as it was shown."""
    seen = re.search(r'name="seen" value="([0-9a-f]{64})"', page(client, PUBLISH))
    assert seen
    data = {"seen": seen[1], "valid_from": f"{timezone.localdate():%Y-%m-%d}", "is_checked": "on"}
    return client.post(PUBLISH, {**data, **changes})


def held() -> str:
    return legal.current(Kind.TERMS).text


def test_the_list_says_how_each_text_stands(admin_client, whole):
    now = timezone.now()
    publish(now=now, valid_from=timezone.localdate(now), is_checked=False)
    write("Neu {{ telefon }}", now=now)
    publish(Kind.IMPRINT, now=now, valid_from=timezone.localdate(now))
    Practice.objects.update(phone="")

    shown = page(admin_client, LIST)

    for words in (
        "Es gilt der Starttext. Du hast noch nichts veröffentlicht.",
        "Es gilt Fassung 1 vom",
        "Es gibt einen Entwurf vom",
        "Seitdem haben sich Angaben geändert: Text neu veröffentlichen.",
        "Noch nicht als geprüft vermerkt",
        "Es fehlt noch: Telefonnummer.",
    ):
        assert words in shown


def test_a_draft_is_kept_and_shown_as_it_will_look(admin_client, whole):
    admin_client.post(EDIT, {"source": "## Neu\r\n\r\nRuf an: {{ telefon }}"})

    assert LegalText.objects.get().source == "## Neu\n\nRuf an: {{ telefon }}"
    assert "<h2>Neu</h2> <p>Ruf an: +49 30 1234</p>" in page(admin_client, EDIT)
    assert "<p>Ruf an: +49 30 1234</p>" in page(admin_client, f"{LIST}terms/vorschau/")
    assert admin_client.get(f"{LIST}terms/entwurf.pdf").content.startswith(b"%PDF")
    assert "Ruf an" not in held()


def test_a_wrong_placeholder_comes_back_with_all_that_was_typed(admin_client, whole):
    shown = admin_client.post(EDIT, {"source": "Mein langer Text {{ nmae }}"}).content.decode()

    assert "Diese Platzhalter gibt es so nicht: {{ nmae }}." in shown
    assert "Mein langer Text" in shown
    assert not LegalText.objects.exists()


def test_publishing_asks_once_more_and_shows_what_changes(admin_client, whole):
    now = timezone.now()
    write("Ich zahle 10 Euro an.", now=now)
    publish(now=now, valid_from=timezone.localdate(now))
    admin_client.post(EDIT, {"source": "Ich zahle 20 Euro an.", "publish": "1"})

    shown = page(admin_client, PUBLISH)
    assert "<del>10</del><ins>20</ins>" in shown
    assert held() == "Ich zahle 10 Euro an.\n"

    send(admin_client, note="Preis")

    assert held() == "Ich zahle 20 Euro an.\n"
    assert "Fassung 2 veröffentlicht." in LogEntry.objects.latest("pk").change_message
    versions = page(admin_client, f"{LIST}terms/fassungen/")
    assert "<del>10</del><ins>20</ins>" in versions
    assert "/agb/fassung/1/" in versions
    assert "Preis" in versions


def test_nothing_with_a_hole_can_be_published(admin_client, db):
    assert "Jetzt veröffentlichen" not in page(admin_client, PUBLISH)

    shown = send(admin_client).content.decode()

    assert "Es fehlt noch: Vor- und Nachname" in shown
    assert not LegalText.objects.exists()


def test_words_changed_meanwhile_are_shown_before_they_are_published(admin_client, whole):
    response = send(admin_client, seen="0" * 64)

    assert "Bitte sieh ihn noch einmal durch." in response.content.decode()
    assert not LegalText.objects.exists()
    send(admin_client)
    assert LegalText.objects.exists()


def test_a_day_in_the_past_is_refused_with_a_sentence(admin_client, whole):
    shown = send(admin_client, valid_from="2020-01-01").content.decode()

    assert "Eine Fassung gilt frühestens ab heute." in shown


def test_a_draft_can_be_thrown_away(admin_client, whole):
    admin_client.post(EDIT, {"source": "Weg damit"})

    assert admin_client.get(f"{LIST}terms/verwerfen/").status_code == 405
    admin_client.post(f"{LIST}terms/verwerfen/")
    assert LegalText.objects.exists()
    admin_client.post(f"{LIST}terms/verwerfen/", {"yes": "Entwurf verwerfen"})

    assert not LegalText.objects.exists()


def test_a_lawyers_look_is_noted_for_the_version_it_was_about(admin_client, whole):
    now = timezone.now()
    row = publish(now=now, valid_from=timezone.localdate(now), is_checked=False)

    admin_client.post(f"{LIST}terms/geprueft/", {"number": "7", "yes": "Ja"})
    row.refresh_from_db()
    assert row.checked_at is None

    admin_client.post(f"{LIST}terms/geprueft/", {"number": "1"})
    row.refresh_from_db()
    assert row.checked_at is None
    admin_client.post(f"{LIST}terms/geprueft/", {"number": "1", "yes": "Ja"})
    row.refresh_from_db()
    assert row.checked_at is not None


def test_nobody_adds_or_deletes_rows_by_hand(admin_client, whole):
    now = timezone.now()
    row = publish(now=now, valid_from=timezone.localdate(now))

    assert admin_client.get(f"{LIST}add/").status_code == 403
    assert admin_client.get(f"{LIST}{row.pk}/delete/").status_code == 403
    assert admin_client.get(f"{LIST}{row.pk}/change/").url == f"{LIST}terms/fassungen/"
    assert admin_client.get(f"{LIST}nichts/bearbeiten/").status_code == 404


@pytest.mark.parametrize("given", [[], ["view_legaltext"]])
def test_only_those_with_the_permission_write_and_publish(client, whole, given):
    person = User.objects.create_user("kim", password="x", is_staff=True)
    person.user_permissions.set(Permission.objects.filter(codename__in=given))
    client.force_login(person)

    for address in ("bearbeiten/", "veroeffentlichen/", "verwerfen/", "geprueft/"):
        assert client.post(f"{LIST}terms/{address}", {"source": "x"}).status_code == 403
    allowed = 200 if given else 403
    for path in (LIST, f"{LIST}terms/vorschau/", f"{LIST}terms/fassungen/"):
        assert client.get(path).status_code == allowed
    assert "Bearbeiten" not in client.get(LIST).content.decode()


def test_saving_the_practice_says_which_texts_still_have_the_old_words(admin_client, whole):
    now = timezone.now()
    publish(now=now, valid_from=timezone.localdate(now))
    values = {name: value for name, value in model_to_dict(whole).items() if value is not None}

    page_after = admin_client.post(
        "/verwaltung/pages/practice/1/change/",
        {**values, "portrait": "", "street": "Neue Straße 2"},
        follow=True,
    )

    assert "Darin stehen noch die alten Angaben: AGB." in page_after.content.decode()
