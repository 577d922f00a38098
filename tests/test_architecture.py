"""What the drawing and its page name is there, so that neither grows old unnoticed."""

from __future__ import annotations

import re

import pytest
from django.db import connection

from tests.test_house import FLOORS, ROOMS, ROOT

PAGE = (ROOT / "docs" / "architecture.md").read_text("utf-8")
DRAWING = (ROOT / "docs" / "architecture.svg").read_text("utf-8")

NAMES = """
    SELECT conname FROM pg_constraint UNION SELECT tgname FROM pg_trigger
    UNION SELECT indexname FROM pg_indexes
"""


@pytest.mark.django_db
def test_each_truth_is_held_by_a_constraint_or_a_trigger_of_that_name():
    truths = PAGE.partition("| truth |")[2]
    named = set(re.findall(r"`(\w+)`", truths))

    with connection.cursor() as cursor:
        cursor.execute(NAMES)
        known = {name for (name,) in cursor.fetchall()}

    assert named
    assert named - known == set()


def test_the_floors_are_drawn_as_they_are_held():
    drawn = [int(number) for number in re.findall(r'class="name" x="32" y="\d+">(\d) ', DRAWING)]

    assert drawn == sorted(FLOORS, reverse=True)


@pytest.mark.parametrize("door", sorted(set(re.findall(r"(?<!\])\(`?(\w+\.\w+)`?\)", PAGE))))
def test_each_rule_it_names_exists(door):
    module, _, name = door.partition(".")
    if name == "py":
        assert any((ROOT / room / f"{module}.py").exists() for room in ROOMS)
    else:
        assert f"\ndef {name}(" in (ROOT / "booking" / f"{module}.py").read_text("utf-8")
