"""„Menschen“: found by half a name, everything on one page, and nobody's address in a URL."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse

from booking import withdrawals
from booking.models import Booking
from booking.withdrawals import Declaration
from coaching_site.desk import audit, dossier, finding, notes, people
from coaching_site.desk.models import PersonNote, PersonRequest
from newsletter import addresses
from newsletter.models import Subscriber
from pages import models as pages
from tests.booking.conftest import BEN, HALF_PAST_NINE, hold
from tests.booking.desk import queries, staff, words
from tests.desk.leftovers import places_of
from tests.newsletter.conftest import sign_up

pytestmark = pytest.mark.usefixtures("clock")
ADDRESS = addresses.parse("ada@example.org")
LIST = "/verwaltung/menschen/"
DAY = timedelta(days=1)
MAY = ("view_booking", "view_subscriber", "view_personnote")


def found(text: str, now) -> list[str]:
    people_found, _ = finding.find(text, page=1, now=now)
    return [each.address for each in people_found]


def page_of(booking: Booking) -> str:
    return reverse("admin:person", args=["termin", booking.pk])


# --- finding ------------------------------------------------------------------------------------


def test_half_a_name_a_company_or_an_address_finds_somebody(confirmed, now):
    hold(confirmed.call_type, now=now, start=HALF_PAST_NINE, guest=BEN)

    for text in ("müll", "mull", "MUELLER", "Müller ada", "rechenw", "ada@ex", "da Mü"):
        assert found(text, now) == ["ada@example.org"], text
    for text in ("%", "_", "\\", "adaben", "müller ben"):
        assert found(text, now) == [], text


def test_one_row_a_person_with_their_calls_and_newsletter(confirmed, now):
    Booking.objects.create(
        calendar=confirmed.calendar, call_type=confirmed.call_type, status="confirmed",
        name="Ada Müller", email="Ada@Example.org", created_at=now - DAY,
        confirmed_at=now - DAY, start=now - DAY, end=now - DAY + timedelta(minutes=30),
    )  # fmt: skip
    sign_up("ada@example.org", now)

    [person], more = finding.find("ada", page=1, now=now)

    assert (person.next_call, person.last_call) == (confirmed.start, now - DAY)
    assert person.reader is not None
    assert not more


def test_who_only_reads_withdraws_is_quoted_or_asks_is_found_too(calendar, now):
    sign_up("leserin@example.org", now)
    withdrawals.receive(Declaration("Cem Öz", "Sparring", "cem@example.org"), now=now)
    pages.Testimonial.objects.create(
        text="Gut.", shown_as="D.", person="Dora Doe", email="d@example.org"
    )
    PersonRequest.objects.create(
        kind="erase", by="coach", address="e@example.org", address_hash="x",
        asked_at=now, due_on=now.date(),
    )  # fmt: skip
    notes.add(addresses.parse("f@example.org"), text="Ruft an.", by="coach", now=now)

    for text in ("leserin", "oez", "dora", "e@ex", "f@ex"):
        [person], _ = finding.find(text, page=1, now=now)
        assert dossier.address_of(person.kind, person.pk) is not None


def test_without_words_who_was_heard_of_lately_comes_first_and_an_import_is_no_contact(
    confirmed, now
):
    Subscriber.objects.create(address="i@e.org", address_key="i@e.org", created_at=now)
    sign_up("neu@example.org", now + timedelta(hours=1))

    assert found("", now) == ["neu@example.org", "ada@example.org"]


def test_the_list_is_paged_and_asks_as_much_for_a_hundred_as_for_one(admin_client, confirmed, now):
    one = queries(admin_client, f"{LIST}?q=e")
    Subscriber.objects.bulk_create(
        Subscriber(address=f"l{n}@e.org", address_key=f"l{n}@e.org", created_at=now)
        for n in range(100)
    )

    assert queries(admin_client, f"{LIST}?q=e") == one < 15
    first, last = (words(admin_client.get(f"{LIST}?q=e&seite={n}")) for n in (1, 3))
    assert "?q=e&amp;seite=2" in first
    assert 'rel="next"' not in last
    assert " autofocus" in first


# --- one page a person --------------------------------------------------------------------------


@pytest.fixture
def known(confirmed: Booking, run_jobs, mailbox, now) -> Booking:
    """Somebody with traces in all corners."""
    sign_up("ada@example.org", now)
    run_jobs()
    withdrawals.receive(Declaration("Ada Müller", "Gespräch", "ada@example.org"), now=now)
    pages.Testimonial.objects.create(
        text="Gut.", shown_as="A.", person="Ada", email="ada@example.org"
    )
    notes.add(ADDRESS, text="Mag Tee.", by="coach", now=now)
    with audit.by("coach"):
        Booking.objects.update(phone="+49 30 1234567", topic="Neues Team")
    confirmed.refresh_from_db()
    return confirmed


def test_everything_about_somebody_stands_on_one_page(admin_client, known, now):
    page = words(admin_client.get(page_of(known)))

    for word in (
        "Ada Müller",
        'href="mailto:ada@example.org"',
        'href="tel:+49 30 1234567"',
        "Rechenwerk",
        "Kennenlerngespräch, gebucht",
        f"/verwaltung/booking/booking/{known.pk}/verschieben/",
        f"/verwaltung/booking/booking/{known.pk}/absagen/",
        "Mag Tee.",
        "noch nicht bestätigt",
        ">Widerruf</a>",
        "Bestätigung</a>, verschickt",
        "Eingangsbestätigung</a>, noch nicht verschickt",
        "Worum es geht: geändert",
        "Bestätigungslink verschickt",
    ):
        assert word in page, word


def test_the_page_of_a_busy_guest_asks_fewer_than_fifteen_questions(admin_client, known, now):
    address = page_of(known)
    few = queries(admin_client, address)
    Booking.objects.bulk_create(
        Booking(
            calendar=known.calendar, call_type=known.call_type, status="confirmed", reference=f"R{n}",
            name="Ada Müller", email="ada@example.org", created_at=now, confirmed_at=now,
            start=now - n * DAY, end=now - n * DAY + timedelta(minutes=30),
        )
        for n in range(1, 40)
    )  # fmt: skip

    assert queries(admin_client, address) == few < 15


def test_no_address_of_a_page_names_anybody_and_a_forgotten_row_leads_nowhere(
    admin_client, known, now
):
    listed = words(admin_client.get(f"{LIST}?q=ada%00"))

    assert f'href="{page_of(known)}"' in listed
    Booking.objects.update(email="", name="gelöscht")
    assert admin_client.get(page_of(known)).status_code == 404
    assert admin_client.get(reverse("admin:person", args=["quatsch", 1])).status_code == 404


def test_a_call_is_entered_by_hand_for_somebody_who_is_known(admin_client, known):
    form = {"name": "Ada Müller", "email": "ada@example.org", "prefill": "ja"}

    page = words(admin_client.post("/verwaltung/booking/booking/add/", form))

    assert 'value="Ada Müller"' in page
    assert 'value="ada@example.org"' in page
    assert "errornote" not in page


def test_only_who_may_see_both_sides_of_the_house_sees_people(client, known):
    helper = staff(client, "view_booking")

    assert helper.get(LIST).status_code == 403
    assert helper.get(page_of(known)).status_code == 403


def test_who_may_not_see_papers_and_money_sees_none(client, known):
    Booking.objects.update(price_cents=27131, deposit_cents=27131, deposit_waived=True)
    with audit.by("coach"):
        Booking.objects.update(price_cents=27132)

    page = words(staff(client, *MAY).get(page_of(known)))

    assert "Mag Tee." in page
    for word in ("€", "27132", "Widerruf", "Erstattung"):
        assert word not in page
    for word in ("Daten als Datei", "Löschen", "Verschieben", "Neue Notiz"):
        assert word not in page


# --- notes --------------------------------------------------------------------------------------


def test_a_note_is_added_and_deleted_after_a_question(admin_client, confirmed):
    here = page_of(confirmed)
    empty = admin_client.post(f"{here}notiz/", {"text": " "})
    assert "Schreib etwas hinein." in words(empty)
    admin_client.post(f"{here}notiz/", {"text": "Mag Tee."})
    note = PersonNote.objects.get()
    assert (note.address_key, note.by) == ("ada@example.org", "admin")

    delete = f"{here}notiz/{note.pk}/loeschen/"
    assert admin_client.get(delete).status_code == 405
    assert "nicht zurücknehmen" in words(admin_client.post(delete))
    assert PersonNote.objects.exists()
    admin_client.post(delete, {"yes": "Löschen"})
    assert not PersonNote.objects.exists()


def test_a_note_is_told_with_the_persons_data_and_goes_with_them(confirmed, now):
    notes.add(ADDRESS, text="Ada mag Tee.", by="coach", now=now)
    told = people.everything_about(ADDRESS, now=now)

    assert told["Notizen"] == [
        {"Suchform der Adresse": ADDRESS.key, "Notiz": "Ada mag Tee.", "am": now}
    ]
    people.erase(ADDRESS, by=PersonRequest.By.COACH, now=confirmed.end + DAY)
    assert places_of("mag Tee", "ada@example.org") == set()


def test_a_note_alone_makes_somebody_known(db, now):
    notes.add(ADDRESS, text="Ruft an.", by="coach", now=now)

    assert people.is_known(ADDRESS)


def test_a_note_is_kept_three_years_and_its_words_are_in_no_log(db, now):
    with audit.by("coach"):
        notes.add(ADDRESS, text="Mag Tee.", by="coach", now=now)
        PersonNote.objects.update(text="Mag Kaffee.")

    assert places_of("Mag Tee", "Kaffee") == {"desk_personnote.text"}
    assert notes.forget(now=now + 3 * 365 * DAY) == 0
    assert notes.forget(now=now + 4 * 365 * DAY) == 1
