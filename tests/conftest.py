"""Fixtures every test may use."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
from django.conf import settings
from django.db import connection
from django.db.models import Q, QuerySet
from django.test import override_settings
from django.utils import timezone
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob

from coaching_site import tracing
from pages.models import Practice
from tests import mail_server

# Who runs the practice, as far as an imprint must say it.
OPERATOR = {
    "first_name": "Vorname",
    "last_name": "Nachname",
    "street": "Teststraße 1",
    "postal_code": "10115",
    "city": "Berlin",
    "email": "hallo@praxis.example",
    "phone": "+49 30 1234",
}


@pytest.fixture(scope="session", autouse=True)
def quick_passwords() -> Iterator[None]:
    """Passwords are made slow on purpose; nearly every test of the desk would wait for one."""
    quick = "django.contrib.auth.hashers.MD5PasswordHasher"
    with override_settings(PASSWORD_HASHERS=[quick, *settings.PASSWORD_HASHERS]):
        yield


@pytest.fixture(scope="session")
def smtp() -> Iterator[tuple[mail_server.Mailbox, str, int]]:
    with mail_server.serve() as running:
        yield running


@pytest.fixture
def mailbox(smtp, settings) -> Iterator[mail_server.Mailbox]:
    """The mail server's inbox, empty; Django is pointed to that server.

    What a test makes the server answer ends with it: the running site of the journeys mails there too.
    """
    box: mail_server.Mailbox
    box, host, port = smtp
    box.clear()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = host, port
    settings.EMAIL_USE_TLS = settings.EMAIL_USE_SSL = False
    yield box
    box.clear()


@pytest.fixture
def run_jobs(db) -> Callable[[], list[str]]:
    """Runs what waits in the queue, on this test's own connection; returns the tasks' names."""

    def waiting() -> QuerySet[ProcrastinateJob]:
        is_time = Q(scheduled_at=None) | Q(scheduled_at__lte=timezone.now())
        return ProcrastinateJob.objects.filter(is_time, status="todo")

    def run() -> list[str]:
        done = []
        while job := waiting().order_by("id").first():
            with connection.cursor() as cursor:
                cursor.execute("DELETE FROM procrastinate_jobs WHERE id = %s", [job.id])
            app.tasks[job.task_name](**tracing.without_request(job.args))
            done.append(job.task_name)
        return done

    return run


@pytest.fixture
def now() -> datetime:
    """A Monday morning in Berlin (09:00), long before anything booked in the tests."""
    return datetime(2027, 3, 1, 8, 0, tzinfo=UTC)


@pytest.fixture
def whole(db) -> Practice:
    """Everything a legal text asks for is there."""
    return Practice.objects.create(
        pk=1,
        **OPERATOR,
        vat_id="DE123456789",
        hosting_provider="Hoster, Ort",
        mail_provider="Versender, Ort",
        video_provider="Video, Ort",
        supervisory_authority="Aufsicht, Ort",
    )
