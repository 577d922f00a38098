"""Commands that may be run twice."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command

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


# --- healthcheck: what the container is judged by ---------------------------------------------


@contextmanager
def answering(*answers: bytes) -> Iterator[list[str]]:
    """A site on PORT that gives these answers in turn, the last one for ever; yields what was asked."""
    asked: list[str] = []

    def answer() -> None:
        with suppress(OSError):  # closed: the test is over
            while True:
                line, _ = listener.accept()
                with line:
                    asked.append(line.recv(4096).decode())
                    line.sendall(answers[min(len(asked), len(answers)) - 1])

    listener = socket.create_server(("127.0.0.1", 0))
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PORT", str(listener.getsockname()[1]))
        thread = threading.Thread(target=answer)
        thread.start()
        try:
            yield asked
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
            thread.join()


WELL = b"HTTP/1.0 200 OK\r\n\r\nwell"
ILL = b"HTTP/1.0 503 Service Unavailable\r\n\r\nmigrations are missing"


@pytest.mark.parametrize(
    ("arguments", "path"), [([], "/healthz"), (["--ready"], "/readyz")], ids=["alive", "ready"]
)
def test_a_site_that_answers_is_well_and_was_asked_by_its_own_name(
    arguments, path, settings, capsys
):
    settings.ALLOWED_HOSTS = ["praxis.example"]
    with answering(WELL) as asked:
        call_command("healthcheck", *arguments)

    assert capsys.readouterr().out == "well\n"
    assert asked[0].startswith(f"GET {path} ")
    assert "\r\nHost: praxis.example\r\n" in asked[0]


@pytest.mark.parametrize(
    ("answer", "told"),
    [(ILL, "migrations are missing"), (b"what?\r\n", "does not answer"), (b"", "does not answer")],
    ids=["ill", "no HTTP", "hangs up"],
)
def test_a_site_that_is_not_well_fails_the_check_in_one_sentence(answer, told):
    with answering(answer), pytest.raises(CommandError, match=told):
        call_command("healthcheck")


def test_a_site_that_nobody_runs_fails_the_check_in_one_sentence(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as free:
        monkeypatch.setenv("PORT", str(free.getsockname()[1]))

    with pytest.raises(CommandError, match="does not answer"):
        call_command("healthcheck")


def test_a_site_that_is_still_starting_is_waited_for(capsys):
    with answering(ILL, WELL) as asked:
        call_command("healthcheck", "--wait", "60")

    assert capsys.readouterr().out == "well\n"
    assert len(asked) == 2


def test_the_roles_are_kept_as_the_code_says_and_the_command_tells_how_many(capsys):
    call_command("roles", verbosity=0)
    assert capsys.readouterr().out == ""
    Group.objects.get(name="Coach").permissions.clear()

    call_command("roles")

    assert "Coach=" in capsys.readouterr().out
    assert Group.objects.get(name="Coach").permissions.exists()
