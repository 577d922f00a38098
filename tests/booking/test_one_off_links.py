"""Links that are good for so many bookings."""

import uuid
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.urls import reverse

from booking import cancellation, mail, scheduling
from booking.errors import LinkOver
from booking.models import Booking, CallType, OneOffLink
from tests.booking.conftest import ADA, HALF_PAST_NINE, NINE, hold, new_type, somebody
from tests.booking.test_races import at_once, kinds
from tests.booking.test_views_booking import MARK, find, send, words

pytestmark = pytest.mark.usefixtures("clock")

SECOND = timedelta(seconds=1)


@pytest.fixture
def hidden(calendar) -> CallType:
    return new_type(calendar, title="Sparring", slug="sparring", is_hidden=True)


@pytest.fixture
def link(hidden) -> OneOffLink:
    return OneOffLink.objects.create(call_type=hidden, note="Für Ada")


def by(link: OneOffLink, *, now, **changes) -> Booking:
    """A hold of somebody who came by the link."""
    call_type = CallType.objects.get(pk=link.call_type_id)
    call_type.one_off = link
    return hold(call_type, guest=changes.pop("guest", somebody()), now=now, **changes)


def uses(link: OneOffLink) -> int:
    return OneOffLink.objects.get(pk=link.pk).uses


@pytest.mark.parametrize("is_hidden", [True, False])
def test_the_link_leads_all_the_way(client, calendar, is_hidden, mailbox, run_jobs):
    call_type = new_type(calendar, is_hidden=is_hidden)
    link = OneOffLink.objects.create(call_type=call_type)
    start = f"/termin/einmal/{link.secret}/"

    times = client.get(find(rf'href="({start}2027-03-03/)"', client.get(start)))
    address = find(rf'href="({start}zeit/20270303T080000Z/)"', times)
    review = client.get(send(client, address, form_token=find(MARK, client.get(address))).url)
    assert start in words(review)
    assert call_type.secret not in words(review)

    done = client.post(review.wsgi_request.path, follow=True)

    assert "Dein Termin ist gebucht" in words(done)
    assert uses(link) == 1
    assert client.get(start).status_code == 410


@pytest.mark.parametrize("rest", ["", "2027-03-03/", "zeit/20270303T080000Z/"])
@pytest.mark.parametrize("why", ["used", "expired"])
def test_a_link_that_is_over_says_so_kindly(client, link, now, rest, why):
    over = {"uses": 1} if why == "used" else {"expires_at": now}
    OneOffLink.objects.update(**over)

    response = client.get(f"/termin/einmal/{link.secret}/{rest}")

    assert response.status_code == 410
    assert "Dieser Link gilt nicht mehr" in words(response)


@pytest.mark.parametrize("rest", ["", "2027-03-03/", "zeit/20270303T080000Z/"])
def test_a_link_nobody_made_is_not_there(client, link, rest):
    assert client.get(f"/termin/einmal/{'x' * 22}/{rest}").status_code == 404


def test_a_type_that_is_not_offered_has_no_way_in(client, link):
    CallType.objects.update(is_active=False)

    assert client.get(f"/termin/einmal/{link.secret}/").status_code == 404


def test_holding_is_no_use_and_pressing_twice_is_one(link, now):
    held = by(link, now=now)
    assert uses(link) == 0

    scheduling.confirm(held, now=now)
    scheduling.confirm(held, now=now)

    assert uses(link) == 1


def test_who_confirms_after_the_last_use_reads_that_the_link_is_over(client, link, now):
    first, second = by(link, now=now), by(link, start=HALF_PAST_NINE, now=now)
    scheduling.confirm(first, now=now)

    response = client.post(reverse("booking:review", args=[mail.token(second)]))

    second.refresh_from_db()
    assert response.status_code == 410
    assert (second.status, uses(link)) == ("held", 1)


def test_a_hold_outlives_the_links_last_day_and_no_longer(link, now):
    OneOffLink.objects.update(max_uses=2, expires_at=now + SECOND)
    kept, late = by(link, now=now), by(link, start=HALF_PAST_NINE, now=now)

    assert scheduling.confirm(kept, now=now + SECOND).is_confirmed
    with pytest.raises(LinkOver):
        scheduling.confirm(late, now=now + scheduling.HOLD_LIFE, again=True)


def test_a_cancelled_booking_does_not_give_its_use_back(link, now):
    booking = scheduling.confirm(by(link, now=now), now=now)

    cancellation.cancel_by_guest(booking, now=now)

    assert uses(link) == 1


def test_a_request_is_a_use(link, now):
    CallType.objects.update(needs_approval=True)

    assert scheduling.confirm(by(link, now=now), now=now).is_request
    assert uses(link) == 1


def test_booking_the_usual_way_uses_no_link(client, link, now):
    scheduling.confirm(hold(link.call_type, now=now), now=now)

    assert uses(link) == 0


def test_a_form_begun_by_the_link_and_ended_without_it_uses_none(link, now):
    form = uuid.uuid4()
    by(link, guest=ADA, form_token=form, now=now)

    booking = hold(CallType.objects.get(), form_token=form, start=NINE, now=now)

    assert booking.one_off is None


def test_the_database_counts_no_further_than_the_limit(link):
    with (
        pytest.raises(IntegrityError, match="one_off_link_uses_within_limit"),
        transaction.atomic(),
    ):
        OneOffLink.objects.update(uses=2)


def test_the_limit_cannot_be_set_below_what_was_used(link):
    link.max_uses, link.uses = 1, 2

    with pytest.raises(ValidationError, match="schon 2 Mal benutzt"):
        link.full_clean()


@pytest.mark.django_db(transaction=True)
def test_two_who_press_at_once_share_one_use(link, now):
    first, second = by(link, now=now), by(link, start=HALF_PAST_NINE, now=now)

    results = at_once(
        [
            lambda: scheduling.confirm(first, now=now),
            lambda: scheduling.confirm(second, now=now),
        ]
    )

    assert kinds(results) == {"Booking": 1, "LinkOver": 1}
    assert uses(link) == 1
    assert Booking.objects.filter(status="confirmed").count() == 1


def test_the_desk_shows_the_whole_link_to_copy(client, link):
    client.force_login(get_user_model().objects.create_superuser("coach"))

    for page in (
        reverse("admin:booking_oneofflink_changelist"),
        reverse("admin:booking_oneofflink_change", args=[link.pk]),
    ):
        assert f"http://localhost:8000/termin/einmal/{link.secret}/" in words(client.get(page))


def test_the_desk_makes_a_link(client, hidden):
    client.force_login(get_user_model().objects.create_superuser("coach"))

    client.post(
        reverse("admin:booking_oneofflink_add"),
        {"call_type": hidden.pk, "note": "Ben", "max_uses": 3},
    )

    assert OneOffLink.objects.get().max_uses == 3
