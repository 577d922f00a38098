"""A session ends when the password it was opened with is no more."""

from __future__ import annotations

import pytest
from django.test import Client

from tests.desk.signing_in import DESK, PASSWORD, coach, give_password

pytestmark = pytest.mark.django_db


def test_a_new_password_ends_every_other_session():
    coach()
    here, elsewhere = Client(), Client()
    for browser in (here, elsewhere):
        give_password(browser)
        assert browser.get(DESK).status_code == 200
    new = "drei noch laengere Woerter"

    here.post(
        f"{DESK}password_change/",
        {"old_password": PASSWORD, "new_password1": new, "new_password2": new},
    )

    assert here.get(DESK).status_code == 200
    assert elsewhere.get(DESK).status_code == 302
