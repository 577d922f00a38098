"""What holds on every page of the desk, whatever is added later."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.desk.every_page import every_page

pytestmark = pytest.mark.usefixtures("clock")

FORM = re.compile(r'<form[^>]*method="post".*?</form>', re.IGNORECASE | re.DOTALL)
TOKEN = 'name="csrfmiddlewaretoken"'
WRITES = re.compile(r'^\s*(INSERT INTO|UPDATE|DELETE FROM)\s+"?(\w+)', re.IGNORECASE)
# It holds what a page says once.
THE_SESSION = {"django_session"}


@pytest.fixture
def coach(house) -> Client:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(get_user_model().objects.create_superuser("chef"))
    return browser


def test_looking_changes_nothing_and_every_form_carries_its_token(coach):
    wrote, bare, forms = [], [], 0
    for _, path in every_page():
        with CaptureQueriesContext(connection) as captured:
            answer = coach.get(path)
        assert answer.status_code < 500, path
        tables = {found[2] for query in captured if (found := WRITES.match(query["sql"]))}
        wrote += [(path, table) for table in tables - THE_SESSION]
        if answer.streaming or not answer["Content-Type"].startswith("text/html"):
            continue
        there = FORM.findall(answer.content.decode())
        forms += len(there)
        bare += [path for form in there if TOKEN not in form]

    assert (wrote, bare) == ([], [])
    assert forms > 100


def test_no_page_takes_a_form_that_another_site_sends(coach):
    taken = [
        (path, status)
        for name, path in every_page()
        if (status := coach.post(path, {"yes": "ja"}).status_code) not in (403, 404, 405)
    ]

    assert taken == []
