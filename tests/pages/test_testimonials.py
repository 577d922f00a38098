"""Quotes: of real people, with their consent, and gone the moment it is."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from html import unescape

import pytest
from django.db import IntegrityError

from coaching_site.desk import people
from coaching_site.desk.models import Change
from newsletter import addresses
from pages import testimonials
from pages.models import Practice
from pages.models import Testimonial as Quote  # a name pytest takes for no test
from pages.testimonials import NoConsent, Revoked
from tests.desk.leftovers import places_of

pytestmark = pytest.mark.django_db

DESK = "/verwaltung/pages/testimonial/"
DAY = timedelta(days=1)
NOTE = "schriftlich freigegeben"


@pytest.fixture
def asked() -> Quote:
    """Words without consent so far."""
    return Quote.objects.create(
        text="Nach zwei Gesprächen wusste ich, was ich will.",
        shown_as="A. M.",
        shown_role="VP Engineering",
        person="Ada Müller",
        email="Ada@example.org",
    )


@pytest.fixture
def agreed(asked: Quote) -> Quote:
    asked.consent_text = testimonials.wording(asked, Practice.current())
    asked.consent_version = testimonials.VERSION
    asked.consented_on, asked.consent_means = date(2027, 2, 1), "email"
    asked.save()
    return asked


@pytest.fixture
def shown(agreed: Quote, now) -> Quote:
    testimonials.publish(agreed, now=now)
    agreed.refresh_from_db()
    return agreed


def landing(client) -> str:
    return unescape(client.get("/").content.decode())


# --- what visitors read -----------------------------------------------------------------------


def test_a_quote_is_shown_with_its_name_and_how_it_was_checked(client, shown):
    page = landing(client)

    assert "„Nach zwei Gesprächen wusste ich, was ich will.“" in page
    assert "A. M., VP Engineering" in page
    section = page.split('aria-labelledby="stimmen"')[1].split("</section>")[0]
    assert NOTE in section
    assert "Müller" not in page
    assert "example.org" not in page.split("<footer")[0]


@pytest.mark.parametrize("state", ["nobody", "asked", "agreed"])
def test_without_a_published_quote_there_is_no_section(client, request, state):
    if state != "nobody":
        request.getfixturevalue(state)

    page = landing(client)

    assert 'aria-labelledby="stimmen"' not in page
    assert NOTE not in page


def test_a_quote_within_a_quote_has_single_marks():
    assert Quote(text="Er fragte: „Warum?“").quoted == "„Er fragte: ‚Warum?‘“"


def test_an_empty_site_begins_without_quotes(client):
    from django.core.management import call_command  # noqa: PLC0415

    call_command("demo_data", verbosity=0)

    assert not Quote.objects.exists()


# --- consent ----------------------------------------------------------------------------------


def test_nothing_is_published_without_consent(asked, now):
    with pytest.raises(NoConsent):
        testimonials.publish(asked, now=now)

    assert not Quote.objects.published().exists()


def test_the_database_refuses_to_publish_without_consent(asked, now):
    with pytest.raises(IntegrityError, match="testimonial_published_with_consent"):
        Quote.objects.update(published_at=now)


def test_the_database_refuses_to_show_what_was_revoked(shown, now):
    with pytest.raises(IntegrityError, match="testimonial_published_with_consent"):
        Quote.objects.update(revoked_at=now)


def test_the_database_refuses_half_a_consent(asked):
    with pytest.raises(IntegrityError, match="testimonial_consent_is_whole"):
        Quote.objects.update(consented_on=date(2027, 2, 1))


@pytest.mark.parametrize(
    "change", [{"text": "Besser geht es nicht!"}, {"shown_as": "Ada"}, {"shown_role": "CTO"}]
)
def test_the_database_refuses_other_words_than_were_agreed_to(shown, change):
    with pytest.raises(IntegrityError, match="testimonial_consent_is_for_these_words"):
        Quote.objects.update(**change)


def test_the_database_keeps_which_wording_was_agreed_to(agreed):
    with pytest.raises(IntegrityError, match="testimonial_consent_names_its_version"):
        Quote.objects.update(consent_version="")


def test_a_revoked_quote_vanishes_at_once_and_for_good(client, shown, now):
    testimonials.revoke(shown, now=now + DAY)

    assert 'aria-labelledby="stimmen"' not in landing(client)
    shown.refresh_from_db()
    assert (shown.published_at, shown.revoked_at) == (None, now + DAY)
    with pytest.raises(Revoked):
        testimonials.publish(shown, now=now + 2 * DAY)


def test_to_revoke_twice_keeps_the_first_day(shown, now):
    testimonials.revoke(shown, now=now)
    testimonials.revoke(shown, now=now + DAY)

    assert Quote.objects.get().revoked_at == now


def test_what_was_never_agreed_to_cannot_be_revoked(asked, now):
    with pytest.raises(NoConsent):
        testimonials.revoke(asked, now=now)


def test_taken_down_is_not_revoked(client, shown, now):
    testimonials.take_down(shown)
    assert 'aria-labelledby="stimmen"' not in landing(client)

    testimonials.publish(shown, now=now)
    assert 'aria-labelledby="stimmen"' in landing(client)


def test_the_wording_holds_all_that_is_shown_and_how_to_end_it(asked):
    words = testimonials.wording(asked, Practice(email="hallo@praxis.example"))

    assert "„Nach zwei Gesprächen wusste ich, was ich will.“\nA. M., VP Engineering" in words
    assert "jederzeit" in words
    assert "hallo@praxis.example" in words


def test_the_version_tells_our_wording_from_the_persons_own(asked):
    practice = Practice()
    asked.consent_text = testimonials.wording(asked, practice).replace("\n", "\r\n")
    assert testimonials.version_of(asked, practice) == testimonials.VERSION

    asked.consent_text = "Ja, gern!"
    assert testimonials.version_of(asked, practice) == testimonials.OWN_WORDS


# --- whose words they are ---------------------------------------------------------------------


def test_the_person_finds_and_erases_their_quotes(shown, client, now):
    address = addresses.parse("ada@example.org")
    assert people.is_known(address)
    told = json.dumps(people.everything_about(address, now=now)["Zitate"], default=str)
    for word in ("Vor- und Nachname", "Ada", "per E-Mail", "2027-02-01", "VP Engineering"):
        assert word in told

    people.erase(address, by=people.By.PERSON, now=now)

    assert places_of("ada@example.org", "Ada Müller", "A. M.") == set()
    assert 'aria-labelledby="stimmen"' not in landing(client)


def test_a_revoked_quote_is_kept_as_proof_until_the_third_new_year_in_berlin(shown, now):
    testimonials.revoke(shown, now=now)
    midnight = datetime(2030, 12, 31, 23, tzinfo=UTC)

    assert testimonials.forget_revoked(now=midnight - timedelta(minutes=1)) == 0
    assert testimonials.forget_revoked(now=midnight) == 1
    assert testimonials.forget_revoked(now=midnight) == 0


def test_a_quote_that_is_shown_is_never_forgotten(shown):
    assert testimonials.forget_revoked(now=datetime(2040, 1, 1, tzinfo=UTC)) == 0


# --- at the desk ------------------------------------------------------------------------------


def form_of(row: Quote, **changes: object) -> dict[str, object]:
    names = ("text", "shown_as", "shown_role", "person", "email", "position", "consent_text")
    return {name: getattr(row, name) for name in names} | {"consent_means": ""} | changes


def act(client, action: str, row: Quote, **more: str):
    data = {"action": action, "_selected_action": [row.pk], **more}
    return client.post(DESK, data, follow=True).content.decode()


def test_the_coach_writes_down_a_consent_and_shows_the_quote(admin_client, client, asked):
    page = admin_client.get(f"{DESK}{asked.pk}/change/").content.decode()
    assert "Ich bin einverstanden" in page
    words = testimonials.wording(asked, Practice.current()).replace("\n", "\r\n")
    agreed = {"consent_text": words, "consented_on": "01.02.2026", "consent_means": "email"}

    saved = admin_client.post(f"{DESK}{asked.pk}/change/", form_of(asked, **agreed))
    told = act(admin_client, "publish", asked)

    assert saved.status_code == 302
    assert "Veröffentlicht: 1." in told
    assert Quote.objects.get().consent_version == testimonials.VERSION
    assert "wusste ich, was ich will" in landing(client)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"consented_on": "01.02.2026"}, "alle drei"),
        ({"consented_on": "01.02.2099"}, "liegt in der Zukunft"),
        (
            {"consent_text": "Ja!", "consented_on": "01.02.2026", "consent_means": "email"},
            "nicht genau so",
        ),
    ],
)
def test_a_consent_that_is_none_is_refused_in_german(admin_client, asked, changes, sentence):
    page = admin_client.post(f"{DESK}{asked.pk}/change/", form_of(asked, **changes))

    assert sentence in page.content.decode()
    assert Quote.objects.get().consented_on is None


def test_the_desk_publishes_nothing_without_consent(admin_client, asked):
    assert "Es fehlt die Einwilligung." in act(admin_client, "publish", asked)
    assert not Quote.objects.published().exists()


def test_the_desk_asks_before_a_consent_is_revoked(admin_client, shown):
    question = act(admin_client, "revoke", shown)
    assert "lässt sich nicht" in question
    assert Quote.objects.published().exists()

    act(admin_client, "revoke", shown, yes="1")

    assert not Quote.objects.published().exists()


def test_what_is_shown_cannot_be_reworded_nor_a_consent_thrown_away(admin_client, shown):
    page = f"{DESK}{shown.pk}/"

    admin_client.post(f"{page}change/", form_of(shown, text="Anders.", position="7"))

    row = Quote.objects.get()
    assert (row.text, row.position) == (shown.text, 7)
    assert admin_client.post(f"{page}delete/", {"post": "yes"}).status_code == 403


def test_the_preview_shows_an_unpublished_quote_to_the_desk_alone(admin_client, client, asked):
    page = f"{DESK}{asked.pk}/vorschau/"

    seen = admin_client.get(page).content.decode()

    assert "wusste ich, was ich will" in seen
    assert 'content="noindex"' in seen
    client.logout()
    assert client.get(page).status_code == 302


def test_the_desks_log_tells_that_a_quote_was_changed_and_never_whose(admin_client, agreed):
    act(admin_client, "publish", agreed)

    change = Change.objects.get(table="pages_testimonial")
    assert list(change.fields) == ["published_at"]
    assert places_of("Ada Müller") == {"pages_testimonial.person"}
