"""Who changed what in the admin: written by the database, and never rewritten."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.db import IntegrityError, connection, models, transaction

from booking.models import Booking, Calendar, CallType
from coaching_site.append_only import erasing
from coaching_site.desk import audit
from coaching_site.desk.models import Change
from pages.models import Practice
from tests.desk.leftovers import places_of

# Texts that are nobody's secret and name no guest: their old and new values may be read.
HARMLESS = {
    "auth_user": {"username", "first_name", "last_name", "email"},
    "booking_booking": {
        "reference", "status", "visitor_zone", "made_by", "cancelled_by", "moved_by",
        "customer", "early_start_text",
    },
    "booking_deposit": {
        "status", "session_id", "payment_intent", "dispute_id", "dispute_status",
    },
    "booking_refund": {"status", "reason", "stripe_id", "asked_by", "failure"},
    "booking_alarm": {"kind", "about", "resolved_by"},
    "booking_invoice": {"kind", "series", "number", "vat", "sha256"},
    "booking_invoicepayment": {"noted_by"},
    "booking_billingaddress": set(),
    "booking_oneofflink": set(),
    "pages_testimonial": {"consent_version", "consent_means"},
    "newsletter_subscriber": {"status"},
    "newsletter_suppression": {"reason"},
    "desk_personrequest": {"kind", "by"},
}  # fmt: skip


def model_of(table: str) -> type[models.Model]:
    return next(model for model in apps.get_models() if model._meta.db_table == table)


@pytest.mark.parametrize("table", HARMLESS)
def test_every_text_about_people_was_judged_before_its_values_are_kept(table):
    """A new text column must be hidden or named above."""
    texts = {
        field.column
        for field in model_of(table)._meta.concrete_fields
        if isinstance(field, models.CharField | models.TextField | models.JSONField)
    }

    assert texts - set(audit.WATCHED[table]) == HARMLESS[table]


def test_the_database_watches_what_the_code_says(db):
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tgrelid::regclass::text, encode(tgargs, 'escape') FROM pg_trigger"
            " WHERE tgname = 'desk_note_change'"
        )
        found = {
            table: tuple(filter(None, arguments.split("\\000")))
            for table, arguments in cursor.fetchall()
        }

    assert found == audit.WATCHED


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"start": ["09:00:00", "10:30:00"]}, "von: 09:00 Uhr → 10:30 Uhr"),
        (
            {"start": ["2027-03-01T08:00:00+00:00", "2027-07-01T08:00:00.5+00:00"]},
            "von: Mo., 01.03.2027, 09:00 Uhr → Do., 01.07.2027, 10:00 Uhr",
        ),
        ({"start": ["2027-03-01", None]}, "von: Mo., 01.03.2027 → –"),
        ({"start": ["2027-13-01x", True]}, "von: 2027-13-01x → ja"),
    ],
)
def test_days_and_times_are_told_as_people_read_them(fields, said):
    [told] = audit.told(Change(table="booking_weeklyhours", fields=fields))

    assert told.replace("\u00a0", " ") == said


def test_a_change_in_the_admin_is_kept_with_who_and_both_values(admin_client, calendar):
    practice = Practice.objects.create(pk=1, street="Alte Gasse 1", iban="DE1")

    with audit.by("admin"):
        practice.street, practice.iban = "Neue Gasse 2", "DE2"
        practice.save()

    change = Change.objects.get(what="update")
    assert (change.who, change.table) == ("admin", "pages_practice")
    assert "IBAN: geändert" in audit.told(change)
    assert "Straße und Hausnummer: Alte Gasse 1 → Neue Gasse 2" in audit.told(change)
    assert "DE2" not in str(change.fields)


def test_an_action_of_the_admin_is_kept_as_well_as_a_form(admin_client, confirmed):
    page = "/verwaltung/booking/booking/?wann=alle"
    Booking.objects.update(start="2026-01-01T09:00Z", end="2026-01-01T10:00Z")
    data = {"action": "mark_no_show", "_selected_action": [confirmed.pk]}

    admin_client.post(page, data)

    change = Change.objects.get(table="booking_booking")
    assert (change.who, change.row) == ("admin", confirmed.pk)
    assert list(change.fields) == ["no_show_at"]


def test_what_guests_and_jobs_do_is_not_the_desks_doing(confirmed):
    Booking.objects.update(phone="1")

    assert not Change.objects.exists()


def test_nobody_is_at_the_desk_after_the_request(admin_client, calendar):
    admin_client.post("/verwaltung/booking/calendar/add/", {})

    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('app.actor', true)")
        assert cursor.fetchone() == ("",)


def test_of_a_guest_only_what_changed_is_kept(confirmed):
    with audit.by("admin"):
        Booking.objects.update(name="Ada Neu", email="neu@example.org", topic="Geheim")

    assert Change.objects.get().fields == dict.fromkeys(("name", "email", "topic"), "geändert")
    assert places_of("neu@example.org") == {"booking_booking.email"}


def test_a_password_is_never_kept(admin_user):
    with audit.by("admin"):
        admin_user.set_password("etwas Neues")
        admin_user.save()

    assert Change.objects.get().fields == {"password": "geändert"}
    assert User.objects.count() == 1


def test_the_log_cannot_be_rewritten(calendar):
    with audit.by("admin"):
        Calendar.objects.update(name="Anders")

    for forge in (lambda: Change.objects.update(who="niemand"), Change.objects.all().delete):
        with pytest.raises(IntegrityError, match="only grows"), transaction.atomic():
            forge()
    with pytest.raises(IntegrityError, match="only grows"), erasing():
        Change.objects.update(who="niemand")


def test_a_rolled_back_change_is_not_told(calendar):
    with pytest.raises(ZeroDivisionError), audit.by("admin"), transaction.atomic():
        Calendar.objects.update(name="Anders")
        raise ZeroDivisionError

    assert not Change.objects.exists()


def test_a_thing_and_the_list_show_what_was_changed(admin_client, call_type):
    with audit.by("admin"):
        CallType.objects.update(title="Sparring")

    history = admin_client.get(f"/verwaltung/booking/calltype/{call_type.pk}/history/")
    listed = admin_client.get("/verwaltung/desk/change/")

    for page in (history, listed):
        assert "Titel: Kennenlerngespräch → Sparring" in page.content.decode()
    change = Change.objects.get()
    assert admin_client.post(f"/verwaltung/desk/change/{change.pk}/delete/").status_code == 403
