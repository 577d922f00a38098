"""A link opens what it was made for and nothing else; what it opens is seen by its owner alone."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from tests.newsletter.test_scanners import every_row
from tests.security.house import House, Way, kind_of, routes, ways

pytestmark = pytest.mark.django_db

# Nobody is told that the link is wrong but by these.
GONE = {404, 405, 410}
# Greets whoever comes by, and shows the link to the preferences to its owner alone.
WELCOME = "/newsletter/willkommen/"
OWN = b"/einstellungen/"


def behind_secrets(house: House) -> list[Way]:
    return [way for way in ways(house) if way.kind]


def with_key(way: Way, house: House, key: str) -> str:
    own = next(each for each in house.keys[way.kind] if each in way.path)
    return way.path.replace(own, key)


def test_every_address_with_a_secret_is_of_a_known_kind():
    secret = [route for route in routes() if re.search(r"<\w+:(token|secret)>", route)]

    assert len(secret) > 25
    assert all(kind_of(route) for route in secret)


def test_every_secret_opens_its_own_page(house):
    """The walks below would pass if nothing ever opened."""
    answers = {way.route: Client().get(way.path).status_code for way in behind_secrets(house)}

    assert {route: status for route, status in answers.items() if status in (404, 410)} == {}


def test_no_key_opens_the_door_of_another(house):
    before = every_row()
    tried, opened = 0, []
    for way in behind_secrets(house):
        for kind, keys in house.keys.items():
            if kind == way.kind:
                continue
            path = with_key(way, house, keys[0])
            for send in (Client().get, Client().post):
                tried += 1
                answer = send(path, follow=True)
                says_nothing = path.startswith(WELCOME) and OWN not in answer.content
                if answer.status_code not in GONE and not says_nothing:
                    opened.append((path, kind))

    assert opened == []
    assert every_row() == before
    assert tried > 400
