"""Types of call that only a secret link leads to."""

import re

import pytest
from django.contrib.auth import get_user_model
from django.db import IntegrityError, transaction
from django.urls import reverse

from booking import mail
from booking.models import Booking, CallType
from booking.models.call_types import new_secret
from tests.booking.conftest import ADA, hold, new_type
from tests.booking.test_views_booking import MARK, find, send, words

pytestmark = pytest.mark.usefixtures("clock")


@pytest.fixture
def hidden(calendar, call_type) -> CallType:
    return new_type(calendar, title="Sparring", slug="sparring", is_hidden=True)


@pytest.fixture
def link(hidden) -> str:
    return f"/termin/privat/{hidden.secret}/"


@pytest.mark.parametrize("page", ["/", "/angebot/", "/termin/", "/sitemap.xml"])
def test_a_hidden_type_is_listed_nowhere(client, hidden, page):
    html = client.get(page).content.decode()

    assert hidden.title not in html
    assert hidden.slug not in html
    assert hidden.secret not in html


@pytest.mark.parametrize(
    "address",
    [
        "/termin/sparring/",
        "/termin/sparring/2027-03-03/",
        "/termin/sparring/zeit/20270303T080000Z/",
        "/termin/privat/",
        "/termin/privat/sparring/",
        f"/termin/privat/{'x' * 22}/",
        f"/termin/privat/{'x' * 22}/2027-03-03/",
        f"/termin/privat/{'x' * 22}/zeit/20270303T080000Z/",
    ],
)
def test_without_the_secret_a_hidden_type_is_not_there(client, hidden, address):
    assert client.get(address).status_code == 404
    assert send(client, address).status_code in (404, 405)
    assert Booking.objects.count() == 0


def test_the_secret_link_leads_all_the_way(client, hidden, link, mailbox, run_jobs):
    days = client.get(link)
    times = client.get(find(rf'href="({link}2027-03-03/)"', days))
    details = find(rf'href="({link}zeit/20270303T080000Z/)"', times)
    review = send(client, details, form_token=find(MARK, client.get(details))).url
    change = client.get(review)
    booked = client.post(review).url
    run_jobs()

    assert "Sparring" in words(days)
    assert f'href="{link}' in words(change)
    assert "/termin/sparring/" not in words(change)
    assert "Dein Termin ist gebucht" in words(client.get(booked))
    assert Booking.objects.get().call_type == hidden
    assert len(mailbox.to(ADA.email)) == 1


def test_whoever_has_a_secret_link_is_shown_this_call_alone(client, link):
    assert "Lieber ein anderes Gespräch?" not in words(client.get(link))


def test_a_conflict_on_the_secret_way_stays_on_it(client, hidden, link, now):
    hold(hidden, now=now)

    response = send(client, f"{link}zeit/20270303T080000Z/", email="ben@example.org")

    assert response.status_code == 409
    assert words(response).count(f'formaction="{link}zeit/') == 3


def test_giving_a_hidden_time_back_leads_back_to_the_secret_page(client, hidden, link, now):
    token = mail.token(hold(hidden, now=now))

    assert f'href="{link}"' in words(client.post(f"/termin/freigeben/{token}/"))


def test_a_secret_page_is_in_no_index(client, link):
    assert 'content="noindex"' in words(client.get(link))


def test_a_link_that_was_sent_still_opens_when_the_type_is_hidden_no_more(client, hidden, link):
    CallType.objects.filter(pk=hidden.pk).update(is_hidden=False)

    html = words(client.get(link))

    assert "/termin/sparring/2027-03-03/" in html


def test_a_withdrawn_type_is_not_there_for_its_secret_either(client, hidden, link):
    CallType.objects.filter(pk=hidden.pk).update(is_active=False)

    assert client.get(link).status_code == 404


def test_the_secret_page_takes_as_few_queries(client, link, django_assert_num_queries):
    with django_assert_num_queries(3):
        client.get(link)


def test_secrets_cannot_be_guessed_and_differ(calendar):
    secrets = {new_secret() for _ in range(100)}

    assert len(secrets) == 100
    assert all(re.fullmatch(r"[-\w]{22}", secret) for secret in secrets)


def test_a_secret_opens_one_type_only(hidden, call_type):
    with (
        pytest.raises(IntegrityError, match="call_type_secret_once"),
        transaction.atomic(),
    ):
        CallType.objects.filter(pk=call_type.pk).update(secret=hidden.secret)


def test_a_deposit_is_a_part_of_the_price(calendar):
    new_type(calendar, slug="alles", price_cents=100, deposit_cents=100)

    with (
        pytest.raises(IntegrityError, match="call_type_deposit_within_price"),
        transaction.atomic(),
    ):
        new_type(calendar, slug="mehr", price_cents=100, deposit_cents=101)


def test_the_desk_shows_the_whole_link_to_copy_and_makes_a_new_one(client, hidden, link):
    client.force_login(get_user_model().objects.create_superuser("coach"))
    page = reverse("admin:booking_calltype_change", args=[hidden.pk])

    assert f"<code>http://localhost:8000{link}</code>" in words(client.get(page))
    assert "Gibt es nach dem Speichern." in words(client.get(reverse("admin:booking_calltype_add")))
    renew = {"action": "renew_secret", "_selected_action": [hidden.pk]}
    asked = words(client.post(reverse("admin:booking_calltype_changelist"), renew))
    assert "nicht zurücknehmen" in asked
    assert client.get(link).status_code == 200
    client.post(reverse("admin:booking_calltype_changelist"), {**renew, "yes": "Link erneuern"})
    assert client.get(link).status_code == 404
    hidden.refresh_from_db()
    assert client.get(f"/termin/privat/{hidden.secret}/").status_code == 200


def test_the_next_free_time_of_a_hidden_type_is_a_direct_link(client, hidden, link):
    assert f'href="{link}zeit/20270302T080000Z/"' in words(client.get(link))
