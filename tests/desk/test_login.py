"""The desk's door: guessing is slow, strangers lock nobody out, and the door tells nothing."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth.hashers import MD5PasswordHasher
from django.contrib.auth.models import User
from django.test import Client

from coaching_site import limits
from coaching_site.desk import sign_in
from coaching_site.desk.models import Hits
from tests.desk.signing_in import DESK, LOGIN, PASSWORD, coach, give_password

pytestmark = pytest.mark.django_db
HERE = "93.184.216.34"
ELSEWHERE = "93.184.217.34"
NETWORK = "93.184.216.0/24"


def allowed(times: int, name: str, network: str, now) -> int:
    """How many of so many tries are let through."""
    passed = 0
    for _ in range(times):
        try:
            sign_in.count_password(name, network=network, now=now)
        except limits.TooMany:
            continue
        passed += 1
    return passed


def test_a_name_may_be_tried_ten_times_from_one_network(now):
    assert allowed(15, "coach", NETWORK, now) == 10
    assert allowed(15, "coach", NETWORK, now + sign_in.QUARTER) == 10


def test_another_spelling_is_the_same_name(now):
    allowed(10, "coach", NETWORK, now)

    assert allowed(1, " COACH ", NETWORK, now) == 0


def test_a_network_may_try_thirty_times_whatever_the_name(now):
    tried = sum(allowed(1, f"name-{number}", NETWORK, now) for number in range(40))

    assert tried == 30


def test_strangers_do_not_lock_the_coach_out(now):
    for number in range(20):
        allowed(20, "coach", f"198.18.{number}.0/24", now)

    assert allowed(5, "coach", NETWORK, now) == sign_in.TRIES_UNDER_ATTACK


def test_many_networks_that_guess_one_name_get_fewer_tries_each(now):
    tried = sum(allowed(10, "coach", f"198.18.{number}.0/24", now) for number in range(60))

    assert tried == 100 + 50 * sign_in.TRIES_UNDER_ATTACK


def test_where_everybody_seems_to_come_from_one_place_one_may_try_more_often(now):
    assert allowed(150, "coach", "", now) == sign_in.TRIES_FROM_NOWHERE


def test_who_tries_too_often_reads_when_to_come_back(client):
    coach()
    for _ in range(10):
        give_password(client, password="falsch", REMOTE_ADDR=HERE)

    response = give_password(client, REMOTE_ADDR=HERE)

    assert response.status_code == 429
    assert 0 < int(response["Retry-After"]) <= 15 * 60
    assert "Das waren zu viele Versuche in kurzer Zeit." in response.content.decode()
    assert client.get(DESK).status_code == 302
    assert give_password(client, REMOTE_ADDR=ELSEWHERE).status_code == 302


def test_a_success_gives_no_tries_back(client):
    coach()
    give_password(client, REMOTE_ADDR=HERE)

    for _ in range(9):
        give_password(Client(), password="falsch", REMOTE_ADDR=HERE)

    assert give_password(Client(), REMOTE_ADDR=HERE).status_code == 429


def test_the_door_answers_the_same_whether_a_name_is_known_or_not(client):
    coach("bekannt")
    User.objects.create_user("gast", password=PASSWORD)
    User.objects.create_superuser("frueher", password=PASSWORD, is_active=False)

    def answer(name: str, password: str) -> tuple[int, str]:
        response = give_password(Client(), name, password)
        page = response.content.decode().replace(name, "NAME")
        return response.status_code, re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", page)

    known = answer("bekannt", "falsch")

    assert answer("unbekannt", "falsch") == known
    assert answer("gast", PASSWORD) == known
    assert answer("frueher", PASSWORD) == known


class Counting(MD5PasswordHasher):
    """Counts the work that a password takes."""

    done = 0

    def encode(self, password, salt):
        type(self).done += 1
        return super().encode(password, salt)


def test_the_door_works_as_hard_on_an_unknown_name_as_on_a_known_one(client, settings):
    settings.PASSWORD_HASHERS = [f"{__name__}.Counting"]
    coach()

    def work(name: str) -> int:
        before = Counting.done
        give_password(client, name, "falsch")
        return Counting.done - before

    assert work("coach") == work("unbekannt") > 0


def test_tries_name_neither_user_nor_network(client):
    give_password(client, "coach", "falsch", REMOTE_ADDR=HERE)

    kept = " ".join(f"{row.scope} {row.key}" for row in Hits.objects.all())
    assert kept.count("sign_in.") == 3
    assert "coach" not in kept
    assert "93.184" not in kept


def test_the_door_allows_no_script_to_write_markup(client):
    policy = client.get(LOGIN)["Content-Security-Policy"]

    assert "require-trusted-types-for 'script'" in policy
