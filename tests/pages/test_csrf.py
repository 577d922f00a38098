"""A form without its token: nothing happens, nothing typed is lost."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from newsletter.models import Subscriber

pytestmark = pytest.mark.django_db


@pytest.fixture
def strict_client() -> Client:
    return Client(enforce_csrf_checks=True)


def test_what_was_typed_can_be_sent_again(strict_client):
    response = strict_client.post("/newsletter/", {"email": 'ada"<b>@firma.example'})

    markup = response.content.decode()
    assert response.status_code == 403
    assert "Bitte noch einmal absenden" in markup
    assert 'name="email" value="ada&quot;&lt;b&gt;@firma.example"' in " ".join(markup.split())
    assert Subscriber.objects.count() == 0


def test_sending_again_works(strict_client):
    first = strict_client.post("/newsletter/", {"email": "ada@"}).content.decode()
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', first)
    assert token

    again = strict_client.post("/newsletter/", {"email": "ada@", "csrfmiddlewaretoken": token[1]})

    assert again.status_code == 422
    assert "Gib eine E-Mail-Adresse wie name@firma.de ein." in again.content.decode()


def test_the_admin_offers_no_second_try(strict_client):
    response = strict_client.post("/verwaltung/login/", {"username": "coach", "password": "x"})

    assert response.status_code == 403
    assert "csrfmiddlewaretoken" not in response.content.decode()
