"""What a form does not ask for changes nothing, and what is typed begins no header of anything."""

from __future__ import annotations

import pytest

from booking.models import Booking, Withdrawal
from newsletter.models import Subscriber
from tests.booking.test_views_booking import send
from tests.newsletter.conftest import ADA
from tests.newsletter.test_views import FORM, form_values

pytestmark = pytest.mark.usefixtures("clock")

DETAILS = "/termin/kennenlernen/zeit/20270303T080000Z/"
WANTED = {
    "id": "1", "pk": "1", "status": "confirmed", "reference": "MEINEEINS", "confirmed_at": "2027-03-01",
    "price_cents": "0", "deposit_cents": "0", "paid_cents": "99999", "refund_due": "on",
    "calendar": "9", "call_type": "9", "start": "2027-03-09T08:00Z", "end": "2027-03-09T18:00Z",
    "held_until": "2099-01-01", "cancel_free_hours": "0", "network": "x", "is_test": "on",
    "consented_at": "2020-01-01", "public_id": "0", "is_staff": "on", "is_superuser": "on",
    "received_at": "2020-01-01", "decision": "accepted", "visitor_zone": "Asia/Tokyo",
}  # fmt: skip
SMUGGLED = "Ada\r\nBcc: viele@example.org\r\n\r\nKauft!"


def row_of(model) -> dict[str, object]:
    """The only row, but for what is of chance."""
    row = dict(model.objects.values().get())
    for name in ("id", "uid", "reference", "form_token", "public_id", "network"):
        row.pop(name, None)
    return row


def test_a_booking_is_made_of_what_its_form_asks(client, call_type):
    send(client)
    plain = row_of(Booking)
    Booking.objects.all().delete()

    send(client, **WANTED)

    assert row_of(Booking) == plain
    assert plain["status"] == "held"


def test_so_is_a_place_on_the_list(client, db):
    client.post(FORM, {**form_values(client), "email": ADA})
    client.post(FORM, {**WANTED, **form_values(client), "email": "bob@leser.example"})

    plain, forged = map(dict, Subscriber.objects.order_by("pk").values())
    own = {"id", "public_id", "address", "address_key", "consent_id"}
    assert {name for name in plain if plain[name] != forged[name]} <= own
    assert forged["status"] == "pending"


def test_a_withdrawal_decides_nothing_by_itself(client, house):
    assert {row.status for row in Withdrawal.objects.all()} == {Withdrawal.Status.OPEN}

    client.post("/vertrag-widerrufen/", {**WANTED, "name": "Ada", "contract": "x", "email": ADA})

    assert {row.status for row in Withdrawal.objects.all()} == {Withdrawal.Status.OPEN}


@pytest.mark.parametrize("field", ["name", "email", "topic"])
def test_no_line_of_a_form_begins_a_header_of_a_mail_or_a_calendar(
    client, call_type, mailbox, run_jobs, field
):
    answer = send(client, **{field: SMUGGLED})
    if answer.status_code == 302:
        client.post(answer.url)
    run_jobs()

    for message in mailbox.messages:
        assert message["Bcc"] is None
        assert "viele@example.org" not in str(message["To"])
    # A topic may have lines; a name and an address are refused for theirs.
    assert (answer.status_code == 302) == (field == "topic")
    assert len(mailbox.messages) == (2 if field == "topic" else 0)
