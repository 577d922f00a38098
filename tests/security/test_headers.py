"""What every answer tells browsers: frame nothing, guess nothing, and keep nothing that is somebody's."""

from __future__ import annotations

import re
from typing import cast

import pytest
from django.http import HttpResponse
from django.test import Client

from tests.newsletter.conftest import path_in
from tests.newsletter.test_limits import ask_for_link
from tests.security.house import House, Way, ways

pytestmark = pytest.mark.django_db

EVIL = "evil.example"


def shown(path: str, asked: dict[str, str] | None = None) -> HttpResponse:
    """The answer to a stranger, read to its end."""
    answer = cast("HttpResponse", Client().get(path, asked or {}))
    answer.getvalue()
    return answer


def personal(house: House) -> list[Way]:
    """What a secret opens, and no other page."""
    hidden = {"privat", "einmal", "verschieben"}
    own = [way for way in ways(house) if way.kind]
    call = [
        Way("call", f"/termin/{address}/")
        for address in house.parts["address"]
        if address.partition("/")[0] in hidden
    ]
    return [*own, *call]


def test_no_answer_may_be_framed_or_taken_for_something_else(house):
    for way in ways(house):
        answer = shown(way.path)
        policy = answer["Content-Security-Policy"]

        assert answer["X-Frame-Options"] == "DENY", way.path
        assert "frame-ancestors 'none'" in policy, way.path
        assert "form-action 'self'" in policy, way.path
        assert answer["X-Content-Type-Options"] == "nosniff", way.path
        assert answer["Referrer-Policy"] in ("same-origin", "no-referrer"), way.path


def test_what_a_secret_opens_is_kept_by_no_cache_between(house):
    for way in personal(house):
        kept = shown(way.path).get("Cache-Control", "")

        assert "no-store" in kept or "private" in kept, (way.path, kept)
        assert "public" not in kept, way.path


def test_what_a_secret_opens_is_in_no_index(house):
    for way in personal(house):
        answer = Client().get(way.path)
        if answer.status_code >= 300 or not answer["Content-Type"].startswith("text/html"):
            continue
        robots = answer.get("X-Robots-Tag", "") + str(
            re.findall(r'<meta name="robots"[^>]*>', answer.content.decode())
        )

        assert "noindex" in robots, way.path


@pytest.mark.parametrize("host", [EVIL, f"localhost.{EVIL}", f"localhost:8000@{EVIL}", ""])
def test_another_host_name_is_answered_by_nobody(client, host):
    assert client.get("/", HTTP_HOST=host or " ").status_code == 400


def test_no_header_gets_into_a_mails_links(client, reader, mailbox, run_jobs):
    client.defaults["HTTP_X_FORWARDED_HOST"] = EVIL
    client.defaults["HTTP_X_ORIGINAL_HOST"] = EVIL
    client.defaults["HTTP_FORWARDED"] = f"host={EVIL}"
    ask_for_link(client, reader.address)
    run_jobs()

    (message,) = mailbox.messages
    assert EVIL not in message.as_string()
    assert path_in(message, "einstellungen")


@pytest.mark.parametrize("there", [f"https://{EVIL}/", f"//{EVIL}", f"/\\{EVIL}"])
def test_no_parameter_leads_to_another_site(house, there):
    asked = dict.fromkeys(("next", "tz", "ab", "gehalten", "termin", "url", "zurueck"), there)
    for way in ways(house):
        to = shown(way.path, asked).get("Location", "")

        assert to.startswith(("/", "?")) or not to, way.path
        assert not to.startswith(("//", "/\\")), way.path
