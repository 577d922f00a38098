"""No page can be made to send a form for somebody: every POST asks for our token, but these."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import resolve

from tests.desk.test_two_factor import desk_pages
from tests.newsletter.test_scanners import every_row
from tests.security.house import routes, ways

pytestmark = pytest.mark.django_db

# Who sends without it, and what stands in its place.
BY_SIGNATURE = "the sender's signature or secret over what it says"
BY_LINK = "the link from the mail is the permission; no cookie takes part"
FOR_ANYBODY = "a right that must work without cookies (BGB § 356a), and nobody else's hangs on it"
EXEMPT = {
    "stripe_webhook": BY_SIGNATURE,
    "mail_tracking": BY_SIGNATURE,
    "withdraw": FOR_ANYBODY,
    "newsletter:confirm": BY_LINK,
    "newsletter:ask_again": BY_LINK,
    # Mail programs press it by themselves (RFC 8058 section 3.2).
    "newsletter:unsubscribe": BY_LINK,
    "newsletter:come_back": BY_LINK,
    "newsletter:change_address": BY_LINK,
    "newsletter:deliver_again": BY_LINK,
    "newsletter:erase": BY_LINK,
    "newsletter:move": BY_LINK,
    "people:own": BY_LINK,
    "people:everything": BY_LINK,
    "people:data_file": BY_LINK,
    "people:erase": BY_LINK,
}
# The longer addresses of pages above, which have no name of their own.
TAILS = {
    "newsletter/bestaetigen/<path:token>",
    "newsletter/abmelden/<path:token>",
    "newsletter/adresse/<path:token>",
}


def is_exempt(path: str) -> bool:
    return getattr(resolve(path).func, "csrf_exempt", False)


def test_who_needs_no_token_is_named_with_the_reason(house):
    exempt = {
        resolve(way.path).view_name: way.route
        for way in ways(house)
        if is_exempt(way.path) and way.route not in TAILS
    }

    assert exempt.keys() == EXEMPT.keys()


def test_every_other_form_is_refused_without_it_and_changes_nothing(house):
    paths = [way.path for way in ways(house) if not is_exempt(way.path)]
    before = every_row()

    answers = {path: Client(enforce_csrf_checks=True).post(path, {"a": "b"}) for path in paths}

    assert {path: a.status_code for path, a in answers.items() if a.status_code != 403} == {}
    assert every_row() == before
    assert len(paths) > 40


def test_so_is_every_form_of_the_desk(admin_user):
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(admin_user)
    paths = [path for _, path in desk_pages()]
    before = every_row()

    answers = {path: browser.post(path, {"a": "b"}).status_code for path in paths}

    assert {path: status for path, status in answers.items() if status != 403} == {}
    assert every_row() == before
    assert len(paths) > 150


def test_the_walks_leave_no_address_out():
    assert len(list(routes())) > 60
