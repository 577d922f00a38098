"""What Django itself says in the admin reads like the rest of the desk: „du“, and no English."""

from __future__ import annotations

import re
from ast import literal_eval
from gettext import GNUTranslations
from html import unescape
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model

from booking.models import CallType
from newsletter.models import Tag

pytestmark = pytest.mark.django_db

FOLDER = Path(settings.LOCALE_PATHS[0]) / "de" / "LC_MESSAGES"
STRINGS = r'((?:"(?:[^"\\]|\\.)*"\s*)+)'
ENTRY = re.compile(rf"^msgid {STRINGS}msgstr {STRINGS}", re.MULTILINE)
NOT_OURS = re.compile(
    r"\b(?:Sie sind|Ihre?n?|Wollen Sie|geben Sie|zum Ansehen|zur Änderung|Objekte?|Add|Search|Save|Sichern)\b"
)


@pytest.mark.parametrize("name", ["django", "djangojs"])
def test_the_compiled_words_are_the_written_ones(name):
    with (FOLDER / f"{name}.mo").open("rb") as file:
        compiled = GNUTranslations(file)
    written = ENTRY.findall((FOLDER / f"{name}.po").read_text())[1:]

    assert written
    for english, german in written:
        said = literal_eval(f"({german.strip()})")
        assert compiled.gettext(literal_eval(f"({english.strip()})")) == said


def test_djangos_own_pages_say_du(client, call_type):
    tag = Tag.objects.create(name="Wort")
    client.force_login(get_user_model().objects.create_superuser("coach"))
    for path in (
        "password_change/",
        "booking/booking/",
        "booking/calltype/",
        f"booking/calltype/{CallType.objects.get().pk}/change/",
        "newsletter/tag/add/",
        f"newsletter/tag/{tag.pk}/delete/",
        "jsi18n/",
    ):
        page = client.get(f"/verwaltung/{path}")
        text = re.sub(r"<script.*?</script>|<[^>]+>", " ", unescape(page.text), flags=re.DOTALL)
        said = re.sub(
            r'"[^"]*": ', "", text
        )  # of the scripts' catalogue what is said, not its keys
        assert page.status_code == 200, path
        assert not NOT_OURS.findall(said), path
