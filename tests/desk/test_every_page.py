"""What holds on every page of the desk, whatever is added later."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from coaching_site.desk import roles
from tests.desk.every_page import every_page

pytestmark = pytest.mark.usefixtures("clock")

FORM = re.compile(r'<form[^>]*method="post".*?</form>', re.IGNORECASE | re.DOTALL)
TOKEN = 'name="csrfmiddlewaretoken"'
WRITES = re.compile(r'^\s*(INSERT INTO|UPDATE|DELETE FROM)\s+"?(\w+)', re.IGNORECASE)
# It holds what a page says once.
THE_SESSION = {"django_session"}
NO_QUESTION = re.compile(r"\s*(SAVEPOINT|RELEASE|ROLLBACK)", re.IGNORECASE)
# Each page asks fewer than fifteen.
MOST_QUESTIONS = 14


@pytest.fixture
def coach(house) -> Client:
    browser = Client(enforce_csrf_checks=True)
    user = get_user_model().objects.create_user("chef", is_staff=True)
    roles.keep()
    user.groups.set(Group.objects.filter(name=roles.COACH))
    browser.force_login(user)
    return browser


def test_looking_asks_little_changes_nothing_and_every_form_carries_its_token(coach):
    wrote, bare, many, forms = [], [], [], 0
    for _, path in every_page():
        with CaptureQueriesContext(connection) as captured:
            answer = coach.get(path)
        assert answer.status_code < 500, path
        tables = {found[2] for query in captured if (found := WRITES.match(query["sql"]))}
        questions = [query for query in captured if not NO_QUESTION.match(query["sql"])]
        if len(questions) > MOST_QUESTIONS:
            many.append((path, len(questions)))
        wrote += [(path, table) for table in tables - THE_SESSION]
        if answer.streaming or not answer["Content-Type"].startswith("text/html"):
            continue
        there = FORM.findall(answer.content.decode())
        forms += len(there)
        bare += [path for form in there if TOKEN not in form]

    assert (wrote, bare, many) == ([], [], [])
    assert forms > 100
