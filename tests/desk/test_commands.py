"""Commands that may be run twice."""

from __future__ import annotations

import pytest
from django.contrib.auth import get_user_model
from django.core.management import call_command

from booking.models import CallType
from newsletter import preflight
from newsletter.models import Issue
from pages.models import Practice

pytestmark = pytest.mark.django_db


def test_demo_data_fill_an_empty_site(client, capsys):
    call_command("demo_data")

    assert "Password: " in capsys.readouterr().out
    assert client.get("/termin/").status_code == 200
    assert CallType.objects.offered().count() == 3


def test_the_demo_s_draft_lacks_nothing_but_an_imprint_and_readers():
    call_command("demo_data")

    (draft,) = Issue.objects.all()
    found = preflight.problems(draft, practice=Practice.current())
    assert draft.status == Issue.Status.DRAFT
    assert {problem.kind for problem in found} == {"imprint", "audience"}


def test_demo_data_change_nothing_the_second_time(capsys):
    call_command("demo_data")
    CallType.objects.filter(slug="telefonat").delete()
    Practice.objects.update(city="Berlin")
    capsys.readouterr()

    call_command("demo_data")

    assert capsys.readouterr().out == ""
    assert CallType.objects.count() == 2
    assert Issue.objects.count() == 1
    assert get_user_model().objects.count() == 1
    assert Practice.current().city == "Berlin"
